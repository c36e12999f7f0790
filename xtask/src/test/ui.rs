//! The consoles: what their npm project says of itself.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Outcome, run::run};
use crate::{build, setup};

/// Scripts in the order in which they are run, where the project has them.
const SCRIPTS: [&str; 4] = ["check", "typecheck", "test", "build"];

/// Installs exactly what the lock file says, then runs the project's scripts.
pub async fn check(limit: Duration) -> Result<Outcome> {
    let folder = build::root().join("ui");
    let manifest = folder.join("package.json");
    if !manifest.exists() {
        return Ok(Outcome::Absent("there is no ui/ in this version yet".into()));
    }
    setup::ensure(&[setup::NODE])?;
    let project: Value = serde_json::from_slice(&std::fs::read(&manifest)?).context("ui/package.json")?;
    let npm = |arguments: &[&str]| {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(&folder);
        command
    };
    run(npm(&["ci", "--no-audit", "--no-fund"]), limit).await?;
    let mut outcome = Outcome::Absent("ui/package.json has no script to check with".into());
    for script in SCRIPTS.into_iter().filter(|script| project["scripts"][script].is_string()) {
        outcome = run(npm(&["run", script]), limit).await?;
    }
    Ok(outcome)
}
