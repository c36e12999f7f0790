//! A PostgreSQL of our own: in a private folder, on a socket in it, with everything that the product demands, and gone
//! when we are.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::{process::tail, setup};

const PACKAGE: &str = "postgresql";
/// Debian keeps each version's programs apart.
const DEBIAN: &str = "/usr/lib/postgresql";
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const USER: &str = "rollcall";

/// A running server. Dropping it kills it.
pub struct Postgres {
    server: Child,
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Makes an empty one and starts it. Installs it where it is missing.
    pub async fn start() -> Result<Self> {
        let programs = match find_programs() {
            Some(programs) => programs,
            None => {
                setup::install("initdb", PACKAGE, "the tests run on PostgreSQL too")?;
                find_programs().with_context(|| format!("{PACKAGE} was installed, but its initdb is not there"))?
            }
        };
        // In memory, where the machine can: what is tested is not the disk. The server itself syncs as it must.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("rollcall-pg-").tempdir_in(place)?;
        let owner = Owner::of_server()?;
        owner.give(folder.path())?;
        let data = folder.path().join("data");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "-U", USER, "-D"]).arg(&data);
        let made = initdb.stdout(Stdio::null()).output().await.context("initdb does not start")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let log = folder.path().join("server.log");
        let file = fs::File::create(&log)?;
        let mut command = owner.command(&programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        for setting in ["listen_addresses=", "max_connections=300", "fsync=on", "synchronous_commit=on"] {
            command.args(["-c", setting]);
        }
        let server = command.stdout(file.try_clone()?).stderr(file).spawn().context("postgres does not start")?;
        let mut postgres = Self { server, folder, programs };
        let ready = tokio::time::timeout(READY_TIMEOUT, postgres.until_ready(&log)).await;
        match ready {
            Ok(ready) => ready.map(|()| postgres),
            Err(_) => bail!("PostgreSQL was not ready after {READY_TIMEOUT:?}:\n{}", tail(&log)),
        }
    }

    /// Where it listens; its user may do everything.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@localhost/postgres?host={}", self.folder.path().display())
    }

    async fn until_ready(&mut self, log: &Path) -> Result<()> {
        loop {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.arg("-q").arg("-h").arg(self.folder.path()).args(["-U", USER]);
            if asked.status().await.context("pg_isready does not start")?.success() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL ended at once ({status}):\n{}", tail(log));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Ends it without waiting for its clients.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.server.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.context("PostgreSQL has ended")?, Signal::INT)?;
        if tokio::time::timeout(STOP_TIMEOUT, self.server.wait()).await.is_err() {
            bail!("PostgreSQL did not stop within {STOP_TIMEOUT:?}");
        }
        Ok(())
    }
}

/// The folder with `initdb` and `postgres`: the newest of Debian's, or wherever the PATH leads.
fn find_programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok().into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .max();
    let by_path = || Some(fs::canonicalize(setup::find("initdb")?).ok()?.parent()?.to_owned());
    newest.map(|(_, folder)| folder).or_else(by_path)
}

/// Who the server runs as: PostgreSQL refuses root.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn of_server() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let named = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let found = named("postgres").or_else(|| named("nobody"));
        Ok(Self(Some(found.context("there is no user that PostgreSQL could run as")?)))
    }

    fn give(&self, folder: &Path) -> Result<()> {
        match self.0 {
            Some((user, group)) => Ok(chown(folder, Some(user), Some(group))?),
            None => Ok(()),
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = crate::process::command(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        // A folder that the server may enter; Ctrl-C is for us.
        command.current_dir("/").process_group(0);
        command
    }
}
