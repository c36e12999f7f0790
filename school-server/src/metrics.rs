//! Counters for `/metrics`. No label ever holds anything about a student.

use std::sync::Arc;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answer {
    code: u16,
    verdict: &'static str,
}

/// The receiver's counters; clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    answers: Family<Answer, Counter>,
    dropped: Counter,
    batches: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("rollcall_school");
        let answers = Family::<Answer, Counter>::default();
        registry.register("webhook_answers", "Answered webhook requests", answers.clone());
        let dropped = Counter::default();
        registry.register("refused_unrecorded", "Refused requests beyond what is recorded", dropped.clone());
        let batches = Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
        registry.register("commit_messages", "Messages that shared a commit", batches.clone());
        Self { registry: Arc::new(registry), answers, dropped, batches }
    }
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, code: u16, verdict: &'static str) {
        self.answers.get_or_create(&Answer { code, verdict }).inc();
    }

    /// A refused request was not recorded, because too many came at once.
    pub fn dropped(&self) {
        self.dropped.inc();
    }

    /// A batch was committed.
    pub fn batch(&self, messages: usize) {
        if messages > 0 {
            self.batches.observe(messages as f64);
        }
    }

    /// The text for `/metrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes any text");
        text
    }
}
