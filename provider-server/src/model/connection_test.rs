//! Trying a connection while somebody waits for the answer: asked by `grpc`, done by `engine`, which never import each
//! other.

use std::{future::Future, pin::Pin};

use rollcall_proto::id::SchoolId;

/// How a `connection.test` event went.
pub struct TestOutcome {
    /// Whether the receiver answered 2xx.
    pub ok: bool,
    /// HTTP code; 0 where there was no answer.
    pub code: u16,
    /// How it went, in words.
    pub detail: String,
    /// The whole attempt.
    pub latency_ms: u32,
}

/// One step of an address test.
pub struct AddressStep {
    /// policy, dns, connect, tls, answer
    pub step: &'static str,
    /// Whether it went well.
    pub ok: bool,
    /// What was seen, in words.
    pub detail: String,
}

/// An answer that is waited for.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tries connections.
pub trait ConnectionTester: Send + Sync {
    /// Sends a `connection.test` event, outside the sequence, and records the attempt. Refused where the school has no
    /// address or no secret.
    fn send_test(&self, school: SchoolId, actor: String) -> Pending<'_, Result<TestOutcome, crate::store::StoreError>>;
    /// Vets an address and tries it, step by step.
    fn check_address(&self, url: String) -> Pending<'_, Vec<AddressStep>>;
}
