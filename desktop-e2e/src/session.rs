//! What a desktop session gives to its programs: folders, a display, a bus.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Result;
use tokio::process::Command;

use crate::process::Group;

/// The folders of a session that nobody else uses.
pub fn folders(home: &Path) -> Result<Vec<(String, String)>> {
    let mut environment = Vec::new();
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
    environment.push(("NO_AT_BRIDGE".into(), "1".into()));
    Ok(environment)
}

/// A display in memory, alike on every machine.
pub async fn virtual_display() -> Result<(Group, Vec<(String, String)>)> {
    let mut xvfb = Command::new("Xvfb");
    xvfb.args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]).stderr(Stdio::null());
    let (display, number) = Group::start_and_read(&mut xvfb).await?;
    let number = format!(":{}", number.trim());
    let variables = [("DISPLAY", &*number), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC"), ("GTK_THEME", "Adwaita")];
    Ok((display, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
}

/// What programs need to show windows where we run, if somebody could see them there.
pub fn our_display() -> Option<Vec<(String, String)>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut display = Vec::new();
    if let Some(number) = variable("DISPLAY") {
        display.push(("DISPLAY".to_owned(), number));
        // The default place is in the real home.
        let authority = variable("XAUTHORITY").or_else(|| variable("HOME").map(|home| format!("{home}/.Xauthority")));
        display.extend(authority.map(|file| ("XAUTHORITY".to_owned(), file)));
    }
    if let (Some(socket), Some(folder)) = (variable("WAYLAND_DISPLAY"), variable("XDG_RUNTIME_DIR")) {
        // A name is looked up in the runtime folder, which is another one here.
        display.push(("WAYLAND_DISPLAY".to_owned(), Path::new(&folder).join(socket).display().to_string()));
    }
    if display.is_empty() {
        return None;
    }
    for name in ["LANG", "LC_ALL", "TZ", "GTK_THEME", "GDK_BACKEND", "GDK_SCALE"] {
        display.extend(variable(name).map(|value| (name.to_owned(), value)));
    }
    Some(display)
}

/// Whether somebody could see windows where we run.
pub fn has_display() -> bool {
    our_display().is_some()
}

/// What any program needs, and nothing of the session that the tests run in.
pub fn base(environment: &[(String, String)]) -> Vec<(String, String)> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    let mut base = vec![("PATH".to_owned(), path)];
    base.extend(environment.iter().cloned());
    base
}

pub fn bus_without_services(folder: &Path) -> Result<PathBuf> {
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
