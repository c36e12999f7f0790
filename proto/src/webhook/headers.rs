//! The names of the headers that carry a message.

/// The event's id; the same on every attempt.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Unix seconds of this attempt.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Space-separated `v1,<base64>`, one for each live secret.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// In our receiver's answer: the fingerprint of the key that verified.
pub const VERIFIED_KEY: &str = "rollcall-verified-key";
/// The one content type that is sent.
pub const CONTENT_TYPE: &str = "application/json";
/// How far a timestamp may be from the receiver's clock, in seconds, either way.
pub const TOLERANCE_S: i64 = 300;
/// The largest body that a receiver of ours reads, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
