//! Row 5: from the accepted change to its arrival at the receiver, at 50 changes a second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::{
    Bed,
    figures::{Line, Report, percentile, rounded},
    ingest::put,
    stage::Stage,
};

const EVERY: Duration = Duration::from_millis(20);

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let total = bed.amount(2_000);
    bed.progress.step(format!("latency: {total} changes, 50 a second"));
    let stage = Stage::set(bed, "latency", 1, true).await?;
    stage.stream("warm", 100).await?;
    stage.until_recorded(100).await?;
    let mut client = stage.admin.students();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = Vec::new();
    for number in 0..total {
        ticks.tick().await;
        let request = put(&stage, "run", number);
        let called = Instant::now();
        client.put_student(request).await?;
        sent.push((stage.student("run", number).sourced_id, called, Instant::now()));
    }
    stage.sink.until(100 + total).await?;
    let (mut from_answer, mut from_call) = (Vec::new(), Vec::new());
    for (student, called, answered) in &sent {
        let arrived = stage.sink.arrival(student).context("a message came without its student")?;
        // The delivery does not wait for the answer to travel back, so it may overtake it.
        from_answer.push(arrived.saturating_duration_since(*answered).as_secs_f64() * 1e3);
        from_call.push(arrived.duration_since(*called).as_secs_f64() * 1e3);
    }
    stage.clear(bed.folder).await?;
    let figures = |values: &mut Vec<f64>| (percentile(values, 50.0), percentile(values, 99.0));
    let ((p50, p99), (call_p50, call_p99)) = (figures(&mut from_answer), figures(&mut from_call));
    let value = json!({
        "p50_ms": rounded(p50), "p99_ms": rounded(p99),
        "from_call_p50_ms": rounded(call_p50), "from_call_p99_ms": rounded(call_p99),
    });
    let measured = format!("p50 {p50:.2} ms, p99 {p99:.2} ms (from the call: {call_p50:.2}, {call_p99:.2} ms)");
    let row = "5 accept → receive at 50/s";
    report.other("accept_to_receive", value, Line { row, measured, target: "≤ 0.7 ms, ≤ 5 ms", ..Line::default() });
    Ok(())
}
