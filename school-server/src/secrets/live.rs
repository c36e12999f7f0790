//! The secrets that verify right now; replaced whole while requests go on.

use std::sync::{Arc, RwLock};

use rollcall_proto::webhook::signature::SigningSecret;

use super::{Enrollment, Identity};

/// What a request is verified with. A request keeps the set it started with.
pub struct Keys {
    /// Newest first.
    pub secrets: Vec<SigningSecret>,
    /// Six words for each secret, ready for an answer's header.
    pub fingerprints: Vec<http::HeaderValue>,
    /// When each secret stops counting, Unix ms.
    pub retires_at_ms: Vec<Option<i64>>,
    /// Whom a body must be for.
    pub identity: Identity,
    /// All of it, for the desk.
    pub enrollment: Enrollment,
}

impl Keys {
    fn new(enrollment: Enrollment) -> Self {
        let secrets: Vec<SigningSecret> = enrollment.secrets.iter().map(|kept| kept.secret.clone()).collect();
        let fingerprint = |secret: &SigningSecret| {
            http::HeaderValue::try_from(secret.fingerprint()).expect("words and hyphens are a header value")
        };
        Self {
            fingerprints: secrets.iter().map(fingerprint).collect(),
            retires_at_ms: enrollment.secrets.iter().map(|kept| kept.retires_at_ms).collect(),
            identity: enrollment.identity.clone(),
            secrets,
            enrollment,
        }
    }

    /// The secrets that count at `now_ms`; they are in order of age, so the retired ones are at the end.
    pub fn counting(&self, now_ms: i64) -> &[SigningSecret] {
        let counting = self.retires_at_ms.iter().take_while(|at| at.is_none_or(|at| now_ms < at)).count();
        &self.secrets[..counting]
    }
}

/// Why no secret could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// For a program, such as `keychain_locked`; may be empty.
    pub reason: &'static str,
    /// For people.
    pub words: String,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<Keys>>,
    problem: Option<Problem>,
}

/// The current secrets, or why there are none.
#[derive(Clone, Default)]
pub struct LiveKeys(Arc<RwLock<State>>);

impl LiveKeys {
    /// The secrets of this moment.
    pub fn get(&self) -> Option<Arc<Keys>> {
        self.0.read().expect("no holder of this lock panics").keys.clone()
    }

    /// Why no secret could be read.
    pub fn problem(&self) -> Option<Problem> {
        self.0.read().expect("no holder of this lock panics").problem.clone()
    }

    /// Takes over an enrollment, for requests that start from now on.
    pub fn install(&self, enrollment: Enrollment) {
        let keys = Some(Arc::new(Keys::new(enrollment)));
        *self.0.write().expect("no holder of this lock panics") = State { keys, problem: None };
    }

    /// Notes why the store could not be read; secrets read before stay.
    pub fn note_problem(&self, problem: Option<Problem>) {
        self.0.write().expect("no holder of this lock panics").problem = problem;
    }
}
