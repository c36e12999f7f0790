//! Every hostile receiver at once, each at a school of its own. What the program made of them is read from its log.

use std::{collections::HashMap, path::Path, time::Duration};

use rollcall_proto::provider::v1::{GetOverviewRequest, log_service_client::LogServiceClient};
use tokio::sync::watch;

use super::{
    cases::{self, At, Case, Then},
    certificates::{Authority, HOST},
    names::{Answer, NameServer},
    receivers::{Door, Receiver, Step},
};
use crate::{
    engine::support::{Rig, Settings},
    platform::support::with_token,
    support::program::{self, Program},
};

/// The longest that an attempt may take, its name and its connection of it, and what a busy machine may be late.
const ATTEMPT: Duration = Duration::from_secs(15);
const NAME: Duration = Duration::from_secs(2);
const CONNECTION: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(4);
/// What all of them together may cost in memory.
const MEMORY_BYTES: u64 = 64 << 20;
/// Longer than the test: whatever is tried again is tried after it.
const RETRY_MS: &str = "600000";

const ATTEMPTS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM attempts";
const LOG: &str = "SELECT s.sourced_id || '|' || a.status || '|' || a.cause || '|' || a.detail || '|' || a.code
        || '|' || a.response_bytes || '|' || a.latency_us || '|' || (COALESCE(a.next_ms, 0) - a.at_ms)
    FROM attempts a JOIN schools s ON s.school_id = a.school_id ORDER BY a.log_sequence";
/// With the wait of a school, counted from when its attempt ended.
const SCHOOLS: &str = "SELECT s.sourced_id || '|' || s.state || '|' || s.health || '|' ||
        (s.retry_at_ms - a.at_ms - a.latency_us / 1000)
    FROM schools s JOIN attempts a ON a.school_id = s.school_id AND a.log_sequence = 1";
const MESSAGES: &str =
    "SELECT s.sourced_id || '|' || e.state FROM events e JOIN schools s ON s.school_id = e.school_id";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_receiver_is_bounded_in_time_and_memory_and_named() {
    let (open, gate) = watch::channel(false);
    let trap = Receiver::start(Door::Plain, vec![Step::Hang], watch::channel(true).1).await;
    let cases = cases::all(&trap.address.to_string());
    let authority = Authority::new("Everybody trusts");
    let mut receivers = Vec::new();
    for case in &cases {
        let door = match case.at {
            At::Http | At::BehindHttps | At::Nowhere | At::Name(_) => Door::Plain,
            At::Https(shown) => Door::Tls(authority.serves(shown)),
            At::Full => Door::Full,
        };
        receivers.push(Receiver::start(door, case.steps.clone(), gate.clone()).await);
    }
    let rig = schools(&cases, &receivers).await;

    let (folder, names) = (tempfile::tempdir().expect("a folder"), name_server());
    let program = start(&rig, folder.path(), &authority, &names).await;
    let (before_bytes, _) = program.memory_bytes();
    open.send_replace(true);
    let attempts: usize = cases.iter().map(Case::attempts).sum();
    rig.until(ATTEMPTS, &[&attempts.to_string()]).await;
    let (_, most_bytes) = program.memory_bytes();

    let mut wrong = Vec::new();
    let (log, schools) = (by_school(&rig, LOG).await, by_school(&rig, SCHOOLS).await);
    let messages = by_school(&rig, MESSAGES).await;
    for (number, (case, receiver)) in cases.iter().zip(&receivers).enumerate() {
        let school = format!("s{number}");
        let found = [&log, &schools, &messages].map(|rows| rows.get(&school).map_or(&[][..], Vec::as_slice));
        if let Err(what) = case.check(receiver, found) {
            wrong.push(format!("{}: {what}", case.name));
        }
    }
    let grown_bytes = most_bytes.saturating_sub(before_bytes);
    println!("{attempts} attempts, {} receivers: {} KiB more memory", cases.len(), grown_bytes >> 10);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(trap.connections(), 0, "a redirect was followed");
    assert!(grown_bytes <= MEMORY_BYTES, "{} MiB", grown_bytes >> 20);
    staff_are_told_of_what_is_gone(&program, &cases).await;
    program.stop().await;
}

/// A school for each case, with its messages.
async fn schools(cases: &[Case], receivers: &[Receiver]) -> Rig {
    let rig = Rig::new(cases.len()).await;
    for (number, (case, receiver)) in cases.iter().zip(receivers).enumerate() {
        let port = receiver.address.port();
        let url = match case.at {
            At::Http | At::Full => format!("http://127.0.0.1:{port}/hook"),
            At::Nowhere => "http://127.0.0.1:1/hook".to_owned(),
            At::Https(_) | At::BehindHttps => format!("https://{HOST}:{port}/hook"),
            At::Name(name) => format!("https://{name}:{port}/hook"),
        };
        let one_by_one = case.attempts() < case.messages;
        let max_in_flight = if one_by_one { 1 } else { case.messages as u32 };
        let settings =
            Settings { max_tries: 5, delays: RETRY_MS, probe_ms: 900_000, timeout_ms: 15_000, max_in_flight };
        rig.connect(number, &url, settings).await;
        rig.put_many(number, number * 100..number * 100 + case.messages).await;
    }
    rig.leave_out_syncs().await;
    rig
}

fn name_server() -> NameServer {
    NameServer::start([
        (HOST, Answer::of(&["127.0.0.1"])),
        ("missing.test", Answer::NoSuchName),
        ("empty.test", Answer::of(&[])),
        ("trouble.test", Answer::Trouble),
        ("refused.test", Answer::Refused),
        ("silent.test", Answer::Silence),
        ("garbage.test", Answer::Garbage),
        ("private.test", Answer::of(&["10.0.0.1"])),
        ("mixed.test", Answer::of(&["127.0.0.1", "10.0.0.1"])),
        ("mapped.test", Answer::of(&["::ffff:127.0.0.1"])),
    ])
}

async fn start(rig: &Rig, folder: &Path, authority: &Authority, names: &NameServer) -> Program {
    let trusted = folder.join("trusted.pem");
    std::fs::write(&trusted, authority.pem()).expect("written");
    let mut command = program::command(&rig.test, folder);
    command.args(["--allow-network", "127.0.0.0/8", "--name-server", &names.address.to_string()]);
    Program::start(command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR")).await
}

type Rows = HashMap<String, Vec<Vec<String>>>;

async fn by_school(rig: &Rig, sql: &'static str) -> Rows {
    let mut rows = Rows::new();
    for text in rig.test.texts(sql).await {
        let mut words = text.split('|').map(str::to_owned);
        let school = words.next().expect("a school");
        rows.entry(school).or_default().push(words.collect());
    }
    rows
}

impl Case {
    /// How many attempts are made before the school waits.
    fn attempts(&self) -> usize {
        if matches!(self.then, Then::Held | Then::Waits(_)) { 1 } else { self.messages }
    }

    /// Whether log, school and messages are as they must be; else what is not.
    fn check(&self, receiver: &Receiver, [log, school, messages]: [&[Vec<String>]; 3]) -> Result<(), String> {
        let number = |text: &String| text.parse::<i64>().expect("a number");
        let [school] = school else { return Err(format!("no attempt, {messages:?}")) };
        let (status, state) = match self.then {
            Then::Delivered => ("delivered", "delivered"),
            Then::Retried | Then::Waits(_) => ("retrying", "pending"),
            Then::Held => ("held", "held"),
        };
        let (cause, detail, code) = self.ends;
        let limit = match cause {
            "dns" | "blocked" => NAME,
            "connect" | "tls" => CONNECTION,
            _ => ATTEMPT,
        };
        let expected = [status, cause, detail, &code.to_string()];
        for attempt in log {
            if attempt[..4] != expected {
                return Err(format!("ended {:?}, not {expected:?}", &attempt[..4]));
            }
            if self.read_bytes.is_some_and(|bytes| number(&attempt[4]) != bytes as i64) {
                return Err(format!("{} bytes were read", attempt[4]));
            }
            if Duration::from_micros(number(&attempt[5]) as u64) > limit + LATE {
                return Err(format!("took {} µs", attempt[5]));
            }
            if status == "retrying" && number(&attempt[6]) < 1_000 {
                return Err(format!("is tried again after {} ms", attempt[6]));
            }
        }
        if receiver.longest() > ATTEMPT + LATE {
            return Err(format!("a connection was kept for {:?}", receiver.longest()));
        }
        let met = if matches!(self.at, At::Full | At::Nowhere | At::Name(_)) { 0 } else { self.attempts() };
        if (log.len(), receiver.connections() as usize) != (self.attempts(), met) {
            return Err(format!("{} attempts, {} connections", log.len(), receiver.connections()));
        }
        if messages.iter().any(|message| message[0] != state) {
            return Err(format!("its messages are {messages:?}"));
        }
        let (school_state, wait_ms) = (school[0].as_str(), number(&school[2]));
        match self.then {
            Then::Held if school_state != "held" => Err(format!("the school is {school_state}")),
            // A wait counts from the answer, which is recorded soon.
            Then::Waits(ms) if school[1] != "failing" || !(ms - 5..ms + 3_000).contains(&wait_ms) => {
                Err(format!("the school is {} and waits for {wait_ms} ms", school[1]))
            }
            Then::Retried if school_state != "active" => Err(format!("the school is {school_state}")),
            _ => Ok(()),
        }
    }
}

async fn staff_are_told_of_what_is_gone(program: &Program, cases: &[Case]) {
    let channel = program.dial().await;
    let token = program.claim_owner(channel.clone()).await;
    let request = with_token(GetOverviewRequest::default(), &token);
    let overview = LogServiceClient::new(channel).get_overview(request).await.expect("an overview").into_inner();
    let held: Vec<&str> = overview
        .attention
        .iter()
        .filter(|item| (item.kind.as_str(), item.severity.as_str()) == ("connection_held", "urgent"))
        .map(|item| item.school_name.as_str())
        .collect();
    let gone = cases.iter().position(|case| case.then == Then::Held).expect("such a case");
    assert_eq!(held, [format!("s{gone}")]);
    let failing = overview.attention.iter().filter(|item| item.kind == "connection_failing").count();
    assert!(failing > 0, "schools whose certificate or name is wrong are told");
}
