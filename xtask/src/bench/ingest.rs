//! Row 4: durable ingest alone, streamed and unary, beside bare SQLite commits. The schools are paused: every change
//! still makes its event and its delivery.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use rollcall_proto::provider::v1 as pb;
use serde_json::json;

use super::{
    Bed,
    figures::{Line, Report, Throughput, percentile, rounded},
    limits,
    stage::Stage,
    usage,
};
use crate::{admin::Admin, demo::DISTRICT};

const CALLERS: usize = 64;
/// A connection has a limit of calls at once.
const CHANNELS: usize = 4;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    bed.progress.step("limits: bare SQLite commits");
    let commit_us = limits::bare_commit_us(bed.folder, bed.amount(5_000).max(200)).await?;
    let batched_per_s = limits::batched_rows_per_s(bed.folder, bed.amount(200_000)).await?;
    let stage = Arc::new(Stage::set(bed, "ingest", 4, false).await?);
    stage.pause().await?;
    stage.stream("warm", bed.amount(5_000)).await?;

    let total = bed.amount(100_000);
    bed.progress.step(format!("ingest: {total} changes streamed"));
    let (cpu, begun) = (usage::cpu_us(stage.pid)?, Instant::now());
    stage.stream("streamed", total).await?;
    let per_s = total as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (usage::cpu_us(stage.pid)? - cpu) as f64 / total as f64;
    report.throughput(
        "4 ingest, streamed (target 40 k/s)",
        "ingest_streamed",
        &Throughput { per_s, limit_per_s: batched_per_s, cpu_us, target_ratio: 0.33 },
    );

    let total = bed.amount(40_000);
    bed.progress.step(format!("ingest: {total} unary calls by {CALLERS} callers"));
    let (cpu, begun) = (usage::cpu_us(stage.pid)?, Instant::now());
    unary(&stage, total).await?;
    let per_s = total as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (usage::cpu_us(stage.pid)? - cpu) as f64 / total as f64;
    report.throughput(
        "4 ingest, unary, 64 callers (target 12 k/s)",
        "ingest_unary",
        &Throughput { per_s, limit_per_s: batched_per_s, cpu_us, target_ratio: 0.1 },
    );

    let total = bed.amount(5_000).max(200);
    bed.progress.step(format!("ingest: {total} unary calls by one caller"));
    let mut times = one_caller(&stage, total).await?;
    let (p50, p99) = (percentile(&mut times, 50.0), percentile(&mut times, 99.0));
    let ratio = p50 / commit_us;
    let value = json!({
        "p50_us": rounded(p50), "p99_us": rounded(p99), "limit_p50_us": rounded(commit_us), "ratio_to_limit": rounded(ratio),
    });
    let line = Line {
        row: "4 ingest, one unary caller",
        measured: format!("p50 {p50:.0} µs, p99 {p99:.0} µs"),
        limit: &format!("{commit_us:.0} µs a commit"),
        ratio: &format!("{ratio:.2}"),
        target: "≤ 2",
    };
    report.other("ingest_one_caller", value, line);
    let stage = Arc::into_inner(stage).expect("every caller has ended");
    stage.clear(bed.folder).await
}

async fn unary(stage: &Arc<Stage>, total: u64) -> Result<()> {
    let admins: Vec<Admin> = (0..CHANNELS).map(|_| Admin::new(&stage.provider)).collect::<Result<_>>()?;
    let next = Arc::new(AtomicU64::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (mut client, stage, next) = (admins[caller % CHANNELS].students(), stage.clone(), next.clone());
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return Ok::<_, anyhow::Error>(());
                }
                client.put_student(put(&stage, "unary", number)).await?;
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn one_caller(stage: &Stage, total: u64) -> Result<Vec<f64>> {
    let mut client = stage.admin.students();
    let mut times = Vec::new();
    for number in 0..total {
        let request = put(stage, "one", number);
        let begun = Instant::now();
        client.put_student(request).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

pub fn put(stage: &Stage, round: &str, number: u64) -> pb::PutStudentRequest {
    pb::PutStudentRequest {
        district: DISTRICT.into(),
        student: Some(stage.student(round, number)),
        ..Default::default()
    }
}
