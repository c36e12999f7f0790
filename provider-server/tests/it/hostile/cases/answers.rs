//! Whole answers: what a receiver may say, and what it asks for.

use super::{Case, Then};

pub fn statuses() -> Vec<Case> {
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

pub fn redirects(trap: &str) -> Vec<Case> {
    let to = |code: u16, place: &str| {
        let answer = format!("HTTP/1.1 {code} Away\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
        Case::says(&format!("a {code} to {place}"), answer, ("redirect", "", code))
    };
    let away = [300, 301, 302, 303, 307, 308].map(|code| to(code, &format!("http://{trap}/")));
    let others = [to(302, &format!("https://{trap}/")), to(307, &format!("//{trap}/")), to(301, "/elsewhere")];
    away.into_iter().chain(others).collect()
}

pub fn waits() -> Vec<Case> {
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
