//! Progress on stderr: a line a step; within a step one line that is redrawn on a terminal.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

/// Where there is no terminal, a step tells of itself this often.
const QUIET: Duration = Duration::from_secs(10);

pub struct Progress {
    started: Instant,
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    drawn: bool,
    told: Instant,
}

impl Progress {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            terminal: std::io::stderr().is_terminal(),
            state: Mutex::new(State { drawn: false, told: now }),
        }
    }

    /// A step begins, or something worth a line happened.
    pub fn step(&self, text: impl AsRef<str>) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let clear = if std::mem::take(&mut state.drawn) { "\r\x1b[K" } else { "" };
        state.told = Instant::now();
        // Nobody to tell is no reason to stop.
        let _ =
            writeln!(std::io::stderr(), "{clear}[{:6.1} s] {}", self.started.elapsed().as_secs_f64(), text.as_ref());
    }

    /// How far the step is.
    pub fn draw(&self, text: impl AsRef<str>) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        if self.terminal {
            state.drawn = true;
            let _ = write!(std::io::stderr(), "\r\x1b[K           {}", text.as_ref());
        } else if state.told.elapsed() >= QUIET {
            state.told = Instant::now();
            let _ = writeln!(std::io::stderr(), "           {}", text.as_ref());
        }
    }
}
