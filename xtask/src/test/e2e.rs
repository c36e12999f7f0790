//! Whole flows, each with the real programs, started from nothing.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};

use super::{
    Outcome,
    receivers::{self, Language},
    run::{Counts, Failed},
};
use crate::{
    build::{self, Binaries, Profile},
    demo::{Demo, Victim},
    postgres::Postgres,
    progress::Progress,
};

/// The longest that one flow may take.
const FLOW_TIMEOUT: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy)]
enum Flow {
    Demo(Option<Victim>),
    Postgres,
    Receiver(Language),
}

const FLOWS: [(&str, Flow); 6] = [
    ("the demo ends with equal rosters", Flow::Demo(None)),
    ("the provider is killed under load, and the rosters are equal", Flow::Demo(Some(Victim::Provider))),
    ("a receiver is killed under load, and the rosters are equal", Flow::Demo(Some(Victim::School))),
    ("the provider on PostgreSQL is killed under load, and the rosters are equal", Flow::Postgres),
    ("a school's own receiver in Python, on the published library", Flow::Receiver(Language::Python)),
    ("a school's own receiver in JavaScript, on the published library", Flow::Receiver(Language::JavaScript)),
];

/// The number of a flow, as it is written.
pub fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=FLOWS.len()).contains(number));
    number.ok_or_else(|| format!("the flows are 1 to {}", FLOWS.len()))
}

/// All flows, or the one with this number (from 1).
pub async fn check(only: Option<usize>) -> Result<Outcome> {
    let binaries = tokio::task::spawn_blocking(|| build::servers(Profile::Dev)).await??;
    let mut counts = Counts::default();
    for (number, (name, flow)) in (1..).zip(FLOWS) {
        if only.is_some_and(|only| only != number) {
            continue;
        }
        eprintln!("\nflow {number}: {name}");
        let outcome = match tokio::time::timeout(FLOW_TIMEOUT, flow.run(&binaries)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("it did not end within {FLOW_TIMEOUT:?}")),
        };
        match outcome {
            Ok(None) => counts.passed += 1,
            Ok(Some(why)) => {
                eprintln!("flow {number} was not tried: {why}");
                counts.ignored += 1;
            }
            Err(error) => {
                eprintln!("flow {number} failed: {error:#}");
                counts.failed += 1;
            }
        }
    }
    if counts.failed > 0 {
        return Err(
            Failed::new("cargo xtask test --only e2e", format!("{} flows failed", counts.failed), counts).into()
        );
    }
    Ok(Outcome::Checked(counts))
}

impl Flow {
    /// Answers why it was not tried, where it was not.
    async fn run(self, binaries: &Binaries) -> Result<Option<String>> {
        match self {
            Self::Demo(kill) => tell(Demo::small(kill), binaries).await,
            Self::Postgres => {
                let server = Postgres::start().await?;
                let told = tell(Demo::small(Some(Victim::Provider)).on(server.url()), binaries).await;
                server.stop().await?;
                told
            }
            Self::Receiver(language) => receivers::check(language, binaries).await,
        }
    }
}

async fn tell(demo: Demo, binaries: &Binaries) -> Result<Option<String>> {
    match demo.story(binaries, None, &Arc::new(Progress::new())).await? {
        Some(true) => Ok(None),
        Some(false) => bail!("not all rosters are equal"),
        None => Ok(Some("interrupted".into())),
    }
}
