//! Signing and verifying, side by side: HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks, symmetric `v1`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::headers::TOLERANCE_S;

const SECRET_PREFIX: &str = "whsec_";
const SIGNATURE_PREFIX: &str = "v1,";
/// More signatures than this in one header are not looked at.
const MAX_SIGNATURES: usize = 16;

/// A signing secret with its HMAC state prepared once. Has neither Debug nor Serialize.
#[derive(Clone)]
pub struct SigningSecret {
    bytes: Zeroizing<Vec<u8>>,
    state: Hmac<Sha256>,
}

/// Why a text is not a signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The part after `whsec_` is not base64.
    #[error("the secret is not `whsec_` followed by base64")]
    NotBase64,
    /// Standard Webhooks wants 24 to 64 bytes.
    #[error("the secret must have 24 to 64 bytes")]
    Length,
}

impl SigningSecret {
    /// A secret of these bytes; 24 to 64 of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidSecret::Length);
        }
        let state = Hmac::<Sha256>::new_from_slice(bytes).expect("HMAC takes any key length");
        Ok(Self { bytes: Zeroizing::new(bytes.to_vec()), state })
    }

    /// Reads `whsec_…`; the prefix may be missing, as the published libraries allow.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let text = text.trim();
        let encoded = text.strip_prefix(SECRET_PREFIX).unwrap_or(text);
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidSecret::NotBase64)?);
        Self::from_bytes(&bytes)
    }

    /// `whsec_…`, for the one handoff and the secret store.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(self.bytes.as_slice())))
    }

    /// The secret's bytes, for sealing.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Six words that name the secret without telling it: 48 bits of its SHA-256, domain separated.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::new().chain_update(b"rollcall fingerprint\0").chain_update(&self.bytes).finalize();
        crate::enrollment::words(&digest[..6])
    }

    /// HMAC-SHA256(secret, nonce): proves in an enrollment that the secret arrived.
    pub fn prove(&self, nonce: &[u8]) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(nonce);
        mac.finalize().into_bytes().into()
    }

    fn digest(&self, id: &str, timestamp_s: i64, body: &[u8]) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(id.as_bytes());
        mac.update(b".");
        let mut buffer = [0u8; 20];
        mac.update(format_i64(timestamp_s, &mut buffer));
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }

    /// One signature: `v1,<base64>`.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut text = String::with_capacity(3 + 44);
        text.push_str(SIGNATURE_PREFIX);
        STANDARD.encode_string(self.digest(id, timestamp_s, body), &mut text);
        text
    }
}

/// The decimal digits of a number, without an allocation.
fn format_i64(value: i64, buffer: &mut [u8; 20]) -> &[u8] {
    use std::io::Write;
    let mut rest = &mut buffer[..];
    write!(rest, "{value}").expect("20 bytes hold any i64");
    let unused = rest.len();
    &buffer[..20 - unused]
}

/// The value of `webhook-signature`: one signature for each live secret, newest first.
pub fn sign_all<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> String {
    let mut value = String::new();
    for secret in secrets {
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(&secret.sign(id, timestamp_s, body));
    }
    value
}

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    MissingHeader(&'static str),
    /// The timestamp is not a number of seconds.
    #[error("`webhook-timestamp` is not a number of seconds")]
    BadTimestamp,
    /// Older than the tolerance.
    #[error("the timestamp is too old: check both clocks")]
    TooOld,
    /// Further in the future than the tolerance.
    #[error("the timestamp is in the future: check both clocks")]
    TooNew,
    /// No signature fits any live secret.
    #[error("no signature fits: the secret or the body differs")]
    Mismatch,
}

/// Verifies a request over its raw body. Answers the index of the secret that fits.
///
/// Every secret is tried against every `v1` signature in constant time.
pub fn verify(
    secrets: &[SigningSecret],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now_s: i64,
) -> Result<usize, VerifyError> {
    let timestamp_s = parse_timestamp(timestamp)?;
    match now_s.checked_sub(timestamp_s) {
        Some(age_s) if age_s > TOLERANCE_S => return Err(VerifyError::TooOld),
        Some(age_s) if age_s < -TOLERANCE_S => return Err(VerifyError::TooNew),
        Some(_) => {}
        None => return Err(VerifyError::TooNew),
    }
    matching_secret(secrets, id, timestamp_s, signatures, body).ok_or(VerifyError::Mismatch)
}

/// The seconds of a `webhook-timestamp`; digits only.
pub fn parse_timestamp(timestamp: &str) -> Result<i64, VerifyError> {
    if timestamp.is_empty() || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(VerifyError::BadTimestamp);
    }
    timestamp.parse().map_err(|_| VerifyError::BadTimestamp)
}

/// The index of the secret that made one of the signatures, whatever the age of the request.
pub fn matching_secret(
    secrets: &[SigningSecret],
    id: &str,
    timestamp_s: i64,
    signatures: &str,
    body: &[u8],
) -> Option<usize> {
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        let expected = secret.digest(id, timestamp_s, body);
        for signature in signatures.split(' ').take(MAX_SIGNATURES) {
            let Some(encoded) = signature.strip_prefix(SIGNATURE_PREFIX) else { continue };
            let Ok(given) = STANDARD.decode(encoded) else { continue };
            if bool::from(expected[..].ct_eq(&given)) && found.is_none() {
                found = Some(index);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> SigningSecret {
        SigningSecret::parse(SECRET).expect("the published secret")
    }

    #[test]
    fn the_published_vector_holds() {
        assert_eq!(secret().sign(ID, TIMESTAMP_S, BODY), SIGNATURE);
        let header = format!("v2,AAAA v1,AAAA {SIGNATURE}");
        assert_eq!(verify(&[secret()], ID, "1614265330", &header, BODY, TIMESTAMP_S + 300), Ok(0));
    }

    #[test]
    fn timestamps_outside_the_tolerance_are_refused_by_name() {
        let check = |timestamp: &str, now_s| verify(&[secret()], ID, timestamp, SIGNATURE, BODY, now_s);
        assert_eq!(check("1614265330", TIMESTAMP_S + 301), Err(VerifyError::TooOld));
        assert_eq!(check("1614265330", TIMESTAMP_S - 301), Err(VerifyError::TooNew));
        for garbage in ["", "-1", "+1614265330", "1614265330.0", "9999999999999999999999", "１６１４"] {
            assert_eq!(check(garbage, TIMESTAMP_S), Err(VerifyError::BadTimestamp), "{garbage}");
        }
    }

    #[test]
    fn either_secret_of_an_overlap_verifies() {
        let other = SigningSecret::from_bytes(&[9; 32]).expect("32 bytes");
        let both = sign_all([&other, &secret()], ID, TIMESTAMP_S, BODY);
        for (known, index) in [(vec![secret()], 0), (vec![other.clone()], 0), (vec![secret(), other], 0)] {
            assert_eq!(matching_secret(&known, ID, TIMESTAMP_S, &both, BODY), Some(index));
        }
    }

    #[test]
    fn the_published_library_and_ours_agree_both_ways() {
        let theirs = standardwebhooks::Webhook::new(SECRET).expect("the published secret");
        let signature = theirs.sign(ID, TIMESTAMP_S, BODY).expect("signs");
        assert_eq!(signature, secret().sign(ID, TIMESTAMP_S, BODY));
        // Their verification reads the real clock, so ours signs with it here.
        #[allow(clippy::disallowed_methods)]
        let now_s = jiff::Timestamp::now().as_second();
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", ID.parse().expect("header"));
        headers.insert("webhook-timestamp", now_s.into());
        headers.insert("webhook-signature", secret().sign(ID, now_s, BODY).parse().expect("header"));
        theirs.verify(BODY, &headers).expect("theirs accepts ours");
        assert!(theirs.verify(br#"{"test": 2432232315}"#, &headers).is_err());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(body in prop::collection::vec(any::<u8>(), 1..200), position: prop::sample::Index, bit in 0u8..8) {
            let signature = secret().sign(ID, TIMESTAMP_S, &body);
            prop_assert_eq!(matching_secret(&[secret()], ID, TIMESTAMP_S, &signature, &body), Some(0));
            let mut flipped = body.clone();
            flipped[position.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(matching_secret(&[secret()], ID, TIMESTAMP_S, &signature, &flipped), None);
        }
    }
}
