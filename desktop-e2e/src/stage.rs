//! The display, the bus and the keychain of one test.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    App, STEP,
    process::{Group, output, until},
};

/// The password of the test's keyring.
const PASSWORD: &str = "test";

/// What the session has as a keychain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// One that is open.
    Unlocked,
    /// None at all.
    Absent,
}

/// Everything that a desktop session gives a program. Ends with its value.
pub struct Stage {
    folder: TempDir,
    environment: Vec<(String, String)>,
    keyring: Option<Group>,
    _bus: Group,
    _display: Group,
}

impl Stage {
    /// A display, a bus and a keychain in a folder of their own.
    pub async fn set(keyring: Keyring) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rollcall-desktop-").tempdir()?;
        let home = folder.path();
        let mut environment: Vec<(String, String)> = Vec::new();
        for (name, part) in [
            ("HOME", "home"),
            ("XDG_RUNTIME_DIR", "run"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            let path = home.join(part);
            std::fs::create_dir(&path)?;
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            environment.push((name.into(), path.display().to_string()));
        }
        for (name, value) in [("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("NO_AT_BRIDGE", "1"), ("GTK_THEME", "Adwaita")] {
            environment.push((name.into(), value.into()));
        }
        let mut xvfb = Command::new("Xvfb");
        xvfb.args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]).stderr(Stdio::null());
        let (display, number) = Group::start_and_read(&mut xvfb).await?;
        environment.push(("DISPLAY".into(), format!(":{}", number.trim())));

        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--print-address"]).stderr(Stdio::null());
        match keyring {
            // An installed keyring is started by the bus on demand; this bus knows no services.
            Keyring::Absent => bus.arg(format!("--config-file={}", bus_without_services(home)?.display())),
            _ => bus.arg("--session"),
        };
        let (bus, address) = Group::start_and_read(bus.env_clear().envs(base(&environment))).await?;
        environment.push(("DBUS_SESSION_BUS_ADDRESS".into(), address.trim().into()));

        let mut stage = Self { folder, environment, keyring: None, _bus: bus, _display: display };
        if keyring != Keyring::Absent {
            stage.start_keyring().await?;
        }
        Ok(stage)
    }

    /// A folder for what the test keeps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program under WebDriver.
    pub async fn open(&self, program: &Path, arguments: &[&str]) -> Result<App> {
        App::start(self.command("WebKitWebDriver"), program, arguments).await
    }

    /// A program inside this session, without WebDriver.
    pub fn command_for(&self, program: &Path) -> Command {
        self.command(&program.display().to_string())
    }

    /// A command inside this session.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(base(&self.environment)).envs(self.environment.iter().cloned());
        command
    }

    /// What the keychain holds for a service and an account, as another program of the session sees it.
    pub async fn kept(&self, service: &str, account: &str) -> Result<Option<String>> {
        let mut lookup = self.command("secret-tool");
        let ended = lookup.args(["lookup", "service", service, "username", account]).output().await?;
        let found = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        Ok((ended.status.success() && !found.is_empty()).then_some(found))
    }

    /// Locks the keyring; from then on a prompt asks for the password, which nobody gives.
    pub async fn lock_keyring(&self) -> Result<()> {
        let mut lock = self.command("dbus-send");
        lock.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"]);
        lock.args(["org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"]);
        output(&mut lock).await.map(drop)
    }

    /// Answers the keyring's prompt with the password, as its owner does.
    pub async fn answer_prompt(&self) -> Result<()> {
        let prompt = until("the keyring asks", STEP, async || {
            let mut search = self.command("xdotool");
            let found = search.args(["search", "--onlyvisible", "--class", "prompter"]).output().await?;
            let found = String::from_utf8_lossy(&found.stdout).lines().next().map(str::to_owned);
            Ok(found.filter(|window| !window.is_empty()))
        });
        let prompt = prompt.await?;
        output(self.command("xdotool").args(["windowfocus", "--sync", &prompt])).await?;
        output(self.command("xdotool").args(["type", "--delay", "20", PASSWORD])).await?;
        output(self.command("xdotool").args(["key", "Return"])).await.map(drop)
    }

    async fn start_keyring(&mut self) -> Result<()> {
        let mut daemon = self.command("gnome-keyring-daemon");
        daemon.args(["--foreground", "--components=secrets", "--unlock"]).stdout(Stdio::null()).stderr(Stdio::null());
        daemon.stdin(Stdio::piped());
        let mut daemon = Group::start(&mut daemon)?;
        let mut stdin = daemon.stdin().context("its input is piped")?;
        stdin.write_all(PASSWORD.as_bytes()).await?;
        drop(stdin);
        self.keyring = Some(daemon);
        until("the keyring serves", STEP, async || {
            let mut ask = self.command("dbus-send");
            ask.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
            ask.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]);
            Ok(output(&mut ask).await?.contains("boolean true").then_some(()))
        })
        .await
    }

    /// A picture of the whole display.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let mut import = self.command("import");
        output(import.args(["-window", "root"]).arg(file)).await.map(drop)
    }
}

/// What any program needs, and nothing of the session that the tests run in.
fn base(environment: &[(String, String)]) -> Vec<(String, String)> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    let mut base = vec![("PATH".to_owned(), path)];
    base.extend(environment.iter().cloned());
    base
}

fn bus_without_services(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("bus.conf");
    let text = format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>session</type>\
         <listen>unix:dir={}</listen><policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
         <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
        folder.join("run").display()
    );
    std::fs::write(&path, text)?;
    Ok(path)
}
