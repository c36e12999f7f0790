//! `cargo xtask test`: everything that must hold before a change is merged, section by section.

mod databases;
mod desktop;
mod e2e;
mod receivers;
mod run;
mod soak;
mod ui;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::{Args, ValueEnum};
use futures::future::join_all;

use crate::{build, process::interrupted, setup};

use self::run::{Counts, run};

/// The longest that a section may take; a first compilation is part of it.
const SECTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);

#[derive(Args)]
pub struct Test {
    /// Only this section
    #[arg(long, value_enum)]
    only: Option<Section>,
    /// Only the end-to-end flow with this number
    #[arg(long, value_name = "N", value_parser = e2e::number)]
    flow: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// cargo fmt --check
    Fmt,
    /// cargo clippy, warnings denied
    Lint,
    /// cargo test: unit, property and integration tests
    Rust,
    /// The provider's integration tests once more, on PostgreSQL
    Postgres,
    /// The consoles' own checks
    Ui,
    /// The consoles' programs on real windows
    Desktop,
    /// Whole flows with the real programs
    E2e,
    /// The real programs killed 200 times under load, and 60 times with PostgreSQL, with nothing lost
    Soak,
}

/// How a section ended.
struct Done {
    section: Section,
    outcome: Result<Outcome>,
    took: Duration,
}

pub enum Outcome {
    Checked(Counts),
    /// Why there is nothing to check.
    Absent(String),
}

impl Test {
    /// The task: 0 where every section passed, 1 where one failed.
    pub async fn run(self) -> Result<ExitCode> {
        let started = Instant::now();
        prepare()?;
        let groups = match (self.only, self.flow) {
            (Some(section), _) => vec![vec![section]],
            (None, Some(_)) => vec![vec![Section::E2e]],
            (None, None) => vec![
                vec![Section::Fmt],
                vec![Section::Rust],
                // At once: the tests on PostgreSQL mostly wait, those of the UI compute.
                vec![Section::Postgres, Section::Ui],
                vec![Section::Lint],
                vec![Section::Desktop],
                vec![Section::E2e],
                vec![Section::Soak],
            ],
        };
        let mut done = Vec::new();
        for group in groups {
            eprintln!("\n── {} ──", group.iter().map(|section| section.name()).collect::<Vec<_>>().join(", "));
            let checks = join_all(group.into_iter().map(|section| self.timed(section)));
            tokio::select! {
                checked = checks => done.extend(checked),
                signal = interrupted() => {
                    eprintln!("{signal}: stopping");
                    return Ok(ExitCode::from(130));
                }
            }
        }
        Ok(summarize(&done, started.elapsed()))
    }

    async fn timed(&self, section: Section) -> Done {
        let begun = Instant::now();
        let outcome = self.check(section).await;
        if let Err(error) = &outcome {
            eprintln!("{} failed: {error:#}", section.name());
        }
        Done { section, outcome, took: begun.elapsed() }
    }

    async fn check(&self, section: Section) -> Result<Outcome> {
        match section {
            Section::Fmt => run(cargo(&["fmt", "--all", "--check"]), SECTION_TIMEOUT).await,
            Section::Lint => {
                // The default members, and the fuzz crate: no test compiles its targets.
                let mut clippy = cargo(&["clippy", "--workspace", "--all-targets"]);
                clippy.args(build::CONSOLES.map(|name| format!("--exclude={name}")));
                clippy.args(["--", "-D", "warnings"]);
                let linted = run(clippy, SECTION_TIMEOUT).await?;
                if setup::find("cargo-deny").is_none() {
                    eprintln!("licences and sources are not checked: cargo-deny is not installed");
                    return Ok(linted);
                }
                // Advisories need a network and change by the day: they are no property of a commit.
                run(cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]), SECTION_TIMEOUT).await
            }
            // The default members: the consoles need the built UI and a web view, and have a section of their own.
            Section::Rust => run(cargo(&["test", "--no-fail-fast"]), SECTION_TIMEOUT).await,
            Section::Postgres => databases::check(SECTION_TIMEOUT).await,
            Section::Ui => ui::check(SECTION_TIMEOUT).await,
            Section::Desktop => desktop::check(SECTION_TIMEOUT).await,
            Section::E2e => e2e::check(self.flow).await,
            Section::Soak => soak::check().await,
        }
    }
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Lint => "lint",
            Self::Rust => "rust",
            Self::Postgres => "postgres",
            Self::Ui => "ui",
            Self::Desktop => "desktop",
            Self::E2e => "e2e",
            Self::Soak => "soak",
        }
    }
}

/// The compilers are needed; without the keychain's programs and those that make a machine fail, their tests skip themselves
/// and say so.
fn prepare() -> Result<()> {
    setup::ensure(&[setup::C_COMPILER, setup::CPP_COMPILER])?;
    for needs in [&setup::KEYCHAIN[..], &setup::FAULTS] {
        if let Err(error) = setup::ensure(needs) {
            eprintln!("going on without them, the tests that need them will say what they skip: {error:#}");
        }
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> std::process::Command {
    let mut command = build::cargo();
    command.args(arguments);
    command
}

fn summarize(done: &[Done], took: Duration) -> ExitCode {
    println!("\n{:8} {:8} {:>7} {:>7} {:>8} {:>9}", "", "result", "passed", "failed", "ignored", "time");
    let mut total = Counts::default();
    for Done { section, outcome, took } in done {
        let (result, counts, note) = match outcome {
            Ok(Outcome::Checked(counts)) => ("ok", *counts, String::new()),
            Ok(Outcome::Absent(why)) => ("absent", Counts::default(), why.clone()),
            // What was counted before the failure stands above, in the section's own output.
            Err(error) => (
                "FAILED",
                error.downcast_ref::<run::Failed>().map_or_else(Counts::default, |f| f.counts),
                format!("{error:#}"),
            ),
        };
        total += counts;
        println!(
            "{:8} {result:8} {:>7} {:>7} {:>8} {:>7.1} s  {note}",
            section.name(),
            counts.passed,
            counts.failed,
            counts.ignored,
            took.as_secs_f64()
        );
    }
    println!(
        "{:8} {:8} {:>7} {:>7} {:>8} {:>7.1} s",
        "total",
        "",
        total.passed,
        total.failed,
        total.ignored,
        took.as_secs_f64()
    );
    if done.iter().all(|done| done.outcome.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
