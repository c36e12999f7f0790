//! The consoles' UI: installed as its lock file says, and built where its sources are newer than what was built.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{build, setup};

/// Folders below `ui/` that hold no source.
const NO_SOURCE: [&str; 2] = ["node_modules", "dist"];

/// The npm project.
pub fn folder() -> PathBuf {
    build::root().join("ui")
}

/// The built page of an app: `provider` or `school`.
pub fn page(app: &str) -> PathBuf {
    folder().join("dist").join(app).join("index.html")
}

/// `npm` in the project.
pub fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder()).stdin(Stdio::null());
    command
}

/// Builds the UI if it is not built from these very sources.
pub fn build() -> Result<()> {
    setup::ensure(&[setup::NODE])?;
    let (source, kept) = (folder().join("package-lock.json"), folder().join("node_modules/.package-lock.json"));
    if modified(&kept) < modified(&source) {
        finish(npm(&["ci", "--no-audit", "--no-fund"]))?;
    }
    let built = ["provider", "school"].map(|app| modified(&page(app))).into_iter().min().flatten();
    if built.is_some() && built >= newest_source(&folder())? {
        return Ok(());
    }
    finish(npm(&["run", "build"]))
}

fn finish(mut command: Command) -> Result<()> {
    let name = format!("npm {}", command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" "));
    let status = command.stdout(std::io::stderr()).status().with_context(|| format!("`{name}` does not start"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}; its messages stand above");
    }
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

fn newest_source(folder: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let seen = match entry.file_type()? {
            kind if kind.is_dir() && NO_SOURCE.iter().any(|name| entry.file_name() == *name) => None,
            kind if kind.is_dir() => newest_source(&entry.path())?,
            _ => modified(&entry.path()),
        };
        newest = newest.max(seen);
    }
    Ok(newest)
}
