//! The display, the bus and the keychain of one test.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

use crate::{
    App, BusWire, Notifications, STEP, Tray,
    process::{Group, output, until},
    session::{base, bus_without_services, folders, our_display, virtual_display},
};

/// Says where the session's bus is.
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
/// The password of the test's keyring.
const PASSWORD: &str = "test";

/// Within this a dialog that took a file is gone.
const TAKEN: Duration = Duration::from_secs(3);

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
    environment: Vec<(String, String)>,
    keyring: Option<Group>,
    _bus: Group,
    /// Where it is of our own.
    _display: Option<Group>,
    /// Last, once nobody writes there any more.
    folder: TempDir,
}

impl Stage {
    /// A display, a bus and a keychain in a folder of their own.
    pub async fn set(keyring: Keyring) -> Result<Self> {
        Self::on(None, keyring).await
    }

    /// A bus and a keychain of their own, with the windows on the display of whoever runs us: for a person to see. What
    /// that person's own consoles keep is not touched.
    pub async fn before_us() -> Result<Self> {
        let display = our_display().context("there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set")?;
        Self::on(Some(display), Keyring::Unlocked).await
    }

    async fn on(display: Option<Vec<(String, String)>>, keyring: Keyring) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rollcall-desktop-").tempdir()?;
        let mut environment = folders(folder.path())?;
        let mut xvfb = None;
        match display {
            Some(display) => environment.extend(display),
            None => {
                let (group, display) = virtual_display().await?;
                xvfb = Some(group);
                environment.extend(display);
            }
        }
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--nofork", "--print-address"]).stderr(Stdio::null());
        match keyring {
            // An installed keyring is started by the bus on demand; this bus knows no services.
            Keyring::Absent => bus.arg(format!("--config-file={}", bus_without_services(folder.path())?.display())),
            Keyring::Unlocked => bus.arg("--session"),
        };
        let (bus, address) = Group::start_and_read(bus.env_clear().envs(base(&environment))).await?;
        environment.push((BUS.into(), address.trim().into()));

        let mut stage = Self { folder, environment, keyring: None, _bus: bus, _display: xvfb };
        if keyring != Keyring::Absent {
            stage.start_keyring().await?;
        }
        Ok(stage)
    }

    /// Sets a variable of every program that is started from now on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A folder for what the test keeps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program under WebDriver.
    pub async fn open(&self, program: &Path, arguments: &[&str]) -> Result<App> {
        App::start(|| self.command("WebKitWebDriver"), program, arguments).await
    }

    /// Starts a program inside this session, without WebDriver; it ends with the value.
    pub fn start(&self, program: &Path, arguments: &[&str]) -> Result<Group> {
        let mut command = self.command_for(program);
        Group::start(command.args(arguments).stdin(Stdio::null()))
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

    /// All that a service keeps in the keychain, decoded, as another program of the session sees it.
    pub async fn all_kept(&self, service: &str) -> Result<Vec<Vec<u8>>> {
        let found = output(self.command("secret-tool").args(["search", "--all", "service", service])).await?;
        let kept = found.lines().filter_map(|line| line.strip_prefix("secret = "));
        Ok(kept.filter_map(|value| STANDARD.decode(value.trim()).ok()).collect())
    }

    /// Puts a value into the keychain, as a console of ours does.
    pub async fn keep(&self, service: &str, account: &str, value: &[u8]) -> Result<()> {
        let mut store = self.command("secret-tool");
        store.args(["store", "--label", service, "service", service, "username", account]);
        let mut storing = store.stdin(Stdio::piped()).kill_on_drop(true).spawn().context("secret-tool is missing")?;
        let mut stdin = storing.stdin.take().context("its input is piped")?;
        stdin.write_all(STANDARD.encode(value).as_bytes()).await?;
        drop(stdin);
        let ended = timeout(STEP, storing.wait()).await.context("secret-tool does not end")??;
        if !ended.success() {
            bail!("secret-tool ended with {ended}");
        }
        Ok(())
    }

    /// Deletes all that a service keeps in the keychain, as its owner may.
    pub async fn empty_keychain(&self, service: &str) -> Result<()> {
        output(self.command("secret-tool").args(["clear", "service", service])).await.map(drop)
    }

    /// Chooses a file in the system's dialog of this title. A dialog that was just drawn may not take every key yet: the
    /// path is typed until the dialog has taken it and is gone.
    pub async fn choose_file(&self, title: &str, file: &Path) -> Result<()> {
        let path = file.to_str().context("the path is a text")?;
        let dialog = self.window(&["--name", title]).await?;
        self.type_until_gone(("--name", title), &dialog, path).await
    }

    /// Whether a window of this title or class is visible.
    async fn shows(&self, (by, name): (&str, &str)) -> Result<bool> {
        let search = self.command("xdotool").args(["search", "--onlyvisible", by, name]).output().await?;
        Ok(search.status.success())
    }

    /// A visible window, once it is there.
    async fn window(&self, search: &[&str]) -> Result<String> {
        until(&format!("a window {search:?}"), STEP, async || {
            let found = self.command("xdotool").args(["search", "--onlyvisible"]).args(search).output().await?;
            let found = String::from_utf8_lossy(&found.stdout).lines().next().map(str::to_owned);
            Ok(found.filter(|window| !window.is_empty()))
        })
        .await
    }

    /// Asks the visible window of this title to close, as its frame's button does (ICCCM 4.2.8.1).
    pub async fn close_window(&self, title: &str) -> Result<()> {
        let window = self.window(&["--name", title]).await?.parse()?;
        let display = self.variable("DISPLAY")?.to_owned();
        tokio::task::spawn_blocking(move || -> Result<()> {
            let (connection, _) = x11rb::connect(Some(&display))?;
            let protocols = connection.intern_atom(false, b"WM_PROTOCOLS")?.reply()?.atom;
            let delete = connection.intern_atom(false, b"WM_DELETE_WINDOW")?.reply()?.atom;
            let event = ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
            connection.send_event(false, window, EventMask::NO_EVENT, event)?.check()?;
            Ok(())
        })
        .await?
    }

    /// Waits until a window of this title can be seen, or none any more.
    pub async fn until_visible(&self, title: &str, visible: bool) -> Result<()> {
        let what = format!("“{title}” is {}", if visible { "seen" } else { "hidden" });
        until(&what, STEP, async || Ok((self.shows(("--name", title)).await? == visible).then_some(()))).await
    }

    /// Takes the notifications of this session from now on.
    pub async fn notifications(&self) -> Result<Notifications> {
        Notifications::serve(self.variable(BUS)?).await
    }

    /// Gives the session a tray, which it has none of otherwise.
    pub async fn tray(&self) -> Result<Tray> {
        Tray::serve(self.variable(BUS)?).await
    }

    /// Lets programs reach the bus, from now on, over a wire that can damage what the keychain answers.
    pub fn over_wire(self) -> Result<(Self, BusWire)> {
        let wire = BusWire::to(self.variable(BUS)?, self.folder())?;
        let address = wire.address.clone();
        Ok((self.with(BUS, &address), wire))
    }

    fn variable(&self, name: &str) -> Result<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("a stage has {name}"))
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
        let (by, class) = ("--class", "prompter");
        let prompt = self.window(&[by, class]).await?;
        self.type_until_gone((by, class), &prompt, PASSWORD).await
    }

    /// Types into a window and confirms, until it is gone: one that was just drawn may not take every key.
    async fn type_until_gone(&self, named: (&str, &str), window: &str, text: &str) -> Result<()> {
        until("the dialog takes what is typed", STEP, async || {
            if !self.shows(named).await? {
                return Ok(Some(()));
            }
            output(self.command("xdotool").args(["windowfocus", "--sync", window])).await?;
            // This selects what is there: in a field for a path, the path's first slash opens it.
            output(self.command("xdotool").args(["key", "ctrl+a"])).await?;
            output(self.command("xdotool").args(["type", "--delay", "20", text])).await?;
            output(self.command("xdotool").args(["key", "Return"])).await?;
            let gone = until("it is gone", TAKEN, async || Ok((!self.shows(named).await?).then_some(())));
            Ok(gone.await.ok())
        })
        .await
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
