//! Rows 8, 9 and 10: what a history costs. Throughput with it and without, pages of the log over it, bytes on the disk.

use std::{path::Path, time::Instant};

use anyhow::Result;
use rollcall_proto::provider::v1 as pb;
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    Bed,
    figures::{Line, Report, Throughput, percentile, rounded},
    purge,
    stage::Stage,
    usage,
};
use crate::admin::patient;

/// A part that is streamed and delivered before the next one.
const PARTS: u64 = 10;
const CALLS: usize = 15;
/// Words of the filter bar, alone and together; some match everything, some nothing.
const FILTERS: [&str; 14] = [
    "",
    "status:delivered",
    "status:failed",
    "status:parked,retrying",
    "code:2xx",
    "code:5xx|timeout",
    "cause:timeout",
    "event:student.created",
    "event:student.withdrawn",
    "try:>1",
    "latency:>60s",
    "trigger:probe",
    "after:-1h",
    "event:student.updated latency:>2s after:-1h",
];
/// What a message has of its own: its event, its delivery and one attempt, with their indexes.
const OF_A_MESSAGE: [&str; 3] = ["event", "attempts", "sqlite_autoindex_event"];

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let stored = bed.amount(bed.stored);
    let slice = stored / PARTS;
    let stage = Stage::set(bed, "growth", 1, false).await?;
    let mut sent = slice / 10;
    stage.stream("warm", sent).await?;
    stage.until_recorded(sent).await?;
    let (mut first, mut last) = ((0.0, 0.0), (0.0, 0.0));
    for part in 0..=PARTS {
        bed.progress.step(format!("growth: {slice} new students over {sent} attempts"));
        let (cpu, begun) = (usage::cpu_us(stage.pid)?, Instant::now());
        stage.stream(&format!("part-{part}"), slice).await?;
        sent += slice;
        stage.until_recorded(sent).await?;
        let cpu_us = (usage::cpu_us(stage.pid)? - cpu) as f64 / slice as f64;
        last = (slice as f64 / begun.elapsed().as_secs_f64(), cpu_us);
        if part == 0 {
            first = last;
        }
    }
    let row = format!("8 growth, over {stored} attempts");
    let figures = Throughput { per_s: last.0, limit_per_s: first.0, cpu_us: last.1, target_ratio: 0.9 };
    report.throughput(&row, "growth", &figures);
    pages(bed, &stage, sent, report).await?;
    stage.provider.stop().await?;
    let folder = bed.folder.join("growth");
    storage(&folder.join("provider").join("rollcall.db"), sent, report).await?;
    purge::measure(bed, &stage, slice, sent, report).await?;
    Ok(std::fs::remove_dir_all(folder)?)
}

/// The slowest filter's median over a few calls.
async fn pages(bed: &Bed<'_>, stage: &Stage, sent: u64, report: &mut Report) -> Result<()> {
    bed.progress.step(format!("pages of the log over {sent} attempts"));
    let one = stage.student("part-5", 7).sourced_id;
    let of_a_student = format!("student:{one}");
    let mut worst = (0.0, String::new());
    for filter in FILTERS.into_iter().chain([of_a_student.as_str()]) {
        let request = pb::ListAttemptsRequest {
            school: stage.schools[0].id.clone(),
            filter: filter.into(),
            page_size: 100,
            ..Default::default()
        };
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let begun = Instant::now();
            patient(|| async { stage.admin.log().list_attempts(request.clone()).await }).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let median = percentile(&mut times, 50.0);
        if median > worst.0 {
            worst = (median, if filter == of_a_student { "student:…".into() } else { format!("“{filter}”") });
        }
    }
    let (ms, filter) = worst;
    let value = json!({ "attempts": sent, "slowest_ms": rounded(ms), "filter": filter });
    let row = format!("9 a page over {sent} attempts");
    let measured = format!("p50 {ms:.1} ms with the slowest filter, {filter}");
    report.other(
        "log_page",
        value,
        Line { row: &row, measured, target: "≤ 20 ms at 1 M, ≤ 50 at 10 M", ..Line::default() },
    );
    Ok(())
}

async fn storage(file: &Path, messages: u64, report: &mut Report) -> Result<()> {
    let all_in = std::fs::metadata(file)?.len() as f64 / messages as f64;
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
    let trees: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name").fetch_all(&mut database).await?;
    database.close().await?;
    let own = trees.iter().filter(|(name, _)| OF_A_MESSAGE.iter().any(|start| name.starts_with(start)));
    let own = own.map(|(_, bytes)| *bytes).sum::<i64>() as f64 / messages as f64;
    let value = json!({ "message_bytes": rounded(own), "all_in_bytes": rounded(all_in) });
    let measured = format!("{own:.0} bytes; all in {all_in:.0}");
    let row = "10 storage of a message and its attempt";
    report.other("storage", value, Line { row, measured, target: "≤ 1,200 bytes", ..Line::default() });
    Ok(())
}
