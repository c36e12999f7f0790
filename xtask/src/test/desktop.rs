//! The consoles' programs: compiled around the built UI, then tried on real windows.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, run::run};
use crate::{build, setup, ui};

/// Builds both programs and runs their tests. The section before built the UI.
pub async fn check(limit: Duration) -> Result<Outcome> {
    if !["provider", "school"].into_iter().all(|app| ui::page(app).exists()) {
        return Ok(Outcome::Absent("the consoles' UI is not built".into()));
    }
    setup::ensure(&setup::WINDOWS)?;
    let members = build::CONSOLES.iter().flat_map(|name| ["-p", name]);
    let mut compile = build::cargo();
    compile.arg("build").args(members.clone());
    run(compile, limit).await?;
    let mut lint = build::cargo();
    lint.arg("clippy").args(members.clone()).args(["--all-targets", "--", "-D", "warnings"]);
    run(lint, limit).await?;
    let mut test = build::cargo();
    test.args(["test", "--no-fail-fast"]).args(members);
    // Each test has two programs and a display: more at once only wait for each other.
    test.args(["--", "--test-threads", "2"]);
    run(test, limit).await
}
