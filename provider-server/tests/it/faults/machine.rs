//! What makes the machine fail: system calls that answer errors (strace), a small disk (mount), few handles (prlimit).

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use super::support::within;

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// System calls of a running process that fail as long as this lives.
pub struct Injected {
    strace: Child,
}

impl Injected {
    /// Whether this machine can do it; said where it cannot.
    pub fn is_possible(test: &str) -> bool {
        let possible = succeeds("strace", &["-qq", "-e", "trace=none", "true"]);
        if !possible {
            eprintln!("{test}: skipped, no strace here, or it may not trace; `cargo xtask test` installs it");
        }
        possible
    }

    /// From its return on these calls of all threads fail: `calls` as strace names them, `how` such as `error=EIO`. With
    /// a path, only those on this file.
    pub async fn into(pid: Pid, calls: &str, how: &str, path: Option<&Path>) -> Self {
        Self::into_all(&[pid], calls, how, path).await
    }

    /// The same for several processes, and for those that they start.
    pub async fn into_all(pids: &[Pid], calls: &str, how: &str, path: Option<&Path>) -> Self {
        let mut command = tokio::process::Command::new("strace");
        command.args(["-f", "-o", "/dev/null"]);
        command.args(pids.iter().map(|pid| format!("-p{}", pid.as_raw_nonzero())));
        command.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:{how}")]);
        if let Some(path) = path {
            command.arg("-P").arg(path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut strace = command.spawn().expect("strace starts");
        let mut words = BufReader::new(strace.stderr.take().expect("piped")).lines();
        // With a path strace first says which file that is.
        let attached = async {
            let mut count = 0;
            while let Some(line) = words.next_line().await.expect("words") {
                count += usize::from(line.contains(" attached"));
                if count == pids.len() {
                    return true;
                }
            }
            false
        };
        assert!(within("strace attaches", attached).await, "strace did not attach");
        tokio::spawn(async move { while let Ok(Some(_)) = words.next_line().await {} });
        Self { strace }
    }

    /// The calls work again.
    pub async fn end(mut self) {
        // Where the traced program has ended, so has strace.
        if let Some(pid) = self.strace.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = within("strace detaches", self.strace.wait()).await;
    }
}

/// A file that nobody may write as long as this lives, whatever rights they have.
pub struct ReadOnly<'p>(&'p str);

impl<'p> ReadOnly<'p> {
    /// Said where this machine lets nobody mount.
    pub fn make(test: &str, file: &'p Path) -> Option<Self> {
        let place = file.to_str().expect("UTF-8");
        if !succeeds("mount", &["--bind", place, place]) {
            eprintln!("{test}: skipped, this process may not mount");
            return None;
        }
        let made = Self(place);
        assert!(succeeds("mount", &["-o", "remount,bind,ro", place]), "remounted");
        Some(made)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        succeeds("umount", &[self.0]);
    }
}

/// A disk in memory.
pub struct SmallDisk {
    pub folder: TempDir,
}

impl SmallDisk {
    /// Of so many MiB; said where this machine lets nobody mount.
    pub fn mount(test: &str, size_mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().to_str().expect("UTF-8");
        if !succeeds("mount", &["-t", "tmpfs", "-o", &format!("size={size_mib}m"), "tmpfs", place]) {
            eprintln!("{test}: skipped, this process may not mount a small disk");
            return None;
        }
        Some(Self { folder })
    }

    /// Leaves so many KiB free.
    pub fn fill(&self, left_kib: usize) {
        let ballast = self.folder.path().join("ballast");
        let mut ballast = std::fs::File::options().create(true).append(true).open(ballast).expect("created");
        while ballast.write_all(&[0; 4096]).is_ok() {}
        if left_kib > 0 {
            let size = ballast.metadata().expect("a file").len();
            ballast.set_len(size - left_kib as u64 * 1024).expect("cut");
        }
    }

    /// Gives the space back.
    pub fn clear(&self) {
        std::fs::remove_file(self.folder.path().join("ballast")).expect("removed");
    }

    /// Lets nobody write any more, or again. Nothing may be open for writing.
    pub fn remount(&self, mode: &str) {
        let place = self.folder.path().to_str().expect("UTF-8");
        assert!(succeeds("mount", &["-o", &format!("remount,{mode}"), place]), "remounted");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        succeeds("umount", &["-l", self.folder.path().to_str().unwrap_or_default()]);
    }
}
