//! A command of a section: its output goes on as it is, what it says of tests is counted, and it is never left behind.

use std::{
    io::Write,
    ops::AddAssign,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::Outcome;

/// Tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// A command that did not end with 0.
#[derive(Debug)]
pub struct Failed {
    command: String,
    how: String,
    pub counts: Counts,
}

impl Failed {
    /// `how` completes the sentence that the command begins.
    pub fn new(command: &str, how: String, counts: Counts) -> Self {
        Self { command: command.into(), how, counts }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.command, self.how)
    }
}

impl std::error::Error for Failed {}

/// Runs it to its end, at most so long.
pub async fn run(command: std::process::Command, limit: Duration) -> Result<Outcome> {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let name = format!("{} {}", program.to_string_lossy(), arguments.join(" "));
    eprintln!("$ {name}");
    let mut command = Command::from(command);
    // A group of its own, so that what it starts can be ended with it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("`{name}` does not start"))?;
    let group = Group::of(&child);
    let mut counts = Counts::default();
    let ended = tokio::time::timeout(limit, follow(&mut child, &mut counts)).await;
    let how = match ended {
        Ok(Ok(status)) if status.success() => {
            group.keep();
            return Ok(Outcome::Checked(counts));
        }
        Ok(Ok(status)) => format!("ended with {status}"),
        Ok(Err(error)) => format!("could not be followed: {error}"),
        Err(_) => format!("was ended after {} min: it did not end by itself", limit.as_secs() / 60),
    };
    drop(group);
    let _ = child.wait().await;
    Err(Failed { command: name, how, counts }.into())
}

async fn follow(child: &mut Child, counts: &mut Counts) -> std::io::Result<ExitStatus> {
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).split(b'\n');
        while let Some(line) = lines.next_segment().await? {
            let mut out = std::io::stdout().lock();
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            *counts += counted(&String::from_utf8_lossy(&line));
        }
    }
    child.wait().await
}

/// What a line of cargo's (`test result: ok. 12 passed; 0 failed; 1 ignored; …`) or of vitest's
/// (`Tests  1 failed | 5 passed | 2 skipped (8)`) counts; zeros for any other line.
fn counted(line: &str) -> Counts {
    let line = line.trim_start();
    let (figures, between) = match line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
        Some((_, figures)) => (figures, "; "),
        None => match line.strip_prefix("Tests  ") {
            Some(figures) => (figures.split(" (").next().unwrap_or_default(), " | "),
            None => return Counts::default(),
        },
    };
    let figure = |what: &str| {
        let found = figures.split(between).find_map(|figure| figure.trim().strip_suffix(what));
        found.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    };
    Counts { passed: figure("passed"), failed: figure("failed"), ignored: figure("ignored") + figure("skipped") }
}

/// A process group that ends when this is dropped, as on Ctrl-C.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// It ended by itself.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(counted(ok), Counts { passed: 12, failed: 0, ignored: 1 });
        let failed = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counted(failed), Counts { passed: 3, failed: 2, ignored: 0 });
        let vitest = "      Tests  1 failed | 5 passed | 2 skipped (8)";
        assert_eq!(counted(vitest), Counts { passed: 5, failed: 1, ignored: 2 });
        assert_eq!(counted(" Tests  7 passed (7)"), Counts { passed: 7, failed: 0, ignored: 0 });
        for other in ["", "Tests", "test store::works ... ok", "running 3 tests", "test result: ok"] {
            assert_eq!(counted(other), Counts::default(), "{other}");
        }
    }
}
