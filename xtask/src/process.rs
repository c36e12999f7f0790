//! A server as a child process: started until it says that it is ready, killed or stopped from outside, and never left
//! behind.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rand::RngExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

use crate::setup;

/// From the start to the ready file.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
const READY_POLL: Duration = Duration::from_millis(20);
/// From SIGTERM to the end; a server drains for at most 20 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of a server's log that are shown when it fails.
const LOG_LINES: usize = 15;

/// How a server is started.
#[derive(Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Beside what we have ourselves.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it writes where it serves; passed as `--ready-json`.
    pub ready: PathBuf,
    /// Its stdout and stderr, appended.
    pub log: PathBuf,
}

impl Launch {
    /// Starts it and waits until it serves; answers what its ready file says.
    pub async fn start(&self) -> Result<(Process, Value)> {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match fs::remove_file(&self.ready) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = guarded(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg("--ready-json")
            .arg(&self.ready)
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us; we then stop the servers in order.
            .process_group(0);
        let child = command.spawn().with_context(|| format!("{name} does not start"))?;
        let mut process = Process { child, name };
        let ready = tokio::time::timeout(READY_TIMEOUT, self.until_ready(&mut process)).await;
        match ready {
            Ok(ready) => Ok((process, ready?)),
            Err(_) => bail!("{} was not ready after {READY_TIMEOUT:?}:\n{}", process.name, tail(&self.log)),
        }
    }

    async fn until_ready(&self, process: &mut Process) -> Result<Value> {
        loop {
            if let Some(ready) = fs::read(&self.ready).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                return Ok(ready);
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("{} ended at once ({status}):\n{}", process.name, tail(&self.log));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

/// A running server. Dropping it kills it.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Of the operating system.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// kill -9.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("{} cannot be killed", self.name))
    }

    /// Whether it ends by itself within this time.
    pub async fn ends_within(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.child.wait()).await.is_ok()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid()?)?).context("a process has a number")?;
        kill_process(pid, signal).with_context(|| format!("{} cannot be signalled", self.name))
    }

    /// A clean stop; fails where the server does not end by itself or not with 0.
    pub async fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    let signal = status.signal().map(|n| format!(", signal {n}")).unwrap_or_default();
                    bail!("{} ended with {status}{signal} when it was stopped", self.name);
                }
                Ok(())
            }
            Err(_) => {
                self.kill().await?;
                bail!("{} did not stop within {STOP_TIMEOUT:?}", self.name)
            }
        }
    }
}

/// As [`command`], for a server: the kernel ends it when we end, even by kill -9.
pub fn guarded(program: &Path) -> Command {
    // It becomes the server by exec, so that the process number is the server's.
    match setup::find("setpriv") {
        None => command(program),
        Some(setpriv) => {
            let mut command = command(&setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
    }
}

/// A command of the product, without the settings of whoever runs us.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ROLLCALL_")
            || ["DATABASE_URL", "WEBHOOK_ENCRYPTION_KEY", "WEBHOOK_SECRET"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Until Ctrl-C or SIGTERM; answers which.
pub async fn interrupted() -> &'static str {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminated => "SIGTERM",
    }
}

/// A file for our eyes only.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    writeln!(file, "{text}").with_context(|| format!("cannot write {}", path.display()))
}

/// Random letters and digits.
pub fn random_text(length: usize) -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

/// An idempotency key, which has at most 128 characters, of any text.
pub fn short_key(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The end of a log.
pub fn tail(path: &Path) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
