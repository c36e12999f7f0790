//! `cargo xtask bench`: rows of docs/performance.md, each beside its limit measured in the same run on the same machine.
//! What counts is the ratio.

mod cluster;
mod consoles;
mod end_to_end;
mod figures;
mod flood;
mod growth;
mod import;
mod ingest;
mod latency;
mod limits;
mod memory;
mod noisy;
mod purge;
mod receive;
mod restart;
pub mod sink;
mod stage;
mod usage;

use std::{ops::RangeInclusive, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    build::{self, Binaries, Profile},
    exit,
    process::interrupted,
    progress::Progress,
    setup,
};

use self::figures::Report;

/// The rows of docs/performance.md.
const ROWS: RangeInclusive<i64> = 1..=15;
/// What cargo ends with where something does not compile.
const NOT_COMPILED: i32 = 101;

#[derive(Args)]
pub struct Bench {
    /// Only this row of docs/performance.md; may be repeated
    #[arg(long = "row", value_name = "N", value_parser = clap::value_parser!(u32).range(ROWS))]
    rows: Vec<u32>,
    /// A tenth of the work: to see that it runs, not to compare
    #[arg(long)]
    quick: bool,
    /// Attempts that rows 8 to 10 grow to
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100_000..))]
    stored: u64,
    /// Also writes the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What every row needs.
pub struct Bed<'b> {
    pub binaries: &'b Binaries,
    pub folder: &'b std::path::Path,
    pub progress: &'b Progress,
    pub quick: bool,
    /// Attempts that a history grows to.
    pub stored: u64,
}

impl Bed<'_> {
    /// An amount of work.
    pub fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

impl Bench {
    /// The task.
    pub async fn run(self) -> Result<ExitCode> {
        setup::ensure(&[setup::C_COMPILER])?;
        if cfg!(debug_assertions) {
            return self.again_in_release();
        }
        let progress = Progress::new();
        progress.step("building provider-server and school-server for release");
        let binaries = tokio::task::spawn_blocking(|| build::servers(Profile::Release)).await??;
        tokio::select! {
            outcome = self.measure(&binaries, &progress) => outcome,
            signal = interrupted() => {
                progress.step(format!("{signal}: stopping"));
                Ok(ExitCode::from(130))
            }
        }
    }

    /// The driver, too, must be optimized: a slow one would make every limit look low.
    fn again_in_release(&self) -> Result<ExitCode> {
        let mut command = build::cargo();
        command.args(["run", "--release", "--quiet", "--bin", "xtask", "--"]).args(std::env::args_os().skip(1));
        let status = command.status().context("cargo does not start")?;
        let code = status.code().filter(|code| *code != NOT_COMPILED).and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(exit::INTERNAL)))
    }

    async fn measure(&self, binaries: &Binaries, progress: &Progress) -> Result<ExitCode> {
        let folder = tempfile::Builder::new().prefix("rollcall-bench-").tempdir()?;
        let bed = Bed { binaries, folder: folder.path(), progress, quick: self.quick, stored: self.stored };
        let wanted = |row: u32| self.rows.is_empty() || self.rows.contains(&row);
        let mut report = Report::default();
        if wanted(1) || wanted(3) {
            end_to_end::measure(&bed, &mut report).await?;
        }
        if wanted(2) {
            cluster::measure(&bed, &mut report).await?;
        }
        if wanted(4) {
            ingest::measure(&bed, &mut report).await?;
        }
        if wanted(5) {
            latency::measure(&bed, &mut report).await?;
        }
        if wanted(6) {
            noisy::measure(&bed, &mut report).await?;
        }
        if wanted(7) {
            restart::measure(&bed, &mut report).await?;
        }
        if wanted(8) || wanted(9) || wanted(10) {
            growth::measure(&bed, &mut report).await?;
        }
        if wanted(11) {
            memory::measure(&bed, &mut report).await?;
        }
        if wanted(12) {
            receive::measure(&bed, &mut report).await?;
        }
        if wanted(13) {
            import::measure(&bed, &mut report).await?;
        }
        // Only where it is asked for: it compiles the consoles and needs a web view.
        if self.rows.contains(&14) {
            consoles::measure(&bed, &mut report).await?;
        }
        if wanted(15) {
            flood::measure(&bed, &mut report).await?;
        }
        report.print();
        if let Some(path) = &self.json {
            std::fs::write(path, format!("{}\n", report.json()))
                .with_context(|| format!("cannot write {}", path.display()))
                .map_err(exit::with(exit::CONFIG))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
