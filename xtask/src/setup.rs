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

/// For a keychain in a test, each in a session of its own.
pub const KEYCHAIN: [Need; 3] = [
    Need { program: "dbus-run-session", package: "dbus", why: "the keychain's tests need a session bus" },
    Need { program: "gnome-keyring-daemon", package: "gnome-keyring", why: "the keychain's tests need a keychain" },
    Need { program: "secret-tool", package: "libsecret-tools", why: "the keychain's tests read what was written" },
];

/// For the consoles.
pub const NODE: Need = Need { program: "npm", package: "npm", why: "the consoles are built with Node" };

/// Installs what is missing; says so.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| find(need.program).is_none()).collect();
    install_all(&missing)
}

/// Installs a package whose program is looked for elsewhere than in the PATH.
pub fn install(program: &'static str, package: &'static str, why: &'static str) -> Result<()> {
    install_all(&[&Need { program, package, why }])
}

fn install_all(missing: &[&Need]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    for need in missing {
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
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else if find("sudo").is_some() {
        let mut command = Command::new("sudo");
        // Never asks: nobody may be there to answer.
        command.args(["-n", "apt-get"]);
        command
    } else {
        bail!("installing needs root: run `apt-get {}` as root, then this again", arguments.join(" "));
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
        bail!(
            "apt-get {} failed, its messages stand above; run it as root yourself, then this again",
            arguments.join(" ")
        );
    }
    Ok(())
}
