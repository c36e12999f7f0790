//! Row 8, beside a purge: throughput while the bodies of everything stored so far are deleted, because their time is over.

use std::{path::Path, time::Instant};

use anyhow::Result;
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    Bed,
    figures::{Line, Report, rounded},
    stage::Stage,
    usage,
};

/// Streams so many students more over `sent` messages, without a purge and beside one. The provider is stopped.
pub async fn measure(bed: &Bed<'_>, stage: &Stage, more: u64, sent: u64, report: &mut Report) -> Result<()> {
    bed.progress.step(format!("growth: {more} new students while the bodies of {sent} messages are purged"));
    let file = stage.provider.data_dir.join("rollcall.db");
    let before = bodies(&file).await?;
    let usual = measure_one(stage, "unpurged", more, sent, &[]).await?;
    stage.provider.stop().await?;
    // What is delivered meanwhile is purged a second later, too: harder than thirty days.
    let beside = measure_one(stage, "purged", more, sent + more, &["--keep-bodies", "1s"]).await?;
    stage.provider.stop().await?;
    let purged = before + 2 * more - bodies(&file).await?;
    let value = json!({ "purged": purged, "per_s": rounded(beside.0), "usual_per_s": rounded(usual.0) });
    let measured = format!("{:.0}/s, {:.0} µs CPU", beside.0, beside.1);
    let (limit, ratio) = (format!("{:.0}/s without", usual.0), format!("{:.2}", beside.0 / usual.0));
    let row = format!("8 growth, while {purged} bodies are purged");
    report.other("purge", value, Line { row: &row, measured, limit: &limit, ratio: &ratio, target: "" });
    Ok(())
}

/// Starts, and answers messages a second and processor time of each, in µs.
async fn measure_one(stage: &Stage, round: &str, more: u64, sent: u64, options: &[&str]) -> Result<(f64, f64)> {
    stage.provider.start_with(options).await?;
    let pid = stage.provider.pid().await?;
    let (cpu, begun) = (usage::cpu_us(pid)?, Instant::now());
    stage.stream(round, more).await?;
    stage.until_recorded(sent + more).await?;
    let cpu_us = (usage::cpu_us(pid)? - cpu) as f64 / more as f64;
    Ok((more as f64 / begun.elapsed().as_secs_f64(), cpu_us))
}

async fn bodies(file: &Path) -> Result<u64> {
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM event_bodies").fetch_one(&mut database).await?;
    database.close().await?;
    Ok(count as u64)
}
