//! The three headers and a body → whether one of our secrets signed them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rollcall_proto::webhook::signature::{SigningSecret, VerifyError, verify};
use sha2::Sha256;

const NOW_S: i64 = 1_763_913_600;
const KEYS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

#[test]
fn headers_are_right_exactly_where_another_hmac_says_so() {
    super::feed::Feed::of("signature").run(60_000, check);
}

pub fn check(input: &[u8]) {
    let secrets = KEYS.map(|key| SigningSecret::from_bytes(&key).expect("32 bytes"));
    let mut parts = input.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let [id, timestamp, signatures] = [part(), part(), part()].map(String::from_utf8_lossy);
    let body = part();
    let answer = verify(&secrets, &id, &timestamp, &signatures, body, NOW_S);
    assert_eq!(answer, expected(&id, &timestamp, &signatures, body));
}

fn expected(id: &str, timestamp: &str, signatures: &str, body: &[u8]) -> Result<usize, VerifyError> {
    let is_number = !timestamp.is_empty() && timestamp.chars().all(|c| c.is_ascii_digit());
    let seconds = timestamp.parse::<i64>().ok().filter(|_| is_number).ok_or(VerifyError::BadTimestamp)?;
    match i128::from(NOW_S) - i128::from(seconds) {
        301.. => return Err(VerifyError::TooOld),
        ..=-301 => return Err(VerifyError::TooNew),
        _ => {}
    }
    let signed = [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body].concat();
    let fits = |key: &[u8; 32]| {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key").chain_update(&signed).finalize().into_bytes();
        let wanted = format!("v1,{}", STANDARD.encode(mac));
        signatures.split(' ').take(16).any(|signature| signature == wanted)
    };
    KEYS.iter().position(fits).ok_or(VerifyError::Mismatch)
}
