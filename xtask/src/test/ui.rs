//! The consoles' UI: what its npm project says of itself, and its build.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, run::run};
use crate::{setup, ui};

/// Installs exactly what the lock file says, then checks and builds.
pub async fn check(limit: Duration) -> Result<Outcome> {
    if !ui::folder().join("package.json").exists() {
        return Ok(Outcome::Absent("there is no ui/ in this version yet".into()));
    }
    setup::ensure(&[setup::NODE])?;
    run(ui::npm(&["ci", "--no-audit", "--no-fund"]), limit).await?;
    let outcome = run(ui::npm(&["run", "check"]), limit).await?;
    run(ui::npm(&["run", "build"]), limit).await?;
    Ok(outcome)
}
