//! Row 6: what schools whose receivers hang cost the others, at half of what the machine can do.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    Bed,
    figures::{Line, Report, percentile, rounded},
    stage::Stage,
};

const SCHOOLS: u32 = 20;
const TICK: Duration = Duration::from_millis(5);
const TICKS_PER_S: u64 = 200;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let most_per_s = most(bed).await?;
    let per_s = (most_per_s / 2.0) as u64;
    let mut alone_ms = 0.0;
    for (hanging, key) in [(0, "noisy_alone"), (SCHOOLS / 10, "noisy_10_percent"), (SCHOOLS / 2, "noisy_50_percent")] {
        let (p50, p99) = load(bed, hanging, per_s).await?;
        if hanging == 0 {
            alone_ms = p99;
        }
        let ratio = p99 / alone_ms;
        let value = json!({
            "per_s": per_s, "p50_ms": rounded(p50), "p99_ms": rounded(p99), "ratio_to_alone": rounded(ratio),
        });
        let row = format!("6 at {per_s}/s, {hanging} of {SCHOOLS} schools hang");
        let measured = format!("healthy from the call: p50 {p50:.1} ms, p99 {p99:.1} ms");
        let (limit, ratio) = (format!("{alone_ms:.1} ms alone"), format!("{ratio:.2}"));
        let line = Line { row: &row, measured, limit: &limit, ratio: &ratio, target: "≤ 2" };
        report.other(key, value, line);
    }
    Ok(())
}

/// Deliveries per second that the same schools reach at most, all of them healthy.
async fn most(bed: &Bed<'_>) -> Result<f64> {
    let total = bed.amount(60_000);
    bed.progress.step(format!("noisy neighbours: what {SCHOOLS} healthy schools reach"));
    let stage = Stage::set(bed, "noisy-most", SCHOOLS, true).await?;
    stage.stream("warm", total / 10).await?;
    stage.until_recorded(total / 10).await?;
    let begun = Instant::now();
    stage.stream("run", total).await?;
    stage.sink.until(total / 10 + total).await?;
    let per_s = total as f64 / begun.elapsed().as_secs_f64();
    stage.clear(bed.folder).await?;
    Ok(per_s)
}

/// Times from the call to the arrival at healthy schools, ms: p50 and p99.
async fn load(bed: &Bed<'_>, hanging: u32, per_s: u64) -> Result<(f64, f64)> {
    let seconds = bed.amount(300).min(30);
    bed.progress
        .step(format!("noisy neighbours: {hanging} of {SCHOOLS} hang, {per_s} changes a second for {seconds} s"));
    let stage = Stage::set_beside(bed, &format!("noisy-{hanging}"), SCHOOLS, hanging).await?;
    let total = per_s * seconds;
    let begun = Instant::now();
    let sent: Vec<AtomicU64> = (0..total).map(|_| AtomicU64::new(0)).collect();
    let (sender, changes) = mpsc::channel(10_000);
    let feed = async {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut next = 0;
        for tick in 1..=seconds * TICKS_PER_S {
            ticks.tick().await;
            while next < total.min(tick * per_s / TICKS_PER_S + 1) {
                sent[next as usize].store(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                if sender.send(stage.change("run", next)).await.is_err() {
                    return;
                }
                next += 1;
            }
        }
        drop(sender);
    };
    let (streamed, ()) = tokio::join!(stage.stream_changes(ReceiverStream::new(changes)), feed);
    streamed?;
    let is_healthy = |number: &u64| number % u64::from(SCHOOLS) >= u64::from(hanging);
    let healthy: Vec<u64> = (0..total).filter(is_healthy).collect();
    stage.sink.until(healthy.len() as u64).await?;
    let mut times: Vec<f64> = healthy
        .iter()
        .filter_map(|number| {
            let arrived = stage.sink.arrival(&stage.student("run", *number).sourced_id)?;
            let sent_us = sent[*number as usize].load(Ordering::Relaxed);
            Some((arrived.duration_since(begun).as_micros() as f64 - sent_us as f64) / 1e3)
        })
        .collect();
    stage.kill_and_clear(bed.folder).await?;
    Ok((percentile(&mut times, 50.0), percentile(&mut times, 99.0)))
}
