//! Child processes in groups of their own, so that nothing they started is left behind.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{LOOK, STEP};

/// A child and all that it started. Dropping it kills them.
pub struct Group {
    name: String,
    group: Option<Pid>,
    child: Child,
}

impl Group {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let child = child.with_context(|| format!("{name} does not start: is it installed?"))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { name, group, child })
    }

    /// Starts it and answers the first line that it prints.
    pub async fn start_and_read(command: &mut Command) -> Result<(Self, String)> {
        let mut started = Self::start(command.stdout(Stdio::piped()))?;
        let stdout = started.child.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(STEP, lines.next_line()).await;
        let line = line.with_context(|| format!("{} says nothing", started.name))??;
        let line = line.with_context(|| format!("{} ended at once", started.name))?;
        // Somebody must read on, or it blocks one day.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((started, line))
    }

    /// Its number.
    pub fn id(&self) -> Option<i32> {
        self.group.map(|group| group.as_raw_nonzero().get())
    }

    /// Its input, once.
    pub fn stdin(&mut self) -> Option<tokio::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Kills it and all that it started, and waits for the end.
    pub async fn end(mut self) -> Result<()> {
        self.kill();
        timeout(STEP, self.child.wait()).await.with_context(|| format!("{} does not end", self.name))??;
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL); // They may have ended.
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs it to its end and answers what it printed; another end than 0 is an error.
pub async fn output(command: &mut Command) -> Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let ended = timeout(STEP, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let ended = ended.with_context(|| format!("{name} does not end"))?.with_context(|| format!("{name} is missing"))?;
    if !ended.status.success() {
        bail!("{name} ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Looks again and again until it is so, at most `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {limit:?}");
        }
        sleep(LOOK).await;
    }
}
