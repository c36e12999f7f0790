//! A school's connection as an attempt needs it: where to, signed with what, how often.

use std::sync::Arc;

use rollcall_proto::{
    id::{SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use url::Url;

use super::{breaker::Breaker, retry::RetryPolicy};

/// A secret that signs. Has no Debug.
#[derive(Clone)]
pub struct LiveSecret {
    /// Its id.
    pub id: SecretId,
    /// Its six words.
    pub fingerprint: Box<str>,
    /// The prepared HMAC state.
    pub secret: SigningSecret,
    /// A retiring secret signs until then, in Unix ms.
    pub expires_ms: Option<i64>,
}

/// What staff say about a connection. Health is another matter: see [`Breaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Deliveries go out.
    Active,
    /// Staff paused it.
    Paused,
    /// The endpoint answered 410: deliveries are kept until staff resume it.
    Held,
    /// Not connected, revoked, compromised: deliveries wait.
    Closed,
}

/// One version of a connection; an attempt ends on the one it started with.
#[derive(Clone)]
pub struct Connection {
    /// The school.
    pub school: SchoolId,
    /// Grows with every change of what an attempt depends on.
    pub version: u64,
    /// What staff say.
    pub state: ConnectionState,
    /// Vetted when it was saved, and vetted again when it is dialled; none before the school is connected.
    pub url: Option<Url>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// The whole attempt, 1 to 15,000 ms.
    pub timeout_ms: u32,
    /// Requests under way at once, at least 1.
    pub max_in_flight: u32,
    /// Those that sign, newest first.
    pub secrets: Vec<LiveSecret>,
}

impl Connection {
    /// Whether anything can be sent: active, with an address and a secret.
    pub fn can_send(&self, now_ms: i64) -> bool {
        self.state == ConnectionState::Active && self.url.is_some() && self.live_secrets(now_ms).next().is_some()
    }

    /// The secrets that sign at this time, newest first.
    pub fn live_secrets(&self, now_ms: i64) -> impl Iterator<Item = &LiveSecret> {
        self.secrets.iter().filter(move |secret| secret.expires_ms.is_none_or(|expires| expires > now_ms))
    }
}

/// A connection as it was read, with what else its row says.
#[derive(Clone)]
pub struct StoredConnection {
    /// The connection.
    pub connection: Arc<Connection>,
    /// Its health as last recorded.
    pub breaker: Breaker,
    /// Whether a message of it is parked alone, and so may be superseded by a delivery.
    pub has_parked_alone: bool,
}
