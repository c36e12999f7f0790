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
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

use crate::{process::tail, setup};

const PACKAGE: &str = "postgresql";
/// Debian keeps each version's programs apart.
const DEBIAN: &str = "/usr/lib/postgresql";
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(50);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const USER: &str = "rollcall";
/// In the folder.
const LOG: &str = "server.log";
/// What a server says that finds another one's memory still in use.
const SHARED_STILL: &str = "still in use";

/// A running server. Dropping it kills it.
pub struct Postgres {
    server: Mutex<Child>,
    folder: tempfile::TempDir,
    programs: PathBuf,
    owner: Owner,
}

impl Postgres {
    /// Makes an empty one and starts it. Installs it where it is missing.
    pub async fn start() -> Result<Self> {
        // In memory, where the machine can: what is tested is not the disk. The server itself syncs as it must.
        let memory = Path::new("/dev/shm");
        Self::start_in(if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }).await
    }

    /// The same with its data on the disk, where the embedded database has it too.
    pub async fn start_on_disk() -> Result<Self> {
        Self::start_in(std::env::temp_dir()).await
    }

    async fn start_in(place: PathBuf) -> Result<Self> {
        let programs = match find_programs() {
            Some(programs) => programs,
            None => {
                setup::install("initdb", PACKAGE, "the tests run on PostgreSQL too")?;
                find_programs().with_context(|| format!("{PACKAGE} was installed, but its initdb is not there"))?
            }
        };
        let folder = tempfile::Builder::new().prefix("rollcall-pg-").tempdir_in(place)?;
        let owner = Owner::of_server()?;
        owner.give(folder.path())?;
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "-U", USER, "-D"]);
        let made = initdb.arg(folder.path().join("data")).stdout(Stdio::null()).output().await;
        let made = made.context("initdb does not start")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let server = Mutex::new(launch(&owner, &programs, folder.path())?);
        let postgres = Self { server, folder, programs, owner };
        postgres.serves(&mut *postgres.server.lock().await).await?;
        Ok(postgres)
    }

    /// Where it listens; its user may do everything.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Its data and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// kill -9 of the server and of all that serve its clients, as where a machine loses its power, and a start in the
    /// same place, which recovers from the log.
    pub async fn crash(&self) -> Result<()> {
        let mut server = self.server.lock().await;
        let id = server.id().context("PostgreSQL has ended")?;
        let serving = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        server.kill().await?;
        for pid in serving.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            match kill_process(pid, Signal::KILL) {
                // It saw its parent die, and went by itself.
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        *server = launch(&self.owner, &self.programs, self.folder.path())?;
        self.serves(&mut server).await
    }

    async fn serves(&self, server: &mut Child) -> Result<()> {
        let ready = tokio::time::timeout(READY_TIMEOUT, self.until_ready(server)).await;
        ready.with_context(|| format!("PostgreSQL was not ready after {READY_TIMEOUT:?}:\n{}", self.log()))?
    }

    async fn until_ready(&self, server: &mut Child) -> Result<()> {
        loop {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.arg("-q").arg("-h").arg(self.folder.path()).args(["-U", USER]);
            if asked.status().await.context("pg_isready does not start")?.success() {
                return Ok(());
            }
            if let Some(status) = server.try_wait()? {
                // Until the last of those that were killed is gone, the memory that they share with it is not free.
                if !self.log().contains(SHARED_STILL) {
                    bail!("PostgreSQL ended at once ({status}):\n{}", self.log());
                }
                *server = launch(&self.owner, &self.programs, self.folder.path())?;
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    fn log(&self) -> String {
        tail(&self.folder.path().join(LOG))
    }

    /// Ends it without waiting for its clients.
    pub async fn stop(&self) -> Result<()> {
        let mut server = self.server.lock().await;
        let pid = server.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.context("PostgreSQL has ended")?, Signal::INT)?;
        if tokio::time::timeout(STOP_TIMEOUT, server.wait()).await.is_err() {
            bail!("PostgreSQL did not stop within {STOP_TIMEOUT:?}");
        }
        Ok(())
    }
}

/// Starts the server on the data in `folder`; its log begins anew.
fn launch(owner: &Owner, programs: &Path, folder: &Path) -> Result<Child> {
    let log = fs::File::create(folder.join(LOG))?;
    let mut command = owner.command(&programs.join("postgres"));
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    for setting in ["listen_addresses=", "max_connections=300", "fsync=on", "synchronous_commit=on"] {
        command.args(["-c", setting]);
    }
    command.stdout(log.try_clone()?).stderr(log).spawn().context("postgres does not start")
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
