//! Row 14: the consoles, on real windows without a graphics card.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use desktop_e2e::{App, Keyring, Stage as Desktop};
use rollcall_proto::provider::v1 as pb;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, sleep};

use super::{
    Bed,
    figures::{Line, Report, percentile, rounded},
    ingest::put,
    stage::Stage,
    usage,
};
use crate::{
    admin::patient,
    build::Profile,
    consoles::{Consoles, sign_in},
    dist, ui,
};

const STARTS: u64 = 5;
const EVERY: Duration = Duration::from_millis(20);
/// Until the page has caught up with what was sent.
const SETTLE: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(20);

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    bed.progress.step("consoles: building them for release");
    let consoles = tokio::task::spawn_blocking(|| Consoles::build(Profile::Release)).await??;
    let rows = bed.amount(20_000);
    bed.progress.step(format!("consoles: {rows} rows in the log"));
    let stage = Stage::set(bed, "consoles", 1, false).await?;
    stage.stream("rows", rows).await?;
    stage.until_recorded(rows).await?;

    bed.progress.step("consoles: cold starts");
    let desktop = Desktop::set(Keyring::Unlocked).await?;
    sign_in(&desktop, &stage.provider).await?;
    starts(&desktop, "provider", &consoles.provider, bed.amount(STARTS * 10) / 10, report).await?;
    starts(&desktop, "school", &consoles.school, bed.amount(STARTS * 10) / 10, report).await?;

    bed.progress.step("consoles: 50 rows a second");
    let console = desktop.open(&consoles.provider, &[]).await?;
    console.until_shown().await?;
    let school = &stage.schools[0];
    console.must("open_log_window", json!({ "school": school.id, "title": school.name })).await?;
    console.other_window().await?;
    console.until_shown().await?;
    live(bed, &stage, &console, report).await?;

    bed.progress.step("consoles: idle, with the live tail open");
    // The probe's own frames would be what is measured.
    console.script("window.__probe.stopped = true", vec![]).await?;
    let group = console.group().context("the console runs")?;
    let before = group_cpu_us(group)?;
    sleep(IDLE).await;
    let share = (group_cpu_us(group)? - before) as f64 / IDLE.as_micros() as f64 * 100.0;
    let measured = format!("{share:.2} % of a core");
    let line = Line { row: "14 idle, live tail open", measured, target: "about 0", ..Line::default() };
    report.other("console_idle", json!({ "percent_of_core": rounded(share) }), line);
    console.kill().await?;
    drop(desktop);
    stage.clear(bed.folder).await?;
    sizes(report)
}

/// From the start of the process to a screen with its data.
async fn starts(desktop: &Desktop, app: &str, program: &Path, times: u64, report: &mut Report) -> Result<()> {
    let mut took = Vec::new();
    for _ in 0..times.max(1) {
        let arguments: &[&str] = if app == "school" { &["--listen", "127.0.0.1:0"] } else { &[] };
        let console = desktop.open(program, arguments).await?;
        console.until_shown().await?;
        took.push(age(console.group().context("it runs")?, program)?.as_secs_f64());
        console.kill().await?;
    }
    let (p50, worst) = (percentile(&mut took, 50.0), percentile(&mut took, 100.0));
    let measured = format!("p50 {p50:.2} s, longest {worst:.2} s of {}", took.len());
    let row = format!("14 cold start, {app}");
    let line = Line { row: &row, measured, target: "≤ 2 s", ..Line::default() };
    report.other(&format!("cold_start_{app}"), json!({ "p50_s": rounded(p50), "max_s": rounded(worst) }), line);
    Ok(())
}

/// Notes each frame's length and when each message first stood in the page.
const PROBE: &str = r"
    const probe = { frames: [], seen: {}, last: performance.now() };
    window.__probe = probe;
    const look = (node) => {
        for (const id of (node.outerHTML || node.textContent || '').match(/evt_[0-9a-zA-Z-]+/g) || [])
            probe.seen[id] ??= Date.now();
    };
    look(document.body);
    new MutationObserver((changes) => {
        for (const { target, addedNodes, type } of changes)
            type === 'childList' ? addedNodes.forEach(look) : look(target.parentElement || target);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    const frame = (now) => {
        probe.frames.push(now - probe.last);
        probe.last = now;
        if (!probe.stopped) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);";

async fn live(bed: &Bed<'_>, stage: &Stage, console: &App, report: &mut Report) -> Result<()> {
    console.script(PROBE, vec![]).await?;
    let total = bed.amount(1_500);
    let mut client = stage.admin.students();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    for number in 0..total {
        ticks.tick().await;
        client.put_student(put(stage, "live", number)).await?;
    }
    let per_s = total as f64 / begun.elapsed().as_secs_f64();
    sleep(SETTLE).await;
    let told = console.script("return window.__probe", vec![]).await?;
    let mut frames: Vec<f64> = told["frames"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    let (p50, p95) = (percentile(&mut frames, 50.0), percentile(&mut frames, 95.0));
    let measured = format!("p50 {p50:.0} ms, p95 {p95:.0} ms ({} frames, {per_s:.0} rows/s)", frames.len());
    let line = Line { row: "14 frame, 50 rows/s live", measured, target: "p95 ≤ 66 ms", ..Line::default() };
    report.other("console_frame", json!({ "p50_ms": rounded(p50), "p95_ms": rounded(p95) }), line);

    let happened = attempts(stage, total).await?;
    let seen = told["seen"].as_object().context("the probe told nothing")?;
    let mut late: Vec<f64> =
        seen.iter().filter_map(|(id, at)| Some((at.as_f64()? - happened.get(id)?) / 1e3)).collect();
    if late.len() < total as usize / 2 {
        bail!("only {} of {total} new attempts were seen in the log window", late.len());
    }
    let (p50, worst) = (percentile(&mut late, 50.0), percentile(&mut late, 100.0));
    let measured = format!("p50 {p50:.2} s, longest {worst:.2} s, {} of {total} drawn", late.len());
    let line = Line { row: "14 new attempt visible", measured, target: "≤ 1 s", ..Line::default() };
    report.other("attempt_visible", json!({ "p50_s": rounded(p50), "max_s": rounded(worst) }), line);
    Ok(())
}

/// When each of the newest attempts ended, in Unix ms, by message.
async fn attempts(stage: &Stage, count: u64) -> Result<HashMap<String, f64>> {
    let (mut found, mut page_token) = (HashMap::new(), String::new());
    while (found.len() as u64) < count {
        let request = pb::ListAttemptsRequest {
            school: stage.schools[0].id.clone(),
            page_size: 500,
            page_token,
            ..Default::default()
        };
        let page = patient(|| async { stage.admin.log().list_attempts(request.clone()).await }).await?;
        for attempt in page.attempts.into_iter().take(count as usize - found.len()) {
            let at = attempt.at.unwrap_or_default();
            let begun_ms = at.seconds as f64 * 1e3 + f64::from(at.nanos) / 1e6;
            found.insert(attempt.message_id, begun_ms + f64::from(attempt.latency_us) / 1e3);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// How long ago the process of this program in the group was started.
fn age(group: i32, program: &Path) -> Result<Duration> {
    let program = std::fs::canonicalize(program)?;
    for pid in members(group)? {
        if std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program) {
            return usage::age(pid);
        }
    }
    bail!("{} does not run", program.display())
}

fn group_cpu_us(group: i32) -> Result<u64> {
    // One that ended between the two looks had its last moment.
    Ok(members(group)?.into_iter().filter_map(|pid| usage::cpu_us(pid).ok()).sum())
}

/// The processes of a group.
fn members(group: i32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        if usage::group(pid).is_ok_and(|of| of == group) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// What people download, and what a window loads before it shows something.
fn sizes(report: &mut Report) -> Result<()> {
    for package in dist::made(&dist::packages()) {
        let size = dist::megabytes(&package)?;
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let row = format!("14 installer {name}");
        let line = Line { row: &row, measured: format!("{size:.1} MB"), target: "≤ 25 MB", ..Line::default() };
        report.other(&format!("installer {name}"), json!({ "mb": rounded(size) }), line);
    }
    for app in ["provider", "school"] {
        let kb = first_paint_kb(app)?;
        let row = format!("14 JavaScript at first paint, {app}");
        let line = Line { row: &row, measured: format!("{kb:.0} kB gzipped"), target: "≤ 600 kB", ..Line::default() };
        report.other(&format!("first_paint_{app}"), json!({ "gzip_kb": rounded(kb) }), line);
    }
    Ok(())
}

/// The page's scripts and what they import at once, which the bundler lists in the page, gzipped, in kB.
fn first_paint_kb(app: &str) -> Result<f64> {
    let page = ui::page(app);
    let html = std::fs::read_to_string(&page).with_context(|| format!("{} is not built", page.display()))?;
    let folder = page.parent().context("a page is in a folder")?;
    let mut bytes = 0;
    let scripts = html.split(['"', '\'']).filter(|text| text.ends_with(".js"));
    for script in scripts {
        let script = folder.join(script.trim_start_matches("./").trim_start_matches('/'));
        let text = std::fs::read(&script).with_context(|| script.display().to_string())?;
        let mut packed = flate2::read::GzEncoder::new(text.as_slice(), flate2::Compression::best());
        bytes += std::io::copy(&mut packed, &mut std::io::sink())?;
    }
    if bytes == 0 {
        bail!("{} loads no script", page.display());
    }
    Ok(bytes as f64 / 1e3)
}
