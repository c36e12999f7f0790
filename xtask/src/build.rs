//! Building the two servers with the cargo that runs us.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// How the servers are compiled.
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
    let mut command = cargo();
    // `--bin` and not `--package`, so that dependencies have the features of the whole workspace and compile once.
    command.args(["build", "--bin", "provider-server", "--bin", "school-server"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("the servers do not compile; cargo's messages stand above");
    }
    let executable = |name: &str| {
        output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
            .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .with_context(|| format!("cargo built no program {name}"))
    };
    Ok(Binaries { provider: executable("provider-server")?, school: executable("school-server")? })
}
