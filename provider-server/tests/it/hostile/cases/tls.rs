//! Certificates, and what else may be found where TLS is expected.

use super::{
    super::{
        certificates::Shown,
        receivers::Step::{Flood, Read, ReadSome, Reset, Say},
    },
    At, Case,
};

pub fn all() -> Vec<Case> {
    let mut cases = certificates();
    cases.extend(handshakes());
    cases
}

fn certificates() -> Vec<Case> {
    [
        (Shown::Good, ""),
        (Shown::Tls12Only, ""),
        (Shown::Expired, "expired"),
        (Shown::NotYetValid, "not_yet_valid"),
        (Shown::WrongName, "wrong_name"),
        (Shown::SelfSigned, "unknown_issuer"),
        (Shown::UnknownIssuer, "unknown_issuer"),
        (Shown::Lookalikes, "bad_certificate"),
        (Shown::EndlessChain, "too_large"),
        (Shown::Http2Only, "refused"),
    ]
    .map(|(shown, detail)| {
        let answer = Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
        let ends = if detail.is_empty() { ("", "", 204) } else { ("tls", detail, 0) };
        Case::new(&format!("{shown:?}"), At::Https(shown), vec![Read, answer], ends)
    })
    .into()
}

fn handshakes() -> Vec<Case> {
    let meets = |name: &str, step, detail| Case::new(name, At::BehindHttps, vec![ReadSome, step], ("tls", detail, 0));
    let says = |name: &str, bytes: &[u8], detail| meets(name, Say(bytes.to_vec()), detail);
    // A handshake message that says it has 16 MiB, and goes on in records of 16 KiB.
    let endless = [&[22, 3, 3, 64, 0, 2, 255, 255, 255][..], &[0; 16_380]].concat();
    let warning = [21, 3, 3, 0, 2, 1, 90];
    vec![
        says("a hello of TLS 1.1", &server_hello(2), "old_version"),
        says("a hello of TLS 1.0", &server_hello(1), "old_version"),
        says("a hello of SSL 3.0", &server_hello(0), "old_version"),
        says("an alert that no version fits", &[21, 3, 1, 0, 2, 2, 70], "old_version"),
        says("an alert that the handshake failed", &[21, 3, 3, 0, 2, 2, 40], "refused"),
        says("HTTP behind https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol"),
        says("SSH behind https", b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        says("an end behind https", b"", "closed"),
        meets("an endless handshake message", Flood(endless), "too_large"),
        meets("a flood of warnings", Flood(warning.repeat(1_000)), "protocol"),
        meets("a flood of empty records", Flood([22, 3, 3, 0, 0].repeat(1_000)), "protocol"),
        Case::new("a reset behind https", At::BehindHttps, vec![ReadSome, Reset], ("connect", "reset", 0)),
    ]
}

/// What a server answers that knows no newer version than 3.`minor`: SSL 3.0, and TLS counted on from it.
fn server_hello(minor: u8) -> Vec<u8> {
    // A record with one message: its version, 32 random bytes, no session, a cipher, no compression.
    [&[22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat()
}
