//! Sending: one pooled HTTP/1.1 client for all schools. Every attempt ends in an [`Outcome`], bounded in time and size
//! (P6): no redirects, no proxy, no cookies, no decompression.

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use reqwest::{
    Method, Request,
    dns::{Addrs, Name, Resolve, Resolving},
};
use rollcall_proto::webhook::headers::VERIFIED_KEY;
use tokio::time::timeout;
use url::{Host, Url};

use super::{
    dial::{CONNECT_LIMIT, DialError, Dialer, connect_detail, innermost, is_shortage, tls_detail},
    sign::SignedRequest,
};
use crate::{
    clock::Clock,
    model::{
        outcome::{Answer, Cause, FailureKind, Outcome, SHORTAGE},
        retry::parse_retry_after,
    },
};

/// Of an answer's body at most this is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Header values are kept up to this, in bytes.
const MAX_KEPT_VALUE_BYTES: usize = 4_096;
/// Names and values of all of them together that are kept; a receiver may send hundreds of them.
const MAX_KEPT_HEAD_BYTES: usize = 16 * 1024;
/// Longer fingerprints than this are none.
const MAX_FINGERPRINT_BYTES: usize = 128;
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// Many schools may have their receivers on one host. Fewer than are under way at once would close connections that
/// the next request opens again.
const MAX_IDLE_PER_HOST: usize = 512;
/// Ports with a pool of their own; nearly all receivers are on one or two.
const MAX_WAYS: usize = 64;
/// Header lines of an answer; more are an error.
const MAX_HEADERS: usize = 128;
/// Where this machine has no handle left: before the next look whether there is one.
const SHORTAGE_WAIT: Duration = Duration::from_millis(250);
/// Smaller differences between two clocks are not worth a word, s.
const CLOCK_DOUBT_S: i64 = 60;

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    dialer: Dialer,
    /// A resolver is told a name without its port, but our own sockets are refused by port: so each port has a client,
    /// whose resolver knows it.
    ways: Arc<Mutex<HashMap<Way, reqwest::Client>>>,
}

/// A port, and whether it is spoken to in plaintext.
type Way = (u16, bool);

/// Answers only with addresses that were vetted, every one of them.
struct VettingResolver {
    dialer: Dialer,
    way: Way,
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (dialer, (port, plaintext)) = (self.dialer.clone(), self.way);
        Box::pin(async move {
            let sockets = dialer.resolve(name.as_str(), port, plaintext).await?;
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}

impl Client {
    /// A client over this way out.
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, ways: Arc::default() }
    }

    fn way(&self, way: Way) -> Result<reqwest::Client, Outcome> {
        let mut ways = self.ways.lock().expect("no holder of this lock panics");
        if let Some(client) = ways.get(&way) {
            return Ok(client.clone());
        }
        let built = reqwest::Client::builder()
            .tls_backend_preconfigured(self.dialer.tls_config())
            .dns_resolver(VettingResolver { dialer: self.dialer.clone(), way })
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .build();
        let client = built.map_err(|error| {
            tracing::error!(error = %error.without_url(), "no HTTP client could be made");
            Outcome::failed(Cause::Internal, "client")
        })?;
        if ways.len() >= MAX_WAYS {
            // Requests under way keep theirs.
            ways.clear();
        }
        ways.insert(way, client.clone());
        Ok(client)
    }

    /// Vets an address that stands in the URL itself, which no resolver sees; a name is vetted when it is resolved.
    async fn execute(&self, request: Request) -> Result<Response<reqwest::Body>, Outcome> {
        // What is dialled is read from this: numbers in another notation are addresses by now.
        let url = request.url();
        let plaintext = url.scheme() == "http";
        let port = url.port_or_known_default().ok_or_else(|| Outcome::failed(Cause::Internal, "request"))?;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(address) = address {
            let vetted = self.dialer.policy().vet(SocketAddr::new(address, port), plaintext);
            vetted.map_err(|blocked| Outcome::failed(Cause::Blocked, blocked.as_str()))?;
        }
        let client = self.way((port, plaintext))?;
        client.execute(request).await.map(Response::from).map_err(|error| explain(&error))
    }

    /// The same, but waits where this machine has no handle or port left, for as long as an attempt may take: nothing was
    /// sent, and others give theirs back.
    async fn execute_patiently(
        &self,
        request: Request,
        limit: Duration,
        begun: Instant,
    ) -> Result<Response<reqwest::Body>, Outcome> {
        loop {
            let again = request.try_clone().ok_or_else(|| Outcome::failed(Cause::Internal, "request"))?;
            match self.execute(again).await {
                Err(failed)
                    if failed.kind() == Some(FailureKind::Ours) && begun.elapsed() + 2 * SHORTAGE_WAIT < limit =>
                {
                    tokio::time::sleep(SHORTAGE_WAIT).await;
                }
                done => return done,
            }
        }
    }

    /// The way out.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Sends a signed request.
    pub async fn send(&self, signed: SignedRequest, clock: &dyn Clock) -> Outcome {
        let (url, headers, body, timeout_ms) = signed.into_parts();
        let Some(url) = url else { return Outcome::failed(Cause::Internal, "request") };
        let request_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let begun = Instant::now();
        let mut outcome = self.attempt(request, timeout_ms, begun, clock).await;
        outcome.request_bytes = request_bytes;
        outcome.latency_us = micros(begun);
        outcome
    }

    /// Asks an address for anything at all: the code of its answer.
    pub async fn greet(&self, url: Url, limit: Duration) -> Result<u16, Outcome> {
        match timeout(limit, self.execute(Request::new(Method::HEAD, url))).await {
            Ok(Ok(response)) => Ok(response.status().as_u16()),
            Ok(Err(failed)) => Err(failed),
            Err(_) => Err(Outcome::failed(Cause::Timeout, "head")),
        }
    }

    async fn attempt(&self, request: Request, timeout_ms: u32, begun: Instant, clock: &dyn Clock) -> Outcome {
        let limit = Duration::from_millis(timeout_ms.into());
        let response = match timeout(limit, self.execute_patiently(request, limit, begun)).await {
            Ok(Ok(response)) => response,
            Ok(Err(failed)) => return failed,
            Err(_) => return Outcome::failed(Cause::Timeout, "head"),
        };
        let mut outcome = read_head(&response, clock.now_ms());
        outcome.first_byte_us = micros(begun);
        let (head, body) = response.into_parts();
        let keep = !outcome.is_success();
        match timeout(limit.saturating_sub(begun.elapsed()), read_body(body, keep)).await {
            Ok(Ok((read, kept))) => {
                outcome.response_bytes = u32::try_from(read).unwrap_or(u32::MAX);
                if keep {
                    outcome.answer = Some(Box::new(Answer { headers: kept_headers(&head.headers), body: kept }));
                }
                outcome
            }
            // An answer that is not whole confirms nothing.
            Ok(Err(())) => Outcome { cause: Some(Cause::Reset), detail: "body", retry_after_ms: None, ..outcome },
            Err(_) => Outcome { cause: Some(Cause::Timeout), detail: "body", retry_after_ms: None, ..outcome },
        }
    }
}

fn micros(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// What the status line and the headers say.
fn read_head<B>(response: &Response<B>, now_ms: i64) -> Outcome {
    let (status, headers) = (response.status(), response.headers());
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut outcome = Outcome { code: status.as_u16(), ..Outcome::default() };
    if let Some(date) = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok())
        && let Ok(since_epoch) = date.duration_since(std::time::UNIX_EPOCH)
    {
        let skew_s = since_epoch.as_secs() as i64 - now_ms.div_euclid(1_000);
        if skew_s.abs() > CLOCK_DOUBT_S {
            outcome.clock_skew_s = skew_s.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        }
    }
    if status.is_success() {
        outcome.verified_key = headers
            .get(VERIFIED_KEY)
            .and_then(|value| value.to_str().ok())
            .filter(|value| value.len() <= MAX_FINGERPRINT_BYTES)
            .map(Into::into);
        return outcome;
    }
    let retry_after_ms = text(header::RETRY_AFTER).and_then(|value| parse_retry_after(value, now_ms));
    let cause = match status {
        StatusCode::GONE => Cause::Gone,
        StatusCode::TOO_MANY_REQUESTS => Cause::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE if retry_after_ms.is_some() => Cause::RateLimited,
        _ if status.is_redirection() => Cause::Redirect,
        _ if status.is_informational() => Cause::Protocol,
        _ => Cause::Http,
    };
    outcome.cause = Some(cause);
    outcome.retry_after_ms = retry_after_ms.filter(|_| cause == Cause::RateLimited);
    outcome
}

/// Reads a body up to its limit; the rest of a longer one is left and its connection closed. Answers the bytes read, and
/// the bytes themselves where they are kept.
async fn read_body(mut body: reqwest::Body, keep: bool) -> Result<(usize, Bytes), ()> {
    let (mut read, mut kept) = (0, BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(drop)?.into_data() else { continue };
        let part = &data[..data.len().min(MAX_ANSWER_BYTES - read)];
        read += part.len();
        if keep {
            kept.extend_from_slice(part);
        }
        if read == MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok((read, kept.freeze()))
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |value: &header::HeaderValue| {
        String::from_utf8_lossy(&value.as_bytes()[..value.len().min(MAX_KEPT_VALUE_BYTES)]).into_owned()
    };
    let mut left = MAX_KEPT_HEAD_BYTES;
    let kept = headers.iter().map(|(name, v)| (name.as_str().to_owned(), value(v)));
    let fits = |(name, value): &(String, String)| {
        left = left.saturating_sub(name.len() + value.len());
        left > 0
    };
    kept.take_while(fits).collect()
}

/// Finds what failed below the client. Its own words hold the URL and are not used.
fn explain(error: &reqwest::Error) -> Outcome {
    let connecting = error.is_connect();
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = explain_cause(inner, connecting) {
            return found;
        }
        source = inner.source();
    }
    match (connecting, error.is_timeout()) {
        (true, true) => Outcome::failed(Cause::Connect, "slow"),
        (true, false) => Outcome::failed(Cause::Connect, "failed"),
        _ => Outcome::failed(Cause::Internal, "failed"),
    }
}

fn explain_cause(error: &(dyn Error + 'static), connecting: bool) -> Option<Outcome> {
    if let Some(dial) = error.downcast_ref::<DialError>() {
        return Some(Outcome::failed(dial.cause, dial.detail));
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>().filter(|_| connecting) {
        let io = innermost(io);
        if is_shortage(io) {
            return Some(Outcome::failed(Cause::Internal, SHORTAGE));
        }
        return match (tls_detail(io), io.kind()) {
            (Some(detail), _) => Some(Outcome::failed(Cause::Tls, detail)),
            (None, std::io::ErrorKind::UnexpectedEof) => Some(Outcome::failed(Cause::Tls, "closed")),
            (None, std::io::ErrorKind::Other) => None,
            _ => Some(Outcome::failed(Cause::Connect, connect_detail(io))),
        };
    }
    let http = error.downcast_ref::<hyper::Error>()?;
    Some(match http {
        _ if http.is_parse_too_large() => Outcome::failed(Cause::TooLarge, "head"),
        _ if http.is_parse() => Outcome::failed(Cause::Protocol, "not_http"),
        _ if http.is_user() => Outcome::failed(Cause::Internal, "request"),
        _ if http.is_incomplete_message() => Outcome::failed(Cause::Reset, "closed"),
        _ => Outcome::failed(Cause::Reset, "head"),
    })
}
