//! The log window with a long log and a live tail: nothing moves under the reader, and no row is missed.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use desktop_e2e::{App, Keyring, Stage, until};
use provider_server::app::Running;
use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{self as pb, student_service_client::StudentServiceClient},
};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tonic::{Request, metadata::MetadataValue, transport::Channel};

use crate::{
    flows::{SCHOOL, end, enrolled, token_of},
    staff::open_school,
};

const ROWS: u64 = 20_000;
const LIVE: u64 = 1_000;
/// 50 rows a second.
const EVERY: Duration = Duration::from_millis(20);
/// For a debug build of all four programs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Watches, frame by frame, the first row in sight: `window.__reader` says which it is and how far it ever moved.
const READ: &str = "
    const grid = document.querySelector('[role=grid]');
    const head = grid.querySelector('[role=rowgroup]').getBoundingClientRect().bottom;
    const row = [...grid.querySelectorAll('[role=row][id]')].find((row) => row.getBoundingClientRect().top >= head);
    const reader = { id: row.id, top: row.getBoundingClientRect().top, moved: 0, frames: 0, lost: false };
    window.__reader = reader;
    const frame = () => {
        const now = document.getElementById(reader.id);
        reader.lost ||= !now;
        if (now) reader.moved = Math.max(reader.moved, Math.abs(now.getBoundingClientRect().top - reader.top));
        reader.frames += 1;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);";

/// Scrolls from the top to the end as fast as rows are drawn: `window.__seen` says the log sequence of each row that was
/// there, and whether the end is reached.
const READ_ALL: &str = "
    const end = arguments[0];
    const grid = document.querySelector('[role=grid]');
    const seen = new Set();
    window.__seen = { ended: false };
    let still = 0;
    const look = () => {
        const before = seen.size;
        for (const row of grid.querySelectorAll('[role=row][id]')) seen.add(row.id.slice(row.id.lastIndexOf('-') + 1));
        const ended = grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1;
        still = ended && seen.size === before ? still + 1 : 0;
        if (ended && still > 3 && grid.textContent.includes(end)) {
            window.__seen = { ended: true, rows: [...seen] };
            return;
        }
        grid.scrollTop += grid.clientHeight - 64;
        requestAnimationFrame(() => requestAnimationFrame(look));
    };
    grid.scrollTop = 0;
    requestAnimationFrame(look);";

#[tokio::test(flavor = "multi_thread")]
async fn a_live_log_moves_nothing_under_the_reader_and_misses_no_row() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let (provider, console, school_desk, _) = enrolled(&stage).await?;
    let mut changes = Changes::of(&stage, &provider).await?;
    changes.stream(0..ROWS).await?;
    open_school(&console, SCHOOL, "Deliveries").await?;
    console.press("button", "Open webhook log").await?;
    console.other_window().await?;
    console.until_shown().await?;
    until("all attempts are in the log", PATIENCE, async || Ok((newest(&console).await? >= ROWS).then_some(())))
        .await?;

    // A reader some screens below the top, while 50 rows a second come.
    console.script("document.querySelector('[role=grid]').scrollTop = 3000", vec![]).await?;
    console.until_said("Paused").await?;
    console.script(READ, vec![]).await?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in ROWS..ROWS + LIVE {
        ticks.tick().await;
        changes.put(number).await?;
    }
    until("the tail told all", PATIENCE, async || Ok((waiting(&console).await? >= LIVE).then_some(()))).await?;
    let reader = console.script("return window.__reader", vec![]).await?;
    ensure!(reader["frames"].as_u64() > Some(20), "only {} frames were drawn", reader["frames"]);
    ensure!(reader["lost"] == false && reader["moved"] == 0, "a row moved under the reader: {reader}");

    // Going on shows the newest on top, and from there to the end no row is missing or doubled.
    console.press("button", "Paused").await?;
    // More than there are changes, where one was tried twice.
    let all = until("the newest is on top", PATIENCE, async || {
        Ok(Some(newest(&console).await?).filter(|newest| *newest >= ROWS + LIVE))
    });
    let all = all.await?;
    console.script(READ_ALL, vec![json!("This is where the log begins")]).await?;
    let read = until("the log is read to its end", PATIENCE, async || {
        let read = console.script("return window.__seen.ended ? window.__seen.rows : null", vec![]).await?;
        Ok((!read.is_null()).then_some(read))
    });
    let seen: BTreeSet<u64> = sequences(&read.await?)?;
    let missing: Vec<u64> = (1..=all).filter(|sequence| !seen.contains(sequence)).take(10).collect();
    ensure!(missing.is_empty() && seen.len() as u64 == all, "{} rows were seen; missing: {missing:?}", seen.len());
    end(school_desk, console, provider).await
}

/// The log sequence of the row on top; 0 without rows. A school's sequence begins at 1 and has no gaps.
async fn newest(console: &App) -> Result<u64> {
    const SCRIPT: &str =
        "const ids = [...document.querySelectorAll('[role=grid] [role=row][id]')].map((row) => row.id);
        return Math.max(0, ...ids.map((id) => Number(id.slice(id.lastIndexOf('-') + 1))))";
    Ok(console.script(SCRIPT, vec![]).await?.as_f64().unwrap_or_default() as u64)
}

/// How many rows the pill says are waiting.
async fn waiting(console: &App) -> Result<u64> {
    const SCRIPT: &str =
        "const pill = [...document.querySelectorAll('button')].find((at) => at.innerText.includes('Paused'));
        return (/([0-9,]+) new/.exec(pill?.innerText ?? '')?.[1] ?? '0').replace(',', '')";
    Ok(console.script(SCRIPT, vec![]).await?.as_str().unwrap_or_default().parse()?)
}

fn sequences(found: &Value) -> Result<BTreeSet<u64>> {
    let found = found.as_array().context("the page answers a list")?;
    found.iter().map(|sequence| Ok(sequence.as_str().context("a text")?.parse()?)).collect()
}

/// Changes of students as another system of the district sends them, in the session of the console.
struct Changes {
    students: StudentServiceClient<Channel>,
    token: String,
}

impl Changes {
    async fn of(stage: &Stage, provider: &Running) -> Result<Self> {
        let session = stage.kept("rollcall-provider-console", "session").await?.context("the session is kept")?;
        let channel = PinnedEndpoint::new(&provider.ready.grpc.to_string(), Pin(provider.pin))?.connect_lazy();
        Ok(Self { students: StudentServiceClient::new(channel), token: token_of(&session)? })
    }

    fn allowed<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", MetadataValue::try_from(format!("Bearer {}", self.token))?);
        Ok(request)
    }

    /// Sends new students in one stream, and returns when each is durable.
    async fn stream(&mut self, numbers: std::ops::Range<u64>) -> Result<()> {
        let expected = numbers.end - numbers.start;
        let first = numbers.start;
        let changes = numbers.map(move |number| pb::Change {
            district: if number == first { "d-1".into() } else { String::new() },
            tag: number,
            idempotency_key: String::new(),
            act: Some(pb::change::Act::Put(student(number))),
        });
        let request = self.allowed(tokio_stream::iter(changes))?;
        let mut answers = self.students.apply(request).await?.into_inner();
        let mut acknowledged = 0;
        while let Some(answer) = answers.message().await? {
            ensure!(answer.code == 0, "change {} was refused: {}", answer.tag, answer.error);
            acknowledged += 1;
        }
        ensure!(acknowledged == expected, "{acknowledged} of {expected} changes were acknowledged");
        Ok(())
    }

    async fn put(&mut self, number: u64) -> Result<()> {
        let put =
            pb::PutStudentRequest { district: "d-1".into(), student: Some(student(number)), ..Default::default() };
        let request = self.allowed(put)?;
        self.students.put_student(request).await?;
        Ok(())
    }
}

fn student(number: u64) -> pb::Student {
    pb::Student {
        sourced_id: format!("row-{number}"),
        status: pb::StudentStatus::Active.into(),
        given_name: "Zoë".into(),
        family_name: "Nguyễn".into(),
        grades: vec!["07".into()],
        school_enrollments: vec![pb::SchoolEnrollment {
            school_sourced_id: "school-1".into(),
            role_type: "primary".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}
