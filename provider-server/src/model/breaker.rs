//! The breaker of a connection: when nothing can be delivered, one message tries and the rest wait.

/// Different messages in a row that a receiver in trouble must fail before its breaker opens.
const SERVER_FAILURES: usize = 5;

/// How a connection does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Messages go out side by side.
    #[default]
    Ok,
    /// The breaker is open: one trial at a time.
    Failing,
    /// All tries failed: what waits is parked, and a probe goes out now and then.
    Down,
}

impl Health {
    /// The name in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Down => "down",
        }
    }

    /// The health of this name; anything else is [`Health::Ok`].
    pub fn parse(name: &str) -> Self {
        match name {
            "failing" => Self::Failing,
            "down" => Self::Down,
            _ => Self::Ok,
        }
    }
}

/// What is known of a connection's health. `health`, `retry_at_ms` and `probe_wait_ms` are kept in its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// The health.
    pub health: Health,
    /// While not ok: when the next trial or probe is due, Unix ms.
    pub retry_at_ms: i64,
    /// While down: the wait that led to `retry_at_ms`.
    pub probe_wait_ms: u64,
    /// While failing: failed trials, the failure that opened it included.
    pub failures: u32,
    /// The next trial or probe takes the first message from this sequence on: where the message itself may be at fault,
    /// another one has its turn.
    pub next_from: u64,
    /// When a message was delivered last, Unix ms; 0 where none was.
    pub last_success_ms: i64,
    /// While down, where staff had the next probe made earlier: when it was due, Unix ms.
    due_ms: Option<i64>,
    /// Sequences of the messages that failed in a row with the receiver in trouble.
    in_trouble: Vec<u64>,
}

impl Breaker {
    /// As a row holds it.
    pub fn stored(health: Health, retry_at_ms: i64, probe_wait_ms: u64, last_success_ms: i64) -> Self {
        let failures = u32::from(health == Health::Failing);
        Self { health, retry_at_ms, probe_wait_ms, failures, last_success_ms, ..Self::default() }
    }

    /// As after a change by staff: whatever failed before says nothing now.
    pub fn fresh(last_success_ms: i64) -> Self {
        Self { last_success_ms, ..Self::default() }
    }

    /// After a delivery: everything may go out again.
    pub fn succeeded(&self, now_ms: i64) -> Self {
        Self { last_success_ms: now_ms.max(self.last_success_ms), ..Self::default() }
    }

    /// The wall clock was set back by so much, ms: it waits no longer than it was to.
    pub fn set_back(&mut self, by_ms: i64) {
        self.retry_at_ms = self.retry_at_ms.saturating_sub(by_ms);
        self.last_success_ms = self.last_success_ms.saturating_sub(by_ms);
        self.due_ms = self.due_ms.map(|due_ms| due_ms.saturating_sub(by_ms));
    }

    /// The next probe is made now. Its failure says no more than what was known, and puts off no later one.
    pub fn hasten(&mut self, now_ms: i64) {
        if self.retry_at_ms > now_ms {
            self.due_ms.get_or_insert(self.retry_at_ms);
            self.retry_at_ms = now_ms;
        }
    }

    /// When the next probe is due after a hastened one, Unix ms; once.
    pub(super) fn take_due(&mut self, now_ms: i64) -> Option<i64> {
        self.due_ms.take().filter(|due_ms| *due_ms > now_ms)
    }

    /// Counts a failure of the receiver; true once enough different messages failed in a row.
    pub(super) fn counts_trouble(&mut self, sequence: u64) -> bool {
        if !self.in_trouble.contains(&sequence) && self.in_trouble.len() < SERVER_FAILURES {
            self.in_trouble.push(sequence);
        }
        self.in_trouble.len() >= SERVER_FAILURES
    }

    /// An answer that says nothing against the receiver ends a row of failures.
    pub(super) fn ends_trouble(&mut self) {
        self.in_trouble.clear();
    }
}
