//! The catalogue of hostile receivers: what each does, and what must come of it.

mod answers;
mod broken;
mod large;
mod tls;

use super::{
    certificates::Shown,
    receivers::Step::{self, Drip, Hang, Read, Say},
};

/// Of what could fill our memory so many come at once.
const SEVERAL: usize = 8;

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
    let mut cases = answers::statuses();
    cases.extend(answers::redirects(trap));
    cases.extend(answers::waits());
    cases.extend(slow());
    cases.extend(large::all());
    cases.extend(broken::all());
    cases.extend(tls::all());
    cases.extend(names());
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
