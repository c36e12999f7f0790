//! Time and randomness, passed in everywhere, so that tests never wait.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;

/// Wall-clock time in Unix milliseconds, UTC.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that only moves when told, for tests.
    pub fn manual(now_ms: i64) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Moves a manual clock on; the machine's clock moves by itself.
    pub fn advance(&self, ms: i64) {
        if let Some(manual) = &self.0 {
            manual.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Now.
    #[allow(clippy::disallowed_methods)] // The one place that reads the wall clock.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => Timestamp::now().as_millisecond(),
        }
    }
}

/// Random bytes for keys and tokens, from the operating system's seeded generator.
pub fn random_bytes<const N: usize>() -> zeroize::Zeroizing<[u8; N]> {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    rand::fill(&mut bytes[..]);
    bytes
}
