//! Everything that works beside the rpcs, started in one place.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    engine::{
        client::Client,
        counters::Counters,
        dial::{Dialer, SystemResolver},
        egress::Policy,
        run::Engine,
        scheduler::Limits,
        tester::Tester,
    },
    exit::Failure,
    grpc::VetUrl,
    metrics::Metrics,
    model::connection_test::ConnectionTester,
    purging,
    store::{Committed, Store, housekeeping, sync},
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
    own_sockets: &[SocketAddr],
    metrics: &Metrics,
    stopping: &CancellationToken,
    tasks: &TaskTracker,
) -> Workers {
    spawn(tasks, store, "housekeeping", keep_house(store.clone(), stopping.clone()));
    let purging = purging::run(store.clone(), config.keep, purging::Counters::register(metrics), stopping.clone());
    spawn(tasks, store, "purging", purging);
    spawn(tasks, store, "sync", sync::run(store.clone(), stopping.clone()));
    let policy = Policy::new(config.allow_networks.clone());
    own_sockets.iter().for_each(|socket| policy.add_own_socket(*socket));
    if !config.allow_networks.is_empty() {
        let networks: Vec<String> = config.allow_networks.iter().map(ToString::to_string).collect();
        tracing::info!(networks = networks.join(","), "webhooks may reach networks that are not public, by http too");
    }
    let client =
        Client::new(Dialer::new(policy.clone(), Arc::new(SystemResolver::new(config.name_server)), Vec::new()));
    let limits = Limits { in_flight: in_flight_limit(), ..Limits::default() };
    let engine = Engine::new(store.clone(), client.clone(), limits, Counters::register(metrics));
    let engine = engine.with_lease(config.node_lease);
    spawn(tasks, store, "engine", engine.run(committed, stopping.clone()));
    Workers {
        tester: Arc::new(Tester::new(store.clone(), client)),
        vet_url: Arc::new(move |url| policy.vet_url(url).map(String::from)),
    }
}

/// Spawns a worker whose panic stops the server with exit code 70: a restart finds its work in the database.
pub fn spawn(tasks: &TaskTracker, store: &Store, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let store = store.clone();
    tasks.spawn(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(worker = name, "a worker panicked");
            store.shared().end_with(Failure::internal("the server stopped after a failure, see the log"));
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

/// Requests under way at once: half of the files that this process may open, so that callers have room beside them.
fn in_flight_limit() -> u32 {
    let most = Limits::default().in_flight;
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Connections that rest are kept for a while, beside those under way.
        let wanted = limit.maximum.unwrap_or(u64::MAX).min(u64::from(most) * 16);
        if limit.current.is_some_and(|current| current < wanted) {
            // Where it cannot be raised the old one holds.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        }
        let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        u32::try_from(open / 2).unwrap_or(most).clamp(1, most)
    }
    #[cfg(not(unix))]
    most
}
