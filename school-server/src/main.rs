//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use school_server::{cli::Cli, commands};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("school-server: {error}");
            error.exit_code()
        }
    }
}
