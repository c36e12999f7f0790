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
        ("lines that end with CR alone", b"HTTP/1.1 200 OK\rcontent-length: 0\r\r"),
    ] {
        cases.push(Case::says(name, answer, not_http));
    }
    cases.extend(heads());
    cases
}

/// Headers that two readers could understand in two ways are not taken; those that are only unusual are.
fn heads() -> Vec<Case> {
    let answer = |lines: &[u8], body: &str| [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n\r\n", body.as_bytes()].concat();
    let mut cases = Vec::new();
    for (name, lines) in [
        ("two lengths", &b"content-length: 1\r\ncontent-length: 2"[..]),
        ("two lengths in a line", b"content-length: 1, 2"),
        ("a negative length", b"content-length: -1"),
        ("a length with a sign", b"content-length: +2"),
        ("a length that is no number", b"content-length: two"),
        ("a length beyond all numbers", b"content-length: 99999999999999999999999"),
        ("a NUL in a header", b"x: \0"),
        ("a NUL in a name", b"x\0: y"),
        ("a CR in a header", b"x: y\rz: a"),
        ("a CR before the line's end", b"x: y\r\r"),
        ("a header on two lines", b"x: y\r\n z"),
        ("a space before the first header", b" x: y"),
        ("a space in a name", b"x y: z"),
        ("a space after a name", b"content-length : 0"),
        ("a header without a name", b": y"),
        ("a header without a colon", b"no colon"),
        ("a name beyond ASCII", b"x\xe9: y"),
    ] {
        cases.push(Case::says(name, answer(lines, "ab"), ("protocol", "not_http", 0)));
    }
    let taken = ("", "", 200);
    for (name, lines, body, read) in [
        ("the same length twice", &b"content-length: 2\r\ncontent-length: 2"[..], "ab", 2),
        // Chunks say where a body ends, as RFC 9112 has it.
        ("a length beside chunks", b"content-length: 9\r\ntransfer-encoding: chunked", "2\r\nab\r\n0\r\n\r\n", 2),
        ("a length beside an unknown coding", b"content-length: 1\r\ntransfer-encoding: odd", "abc", 3),
        ("a value beyond ASCII", b"x: \xe9\xff\r\ncontent-length: 2", "ab", 2),
    ] {
        cases.push(Case::says(name, answer(lines, body), taken).reads(read));
    }
    for (name, answer) in [
        ("lines that end with LF alone", "HTTP/1.1 200 OK\ncontent-length: 2\n\nab"),
        ("empty lines before the answer", "\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\nab"),
    ] {
        cases.push(Case::says(name, answer, taken).reads(2));
    }
    cases
}
