//! `cargo xtask soak --fuzz-seconds N`: libFuzzer on every target of `provider-server/fuzz`, as many at once as there are
//! cores. It begins with the inputs that the tests keep and with those that earlier runs grew, and follows the code that
//! they reach. What fails is kept beside the tests' inputs, so that the plain tests fail too until it is repaired.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::available_parallelism,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures::StreamExt;
use serde::Serialize;

use crate::{build, exit, process, progress::Progress, setup};

/// The crate that cargo-fuzz builds.
const CRATE: &str = "provider-server/fuzz";
/// Kept inputs, a folder a target, with a dictionary beside each.
const KEPT: &str = "provider-server/tests/fuzz";
/// Inputs of a target that are kept elsewhere.
const KEPT_ELSEWHERE: [(&str, &str); 1] = [("envelope", "proto/tests/golden")];
/// Bounds of one input, beyond which it fails: what is decided about it in a moment must not take long or much.
const LIMITS: [&str; 3] = ["-max_len=65536", "-timeout=10", "-rss_limit_mb=1024"];

/// What libFuzzer says of a target whose inputs all passed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Figures {
    target: String,
    runs: u64,
    /// Branches that were reached by the inputs it began with, and at the end.
    coverage_at_start: u64,
    coverage: u64,
    /// Branches by how often an input passes them.
    features: u64,
    /// Inputs that each reach something of their own.
    inputs: u64,
    peak_memory_mib: u64,
}

/// Fuzzes every target, or one; figures go to stdout and to `json`.
pub async fn run(seconds: u32, only: Option<&str>, json: Option<&Path>) -> Result<ExitCode> {
    setup::ensure(&[setup::C_COMPILER, setup::CPP_COMPILER])?;
    if setup::find("cargo-fuzz").is_none() {
        let words = "cargo-fuzz is missing: `cargo install cargo-fuzz --locked` brings it, then run this again";
        return Err(exit::with(exit::CONFIG)(anyhow!(words)));
    }
    let progress = Progress::new();
    let folder = build::target().join("fuzz");
    progress.step("building the fuzz targets");
    let (targets, programs) = {
        let folder = folder.clone();
        let built = tokio::task::spawn_blocking(move || Ok((targets()?, programs(&folder)?))).await?;
        built.map_err(exit::with(exit::INTERNAL))?
    };
    let chosen: Vec<&String> = targets.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        return Err(exit::with(exit::USAGE)(anyhow!("there is no such target; there are {}", targets.join(", "))));
    }
    let at_once = available_parallelism()?.get();
    progress.step(format!("{} targets, {seconds} s each, {at_once} at once", chosen.len()));
    let fuzzed = futures::stream::iter(chosen).map(|target| {
        let (programs, folder, progress) = (&programs, &folder, &progress);
        async move {
            let outcome = fuzz(target, seconds, programs, folder).await;
            progress.step(format!("{target}: {}", if outcome.is_ok() { "passed" } else { "FAILED" }));
            outcome
        }
    });
    let (passed, failed): (Vec<_>, Vec<_>) =
        fuzzed.buffered(at_once).collect::<Vec<_>>().await.into_iter().partition(Result::is_ok);
    let figures: Vec<Figures> = passed.into_iter().flatten().collect();
    println!("{}", serde_json::to_string_pretty(&figures)?);
    if let Some(file) = json {
        fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    let failed: Vec<String> = failed.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    if !failed.is_empty() {
        bail!("{} of {} targets failed\n{}", failed.len(), failed.len() + figures.len(), failed.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Their names.
fn targets() -> Result<Vec<String>> {
    let listed = build::cargo().args(["fuzz", "list", "--fuzz-dir", CRATE]).output().context("cargo does not start")?;
    ensure!(listed.status.success(), "cargo-fuzz lists no targets: {}", String::from_utf8_lossy(&listed.stderr));
    Ok(String::from_utf8(listed.stdout)?.lines().map(str::to_owned).collect())
}

/// Compiles the targets; answers the folder of their programs.
fn programs(folder: &Path) -> Result<PathBuf> {
    let version = std::process::Command::new("rustc").arg("-vV").output().context("rustc does not start")?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    let build = folder.join("build");
    let status = build::cargo()
        .args(["fuzz", "build", "--fuzz-dir", CRATE, "--target", host, "--target-dir"])
        .arg(&build)
        // A sanitizer needs a nightly compiler, and looks for what only unsafe code can do.
        .args(["--sanitizer", "none"])
        // As it ships: crates that know of fuzzing skip their checksums, and what fails so would pass in the tests.
        .arg("--no-cfg-fuzzing")
        // With debug assertions and checks of overflows, and compiled in minutes.
        .args(["--dev"])
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "the fuzz targets do not compile; cargo's messages stand above");
    Ok(build.join(host).join("debug"))
}

async fn fuzz(target: &str, seconds: u32, programs: &Path, folder: &Path) -> Result<Figures> {
    let root = build::root();
    let kept = root.join(KEPT).join(target);
    let (grown, failing) = (folder.join("grown").join(target), folder.join("failing").join(target));
    // What failed before is kept, or repaired.
    match fs::remove_dir_all(&failing) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(&grown)?;
    fs::create_dir_all(&failing)?;
    let log = folder.join(format!("{target}.log"));
    let output = File::create(&log)?;
    let mut command = process::guarded(&programs.join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .args(LIMITS)
        .arg("-print_final_stats=1")
        .arg(format!("-dict={}", kept.with_extension("dict").display()))
        // A prefix, not a folder.
        .arg(format!("-artifact_prefix={}/", failing.display()))
        // New inputs go into the first.
        .args([&grown, &kept])
        .args(KEPT_ELSEWHERE.iter().filter(|(name, _)| *name == target).map(|(_, folder)| root.join(folder)))
        .env("RUST_BACKTRACE", "0")
        .stdout(output.try_clone()?)
        .stderr(output);
    let status = command.status().await.with_context(|| format!("{target} does not start"))?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if status.success() {
        return figures(target, &said).with_context(|| format!("{target} says nothing of its runs: {}", log.display()));
    }
    // One at most: it ends there.
    let Some(input) = fs::read_dir(&failing)?.next().transpose()? else {
        bail!("{target} ended with {status}:\n{}", process::tail(&log));
    };
    let keep = kept.join(input.file_name());
    fs::copy(input.path(), &keep)?;
    bail!(
        "{target}: {}\n  the input is kept in {KEPT}/{target}/{}: repair it, `cargo test --test it -- fuzz::` plays it; all \
         that libFuzzer says is in {}",
        why(&said),
        input.file_name().display(),
        log.display()
    );
}

/// What is wrong, out of all that libFuzzer says: a panic's words, or its own.
fn why(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let begins = |what: &str| lines.iter().position(|line| line.contains(what));
    match (begins(" panicked at "), begins("ERROR: libFuzzer: ")) {
        // The words stand between the place and libFuzzer's report.
        (Some(panic), Some(report)) if panic < report => lines[panic..report].join("\n").trim_end().to_owned(),
        (_, Some(report)) => lines[report].to_owned(),
        _ => "it failed".to_owned(),
    }
}

/// From the lines `#27 INITED cov: 1084 ft: 2042 corp: 20/731b …`, `#9130 DONE cov: 1288 …` and those of the statistics.
fn figures(target: &str, said: &str) -> Option<Figures> {
    let line = |what: &str| said.lines().find(|line| line.split_whitespace().nth(1) == Some(what));
    let figure = |line: &str, name: &str| -> Option<u64> {
        let after = line.split_whitespace().skip_while(|word| *word != name).nth(1)?;
        after.split('/').next()?.parse().ok()
    };
    let statistic = |name: &str| said.lines().find_map(|line| figure(line, &format!("stat::{name}:")));
    let (start, end) = (line("INITED")?, line("DONE")?);
    Some(Figures {
        target: target.to_owned(),
        runs: statistic("number_of_executed_units")?,
        coverage_at_start: figure(start, "cov:")?,
        coverage: figure(end, "cov:")?,
        features: figure(end, "ft:")?,
        inputs: figure(end, "corp:")?,
        peak_memory_mib: statistic("peak_rss_mb")?,
    })
}
