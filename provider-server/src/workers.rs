//! Everything that works beside the rpcs, started in one place.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use rollcall_proto::id::SchoolId;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    error::Refusal,
    grpc::VetUrl,
    metrics::Metrics,
    model::connection_test::{AddressStep, ConnectionTester, Pending, TestOutcome},
    store::{Committed, Store, StoreError, housekeeping, sync},
};

/// How often due pauses and retiring secrets are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the services need of the workers.
pub struct Workers {
    /// Tries connections.
    pub tester: Arc<dyn ConnectionTester>,
    /// The egress policy.
    pub vet_url: VetUrl,
}

/// Starts the workers. Each ends by itself once `stopping`; the tracker waits for them.
pub fn start_workers(
    store: &Store,
    committed: mpsc::UnboundedReceiver<Committed>,
    config: &Config,
    metrics: &Metrics,
    stopping: &CancellationToken,
    tasks: &TaskTracker,
) -> Workers {
    let _ = (config, metrics);
    spawn(tasks, store, "housekeeping", keep_house(store.clone(), stopping.clone()));
    spawn(tasks, store, "sync", sync::run(store.clone(), stopping.clone()));
    // WIRING: the engine (takes `committed`, answers tester and vet_url), the import worker.
    spawn(tasks, store, "no engine", drop_committed(committed, stopping.clone()));
    Workers { tester: Arc::new(NoEngine), vet_url: Arc::new(|url| Ok(url.to_owned())) }
}

/// Spawns a worker whose panic stops the server with exit code 70: a restart finds its work in the database.
pub fn spawn(tasks: &TaskTracker, store: &Store, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let store = store.clone();
    tasks.spawn(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(worker = name, "a worker panicked");
            store.shared().fatal.send_replace(true);
        }
    });
}

async fn keep_house(store: Store, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut round = 0u64;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopping.cancelled() => return,
        }
        if let Err(error) = housekeeping::round(&store, round).await {
            tracing::warn!(%error, "housekeeping is tried again");
        }
        round += 1;
    }
}

async fn drop_committed(mut committed: mpsc::UnboundedReceiver<Committed>, stopping: CancellationToken) {
    loop {
        tokio::select! {
            next = committed.recv() => if next.is_none() { return },
            () = stopping.cancelled() => return,
        }
    }
}

/// Stands where the engine is not wired yet.
struct NoEngine;

impl ConnectionTester for NoEngine {
    fn send_test(&self, _: SchoolId, _: String) -> Pending<'_, Result<TestOutcome, StoreError>> {
        Box::pin(async { Err(Refusal::precondition("this build delivers nothing").into()) })
    }

    fn check_address(&self, _: String) -> Pending<'_, Vec<AddressStep>> {
        Box::pin(async { Vec::new() })
    }
}
