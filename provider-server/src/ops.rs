//! What operators and their monitors ask, on a loopback port: `/livez`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{mail::MailStatus, metrics::Metrics, store::Store};

/// A request's head must have arrived by then, and the next one after the one before.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// A connection of a monitor lives at most this long.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);
const MAX_CONNECTIONS: usize = 64;

#[derive(Clone)]
struct Asked {
    store: Store,
    metrics: Metrics,
    mail: MailStatus,
    stopping: CancellationToken,
}

/// Serves until `stopping`.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    metrics: Metrics,
    mail: MailStatus,
    stopping: CancellationToken,
) {
    let asked = Asked { store, metrics, mail, stopping: stopping.clone() };
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|State(asked): State<Asked>| async move { asked.metrics.text() }))
        .with_state(asked);
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file handles: wait for some to be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if tasks.len() >= MAX_CONNECTIONS {
            continue;
        }
        let service = TowerToHyperService::new(router.clone());
        tasks.spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
            let serving = builder.serve_connection(TokioIo::new(socket), service);
            let _ = tokio::time::timeout(CONNECTION_LIMIT, serving).await;
        });
    }
}

async fn ready(State(asked): State<Asked>) -> (StatusCode, String) {
    if asked.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".into());
    }
    let answers = async { asked.store.reader().await?.ping().await };
    match tokio::time::timeout(Duration::from_secs(2), answers).await {
        _ if asked.store.database().is_damaged() => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database is damaged: restore a backup\n".into())
        }
        Ok(Ok(())) if asked.store.shared().fatal().borrow().is_none() => (StatusCode::OK, with_mail(&asked.mail)),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".into()),
    }
}

/// Ready; mail that fails is told, but takes nothing from what the server is there for.
fn with_mail(mail: &MailStatus) -> String {
    match mail.failing() {
        None => "ready\n".into(),
        Some((since_ms, why)) => {
            let since = jiff::Timestamp::from_millisecond(since_ms).unwrap_or_default();
            format!("ready\nmail is not taken since {since}: {why}\n")
        }
    }
}
