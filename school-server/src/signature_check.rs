//! Why a request's signature does not verify: the checks in order, each with its evidence, then the usual accidents
//! undone one by one until the signature fits. Pure.

use rollcall_proto::webhook::{
    event::{DeletedData, Envelope, EventType, StudentData, TestData, WithdrawnData},
    headers::TOLERANCE_S,
    signature::{SigningSecret, matching_secret, parse_timestamp},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// A request as somebody pasted it.
pub struct Pasted<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
    pub body: &'a [u8],
    pub received_at_s: i64,
    /// From the provider's record; empty where unknown.
    pub expected_sha256: &'a str,
    /// 0 where unknown.
    pub expected_bytes: u32,
}

/// One step and what was seen there.
pub struct Check {
    pub step: &'static str,
    pub ok: bool,
    pub evidence: String,
}

/// What was found.
pub struct Finding {
    pub verified: bool,
    pub checks: Vec<Check>,
    /// One of the schema's words.
    pub cause: &'static str,
    pub advice: String,
}

/// Checks a pasted request with these secrets, of which the first `counting` verify today.
pub fn diagnose(secrets: &[SigningSecret], counting: usize, pasted: &Pasted<'_>) -> Finding {
    let mut checks = Vec::new();
    let mut note = |step, ok, evidence: String| checks.push(Check { step, ok, evidence });

    let missing: Vec<&str> =
        [("webhook-id", pasted.id), ("webhook-timestamp", pasted.timestamp), ("webhook-signature", pasted.signature)]
            .into_iter()
            .filter(|(_, value)| value.trim().is_empty())
            .map(|(name, _)| name)
            .collect();
    let present =
        if missing.is_empty() { "all three are there".into() } else { format!("missing: {}", missing.join(", ")) };
    note("headers", missing.is_empty(), present);
    let signed = pasted.signature.split(' ').filter(|part| part.starts_with("v1,")).count();

    let timestamp = parse_timestamp(pasted.timestamp);
    let timestamp_words = match timestamp {
        Ok(_) => "a number of seconds".to_owned(),
        Err(error) => error.to_string(),
    };
    note("timestamp", timestamp.is_ok(), timestamp_words);
    let timestamp_s = timestamp.unwrap_or(0);
    let age_s = pasted.received_at_s.saturating_sub(timestamp_s);
    let fresh = timestamp.is_ok() && age_s.abs() <= TOLERANCE_S;
    note("skew", fresh, format!("{age_s} s between the timestamp and the arrival; {TOLERANCE_S} s are allowed"));

    let words = match secrets.first() {
        Some(newest) => format!("{} in place, the newest is {}", secrets.len(), newest.fingerprint()),
        None => "this receiver has no secret".to_owned(),
    };
    note("key", counting > 0, words);

    let body = body_facts(pasted);
    note("body", body.0, body.1);

    let fits = |body: &[u8]| matching_secret(secrets, pasted.id, timestamp_s, pasted.signature, body);
    let found = fits(pasted.body);
    let current = found.is_some_and(|index| index < counting);
    let words = match found {
        Some(index) if current => format!("it fits the key {}", secrets[index].fingerprint()),
        Some(index) => format!("it fits the old key {}", secrets[index].fingerprint()),
        None if signed == 0 => "the header holds no `v1,` signature".to_owned(),
        None => format!("none of the {signed} signatures fits any of the {} keys", secrets.len()),
    };
    note("hmac", current, words);

    let verified = current && fresh && missing.is_empty();
    if !missing.is_empty() {
        let advice = format!(
            "{} did not come with the request: paste what the provider sent, or look for a proxy that removes headers.",
            missing.join(", ")
        );
        return Finding { verified, checks, cause: "missing_headers", advice };
    }
    let (cause, advice) = if found.is_some() {
        if current {
            ("none", if fresh { "The signature is right." } else { CLOCKS })
        } else {
            ("expired_key", EXPIRED)
        }
    } else if let Some((cause, advice)) = accident(pasted.body, |body| fits(body).is_some()) {
        (cause, advice)
    } else {
        unexplained(pasted)
    };
    Finding { verified, checks, cause, advice: advice.to_owned() }
}

const CLOCKS: &str = "The signature is right, but the message is too old or too new: check both clocks, and that nothing holds requests back.";
const EXPIRED: &str =
    "The sender still signs with a secret that was replaced: confirm the rotation at the provider, or enroll again.";

fn body_facts(pasted: &Pasted<'_>) -> (bool, String) {
    let sha256 = hex::encode(Sha256::digest(pasted.body));
    let facts = format!("{} bytes, SHA-256 {sha256}", pasted.body.len());
    if !pasted.expected_sha256.is_empty() && !pasted.expected_sha256.eq_ignore_ascii_case(&sha256) {
        return (false, format!("{facts}; the provider sent SHA-256 {}", pasted.expected_sha256));
    }
    if pasted.expected_bytes != 0 && pasted.expected_bytes as usize != pasted.body.len() {
        return (false, format!("{facts}; the provider sent {} bytes", pasted.expected_bytes));
    }
    (!pasted.body.is_empty(), facts)
}

/// Undoes the usual accidents one by one.
fn accident(body: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<(&'static str, &'static str)> {
    const NEWLINE: &str = "A line break was added or cut at the end: verify the raw bytes of the request, not a text read from a file or an editor.";
    const BOM: &str = "A byte order mark was added or cut: verify the raw bytes, before anything decodes them.";
    const CHARSET: &str =
        "The body was decoded and encoded with another charset: verify the raw bytes, before anything decodes them.";
    const REWRITE: &str = "Something on the way rewrites line ends: switch body rewriting off in the proxy.";
    const JSON: &str = "The body was parsed and written again: verify the raw bytes first and parse afterwards.";

    let mut candidates: Vec<(&'static str, &'static str, Vec<u8>)> = Vec::new();
    let trimmed = body.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    candidates.extend(trimmed.map(|rest| ("trailing_newline", NEWLINE, rest.to_vec())));
    candidates.push(("trailing_newline", NEWLINE, [body, b"\n"].concat()));
    candidates.push(("trailing_newline", NEWLINE, [body, b"\r\n"].concat()));
    const MARK: &[u8] = b"\xef\xbb\xbf";
    candidates.extend(body.strip_prefix(MARK).map(|rest| ("bom", BOM, rest.to_vec())));
    candidates.push(("bom", BOM, [MARK, body].concat()));
    candidates.push(("proxy_rewrite", REWRITE, replace(body, b"\r\n", b"\n")));
    candidates.push(("proxy_rewrite", REWRITE, replace(&replace(body, b"\r\n", b"\n"), b"\n", b"\r\n")));
    candidates.push(("charset", CHARSET, body.iter().map(|&b| b as char).collect::<String>().into_bytes()));
    if let Ok(text) = std::str::from_utf8(body) {
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        candidates.extend(latin.map(|bytes| ("charset", CHARSET, bytes)));
    }
    candidates.push(("reserialized_json", JSON, without_whitespace(body)));
    candidates.extend(in_wire_order(body).map(|bytes| ("reserialized_json", JSON, bytes)));
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        candidates.push(("reserialized_json", JSON, value.to_string().into_bytes()));
        candidates.extend(serde_json::to_vec_pretty(&value).ok().map(|bytes| ("reserialized_json", JSON, bytes)));
    }
    candidates.into_iter().find(|(_, _, bytes)| fits(bytes)).map(|(cause, advice, _)| (cause, advice))
}

/// Nothing fits: tells a wrong key from a changed body as far as the evidence goes.
fn unexplained(pasted: &Pasted<'_>) -> (&'static str, &'static str) {
    const OTHER_KEY: &str = "The body looks as it was sent, so the key differs: compare the six words on both consoles, and enroll again if they differ.";
    const ALTERED: &str = "The body is not the one that was signed: look for a proxy or framework that changes it, and verify the raw bytes.";
    const GZIP: &str = "The body is compressed: verify the bytes that were sent, before or without decompression.";
    if pasted.body.starts_with(&[0x1f, 0x8b]) {
        return ("gzip", GZIP);
    }
    if !pasted.expected_sha256.is_empty() {
        let same = pasted.expected_sha256.eq_ignore_ascii_case(&hex::encode(Sha256::digest(pasted.body)));
        return if same { ("other_key", OTHER_KEY) } else { ("altered", ALTERED) };
    }
    if in_wire_order(pasted.body).is_some_and(|bytes| bytes == pasted.body) {
        ("other_key", OTHER_KEY)
    } else {
        ("altered", ALTERED)
    }
}

/// The body as our provider writes it, where it is one of our events.
fn in_wire_order(body: &[u8]) -> Option<Vec<u8>> {
    fn again<D: DeserializeOwned + Serialize>(body: &[u8]) -> Option<Vec<u8>> {
        serde_json::to_vec(&serde_json::from_slice::<Envelope<D>>(body).ok()?).ok()
    }
    let envelope: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    match EventType::parse(&envelope.event_type)? {
        EventType::StudentCreated | EventType::StudentUpdated | EventType::StudentEnrolled => {
            again::<StudentData>(body)
        }
        EventType::StudentWithdrawn => again::<WithdrawnData>(body),
        EventType::StudentDeleted => again::<DeletedData>(body),
        EventType::ConnectionTest => again::<TestData>(body),
        EventType::RosterCheckpoint => None,
    }
}

fn without_whitespace(body: &[u8]) -> Vec<u8> {
    let (mut inside, mut escaped) = (false, false);
    let keep = |&byte: &u8| {
        if inside {
            (inside, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            return true;
        }
        inside = byte == b'"';
        !byte.is_ascii_whitespace()
    };
    body.iter().copied().filter(keep).collect()
}

fn replace(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(&first) = rest.first() {
        if let Some(after) = rest.strip_prefix(from) {
            replaced.extend_from_slice(to);
            rest = after;
        } else {
            replaced.push(first);
            rest = &rest[1..];
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "evt_01JDZ8Q0000000000000000000";
    const BODY: &str = r#"{"id":"evt_01JDZ8Q0000000000000000000","type":"student.withdrawn","apiVersion":"1","timestamp":"2026-11-23T16:05:12.345Z","sequence":5,"district":{"sourcedId":"d"},"school":{"sourcedId":"s"},"data":{"sourcedId":"S-1","version":3,"exitReason":"zog nach José"}}"#;

    fn secret(byte: u8) -> SigningSecret {
        SigningSecret::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    fn cause(secrets: &[SigningSecret], counting: usize, body: &[u8]) -> (&'static str, bool) {
        let signature = secret(1).sign(ID, 1_000, BODY.as_bytes());
        let pasted = Pasted {
            id: ID,
            timestamp: "1000",
            signature: &signature,
            body,
            received_at_s: 1_100,
            expected_sha256: "",
            expected_bytes: 0,
        };
        let finding = diagnose(secrets, counting, &pasted);
        assert_eq!(finding.checks.len(), 6);
        (finding.cause, finding.verified)
    }

    #[test]
    fn each_accident_is_named() {
        let ours = [secret(1)];
        let text = BODY.to_owned();
        let value: serde_json::Value = serde_json::from_str(BODY).expect("JSON");
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        // As languages do whose maps are sorted; ours keep the order or not, as other parts of the build wish.
        let sorted: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(BODY).expect("JSON");
        let sorted = serde_json::to_vec(&sorted).expect("JSON");
        let ascii = BODY.replace('é', "\\u00e9");
        let latin: Vec<u8> = BODY.chars().map(|c| c as u8).collect();
        for (body, expected) in [
            (text.clone().into_bytes(), "none"),
            (format!("{text}\n").into_bytes(), "trailing_newline"),
            (format!("{text}\r\n").into_bytes(), "trailing_newline"),
            (format!("\u{feff}{text}").into_bytes(), "bom"),
            (pretty.into_bytes(), "reserialized_json"),
            (sorted, "reserialized_json"),
            (ascii.into_bytes(), "reserialized_json"),
            (latin, "charset"),
            (text.replace("S-1", "S-2").into_bytes(), "other_key"),
            (b"{}".to_vec(), "altered"),
            (vec![0x1f, 0x8b, 8], "gzip"),
        ] {
            let (found, verified) = cause(&ours, 1, &body);
            assert_eq!((found, verified), (expected, expected == "none"), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn headers_that_are_missing_are_named() {
        let signature = secret(1).sign(ID, 1_000, BODY.as_bytes());
        for (id, timestamp, signature, missing) in [
            ("", "", "", "webhook-id, webhook-timestamp, webhook-signature did"),
            (ID, "1000", "", "webhook-signature did"),
            (ID, " ", signature.as_str(), "webhook-timestamp did"),
        ] {
            let body = BODY.as_bytes();
            let (received_at_s, expected_sha256, expected_bytes) = (1_100, "", 0);
            let pasted = Pasted { id, timestamp, signature, body, received_at_s, expected_sha256, expected_bytes };
            let finding = diagnose(&[secret(1)], 1, &pasted);
            assert_eq!((finding.cause, finding.verified, finding.checks.len()), ("missing_headers", false, 6));
            assert!(finding.advice.starts_with(missing), "{}", finding.advice);
        }
    }

    #[test]
    fn old_and_foreign_keys_are_told_apart() {
        assert_eq!(cause(&[secret(2), secret(1)], 2, BODY.as_bytes()), ("none", true));
        assert_eq!(cause(&[secret(2), secret(1)], 1, BODY.as_bytes()), ("expired_key", false));
        assert_eq!(cause(&[secret(2)], 1, BODY.as_bytes()), ("other_key", false));
        assert_eq!(cause(&[], 0, BODY.as_bytes()), ("other_key", false));
    }
}
