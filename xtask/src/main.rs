//! `cargo xtask demo | test | bench | dist | screenshots`: sets up, builds, and drives the real programs from outside. Nothing of the product
//! is decided here.

mod admin;
mod bench;
mod build;
mod consoles;
mod demo;
mod dist;
mod exit;
mod installed;
mod postgres;
mod process;
mod progress;
mod provider;
mod receiver;
mod screenshots;
mod setup;
mod soak;
mod test;
mod ui;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Sets up, tries and measures Rollcall",
    after_help = "Examples:
  cargo xtask test
  cargo xtask test --only rust
  cargo xtask demo
  cargo xtask bench --row 1 --json bench.json
  cargo xtask soak --kills 1000 --seed 7
  cargo xtask soak --fuzz-seconds 60
  cargo xtask dist --out packages
  cargo xtask screenshots --out docs/screenshots
  cargo xtask demo --exit --students 20000 --kill provider --kills 5"
)]
enum Task {
    /// Shows the whole flow: a provider, a receiver per school, a roster, changes, failures, equal rosters
    Demo(demo::Demo),
    /// Measures throughput, latency and memory beside the machine's limits in the same run
    Bench(bench::Bench),
    /// Makes the consoles' packages, and starts what they install
    Dist(dist::Dist),
    /// Makes pictures of the real windows with the demo's data, light and dark
    Screenshots(screenshots::Screenshots),
    /// Where the bench's messages end
    #[command(hide = true)]
    Sink(bench::sink::SinkProcess),
    /// Kills the programs again and again under load, and judges with a ledger of its own; or fuzzes what reads foreign bytes
    Soak(soak::Soak),
    /// Sets up what tests need, then checks everything: formatting, lints, tests, end-to-end flows
    Test(test::Test),
}

fn main() -> ExitCode {
    let task = Task::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::from(exit::INTERNAL);
        }
    };
    let outcome = runtime.block_on(async {
        match task {
            Task::Demo(demo) => demo.run().await,
            Task::Bench(bench) => bench.run().await,
            Task::Dist(dist) => dist.run().await,
            Task::Screenshots(screenshots) => screenshots.run().await,
            Task::Sink(sink) => sink.run().await,
            Task::Soak(soak) => soak.run().await,
            Task::Test(test) => test.run().await,
        }
    });
    // Threads that wait for a terminal or a file must not hold up the end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(exit::code(&error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent_and_what_cannot_be_meant_is_a_usage_error() {
        use clap::CommandFactory;
        Task::command().debug_assert();
        for line in ["bench --row 0", "bench --row 99", "test --flow 0", "test --flow 99", "soak --kills 1"] {
            let error = Task::try_parse_from(std::iter::once("xtask").chain(line.split(' ')));
            assert_eq!(error.err().map(|error| error.exit_code()), Some(2), "{line}");
        }
        for line in ["bench --row 1 --row 15", "test --flow 1"] {
            assert!(Task::try_parse_from(std::iter::once("xtask").chain(line.split(' '))).is_ok(), "{line}");
        }
    }
}
