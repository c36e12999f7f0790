//! A school's receiver under test: one process at one address, with a secret store of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::sync::Mutex;

use crate::{
    build::Binaries,
    process::{Launch, Process, command, tail},
    provider::address,
};

pub struct Receiver {
    launch: Launch,
    /// None while it is down. Held for as long as somebody keeps it from running, so that two troubles do not mix.
    pub process: Mutex<Option<Process>>,
    pub program: PathBuf,
    pub data_dir: PathBuf,
    key_file: PathBuf,
    /// Where the provider sends to; the same after each start.
    pub url: String,
}

impl Receiver {
    /// Starts it on a free port of the loopback, with its data under `folder/NAME`. It has no secret yet.
    pub async fn start(binaries: &Binaries, folder: &Path, name: &str) -> Result<Self> {
        let data_dir = folder.join(name);
        let key_file = folder.join(format!("{name}.key"));
        let arguments = |listen: &str| {
            let mut arguments: Vec<std::ffi::OsString> = vec!["serve".into(), "--data-dir".into(), (&data_dir).into()];
            arguments.extend(["--secret-store".into(), "file".into(), "--key-file".into(), (&key_file).into()]);
            arguments.extend(["--listen".into(), listen.into()]);
            arguments
        };
        let mut launch = Launch {
            program: binaries.school.clone(),
            arguments: arguments("127.0.0.1:0"),
            environment: Vec::new(),
            ready: folder.join(format!("{name}.ready.json")),
            log: folder.join(format!("{name}.log")),
        };
        let (process, ready) = launch.start().await?;
        let webhook = address(&ready, "webhook")?;
        launch.arguments = arguments(&webhook);
        Ok(Self {
            launch,
            process: Mutex::new(Some(process)),
            program: binaries.school.clone(),
            url: format!("http://{webhook}/webhook"),
            data_dir,
            key_file,
        })
    }

    /// Takes the enrollment code, as a school's operator would. A failure may be tried again with the same code.
    pub async fn enroll(&self, code: &str) -> Result<()> {
        let key_file = self.key_file.to_string_lossy().into_owned();
        self.ask(&["enroll", code, "--yes", "--secret-store", "file", "--key-file", &key_file]).await.map(drop)
    }

    /// Takes a new secret that waits, if one does.
    pub async fn pull_secret(&self) -> Result<()> {
        let key_file = self.key_file.to_string_lossy().into_owned();
        self.ask(&["rotate", "--pull-only", "--secret-store", "file", "--key-file", &key_file]).await.map(drop)
    }

    /// What the school holds, as JSON lines.
    pub async fn roster(&self) -> Result<Vec<u8>> {
        self.ask(&["roster", "export"]).await
    }

    /// Messages that arrived more than once, of those that are still recorded.
    pub async fn duplicates(&self) -> Result<u64> {
        let listed = self.ask(&["--json", "events", "list", "--verdict", "duplicate", "--limit", "1000000"]).await?;
        Ok(listed.iter().filter(|&&byte| byte == b'\n').count() as u64)
    }

    async fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.command().args(arguments).stderr(Stdio::piped()).output().await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed ({}): {}", name(arguments), output.status, words.trim());
        }
        Ok(output.stdout)
    }

    /// A command of this school; talks to the running server through its pairing file.
    fn command(&self) -> tokio::process::Command {
        let mut command = command(&self.program);
        command.arg("--data-dir").arg(&self.data_dir);
        command
    }

    /// kill -9, and a start at the same address.
    pub async fn crash(&self, process: &mut Option<Process>) -> Result<()> {
        self.down(process).await?;
        self.up(process).await
    }

    /// kill -9.
    pub async fn down(&self, process: &mut Option<Process>) -> Result<()> {
        match process.take() {
            Some(mut running) => running.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again at the same address.
    pub async fn up(&self, process: &mut Option<Process>) -> Result<()> {
        if process.is_none() {
            *process = Some(self.launch.start().await?.0);
        }
        Ok(())
    }

    /// A clean stop.
    pub async fn stop(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        let stopped = match process.as_mut() {
            Some(process) => process.stop().await,
            None => Ok(()),
        };
        stopped.with_context(|| format!("its log ends:\n{}", tail(&self.launch.log)))
    }
}

/// The command's name: its other words may hold a code.
fn name<'a>(arguments: &[&'a str]) -> &'a str {
    arguments.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default()
}
