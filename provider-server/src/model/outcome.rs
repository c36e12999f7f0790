//! What came of one attempt. Every way to fail is an [`Outcome`] with a named cause, never an error that escapes.

use bytes::Bytes;

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The host name did not resolve.
    Dns,
    /// No TCP connection.
    Connect,
    /// No TLS session: a certificate or a protocol problem.
    Tls,
    /// The attempt's time was over.
    Timeout,
    /// The connection ended before the answer was whole.
    Reset,
    /// A 3xx, which is never followed.
    Redirect,
    /// Another answer than 2xx.
    Http,
    /// The answer's head is larger than is read.
    TooLarge,
    /// The egress policy refuses the address.
    Blocked,
    /// 410: the endpoint says that it is gone.
    Gone,
    /// 429, or 503 with a Retry-After.
    RateLimited,
    /// The answer is not HTTP/1.1.
    Protocol,
    /// A fault of ours.
    Internal,
}

/// What a failure says about: the whole connection, the receiver's state, or this one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing can be delivered there now.
    Connection,
    /// The receiver is in trouble, or this message troubles it: several in a row tell.
    Server,
    /// The receiver refuses this message.
    Message,
    /// This machine has no handle or port left: nothing at all of the school.
    Ours,
}

/// The detail of [`Cause::Internal`] where the machine lacks handles (open files) or ports.
pub const SHORTAGE: &str = "no_handles";

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 13] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Redirect,
        Self::Http,
        Self::TooLarge,
        Self::Blocked,
        Self::Gone,
        Self::RateLimited,
        Self::Protocol,
        Self::Internal,
    ];

    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Redirect => "redirect",
            Self::Http => "http",
            Self::TooLarge => "too_large",
            Self::Blocked => "blocked",
            Self::Gone => "gone",
            Self::RateLimited => "rate_limited",
            Self::Protocol => "protocol",
            Self::Internal => "internal",
        }
    }

    /// The cause of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// An answer worth keeping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Names and values as received, the values lossy where they are not UTF-8.
    pub headers: Vec<(String, String)>,
    /// At most 64 KiB.
    pub body: Bytes,
}

impl Answer {
    /// What it takes in memory, without the bookkeeping.
    pub fn size_bytes(&self) -> usize {
        self.body.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// What came of one attempt.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// `None` is success, and only a 2xx is.
    pub cause: Option<Cause>,
    /// A word that narrows the cause (`expired`, `wrong_name`, `refused`, …), for the explanation; never personal data.
    pub detail: &'static str,
    /// HTTP code; 0 where there was no answer.
    pub code: u16,
    /// The whole attempt, µs.
    pub latency_us: u32,
    /// Until the answer's head, µs; 0 where none came.
    pub first_byte_us: u32,
    /// Bytes of the request's body.
    pub request_bytes: u32,
    /// Bytes read of the answer's body.
    pub response_bytes: u32,
    /// The Retry-After of a 429 or 503, clamped, in ms from the answer on.
    pub retry_after_ms: Option<u64>,
    /// The answer's Date minus our clock, in s; 0 where it is within 60.
    pub clock_skew_s: i32,
    /// Kept for failures.
    pub answer: Option<Box<Answer>>,
    /// The fingerprint of the key that the receiver says it verified with.
    pub verified_key: Option<Box<str>>,
}

impl Outcome {
    /// A failure without an answer.
    pub fn failed(cause: Cause, detail: &'static str) -> Self {
        Self { cause: Some(cause), detail, ..Self::default() }
    }

    /// Whether the receiver has the message.
    pub fn is_success(&self) -> bool {
        self.cause.is_none()
    }

    /// What a failure says about; `None` on success.
    pub fn kind(&self) -> Option<FailureKind> {
        Some(match self.cause? {
            Cause::Dns | Cause::Connect | Cause::Tls | Cause::Timeout | Cause::Blocked | Cause::Protocol => {
                FailureKind::Connection
            }
            // A server may close an idle connection just as we write to it: one reset says little.
            Cause::Reset => FailureKind::Server,
            Cause::Http if self.code >= 500 => FailureKind::Server,
            Cause::Internal if self.detail == SHORTAGE => FailureKind::Ours,
            _ => FailureKind::Message,
        })
    }
}
