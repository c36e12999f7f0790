//! The provider's integration tests on PostgreSQL: on the server that DATABASE_URL names, or on one of our own.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, cargo, run::run};
use crate::postgres::Postgres;

/// What the tests look for.
const SERVER: &str = "ROLLCALL_TEST_POSTGRES";

/// Tests that touch no database run once, on neither.
const WITHOUT_DATABASE: [&str; 4] = ["oneroster::", "golden::", "fuzz::", "engine::simulation::"];

pub async fn check(limit: Duration) -> Result<Outcome> {
    let given = std::env::var("DATABASE_URL").ok().filter(|url| url.starts_with("postgres"));
    let own = match &given {
        Some(_) => None,
        None => Some(Postgres::start().await?),
    };
    let url = given.or_else(|| own.as_ref().map(Postgres::url)).unwrap_or_default();
    let mut command = cargo(&["test", "--test", "it", "--no-fail-fast", "--"]);
    for module in WITHOUT_DATABASE {
        command.args(["--skip", module]);
    }
    command.env(SERVER, url);
    let outcome = run(command, limit).await;
    if let Some(own) = own {
        own.stop().await?;
    }
    outcome
}
