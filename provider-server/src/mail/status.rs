//! How mail does: what monitors and `/readyz` are told.

use std::sync::{Arc, Mutex};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use crate::metrics::Metrics;

/// Counters, and why mail fails while it does. Cheap to clone.
#[derive(Clone, Default)]
pub struct MailStatus {
    sent: Counter,
    failures: Counter,
    waiting: Gauge,
    failing: Gauge,
    /// Since when, Unix ms, and the server's last words.
    trouble: Arc<Mutex<Option<(i64, String)>>>,
}

impl MailStatus {
    /// Counters that `/metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let status = Self::default();
        metrics.register("mails", "Mails that the mail server took", status.sent.clone());
        metrics.register("mail_failures", "Mails that it did not take, each try counted", status.failures.clone());
        metrics.register("mails_waiting", "Mails that are due and not taken yet", status.waiting.clone());
        metrics.register("mail_failing", "1 while a mail waits for a further try", status.failing.clone());
        status
    }

    /// So many mails are due.
    pub fn waiting(&self, mails: usize) {
        self.waiting.set(i64::try_from(mails).unwrap_or(i64::MAX));
    }

    /// A mail was taken.
    pub fn sent(&self) {
        self.sent.inc();
        self.waiting.dec();
    }

    /// A mail was not taken.
    pub fn failed(&self, now_ms: i64, why: String) {
        self.failures.inc();
        self.failing.set(1);
        let mut trouble = self.trouble();
        let since_ms = trouble.as_ref().map_or(now_ms, |(since_ms, _)| *since_ms);
        *trouble = Some((since_ms, why));
    }

    /// Nothing waits for a further try.
    pub fn well(&self) {
        self.failing.set(0);
        *self.trouble() = None;
    }

    /// Since when mail fails, Unix ms, and why; `None` while it does not.
    pub fn failing(&self) -> Option<(i64, String)> {
        self.trouble().clone()
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<(i64, String)>> {
        self.trouble.lock().expect("no holder of this lock panics")
    }
}
