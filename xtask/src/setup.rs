//! What a fresh machine lacks: looked for first, installed only where missing, and always said.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// A program that is needed, and the Debian package that brings it.
pub struct Need {
    pub program: &'static str,
    pub package: &'static str,
    pub why: &'static str,
}

/// For compiling the database and the cryptography, which are written in C.
pub const C_COMPILER: Need =
    Need { program: "cc", package: "build-essential", why: "SQLite and the cryptography are compiled from C" };

/// Installs what is missing; says so.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| find(need.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("missing: {} ({}); installing the package {}", need.program, need.why, need.package);
    }
    if find("apt-get").is_none() {
        let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
        bail!("this machine has no apt-get: install what {} brings yourself, then run this again", packages.join(", "));
    }
    apt(&["update"])?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing.iter().map(|need| need.package));
    apt(&arguments)
}

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = if find("sudo").is_some() && env::var("USER").is_ok_and(|user| user != "root") {
        let mut command = Command::new("sudo");
        command.arg("apt-get");
        command
    } else {
        Command::new("apt-get")
    };
    let status = command
        .args(["-o", "DPkg::Lock::Timeout=600", "-q"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .context("apt-get does not start")?;
    if !status.success() {
        bail!("apt-get {} failed: its messages stand above", arguments.join(" "));
    }
    Ok(())
}
