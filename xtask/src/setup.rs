//! What a fresh machine lacks: looked for first, installed only where missing, and always said.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::exit;

/// A program that is needed, and the Debian package that brings it.
pub struct Need {
    /// A program, or a library as `name.pc`.
    pub program: &'static str,
    pub package: &'static str,
    pub why: &'static str,
}

/// For compiling the database and the cryptography, which are written in C.
pub const C_COMPILER: Need =
    Need { program: "cc", package: "build-essential", why: "SQLite and the cryptography are compiled from C" };

/// For libFuzzer.
pub const CPP_COMPILER: Need = Need { program: "c++", package: "g++", why: "libFuzzer is compiled from C++" };

/// For packages.
pub const STRIP: Need =
    Need { program: "strip", package: "binutils", why: "programs are packed without their symbols" };

/// For a keychain in a test, each in a session of its own.
pub const KEYCHAIN: [Need; 3] = [
    Need { program: "dbus-run-session", package: "dbus", why: "the keychain's tests need a session bus" },
    Need { program: "gnome-keyring-daemon", package: "gnome-keyring", why: "the keychain's tests need a keychain" },
    Need { program: "secret-tool", package: "libsecret-tools", why: "the keychain's tests read what was written" },
];

/// For making a machine fail under the programs, its disk and its clock, and for asking it what a program dials.
pub const FAULTS: [Need; 2] = [
    Need { program: "strace", package: "strace", why: "system calls are made to fail, or are recorded, with it" },
    Need { program: "faketime", package: "faketime", why: "jumping clocks are made with it" },
];

/// For the consoles.
pub const NODE: Need = Need { program: "npm", package: "npm", why: "the consoles are built with Node" };

/// For the consoles' programs and their real windows.
pub const WINDOWS: [Need; 10] = [
    Need { program: "pkg-config", package: "pkg-config", why: "the consoles' libraries are found by it" },
    Need { program: "webkit2gtk-4.1.pc", package: "libwebkit2gtk-4.1-dev", why: "the consoles are web views" },
    Need { program: "librsvg-2.0.pc", package: "librsvg2-dev", why: "the consoles' icons are drawn by it" },
    Need {
        program: "ayatana-appindicator3-0.1.pc",
        package: "libayatana-appindicator3-dev",
        why: "School Desk stays in the tray",
    },
    Need { program: "WebKitWebDriver", package: "webkit2gtk-driver", why: "the windows are tried through it" },
    Need { program: "Xvfb", package: "xvfb", why: "the windows are shown on a display of their own" },
    Need { program: "xdotool", package: "xdotool", why: "a keychain's prompt is answered with it" },
    Need { program: "import", package: "imagemagick", why: "pictures of the windows are made with it" },
    Need { program: "dbus-daemon", package: "dbus", why: "each window test has a session bus of its own" },
    Need { program: "dbus-send", package: "dbus-bin", why: "the keychain is locked with it" },
];

/// Installs what is missing; says so.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !need.is_there()).collect();
    install_all(&missing).map_err(exit::with(exit::INTERNAL))
}

/// Installs a package whose program is looked for elsewhere than in the PATH.
pub fn install(program: &'static str, package: &'static str, why: &'static str) -> Result<()> {
    install_all(&[&Need { program, package, why }]).map_err(exit::with(exit::INTERNAL))
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

impl Need {
    fn is_there(&self) -> bool {
        let Some(library) = self.program.strip_suffix(".pc") else { return find(self.program).is_some() };
        let asked = Command::new("pkg-config").args(["--exists", library]).stdin(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    }
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
