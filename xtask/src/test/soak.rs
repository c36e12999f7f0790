//! Everything is killed again and again under load, on both databases, and nothing is lost.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    Outcome,
    run::{Counts, Failed},
};
use crate::{
    build::{self, Profile},
    progress::Progress,
    soak::{Db, Soak},
};

/// The longest that one soak may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The database, and how many processes are killed.
const SOAKS: [(Db, u32); 2] = [(Db::Sqlite, 200), (Db::Postgres, 60)];

pub async fn check() -> Result<Outcome> {
    let binaries = tokio::task::spawn_blocking(|| build::servers(Profile::Dev)).await??;
    let mut counts = Counts::default();
    for (db, kills) in SOAKS {
        let soak = Soak::small(kills, db);
        let progress = Arc::new(Progress::new());
        let mut verdict = soak.unjudged();
        let outcome = match tokio::time::timeout(LIMIT, soak.story(&binaries, &progress, &mut verdict)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("it did not end within {LIMIT:?}")),
        };
        match outcome {
            Ok(()) => {
                println!("{}", serde_json::to_string_pretty(&verdict)?);
                counts.passed += 1;
            }
            Err(error) => {
                eprintln!("the soak failed: {error:#}");
                counts.failed += 1;
            }
        }
    }
    if counts.failed > 0 {
        return Err(Failed::new("cargo xtask test --only soak", "lost something".into(), counts).into());
    }
    Ok(Outcome::Checked(counts))
}
