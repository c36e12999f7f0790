//! `cargo xtask demo | test | bench`: sets up, builds, and drives the real programs from outside. Nothing of the product
//! is decided here.

mod admin;
mod build;
mod demo;
mod process;
mod progress;
mod provider;
mod receiver;
mod setup;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Sets up, tries and measures Rollcall")]
enum Task {
    /// Shows the whole flow: a provider, a receiver per school, a roster, changes, failures, equal rosters.
    Demo(demo::Demo),
}

fn main() -> ExitCode {
    let task = Task::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match task {
            Task::Demo(demo) => demo.run().await,
        }
    });
    // Threads that wait for a terminal or a file must not hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
