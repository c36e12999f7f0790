//! The provider under test: one process at one address, which may be killed and started again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rollcall_proto::pinned::Pin;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    build::Binaries,
    exit,
    process::{Launch, Process, command, random_text},
};

pub struct Provider {
    launch: Launch,
    /// None while it is down.
    process: Mutex<Option<Process>>,
    pub program: PathBuf,
    /// `host:port` of gRPC; the same after each start.
    pub server: String,
    pub pin: Pin,
    pub owner_code_file: PathBuf,
    pub token_file: PathBuf,
    pub data_dir: PathBuf,
}

impl Provider {
    /// Starts it on free ports of the loopback, with a data folder in `folder`.
    pub async fn start(binaries: &Binaries, folder: &Path) -> Result<Self> {
        Self::start_on(None, binaries, folder).await
    }

    /// The same on this PostgreSQL; on the embedded database where none is given.
    pub async fn start_on(database: Option<&Database>, binaries: &Binaries, folder: &Path) -> Result<Self> {
        let data_dir = folder.join("provider");
        let arguments = |listen: &str| {
            let mut arguments: Vec<std::ffi::OsString> = vec!["serve".into(), "--data-dir".into(), (&data_dir).into()];
            // The receivers stand on the loopback, which no provider may reach unless told so.
            for text in ["--listen", listen, "--ops-listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8"] {
                arguments.push(text.into());
            }
            arguments
        };
        let mut launch = Launch {
            program: binaries.provider.clone(),
            arguments: arguments("127.0.0.1:0"),
            environment: database.map(Database::environment).unwrap_or_default(),
            ready: folder.join("provider.ready.json"),
            log: folder.join("provider.log"),
        };
        // Later starts come after kills: that one of those fails is what a check finds.
        let (process, ready) = launch.start().await.map_err(exit::with(exit::INTERNAL))?;
        let server = address(&ready, "grpc")?;
        launch.arguments = arguments(&server);
        Ok(Self {
            launch,
            process: Mutex::new(Some(process)),
            program: binaries.provider.clone(),
            server,
            pin: text(&ready, "pin")?.parse()?,
            // None where the database has its owner already.
            owner_code_file: ready["owner_code_file"].as_str().unwrap_or_default().into(),
            token_file: folder.join("token"),
            data_dir,
        })
    }

    /// kill -9, and a start at the same address.
    pub async fn crash(&self) -> Result<()> {
        self.kill().await?;
        self.start_again().await
    }

    /// kill -9.
    pub async fn kill(&self) -> Result<()> {
        match self.process.lock().await.take() {
            Some(mut running) => running.kill().await,
            None => Ok(()),
        }
    }

    /// A start at the same address, over the same data.
    pub async fn start_again(&self) -> Result<()> {
        self.start_with(&[]).await
    }

    /// The same with these options beside its own.
    pub async fn start_with(&self, options: &[&str]) -> Result<()> {
        let mut launch = self.launch.clone();
        launch.arguments.extend(options.iter().map(Into::into));
        *self.process.lock().await = Some(launch.start().await?.0);
        Ok(())
    }

    /// kill -9, then a start of a program that dies at a named point of its own when that is passed for the `pass`-th
    /// time. Followed by [`Provider::fall`].
    pub async fn arm(&self, point: &str, pass: u32) -> Result<()> {
        let mut process = self.process.lock().await;
        if let Some(mut running) = process.take() {
            running.kill().await?;
        }
        let mut launch = self.launch.clone();
        launch.environment.push(("ROLLCALL_CRASH_AT".into(), format!("{point}:{pass}").into()));
        // It may die before it serves.
        *process = launch.start().await.ok().map(|(doomed, _)| doomed);
        Ok(())
    }

    /// Waits until an armed program dies at its point, kills it where that takes too long, and starts it at the same
    /// address. Answers whether the point was reached.
    pub async fn fall(&self, patience: Duration) -> Result<bool> {
        let mut process = self.process.lock().await;
        let reached = match process.as_mut() {
            Some(doomed) => doomed.ends_within(patience).await,
            None => true,
        };
        if let Some(mut doomed) = process.take()
            && !reached
        {
            doomed.kill().await?;
        }
        *process = Some(self.launch.start().await?.0);
        Ok(reached)
    }

    /// Runs a command on the data of the stopped server, such as `audit verify`; it must end with 0.
    pub async fn offline(&self, arguments: &[&str]) -> Result<()> {
        let mut command = command(&self.program);
        command.envs(self.launch.environment.iter().map(|(name, value)| (name, value)));
        let output = command.args(arguments).arg("--data-dir").arg(&self.data_dir).output().await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("{} ended with {}: {}", arguments.join(" "), output.status, words.trim());
        }
        Ok(())
    }

    /// A clean stop.
    pub async fn stop(&self) -> Result<()> {
        match self.process.lock().await.as_mut() {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }

    /// Of the running process.
    pub async fn pid(&self) -> Result<u32> {
        self.process.lock().await.as_ref().context("the provider is down")?.pid()
    }

    /// `provider-server ctl` with the connection's options; the caller adds the rest.
    pub fn ctl(&self) -> tokio::process::Command {
        let mut command = command(&self.program);
        command.args(["ctl", "--server", &self.server, "--pin", &self.pin.to_string(), "--token-file"]);
        command.arg(&self.token_file);
        command
    }
}

/// A PostgreSQL for providers, and the key of what they seal in it: all of them have the same.
pub struct Database {
    url: String,
    key: String,
}

impl Database {
    /// At this address, with a new key: for one that is empty.
    pub fn at(url: impl Into<String>) -> Self {
        // Letters and digits that are the base64 of 32 bytes.
        Self { url: url.into(), key: format!("{}A=", random_text(42)) }
    }

    fn environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        vec![("DATABASE_URL".into(), (&self.url).into()), ("WEBHOOK_ENCRYPTION_KEY".into(), (&self.key).into())]
    }
}

/// A text of a ready file.
pub fn text<'a>(ready: &'a Value, key: &str) -> Result<&'a str> {
    ready[key].as_str().with_context(|| format!("the ready file names no {key}: {ready}"))
}

/// An address of a ready file, without a scheme and a path.
pub fn address(ready: &Value, key: &str) -> Result<String> {
    let text = text(ready, key)?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    Ok(rest.split('/').next().unwrap_or(rest).to_owned())
}
