//! `cargo xtask dist`: the consoles as packages that people install. Works without a network once npm's packages are
//! there.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    build::{self, Profile},
    consoles::Consoles,
    installed,
    progress::Progress,
    setup, ui,
};

/// The most that an installer may weigh.
const LIMIT_MB: f64 = 25.0;
/// What is made here. The configuration names dmg, msi and nsis as well, for the systems that can make them.
const FORMATS: [&str; 2] = ["deb", "rpm"];

#[derive(Args)]
pub struct Dist {
    /// Where the packages go [default: target/packages]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Does not start what was packed
    #[arg(long)]
    unchecked: bool,
}

impl Dist {
    /// The task: 1 where a package is too large or does not start.
    pub async fn run(self) -> Result<ExitCode> {
        setup::ensure(&[setup::C_COMPILER, setup::STRIP])?;
        let out = self.out.unwrap_or_else(packages);
        let progress = Progress::new();
        progress.step("building the consoles for release");
        let consoles = tokio::task::spawn_blocking(|| Consoles::build(Profile::Release)).await??;
        progress.step("packing");
        let made = {
            let out = out.clone();
            tokio::task::spawn_blocking(move || pack(&consoles, &out)).await??
        };
        let mut fits = true;
        for package in &made {
            let size = megabytes(package)?;
            fits &= size <= LIMIT_MB;
            println!("{:>6.1} MB  {}", size, package.display());
        }
        if !fits {
            eprintln!("error: a package is larger than {LIMIT_MB} MB");
            return Ok(ExitCode::FAILURE);
        }
        if !self.unchecked {
            for package in made.iter().filter(|package| package.extension().is_some_and(|kind| kind == "deb")) {
                progress.step(format!("starting what {} installs", package.display()));
                installed::check(package).await.with_context(|| package.display().to_string())?;
            }
            progress.step("each starts from its menu entry and opens a link");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where packages go unless told otherwise.
pub fn packages() -> PathBuf {
    build::target().join("packages")
}

/// The packages that were made before.
pub fn made(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut made: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|kind| FORMATS.iter().any(|format| kind == *format)))
        .collect();
    made.sort();
    made
}

/// Of a file, in 10⁶ bytes.
pub fn megabytes(file: &Path) -> Result<f64> {
    Ok(std::fs::metadata(file)?.len() as f64 / 1e6)
}

fn pack(consoles: &Consoles, out: &Path) -> Result<Vec<PathBuf>> {
    // A target folder of its own: the bundler changes the program that it packs, and symbols are taken out of it.
    let staging = build::target().join("dist");
    let programs = staging.join("release");
    let bundles = programs.join("bundle");
    if bundles.exists() {
        std::fs::remove_dir_all(&bundles)?;
    }
    std::fs::create_dir_all(&programs)?;
    std::fs::create_dir_all(out)?;
    for program in [&consoles.provider, &consoles.school] {
        let name = program.file_name().context("a program has a name")?;
        let mut strip = Command::new("strip");
        finish("strip", strip.arg("-o").arg(programs.join(name)).arg(program))?;
        let mut bundle = Command::new(ui::folder().join("node_modules/.bin/tauri"));
        bundle.current_dir(build::root().join(name)).env("CARGO_TARGET_DIR", &staging).env("CI", "true");
        finish("tauri bundle", bundle.args(["bundle", "--ci", "--bundles", &FORMATS.join(",")]))?;
    }
    for old in made(out) {
        std::fs::remove_file(old)?;
    }
    for format in FORMATS {
        let folder = bundles.join(format);
        let found = std::fs::read_dir(&folder).with_context(|| format!("no {format} was made"))?;
        for file in found.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let name = file.file_name().context("a file has a name")?.to_string_lossy().replace(' ', "-");
            std::fs::copy(&file, out.join(name))?;
        }
    }
    let made = made(out);
    if made.len() != FORMATS.len() * 2 {
        bail!("{} packages were made, not one of each format for each console", made.len());
    }
    Ok(made)
}

fn finish(name: &str, command: &mut Command) -> Result<()> {
    let ended = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let ended = ended.with_context(|| format!("`{name}` does not start"))?;
    if !ended.success() {
        bail!("`{name}` ended with {ended}; its messages stand above");
    }
    Ok(())
}
