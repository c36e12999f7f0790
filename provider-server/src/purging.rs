//! The worker that deletes what is kept for a limited time only, batch by batch, as the writer has time for it.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    model::retention::Retention,
    store::{
        Store, StoreError, chores,
        retention::{Pass, Purged},
    },
};

const CHORE: &str = "purge";
/// A server that works on a pass keeps it for so long after each batch.
const HOLD: Duration = Duration::from_secs(60);

/// What was purged. Cheap to clone.
#[derive(Clone, Default)]
pub struct Counters {
    bodies: Counter,
    answers: Counter,
    expired: Counter,
    rows: Counter,
}

impl Counters {
    /// Counters that `/metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let counters = Self::default();
        metrics.register("purged_bodies", "Bodies of messages purged", counters.bodies.clone());
        metrics.register("purged_answers", "Answers of schools' systems purged", counters.answers.clone());
        metrics.register("expired_messages", "Undelivered messages discarded as expired", counters.expired.clone());
        metrics.register("purged_rows", "Rows of the log purged", counters.rows.clone());
        counters
    }

    fn add(&self, purged: Purged) {
        self.bodies.inc_by(purged.bodies);
        self.answers.inc_by(purged.answers);
        self.expired.inc_by(purged.expired);
        self.rows.inc_by(purged.rows);
    }
}

/// Goes through what is old again and again, until `stopping`. Of several servers one does it.
pub async fn run(store: Store, keep: Retention, counters: Counters, stopping: CancellationToken) {
    let pause = |length: Duration| {
        let stopping = stopping.clone();
        async move { tokio::time::timeout(length, stopping.cancelled()).await.is_ok() }
    };
    loop {
        if let Err(error) = pass(&store, keep, &counters, &pause).await {
            tracing::warn!(%error, "purging is tried again");
        }
        if pause(keep.every()).await {
            return;
        }
    }
}

/// One pass; ends early where `pause` says that the server stops.
async fn pass<P>(
    store: &Store,
    keep: Retention,
    counters: &Counters,
    pause: &impl Fn(Duration) -> P,
) -> Result<(), StoreError>
where
    P: Future<Output = bool>,
{
    if !chores::take(store, CHORE, HOLD).await? {
        return Ok(());
    }
    let (mut pass, mut all, mut held) = (Pass::begin(store, keep).await?, Purged::default(), Instant::now());
    loop {
        let began = Instant::now();
        let Some(purged) = pass.step(store).await? else { break };
        counters.add(purged);
        all.add(purged);
        if held.elapsed() > HOLD / 2 {
            if !chores::take(store, CHORE, HOLD).await? {
                break;
            }
            held = Instant::now();
        }
        // At most half of the time is taken, and less where others wait for the writer, too.
        if pause(began.elapsed()).await {
            break;
        }
    }
    if all != Purged::default() {
        let Purged { bodies, answers, expired, rows } = all;
        tracing::info!(bodies, answers, expired, rows, "purged what was kept long enough");
    }
    Ok(())
}
