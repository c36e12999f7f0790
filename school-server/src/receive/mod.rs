//! From a request to its answer: cap → verify over the raw bytes → parse → inbox. Only a commit makes a 2xx.

pub mod http_server;
pub mod message;
pub mod strict;
pub mod verdict;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Collected, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use rollcall_proto::webhook::{
    headers::{MAX_BODY_BYTES, VERIFIED_KEY, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP},
    signature::{VerifyError, verify},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use self::verdict::Verdict;
use crate::{
    clock::Clock,
    inbox::{Inbox, Recorded},
    metrics::Metrics,
    secrets::{Keys, LiveKeys},
    store::read::ReadStore,
};

/// A body must have arrived by then.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Bodies that may be larger than this take turns, so that slow ones from many connections do not fill the memory.
/// Nearly every message is smaller.
const SMALL_BODY_BYTES: u64 = 32 * 1024;
/// Larger bodies at once; more wait, within the time that a body has.
const LARGE_BODIES: usize = 32;
/// When to come back after a 503.
const RETRY_AFTER_S: &str = "5";
/// Characters of a refused request's id that are recorded.
const MAX_RECORDED_ID: usize = 64;

/// Answers HTTP requests.
pub struct Receiver {
    pub keys: LiveKeys,
    pub inbox: Inbox,
    pub clock: Clock,
    pub metrics: Metrics,
    pub store: ReadStore,
    pub large_bodies: LargeBodies,
}

/// Places for larger bodies.
pub struct LargeBodies(Semaphore);

impl Default for LargeBodies {
    fn default() -> Self {
        Self(Semaphore::new(LARGE_BODIES))
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a request is answered.
struct Answer {
    code: StatusCode,
    verdict: Verdict,
    words: String,
    verified_key: Option<HeaderValue>,
    event_type: String,
    /// Whether the inbox recorded it already.
    recorded: bool,
}

impl Answer {
    fn refused(code: StatusCode, verdict: Verdict, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { code, verdict, words, verified_key: None, event_type: String::new(), recorded: false }
    }
}

impl Receiver {
    /// Answers one request.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.uri().path(), request.method()) {
            ("/webhook", &Method::POST) => self.webhook(request).await,
            ("/webhook", _) => plain(StatusCode::METHOD_NOT_ALLOWED, "POST a signed message here\n"),
            ("/livez", &Method::GET) => plain(StatusCode::OK, "ok\n"),
            ("/readyz", &Method::GET) => self.ready().await,
            ("/metrics", &Method::GET) => {
                let mut response = plain(StatusCode::OK, self.metrics.text());
                let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            _ => plain(StatusCode::NOT_FOUND, "the webhook is at /webhook\n"),
        }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        if self.keys.get().is_none() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "no secret yet: enroll this receiver\n");
        }
        match self.store.ping().await {
            Ok(()) => plain(StatusCode::OK, "ok\n"),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
        }
    }

    async fn webhook(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let answer = self.judge(&head.headers, body, started).await;
        self.metrics.answered(answer.code.as_u16(), answer.verdict.as_str());
        if !answer.recorded {
            self.record(&head.headers, &answer, started);
        }
        respond(answer)
    }

    async fn judge(&self, headers: &HeaderMap, body: Incoming, started: Instant) -> Answer {
        let too_large = || {
            let words = format!("the body is larger than {MAX_BODY_BYTES} bytes");
            Answer::refused(StatusCode::PAYLOAD_TOO_LARGE, Verdict::Rejected, words)
        };
        if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
            return too_large();
        }
        let Some(keys) = self.keys.get() else {
            let words = "no secret yet: this receiver is not enrolled";
            return Answer::refused(StatusCode::SERVICE_UNAVAILABLE, Verdict::Rejected, words);
        };
        let (body, _place) = match timeout(BODY_TIMEOUT, self.read(body)).await {
            Ok((Ok(body), place)) => (body, place),
            Ok((Err(error), _)) if error.is::<LengthLimitError>() => return too_large(),
            Ok((Err(_), _)) => {
                return Answer::refused(StatusCode::BAD_REQUEST, Verdict::Rejected, "the body was cut short");
            }
            Err(_) => {
                return Answer::refused(StatusCode::REQUEST_TIMEOUT, Verdict::Rejected, "the body took too long");
            }
        };
        let (index, id) = match check_signature(&keys, headers, &body, self.clock.now_ms()) {
            Ok(found) => found,
            Err(error) => {
                let verdict = match error {
                    VerifyError::TooOld | VerifyError::TooNew => Verdict::TooOld,
                    _ => Verdict::BadSignature,
                };
                return Answer::refused(StatusCode::UNAUTHORIZED, verdict, error.to_string());
            }
        };
        let mut answer = self.take(&keys, &body, (index, id), started).await;
        answer.verified_key = keys.fingerprints.get(index).cloned();
        answer
    }

    /// Reads a body, with a place where it may be a larger one: its memory is held as long as that.
    async fn read(&self, body: Incoming) -> (Result<Bytes, BoxError>, Option<SemaphorePermit<'_>>) {
        let place = match body.size_hint().upper() {
            Some(most) if most <= SMALL_BODY_BYTES => None,
            _ => Some(self.large_bodies.0.acquire().await.expect("this semaphore is never closed")),
        };
        (Limited::new(body, MAX_BODY_BYTES).collect().await.map(Collected::to_bytes), place)
    }

    /// A body that this secret signed under this id: parsed, delivered, answered after its commit.
    async fn take(&self, keys: &Arc<Keys>, body: &Bytes, (secret, id): (usize, &str), started: Instant) -> Answer {
        match message::parse(body, id, &keys.identity) {
            Ok(message) => {
                let newest = (secret == 0).then(|| keys.clone());
                let outcome = self.inbox.deliver(message, newest, started).await;
                let words = outcome.as_str().to_owned();
                let committed = !matches!(outcome, verdict::Outcome::DiskFull | verdict::Outcome::Busy);
                Answer { recorded: committed, ..Answer::refused(outcome.code(), outcome.verdict(), words) }
            }
            Err(refusal) => Answer::refused(refusal.code, Verdict::Rejected, refusal.words),
        }
    }

    fn record(&self, headers: &HeaderMap, answer: &Answer, started: Instant) {
        let id = headers.get(WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let recorded = Recorded {
            at_ms: self.clock.now_ms(),
            verdict: answer.verdict,
            event_type: answer.event_type.clone(),
            sequence: 0,
            message_id: id.chars().take(MAX_RECORDED_ID).collect(),
            result: if answer.words.starts_with("refused") {
                answer.words.clone()
            } else {
                format!("refused: {}", answer.words)
            },
            code: answer.code.as_u16(),
            latency_us: started.elapsed().as_micros().min(u128::from(u32::MAX)) as u32,
            student_sourced_id: String::new(),
        };
        if !self.inbox.note_refused(recorded) {
            self.metrics.dropped();
        }
    }
}

/// Verifies over the raw bytes. Answers which secret fits, and the id that was signed.
fn check_signature<'h>(
    keys: &Keys,
    headers: &'h HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<(usize, &'h str), VerifyError> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok()).ok_or(VerifyError::MissingHeader(name));
    let id = header(WEBHOOK_ID)?;
    let (timestamp, signatures) = (header(WEBHOOK_TIMESTAMP)?, header(WEBHOOK_SIGNATURE)?);
    let now_s = now_ms.div_euclid(1_000);
    let index = verify(keys.counting(now_ms), id, timestamp, signatures, body, now_s)?;
    Ok((index, id))
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let ok = answer.code.is_success();
    let body = match (ok, answer.words.as_str()) {
        (true, "applied") => Bytes::from_static(br#"{"result":"applied"}"#),
        (true, "duplicate") => Bytes::from_static(br#"{"result":"duplicate"}"#),
        (true, "stale") => Bytes::from_static(br#"{"result":"stale"}"#),
        (true, words) => serde_json::json!({ "result": words }).to_string().into(),
        (false, words) => serde_json::json!({ "error": words }).to_string().into(),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = answer.code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(key) = answer.verified_key {
        headers.insert(HeaderName::from_static(VERIFIED_KEY), key);
    }
    if answer.code == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    if matches!(answer.code, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        // The rest of the body is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn plain(code: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
