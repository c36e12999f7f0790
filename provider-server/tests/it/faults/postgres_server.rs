//! A PostgreSQL of a test's own, whose disk can be filled and which can be killed and started again.

use std::{
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{
    machine::SmallDisk,
    support::{until, within},
};
use crate::support::{TestDatabase, on_postgres};

/// Debian keeps each version's programs apart.
const DEBIAN: &str = "/usr/lib/postgresql";
const USER: &str = "rollcall";
/// Clients at once.
pub const CLIENTS: usize = 24;
/// What the server says each time that it begins to serve.
const SERVES: &str = "database system is ready to accept connections";

/// What of it lies on a small disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Small {
    Nothing,
    /// All but its log of changes.
    Tables,
    /// Its log of changes.
    Log,
}

/// A running server; killed when dropped.
pub struct Postgres {
    pub disk: Option<SmallDisk>,
    folder: TempDir,
    data: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    server: Child,
}

impl Postgres {
    /// Makes an empty one and starts it. Said where this machine or this run has none to try.
    pub async fn start(test: &str, small: Small) -> Option<Self> {
        if !on_postgres() {
            eprintln!("{test}: only on PostgreSQL; ROLLCALL_TEST_POSTGRES names one");
            return None;
        }
        let Some((programs, owner)) = programs().zip(owner()) else {
            eprintln!("{test}: skipped, PostgreSQL's own programs are not here; `cargo xtask test` installs them");
            return None;
        };
        let disk = match small {
            Small::Nothing => None,
            Small::Tables | Small::Log => Some(SmallDisk::mount(test, 64)?),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let place = |is_small: bool| match &disk {
            Some(disk) if is_small => disk.folder.path(),
            _ => folder.path(),
        };
        let data = place(small == Small::Tables).join("data");
        let mut initdb = command(&programs, "initdb", owner);
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--wal-segsize=1", "-U", USER]);
        initdb.arg("-D").arg(&data).arg("--waldir").arg(place(small == Small::Log).join("log"));
        let places = [Some(folder.path()), disk.as_ref().map(|disk| disk.folder.path())];
        for place in places.into_iter().flatten() {
            give(place, owner);
        }
        let made = initdb.output().await.expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let server = launch(&programs, owner, folder.path(), &data);
        let mut postgres = Self { disk, folder, data, programs, owner, server };
        postgres.serves_again(0).await;
        Some(postgres)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Its database, which is empty at first.
    pub fn database(&self) -> TestDatabase {
        TestDatabase::at(&self.url())
    }

    /// What it said since it was made.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// How often it began to serve.
    pub fn starts(&self) -> usize {
        self.log().matches(SERVES).count()
    }

    /// Waits until it serves again after so many times: by itself, or started anew where it ended, as a supervisor does.
    pub async fn serves_again(&mut self, after: usize) {
        until("PostgreSQL serves", async || {
            if self.server.try_wait().expect("asked").is_some() {
                // Also where the memory of one that was killed is still in use.
                self.server = launch(&self.programs, self.owner, self.folder.path(), &self.data);
            }
            self.starts() > after
        })
        .await;
    }

    /// All of its processes.
    pub fn pids(&self) -> Vec<Pid> {
        let id = self.server.id().expect("it runs");
        let serving = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let pids = serving.split_whitespace().map(|pid| pid.parse().expect("a number"));
        std::iter::once(id as i32).chain(pids).filter_map(Pid::from_raw).collect()
    }

    /// kill -9 of all of its processes, as where its machine loses power. It stays down.
    pub async fn kill(&mut self) {
        for pid in self.pids() {
            // Some see their parent die, and go by themselves.
            let _ = kill_process(pid, Signal::KILL);
        }
        within("PostgreSQL is gone", self.server.wait()).await.expect("an end");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.id().is_some() {
            for pid in self.pids() {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

fn launch(programs: &Path, owner: Option<(u32, u32)>, folder: &Path, data: &Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("server.log")).expect("a log");
    let mut command = command(programs, "postgres", owner);
    command.arg("-D").arg(data).arg("-k").arg(folder).args(["-c", &format!("max_connections={CLIENTS}")]);
    // Nothing but what the test does: neither the server's own housekeeping nor its clock.
    for setting in ["listen_addresses=", "fsync=on", "autovacuum=off", "checkpoint_timeout=1h", "max_wal_size=1GB"] {
        command.args(["-c", setting]);
    }
    command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("postgres starts")
}

fn command(programs: &Path, name: &str, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(programs.join(name));
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The folder with its programs: the newest of Debian's, or wherever the PATH leads.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok().into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let newest = numbered.max().map(|(_, folder)| folder.join("bin"));
    let path = std::env::var_os("PATH")?;
    newest.into_iter().chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").is_file())
}

/// Who it runs as: PostgreSQL refuses root. `None` within where we are not root, outside where there is nobody.
fn owner() -> Option<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Some(None);
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let fields =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == "postgres")?;
    Some(Some((fields[2].parse().ok()?, fields[3].parse().ok()?)))
}

fn give(folder: &Path, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        chown(folder, Some(user), Some(group)).expect("given");
    }
}
