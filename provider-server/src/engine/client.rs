//! Sending: one pooled HTTP/1.1 client for all schools. Every attempt ends in an [`Outcome`], bounded in time and size
//! (P6): no redirects, no proxy, no cookies, no decompression.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client as HyperClient},
    rt::{TokioExecutor, TokioTimer},
};
use rollcall_proto::webhook::headers::VERIFIED_KEY;
use tokio::time::timeout;

use super::{
    dial::{DialError, Dialer},
    sign::SignedRequest,
};
use crate::{
    clock::Clock,
    model::{
        outcome::{Answer, Cause, Outcome},
        retry::parse_retry_after,
    },
};

/// Of an answer's body at most this is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Of an answer's head at most this is read, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Header values are kept up to this, in bytes.
const MAX_KEPT_VALUE_BYTES: usize = 4_096;
/// Longer fingerprints than this are none.
const MAX_FINGERPRINT_BYTES: usize = 128;
const IDLE_LIMIT: Duration = Duration::from_secs(30);
const MAX_IDLE_PER_HOST: usize = 64;
/// Smaller differences between two clocks are not worth a word, s.
const CLOCK_DOUBT_S: i64 = 60;

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: HyperClient<Dialer, Full<Bytes>>,
    dialer: Dialer,
}

impl Client {
    /// A client over this way out.
    pub fn new(dialer: Dialer) -> Self {
        let http = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(dialer.clone());
        Self { http, dialer }
    }

    /// The way out.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Sends a signed request.
    pub async fn send(&self, signed: SignedRequest, clock: &dyn Clock) -> Outcome {
        let (uri, headers, body, timeout_ms) = signed.into_parts();
        let request_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let begun = Instant::now();
        let mut outcome = self.attempt(request, timeout_ms, begun, clock).await;
        outcome.request_bytes = request_bytes;
        outcome.latency_us = micros(begun);
        outcome
    }

    /// Asks an address for anything at all: the code of its answer.
    pub async fn greet(&self, uri: Uri, limit: Duration) -> Result<u16, Outcome> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::HEAD;
        *request.uri_mut() = uri;
        match timeout(limit, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response.status().as_u16()),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err(Outcome::failed(Cause::Timeout, "head")),
        }
    }

    async fn attempt(
        &self,
        request: Request<Full<Bytes>>,
        timeout_ms: u32,
        begun: Instant,
        clock: &dyn Clock,
    ) -> Outcome {
        let limit = Duration::from_millis(timeout_ms.into());
        let response = match timeout(limit, self.http.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return explain(&error),
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
async fn read_body(mut body: Incoming, keep: bool) -> Result<(usize, Bytes), ()> {
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
    headers.iter().map(|(name, v)| (name.as_str().to_owned(), value(v))).collect()
}

/// Finds what failed below the client.
fn explain(error: &legacy::Error) -> Outcome {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(dial) = inner.downcast_ref::<DialError>() {
            return Outcome::failed(dial.cause, dial.detail);
        }
        if let Some(http) = inner.downcast_ref::<hyper::Error>() {
            return match http {
                _ if http.is_parse_too_large() => Outcome::failed(Cause::TooLarge, "head"),
                _ if http.is_parse() => Outcome::failed(Cause::Protocol, "not_http"),
                _ if http.is_user() => Outcome::failed(Cause::Internal, "request"),
                _ if http.is_incomplete_message() => Outcome::failed(Cause::Reset, "closed"),
                _ => Outcome::failed(Cause::Reset, "head"),
            };
        }
        source = inner.source();
    }
    Outcome::failed(if error.is_connect() { Cause::Connect } else { Cause::Internal }, "failed")
}
