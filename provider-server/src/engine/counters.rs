//! What the delivery machine counts: how much and how long, never who.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use super::scheduler::Scheduler;
use crate::{metrics::Metrics, model::outcome::Outcome};

/// Why an attempt failed.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Failure {
    /// A cause of the log.
    pub cause: &'static str,
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub struct Counters {
    delivered: Counter,
    failed: Family<Failure, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    waiting: Gauge,
    waiting_bytes: Gauge,
    records: Counter,
}

impl Counters {
    /// Counters that `/metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let buckets = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];
        let counters = Self {
            delivered: Counter::default(),
            failed: Family::default(),
            seconds: Histogram::new(buckets),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            waiting_bytes: Gauge::default(),
            records: Counter::default(),
        };
        metrics.register("deliveries", "Messages that arrived", counters.delivered.clone());
        metrics.register("failed_attempts", "Failed attempts by cause", counters.failed.clone());
        metrics.register("attempt_seconds", "How long attempts took", counters.seconds.clone());
        metrics.register("attempts_in_flight", "Attempts under way", counters.in_flight.clone());
        metrics.register("waiting_messages", "Messages that wait in memory", counters.waiting.clone());
        metrics.register("waiting_bytes", "Memory taken by messages that wait", counters.waiting_bytes.clone());
        metrics.register("records", "Transactions that recorded attempts", counters.records.clone());
        counters
    }

    /// An attempt ended.
    pub fn attempt(&self, outcome: &Outcome) {
        match outcome.cause {
            None => self.delivered.inc(),
            Some(cause) => self.failed.get_or_create(&Failure { cause: cause.as_str() }).inc(),
        };
        self.seconds.observe(f64::from(outcome.latency_us) / 1e6);
    }

    /// Attempts were recorded.
    pub fn recorded(&self, machine: &Scheduler) {
        let (messages, bytes) = machine.waiting();
        self.records.inc();
        self.in_flight.set(machine.in_flight().into());
        self.waiting.set(i64::try_from(messages).unwrap_or(i64::MAX));
        self.waiting_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
