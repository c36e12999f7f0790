//! What servers that share a database tell each other: that there is something new, never what. Everything is found by
//! looking, too; a message only hastens the look.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{Database, Shared, StoreError};

/// Messages go out at most this often.
const GAP: Duration = Duration::from_millis(20);
/// After a fault of the database.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub struct News {
    /// Another server did something.
    pub arrived: Notify,
    /// This one did.
    told: Notify,
    has_company: AtomicBool,
}

impl News {
    /// Tells the other servers, where there are any.
    pub fn tell(&self) {
        if self.has_company.load(Ordering::Relaxed) {
            self.told.notify_one();
        }
    }

    /// Whether other servers are there.
    pub fn set_company(&self, has_company: bool) {
        self.has_company.store(has_company, Ordering::Relaxed);
    }
}

/// Starts telling and listening, where the database can be shared.
pub fn start(database: &Database, shared: &Arc<Shared>) {
    if database.is_shared() {
        tokio::spawn(tell(database.clone(), shared.clone()));
        tokio::spawn(listen(database.clone(), shared.clone()));
    }
}

async fn tell(database: Database, shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = shared.news.told.notified() => {}
        }
        let told = async { database.reader().await?.execute("SELECT pg_notify('rollcall', '')", vec![]).await };
        match told.await {
            Ok(_) => tokio::time::sleep(GAP).await,
            Err(StoreError::Stopping) => return,
            // They look by themselves.
            Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    }
}

async fn listen(database: Database, shared: Arc<Shared>) {
    loop {
        let heard = || {
            shared.news.arrived.notify_one();
            shared.log_wake.send_modify(|count| *count += 1);
        };
        tokio::select! {
            () = shared.closing.cancelled() => return,
            // Ends with a fault only. An engine that knows no LISTEN is looked at instead.
            error = database.listen(heard) => tracing::debug!(%error, "nothing is heard of other servers"),
        }
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = tokio::time::sleep(PATIENCE) => shared.log_wake.send_modify(|count| *count += 1),
        }
    }
}
