//! Row 11: the provider's memory, idle, under load and with many pending messages.

use anyhow::Result;
use serde_json::json;

use super::{
    Bed,
    figures::{Line, Report, rounded},
    stage::Stage,
    usage,
};

/// A stream's changes are made before they are sent, so that many are sent in parts.
const PART: u64 = 50_000;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let stage = Stage::set(bed, "memory", 10, false).await?;
    let idle = usage::resident_mib(stage.pid)?;
    let total = bed.amount(100_000);
    bed.progress.step(format!("memory: under a load of {total} changes"));
    let load = async {
        stage.stream("load", total).await?;
        stage.until_recorded(total).await
    };
    let ((), loaded) = usage::peak_mib(stage.pid, load).await?;

    let pending = bed.amount(1_000_000);
    bed.progress.step(format!("memory: {pending} pending messages"));
    stage.pause().await?;
    let backlog = async {
        for part in 0..pending / PART {
            stage.stream(&format!("pending-{part}"), PART).await?;
            bed.progress.draw(format!("{} pending", (part + 1) * PART));
        }
        Ok(())
    };
    let ((), waiting) = usage::peak_mib(stage.pid, backlog).await?;
    stage.clear(bed.folder).await?;
    let value = json!({
        "idle_mib": rounded(idle), "loaded_mib": rounded(loaded), "pending_mib": rounded(waiting), "pending": pending,
    });
    let measured = format!("idle {idle:.0}, loaded {loaded:.0}, {pending} pending {waiting:.0} MiB");
    let line = Line { row: "11 memory", measured, target: "≤ 30, ≤ 100, ≤ 150 MiB", ..Line::default() };
    report.other("memory", value, line);
    Ok(())
}
