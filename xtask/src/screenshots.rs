//! `cargo xtask screenshots`: pictures of the real windows with the demo's data, light and dark.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::Args;
use desktop_e2e::{Keyring, STEP, Stage, until};
use serde_json::json;

use crate::{
    build::{self, Profile},
    consoles::{Consoles, sign_in},
    demo::{Demo, Scene},
    process::interrupted,
    progress::Progress,
    setup,
};

/// The theme of the system, which the consoles follow.
const THEMES: [(&str, &str); 2] = [("light", "Adwaita"), ("dark", "Adwaita:dark")];

#[derive(Args)]
pub struct Screenshots {
    /// Where the pictures go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Screenshots {
    /// The task.
    pub async fn run(self) -> Result<ExitCode> {
        setup::ensure(&[setup::C_COMPILER])?;
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let progress = Arc::new(Progress::new());
        progress.step("building everything");
        let build = || -> Result<_> { Ok((build::servers(Profile::Dev)?, Consoles::build(Profile::Dev)?)) };
        let (binaries, consoles) = tokio::task::spawn_blocking(build).await??;
        let folder = tempfile::Builder::new().prefix("rollcall-pictures-").tempdir()?;
        tokio::select! {
            made = async {
                let scene = Demo::pictured().play(&binaries, folder.path(), &progress).await?;
                for (theme, gtk) in THEMES {
                    progress.step(format!("pictures, {theme}"));
                    take(&consoles, &scene, gtk, &|name: &str| self.out.join(format!("{name}-{theme}.png"))).await?;
                }
                scene.stop().await
            } => made.map(|()| ExitCode::SUCCESS),
            signal = interrupted() => {
                progress.step(format!("{signal}: stopping"));
                Ok(ExitCode::from(130))
            }
        }
    }
}

async fn take(consoles: &Consoles, scene: &Scene, gtk: &str, file: &dyn Fn(&str) -> PathBuf) -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?.with("GTK_THEME", gtk);
    sign_in(&stage, &scene.provider).await?;
    let school = scene.schools.first().context("the demo has no school")?;

    let console = stage.open(&consoles.provider, &[]).await?;
    picture(&console, &file("dashboard")).await?;
    console.must("open_log_window", json!({ "school": school.id, "title": school.name })).await?;
    console.other_window().await?;
    picture(&console, &file("webhook-log")).await?;
    console.kill().await?;

    let folder = school.receiver.data_dir.to_string_lossy();
    let desk = stage.open(&consoles.school, &["--data-dir", &folder]).await?;
    desk.until_shown().await?;
    // Each link of the chain is read by itself.
    until("the chain is read", STEP, async || Ok((!desk.text().await?.contains("One moment")).then_some(()))).await?;
    picture(&desk, &file("school-desk")).await?;
    desk.kill().await
}

async fn picture(app: &desktop_e2e::App, file: &Path) -> Result<()> {
    app.until_shown().await?;
    app.picture(file).await?;
    println!("{}", file.display());
    Ok(())
}
