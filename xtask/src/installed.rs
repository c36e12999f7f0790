//! What a .deb installs, started as a desktop starts it: by the `Exec` line of its menu entry, without and with a link.
//! The package is unpacked into a folder, so that nothing of this machine changes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use desktop_e2e::{Keyring, STEP, Stage, until};
use serde_json::json;

/// A menu entry as it was installed.
struct MenuEntry {
    values: HashMap<String, String>,
}

/// Starts it both ways.
pub async fn check(package: &Path) -> Result<()> {
    let root = tempfile::Builder::new().prefix("rollcall-installed-").tempdir()?;
    let unpacked = Command::new("dpkg-deb").arg("-x").arg(package).arg(root.path()).stdin(Stdio::null()).status();
    if !unpacked.context("dpkg-deb does not start")?.success() {
        bail!("dpkg-deb cannot unpack it");
    }
    let entry = MenuEntry::read(root.path())?;
    let scheme = entry.scheme()?;
    let name = entry.value("Name")?;

    let stage = Stage::set(Keyring::Unlocked).await?;
    let (program, arguments) = entry.command(root.path(), None)?;
    let running = stage.start(&program, &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
    until("its window is shown", STEP, async || {
        let search = stage.command("xdotool").args(["search", "--onlyvisible", "--name", name]).output().await?;
        Ok(search.status.success().then_some(()))
    })
    .await?;
    running.end().await?;

    let link = format!("{scheme}://enroll?code=RC1-AAAAA-BBBBB");
    let (program, arguments) = entry.command(root.path(), Some(&link))?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if arguments != [link.as_str()] {
        bail!("the menu entry hands over {arguments:?} and not the link alone");
    }
    let app = stage.open(&program, &arguments).await?;
    // A page takes the link once, so ours may have been first; then it shows the place.
    app.follow("places", "watch_places", json!({}), "changes").await?;
    until("the link's place", STEP, async || {
        let told = app.told("places").await?.iter().any(|place| *place == link);
        let shown = app.script("return location.href + document.body.innerText", vec![]).await?;
        let shown = shown.as_str().is_some_and(|page| page.contains("enroll"));
        Ok((told || shown).then_some(()))
    })
    .await?;
    app.kill().await
}

impl MenuEntry {
    fn read(root: &Path) -> Result<Self> {
        let folder = root.join("usr/share/applications");
        let file = std::fs::read_dir(&folder).context("it installs no menu entry")?.flatten().map(|entry| entry.path());
        let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "desktop"));
        let text = std::fs::read_to_string(file.context("it installs no menu entry")?)?;
        let values = text.lines().filter_map(|line| line.split_once('='));
        Ok(Self { values: values.map(|(key, value)| (key.trim().into(), value.trim().into())).collect() })
    }

    fn value(&self, key: &str) -> Result<&str> {
        self.values.get(key).map(String::as_str).with_context(|| format!("the menu entry has no {key}"))
    }

    /// The links that the system opens with it.
    fn scheme(&self) -> Result<&str> {
        let types = self.value("MimeType")?;
        let mut schemes = types.split(';').filter_map(|kind| kind.trim().strip_prefix("x-scheme-handler/"));
        schemes.next().context("the menu entry opens no links")
    }

    /// The command of `Exec`, whose program lies below `root`, with the link in its place.
    fn command(&self, root: &Path, link: Option<&str>) -> Result<(PathBuf, Vec<String>)> {
        let exec = self.value("Exec")?;
        let mut words = exec.split_whitespace().map(|word| word.trim_matches('"'));
        let program = words.next().context("Exec is empty")?;
        let program = root.join("usr/bin").join(program.trim_start_matches("/usr/bin/"));
        if !program.is_file() {
            bail!("`Exec={exec}` names no program of the package");
        }
        let arguments = words.flat_map(|word| match word {
            "%u" | "%U" => link.map(str::to_owned),
            other => Some(other.to_owned()),
        });
        Ok((program, arguments.collect()))
    }
}
