//! Building the programs with the cargo that runs us.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::exit;

/// The members that need a web view, the consoles and their tests: no default members. They are always selected together:
/// with another selection dependencies have other features, and are compiled once more.
pub const CONSOLES: [&str; 3] = ["desktop-provider", "desktop-school", "desktop-e2e"];

/// How programs are compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What `cargo test` compiles too, so that a test run compiles once.
    Dev,
    /// What is shipped and measured.
    Release,
}

/// The servers' programs.
#[derive(Clone)]
pub struct Binaries {
    pub provider: PathBuf,
    pub school: PathBuf,
}

/// The repository.
pub fn root() -> PathBuf {
    // Set by `cargo run`; what was true at compile time is for a start without cargo.
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&manifest).parent().expect("xtask is a folder of the repository").to_owned()
}

/// Where cargo builds, and what else is made goes.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// `cargo` in the repository.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Compiles both servers.
pub fn servers(profile: Profile) -> Result<Binaries> {
    // `--bin` and not `--package`, so that dependencies have the features of all members and compile once.
    let built = programs(profile, ["provider-server", "school-server"], &[]);
    let [provider, school] = built.map_err(exit::with(exit::INTERNAL))?;
    Ok(Binaries { provider, school })
}

/// Compiles both consoles around the UI that is built.
pub fn consoles(profile: Profile) -> Result<[PathBuf; 2]> {
    let mut more: Vec<&str> = CONSOLES.iter().flat_map(|name| ["-p", name]).collect();
    if profile == Profile::Release {
        // As the packages have it: assets from the program alone, never from a development server.
        more.extend(["--features", "desktop-provider/custom-protocol,desktop-school/custom-protocol"]);
    }
    programs(profile, ["desktop-provider", "desktop-school"], &more).map_err(exit::with(exit::INTERNAL))
}

fn programs<const N: usize>(profile: Profile, names: [&str; N], more: &[&str]) -> Result<[PathBuf; N]> {
    let mut command = cargo();
    command.arg("build").args(more);
    for name in names {
        command.args(["--bin", name]);
    }
    command.args(["--message-format", "json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("{} do not compile; cargo's messages stand above", names.join(" and "));
    }
    let built = |name: &str| {
        output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
            .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
    };
    for name in names {
        built(name).with_context(|| format!("cargo built no program {name}"))?;
    }
    Ok(names.map(|name| built(name).expect("looked for just before")))
}
