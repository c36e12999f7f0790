//! Signing: pure. What is not signed cannot be sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rollcall_proto::{
    id::EventId,
    webhook::{headers, signature::sign_all},
};
use url::Url;

use crate::model::connection::Connection;

const ID: HeaderName = HeaderName::from_static(headers::WEBHOOK_ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(headers::WEBHOOK_TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(headers::WEBHOOK_SIGNATURE);
const JSON: HeaderValue = HeaderValue::from_static(headers::CONTENT_TYPE);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Rollcall/", env!("CARGO_PKG_VERSION")));

/// A request as it goes out: only made by [`sign`].
pub struct SignedRequest {
    url: Option<Url>,
    headers: HeaderMap,
    body: Bytes,
    timeout_ms: u32,
}

impl SignedRequest {
    /// The request, and how long the whole attempt may take, ms. Without an address where the connection has none.
    pub fn into_parts(self) -> (Option<Url>, HeaderMap, Bytes, u32) {
        (self.url, self.headers, self.body, self.timeout_ms)
    }
}

/// Signs a body with every secret that is live at `at_ms`, as of that time.
pub fn sign(connection: &Connection, event: EventId, body: Bytes, at_ms: i64) -> SignedRequest {
    let (id, timestamp_s) = (event.to_string(), at_ms.div_euclid(1_000));
    let secrets = connection.live_secrets(at_ms).map(|live| &live.secret);
    let mut headers = HeaderMap::with_capacity(6);
    let signature = sign_all(secrets, &id, timestamp_s, &body);
    let text = |text: String| HeaderValue::try_from(text).expect("ids, numbers and base64 are visible ASCII");
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::USER_AGENT, AGENT);
    headers.insert(SIGNATURE, text(signature));
    headers.insert(ID, text(id));
    headers.insert(TIMESTAMP, HeaderValue::from(timestamp_s));
    SignedRequest { url: connection.url.clone(), headers, body, timeout_ms: connection.timeout_ms }
}
