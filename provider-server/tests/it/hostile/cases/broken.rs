//! What is no answer, or none that is whole.

use super::{
    super::{
        certificates::Shown,
        receivers::Step::{Read, ReadSome, Reset, Say},
    },
    At, Case,
};

pub fn all() -> Vec<Case> {
    let not_http = ("protocol", "not_http", 0);
    let cut = ("reset", "body", 200);
    let mut cases = vec![
        Case::new("nobody listens", At::Nowhere, vec![], ("connect", "refused", 0)),
        Case::new("a reset instead of an answer", At::Http, vec![ReadSome, Reset], ("reset", "head", 0)),
        Case::new("closed without an answer", At::Http, vec![Read], ("reset", "closed", 0)),
        Case::goes_on("a reset within the head", "HTTP/1.1 200 OK\r\nx:", Reset, ("reset", "head", 0)),
        Case::goes_on("a reset within the body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", Reset, cut),
        Case::says("an end within the head", "HTTP/1.1 200 OK\r\nx:", ("reset", "closed", 0)),
        Case::says("a body shorter than its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", cut),
        Case::says("a body longer than its length", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc", ("", "", 200))
            .reads(1),
        Case::says("chunks that are none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", cut),
        Case::says(
            "a chunk beyond all sizes",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            cut,
        ),
        Case::new(
            "a body cut behind TLS",
            At::Https(Shown::Good),
            vec![Read, Say(b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec())],
            cut,
        ),
    ];
    for (name, answer) in [
        ("HTTP/0.9", &b"<html>hello</html>\r\n"[..]),
        ("another version", b"HTTP/9.9 200 OK\r\n\r\n"),
        ("another protocol", b"SSH-2.0-OpenSSH\r\n"),
        ("bytes", b"\xff\xfe\x00\x01\x02\x03"),
        ("TLS where none is expected", b"\x15\x03\x01\x00\x02\x02\x46"),
        ("settings of HTTP/2", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
        ("a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a code that is none", b"HTTP/1.1 2x0 OK\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("a negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nab"),
        ("a NUL in a header", b"HTTP/1.1 200 OK\r\nx: \0\r\n\r\n"),
    ] {
        cases.push(Case::says(name, answer, not_http));
    }
    cases
}
