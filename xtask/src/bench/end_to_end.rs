//! Rows 1 and 3: streamed ingest → durable → signed POST → attempt recorded, beside signed POSTs alone to the same sink.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use rollcall_proto::webhook::signature::SigningSecret;

use super::{
    Bed,
    figures::{Line, Report, Throughput},
    limits::{self, Message},
    sink::Sink,
    stage::{CONNECTIONS, Stage},
};

/// About what a student.created event has.
const BODY_BYTES: usize = 620;
const TARGET_RATIO: f64 = 0.35;
const TARGET_CPU_US: f64 = 90.0;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let limit_per_s = limit(bed).await?;
    for (schools, key) in [(1, "end_to_end"), (100, "end_to_end_100_schools")] {
        let stage = Stage::set(bed, &format!("end-to-end-{schools}"), schools, false).await?;
        let (per_s, cpu_us) = flow(bed, stage).await?;
        let row = format!("1 end to end, {schools} school{}", if schools == 1 { "" } else { "s" });
        report.throughput(&row, key, &Throughput { per_s, limit_per_s, cpu_us, target_ratio: TARGET_RATIO });
        if schools == 1 {
            let value = serde_json::json!({ "cpu_us": super::figures::rounded(cpu_us) });
            let target = format!("≤ {TARGET_CPU_US:.0} µs");
            let line = Line {
                row: "3 CPU per delivery",
                measured: format!("{cpu_us:.0} µs"),
                target: &target,
                ..Line::default()
            };
            report.other("cpu_per_delivery", value, line);
        }
    }
    Ok(())
}

/// Signed POSTs without persistence, with the client and the sink that the flow has, too.
pub async fn limit(bed: &Bed<'_>) -> Result<f64> {
    bed.progress.step("limit: signed POSTs to the sink, nothing stored");
    limits::median(async || {
        let sink = Sink::start(false).await?;
        let secret = SigningSecret::from_bytes(&[7; 32])?;
        let body = Bytes::from(vec![b'x'; BODY_BYTES]);
        let make = move |number: u64| Message { id: format!("evt_{number:026}"), body: body.clone() };
        limits::signed_posts(&sink.url(), &secret, CONNECTIONS.into(), bed.amount(100_000), make).await
    })
    .await
}

/// Deliveries per second, and the providers' processor time of each.
pub async fn flow(bed: &Bed<'_>, stage: Stage) -> Result<(f64, f64)> {
    let total = bed.amount(100_000);
    bed.progress.step(format!("end to end: {total} new students at {} schools", stage.schools.len()));
    // Connections, statements and buffers are made before the clock starts.
    let warm_up = total / 20;
    stage.stream("warm", warm_up).await?;
    stage.until_recorded(warm_up).await?;
    let (cpu, begun) = (stage.cpu_us().await?, Instant::now());
    stage.stream("run", total).await?;
    stage.sink.until(warm_up + total).await?;
    stage.until_recorded(warm_up + total).await?;
    let per_s = total as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (stage.cpu_us().await? - cpu) as f64 / total as f64;
    stage.check_delivered(warm_up + total).await?;
    stage.clear(bed.folder).await?;
    Ok((per_s, cpu_us))
}
