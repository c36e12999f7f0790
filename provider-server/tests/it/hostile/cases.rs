//! The catalogue of hostile receivers: what each does, and what must come of it.

use std::io::{Cursor, Read as _, Write as _};

use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{
    certificates::Shown,
    receivers::Step::{self, Drip, Flood, Hang, Read, ReadSome, Reset, Say},
};

/// Of what could fill our memory so many come at once.
const SEVERAL: usize = 8;
const MIB: usize = 1 << 20;
/// The most that is read of an answer.
const READ_BYTES: usize = 64 * 1_024;

/// Where a receiver is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Http,
    Https(Shown),
    /// What is said stands where TLS is expected.
    BehindHttps,
    /// Its queue is full: it accepts nobody.
    Full,
    /// Nobody listens.
    Nowhere,
    /// Nobody is met, for this name has no address that may be dialled.
    Name(&'static str),
}

/// What comes of the message and of its school.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Delivered,
    /// The message is tried again.
    Retried,
    /// The same, and nothing else goes out before this time, ms.
    Waits(i64),
    /// Nothing goes out until staff say so.
    Held,
}

/// A receiver, and what must come of it.
pub struct Case {
    pub name: String,
    pub at: At,
    pub steps: Vec<Step>,
    /// The cause, its detail, and the code.
    pub ends: (&'static str, &'static str, u16),
    pub then: Then,
    /// Sent at once.
    pub messages: usize,
    /// Bytes of the answer's body that are read, where that is certain.
    pub read_bytes: Option<usize>,
}

type Ends = (&'static str, &'static str, u16);

impl Case {
    fn new(name: &str, at: At, steps: Vec<Step>, ends: Ends) -> Self {
        let then = if ends.0.is_empty() { Then::Delivered } else { Then::Retried };
        Self { name: name.to_owned(), at, steps, ends, then, messages: 1, read_bytes: None }
    }

    /// Reads the request and answers this.
    fn says(name: &str, answer: impl AsRef<[u8]>, ends: Ends) -> Self {
        Self::new(name, At::Http, vec![Read, Say(answer.as_ref().to_vec())], ends)
    }

    /// Reads the request, answers this, and goes on with that.
    fn goes_on(name: &str, begin: &str, step: Step, ends: Ends) -> Self {
        Self::new(name, At::Http, vec![Read, Say(begin.as_bytes().to_vec()), step], ends)
    }

    fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    fn several(self) -> Self {
        Self { messages: SEVERAL, ..self }
    }

    fn reads(self, bytes: usize) -> Self {
        Self { read_bytes: Some(bytes), ..self }
    }
}

/// All of them. Redirects lead to this trap.
pub fn all(trap: &str) -> Vec<Case> {
    let mut cases = statuses();
    cases.extend(redirects(trap));
    cases.extend(waits());
    cases.extend(slow());
    cases.extend(large());
    cases.extend(broken());
    cases.extend(certificates());
    cases.extend(names());
    cases
}

fn statuses() -> Vec<Case> {
    let status = |code: u16| format!("HTTP/1.1 {code} As told\r\ncontent-length: 0\r\n\r\n");
    let mut cases = vec![
        Case::says("an answer that is in order", status(204), ("", "", 204)),
        Case::says("one without a length", "HTTP/1.1 200 OK\r\n\r\nok", ("", "", 200)).reads(2),
        Case { messages: 2, ..Case::says("gone", status(410), ("gone", "", 410)).then(Then::Held) },
        Case::says("a switch of protocols", status(101), ("protocol", "", 101)),
    ];
    for code in [400, 401, 404, 409, 413, 500, 501, 502, 504, 599] {
        cases.push(Case::says(&format!("the code {code}"), status(code), ("http", "", code)));
    }
    cases
}

fn redirects(trap: &str) -> Vec<Case> {
    let to = |code: u16, place: &str| {
        let answer = format!("HTTP/1.1 {code} Away\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
        Case::says(&format!("a {code} to {place}"), answer, ("redirect", "", code))
    };
    let away = [300, 301, 302, 303, 307, 308].map(|code| to(code, &format!("http://{trap}/")));
    let others = [to(302, &format!("https://{trap}/")), to(307, &format!("//{trap}/")), to(301, "/elsewhere")];
    away.into_iter().chain(others).collect()
}

fn waits() -> Vec<Case> {
    let asking = |code: u16, value: &[u8]| {
        let head = format!("HTTP/1.1 {code} Later\r\ncontent-length: 0\r\nretry-after: ");
        let name = format!("{code} and Retry-After {}", String::from_utf8_lossy(&value[..value.len().min(40)]));
        (name, [head.as_bytes(), value, b"\r\n\r\n"].concat())
    };
    let mut cases = Vec::new();
    for (value, wait_ms) in [("120", 120_000), ("0", 1_000), ("9999999", 86_400_000)] {
        for code in [429, 503] {
            let (name, answer) = asking(code, value.as_bytes());
            // Another message shows that it waits, too, where the wait is longer than the test.
            let messages = if wait_ms > 60_000 { 2 } else { 1 };
            let case = Case::says(&name, answer, ("rate_limited", "", code)).then(Then::Waits(wait_ms));
            cases.push(Case { messages, ..case });
        }
    }
    let endless = vec![b'9'; 2_000];
    let ignored: [&[u8]; 9] = [
        b"soon",
        b"-7",
        b"1e300",
        b"12.5",
        b"",
        b"Fri, 31 Dec 9999 23:59:59 GMT",
        b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"\xff\xfe\xfd",
        &endless,
    ];
    for value in ignored {
        // Without a time it can be read a 503 is like any other trouble, and a 429 still says whose fault it is.
        let (name, answer) = asking(503, value);
        cases.push(Case::says(&name, answer, ("http", "", 503)));
        let (name, answer) = asking(429, value);
        cases.push(Case::says(&name, answer, ("rate_limited", "", 429)));
    }
    cases
}

fn slow() -> Vec<Case> {
    let head = ("timeout", "head", 0);
    let body = ("timeout", "body", 200);
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    vec![
        Case::new("no place in the queue", At::Full, vec![], ("connect", "slow", 0)),
        Case::new("silence before TLS", At::BehindHttps, vec![Hang], ("connect", "slow", 0)),
        Case::new(
            "dripping TLS",
            At::BehindHttps,
            vec![Say(b"\x16\x03\x03\x40\x00\x02\x00".to_vec()), Drip(b"\x00")],
            ("connect", "slow", 0),
        ),
        Case::new("silence before the request is read", At::Http, vec![Hang], head),
        Case::new("silence behind TLS", At::Https(Shown::Good), vec![Read, Hang], head),
        Case::goes_on("silence within the head", "HTTP/1.1 200 OK\r\nx: ", Hang, head),
        Case::goes_on("a dripping status line", "HTTP/1.1 200 ", Drip(b"O"), head),
        Case::goes_on("dripping headers", "HTTP/1.1 200 OK\r\n", Drip(b"x: y\r\n"), head),
        Case::goes_on("silence within the body", begun, Hang, body),
        Case::goes_on("a dripping body", begun, Drip(b"a"), body),
        Case::goes_on(
            "dripping chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Drip(b"1\r\na\r\n"),
            body,
        ),
        Case::goes_on("dripping early hints", "", Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n"), head),
    ]
}

fn large() -> Vec<Case> {
    let too_large = ("too_large", "head", 0);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n";
    let bomb = bomb();
    let packed = format!("HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let lines: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    vec![
        Case::goes_on("an endless body", "HTTP/1.1 200 OK\r\n\r\n", Flood(vec![b'a'; MIB]), ("", "", 200))
            .several()
            .reads(READ_BYTES),
        Case::goes_on(
            "an endless body of a failure",
            "HTTP/1.1 500 No\r\n\r\n",
            Flood(vec![b'a'; MIB]),
            ("http", "", 500),
        )
        .several()
        .reads(READ_BYTES),
        Case::goes_on("an endless chunk", chunked, Flood(vec![b'a'; MIB]), ("", "", 200)).several().reads(READ_BYTES),
        Case::says("a bomb", [packed.as_bytes(), &bomb].concat(), ("http", "", 500)).several().reads(bomb.len()),
        Case::says(
            "a head of 1 MB",
            [b"HTTP/1.1 200 OK\r\nx: ", &vec![b'a'; MIB][..], b"\r\n\r\n"].concat(),
            too_large,
        )
        .several(),
        Case::goes_on("an endless header", "HTTP/1.1 200 OK\r\nx: ", Flood(vec![b'a'; MIB]), too_large).several(),
        Case::goes_on("an endless status line", "HTTP/1.1 200 ", Flood(vec![b'a'; MIB]), too_large).several(),
        Case::goes_on("endless headers", "HTTP/1.1 200 OK\r\n", Flood(b"x: y\r\n".repeat(1_000)), too_large).several(),
        Case::says("200 headers", format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), too_large),
        Case::goes_on(
            "a flood of early hints",
            "",
            Flood(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000)),
            ("timeout", "head", 0),
        ),
    ]
}

fn broken() -> Vec<Case> {
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

fn certificates() -> Vec<Case> {
    let shows = |shown: Shown, detail: &'static str| {
        let answer = Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
        let ends = if detail.is_empty() { ("", "", 204) } else { ("tls", detail, 0) };
        Case::new(&format!("{shown:?}"), At::Https(shown), vec![Read, answer], ends)
    };
    let behind = |name: &str, bytes: &[u8], detail| {
        Case::new(name, At::BehindHttps, vec![ReadSome, Say(bytes.to_vec())], ("tls", detail, 0))
    };
    vec![
        shows(Shown::Good, ""),
        shows(Shown::Expired, "expired"),
        shows(Shown::NotYetValid, "not_yet_valid"),
        shows(Shown::WrongName, "wrong_name"),
        shows(Shown::SelfSigned, "unknown_issuer"),
        shows(Shown::UnknownIssuer, "unknown_issuer"),
        shows(Shown::Http2Only, "refused"),
        behind("an alert of TLS", b"\x15\x03\x01\x00\x02\x02\x46", "refused"),
        behind("HTTP behind https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol"),
        behind("an end behind https", b"", "closed"),
        Case::new("a reset behind https", At::BehindHttps, vec![ReadSome, Reset], ("connect", "reset", 0)),
    ]
}

fn names() -> Vec<Case> {
    [
        ("missing.test", ("dns", "no_such_name", 0)),
        ("empty.test", ("dns", "no_address", 0)),
        ("trouble.test", ("dns", "no_answer", 0)),
        ("refused.test", ("dns", "no_answer", 0)),
        ("silent.test", ("dns", "slow", 0)),
        ("garbage.test", ("dns", "slow", 0)),
        ("private.test", ("blocked", "not_public", 0)),
        ("mixed.test", ("blocked", "not_public", 0)),
        ("mapped.test", ("blocked", "not_public", 0)),
    ]
    .map(|(name, ends)| Case::new(name, At::Name(name), vec![], ends))
    .into()
}

/// 32 MiB of nothing, packed as gzip into less than is read of an answer.
fn bomb() -> Vec<u8> {
    let empty = vec![0; 32 * MIB];
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("empty", SimpleFileOptions::default()).expect("a file");
    writer.write_all(&empty).expect("packed");
    let mut archive = ZipArchive::new(writer.finish().expect("an archive")).expect("an archive");
    let mut file = archive.by_index_raw(0).expect("a file");
    let (mut packed, sum) = (b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), file.crc32());
    file.read_to_end(&mut packed).expect("read");
    packed.extend(sum.to_le_bytes());
    packed.extend((empty.len() as u32).to_le_bytes());
    assert!(packed.len() < READ_BYTES, "{}", packed.len());
    packed
}
