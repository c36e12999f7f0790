//! `cargo xtask test`: runs every test of the workspace. The demo and the bench are not merged yet.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("test") {
        eprintln!("usage: cargo xtask test");
        return ExitCode::from(2);
    }
    match Command::new("cargo").args(["test", "--workspace", "--no-fail-fast"]).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::from(70)
        }
    }
}
