//! Row 7: kill -9 with a backlog, and a start: when the first message arrives, and that every one does.

use std::time::Instant;

use anyhow::{Result, bail};
use serde_json::json;

use super::{
    Bed,
    figures::{Line, Report, rounded},
    stage::{CONNECTIONS, Stage},
};

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let total = bed.amount(100_000);
    bed.progress.step(format!("restart: {total} messages pend while the receiver hangs, then kill -9"));
    let stage = Stage::set(bed, "restart", 1, true).await?;
    stage.sink.hold(true);
    stage.stream("run", total).await?;
    stage.provider.kill().await?;
    stage.sink.until_deserted().await?;
    stage.sink.hold(false);
    let begun = Instant::now();
    stage.provider.start_again().await?;
    let ready_ms = begun.elapsed().as_secs_f64() * 1e3;
    let Some(first) = stage.sink.first_answered().await? else { bail!("nothing arrived after the restart") };
    let first_ms = first.duration_since(begun).as_secs_f64() * 1e3;
    stage.sink.until_known(total).await?;
    let all_s = begun.elapsed().as_secs_f64();
    let again = stage.sink.received() - total;
    // What was received before the kill and not answered counts only once it is delivered.
    stage.until_delivered(total).await?;
    stage.clear(bed.folder).await?;
    let value = json!({
        "pending": total, "ready_ms": rounded(ready_ms), "first_ms": rounded(first_ms), "all_s": rounded(all_s),
        "duplicates": again,
    });
    let measured =
        format!("first after {first_ms:.0} ms (ready {ready_ms:.0} ms), all {total} after {all_s:.1} s, {again} twice");
    let target = format!("≤ 2 s; ≤ {CONNECTIONS} twice");
    let line = Line { row: "7 restart after kill -9", measured, target: &target, ..Line::default() };
    report.other("restart", value, line);
    Ok(())
}
