//! Time and randomness, passed in everywhere, so that tests run in virtual time and simulations repeat by their seed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// Unix time in ms, UTC.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that reads the wall clock.
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// A clock that only moves when told.
#[derive(Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Starts at `now_ms`.
    pub fn at(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Moves on by `ms`.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A source of random bytes: cryptographically strong, or seeded for a simulation.
#[derive(Clone)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Seeded by the operating system.
    pub fn from_system() -> Self {
        Self(Arc::new(Mutex::new(rand::make_rng())))
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().expect("no holder of this lock panics").fill_bytes(&mut bytes);
        bytes
    }

    /// A number in 0..1.
    pub fn unit(&self) -> f64 {
        let bits = u64::from_le_bytes(self.bytes()) >> 11;
        bits as f64 / (1u64 << 53) as f64
    }
}
