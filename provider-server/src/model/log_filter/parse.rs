//! Reading a filter. Every refusal names the word, its place, and what would be right.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rollcall_proto::webhook::event::EventType;

use super::{AttemptStatus, CodeTest, EventPattern, LogFilter, Span, StudentKey, Term, Test, When};
use crate::model::{delivery::Trigger, outcome::Cause};

const MAX_BYTES: usize = 4_096;
const MAX_WORDS: usize = 32;
const MAX_VALUES: usize = 64;
const MAX_VALUE_CHARS: usize = 255;
/// A day; longer attempts do not exist.
const MAX_LATENCY_US: i64 = 86_400_000_000;
const MAX_AGE_S: i64 = 100 * 366 * 86_400;
const WORDS: &str = "status, code, cause, event, student, id, trigger, try, latency, since, until";

/// Why a filter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FilterError {
    /// The word as written, cut where it is long; empty where the filter as a whole is meant.
    pub word: String,
    /// The place of its first character, from 1.
    pub place: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.word.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "`{}` at character {}: {}", self.word, self.place, self.message)
    }
}

impl FromStr for LogFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let whole = |message: String| FilterError { word: String::new(), place: 1, message };
        if text.len() > MAX_BYTES {
            return Err(whole(format!("a filter has at most {MAX_BYTES} bytes")));
        }
        let words = split_words(text);
        if words.len() > MAX_WORDS {
            return Err(whole(format!("a filter has at most {MAX_WORDS} words")));
        }
        let terms = words.into_iter().map(|word| {
            read_word(word.text).map_err(|message| {
                let shown: String = word.text.chars().take(60).collect();
                let cut = if shown.len() < word.text.len() { "…" } else { "" };
                FilterError { word: format!("{shown}{cut}"), place: word.place, message }
            })
        });
        Ok(Self { terms: terms.collect::<Result<_, _>>()? })
    }
}

struct Word<'a> {
    text: &'a str,
    place: usize,
}

/// Words end at blanks outside quotes.
fn split_words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let (mut begun, mut in_quotes, mut escaped) = (None, false, false);
    for (place, (index, c)) in text.char_indices().enumerate() {
        if !in_quotes && c.is_whitespace() {
            if let Some((start, place)) = begun.take() {
                words.push(Word { text: &text[start..index], place });
            }
            continue;
        }
        begun.get_or_insert((index, place + 1));
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            _ => {}
        }
    }
    words.extend(begun.map(|(start, place)| Word { text: &text[start..], place }));
    words
}

fn read_word(word: &str) -> Result<Term, String> {
    let (excluded, word) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
    let Some((name, rest)) = word.split_once(':') else {
        return Err(format!("needs a word and a colon, such as status:failed; the words are {WORDS}"));
    };
    let values = split_values(rest)?;
    let test = match name.to_ascii_lowercase().as_str() {
        "status" => Test::Status(each(&values, status)?),
        "code" => Test::Code(each(&values, code)?),
        "cause" => Test::Cause(each(&values, cause)?),
        "event" | "type" => Test::Event(each(&values, event)?),
        "student" => Test::Student(each(&values, student)?),
        "id" | "message" => Test::Message(each(&values, |value| {
            value.parse().map_err(|_| format!("`{value}` is not a message's id: they look like evt_ and 26 characters"))
        })?),
        "trigger" => Test::Trigger(each(&values, trigger)?),
        "try" => Test::Try(each(&values, |value| span(value, tries))?),
        "latency" => Test::Latency(each(&values, |value| span(value, latency))?),
        "since" | "after" => Test::Since(when(single(&values)?)?),
        "until" | "before" => Test::Until(when(single(&values)?)?),
        _ => return Err(format!("there is no such word; use {WORDS}")),
    };
    Ok(Term { excluded, test })
}

/// Values end at commas and bars outside quotes.
fn split_values(text: &str) -> Result<Vec<String>, String> {
    let (mut values, mut value) = (Vec::new(), String::new());
    let (mut in_quotes, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ',' | '|' if !in_quotes => values.push(std::mem::take(&mut value)),
            c => value.push(c),
        }
    }
    values.push(value);
    if in_quotes {
        return Err("the closing quote is missing".into());
    }
    if values.len() > MAX_VALUES {
        return Err(format!("a word has at most {MAX_VALUES} values"));
    }
    if values.iter().any(String::is_empty) {
        return Err("a value is missing: write one after the colon and after each comma".into());
    }
    if values.iter().any(|value| value.chars().count() > MAX_VALUE_CHARS) {
        return Err(format!("a value has at most {MAX_VALUE_CHARS} characters"));
    }
    Ok(values)
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| read(value)).collect()
}

fn single(values: &[String]) -> Result<&str, String> {
    match values {
        [one] => Ok(one),
        _ => Err("takes one time".into()),
    }
}

fn one_of(value: &str, kind: &str, names: impl Iterator<Item = &'static str>) -> String {
    format!("`{value}` is no {kind}; use {}", names.collect::<Vec<_>>().join(", "))
}

fn status(value: &str) -> Result<AttemptStatus, String> {
    let found = AttemptStatus::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(value));
    found.ok_or_else(|| one_of(value, "status of an attempt", AttemptStatus::ALL.iter().map(|status| status.as_str())))
}

fn cause(value: &str) -> Result<Cause, String> {
    let found = Cause::parse(&value.to_ascii_lowercase());
    found.ok_or_else(|| one_of(value, "cause", Cause::ALL.iter().map(|cause| cause.as_str())))
}

fn trigger(value: &str) -> Result<Trigger, String> {
    let found = Trigger::parse(&value.to_ascii_lowercase());
    found.ok_or_else(|| one_of(value, "trigger", Trigger::ALL.iter().map(|trigger| trigger.as_str())))
}

fn event(value: &str) -> Result<EventPattern, String> {
    let name = value.to_ascii_lowercase();
    let known = || one_of(value, "event type", EventType::ALL.iter().map(|event_type| event_type.as_str()));
    if let Some(prefix) = name.strip_suffix('*') {
        let fits = EventType::ALL.iter().any(|event_type| event_type.as_str().starts_with(prefix));
        return if fits { Ok(EventPattern::Begins(prefix.to_owned())) } else { Err(known()) };
    }
    EventType::parse(&name).map(EventPattern::Is).ok_or_else(known)
}

fn student(value: &str) -> Result<StudentKey, String> {
    Ok(value.parse().map_or_else(|_| StudentKey::SourcedId(value.to_owned()), StudentKey::Id))
}

fn code(value: &str) -> Result<CodeTest, String> {
    if value.eq_ignore_ascii_case("none") {
        return Ok(CodeTest::Codes(Span { from: 0, to: 0 }));
    }
    if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = value.as_bytes() {
        let from = i64::from(class - b'0') * 100;
        return Ok(CodeTest::Codes(Span { from, to: from + 99 }));
    }
    if let Ok(cause) = cause(value) {
        return Ok(CodeTest::Cause(cause));
    }
    let number = |text: &str| text.parse().ok().filter(|code| (0..=999).contains(code) && is_digits(text));
    span(value, number)
        .map(CodeTest::Codes)
        .map_err(|_| format!("`{value}` is no code; use 503, 5xx, 500..504, >=500, none, or a cause such as timeout"))
}

fn tries(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| (0..=1_000_000).contains(number) && is_digits(text))
}

/// In µs; without a unit ms are meant.
fn latency(text: &str) -> Option<i64> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let unit_us = match text.get(end..)?.to_ascii_lowercase().as_str() {
        "us" | "µs" => 1,
        "" | "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        _ => return None,
    };
    let number: i64 = text[..end].parse().ok()?;
    number.checked_mul(unit_us).filter(|us| *us <= MAX_LATENCY_US)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `n`, `>n`, `>=n`, `<n`, `<=n` or `a..b`.
fn span(value: &str, number: impl Fn(&str) -> Option<i64>) -> Result<Span, String> {
    let wrong =
        || format!("`{value}` is no number here; use forms such as 3, >3, <=3 or 2..4, for a latency with ms or s");
    let read = |text: &str| number(text).ok_or_else(wrong);
    let span = if let Some(rest) = value.strip_prefix(">=") {
        Span { from: read(rest)?, to: Span::MAX }
    } else if let Some(rest) = value.strip_prefix('>') {
        Span { from: read(rest)? + 1, to: Span::MAX }
    } else if let Some(rest) = value.strip_prefix("<=") {
        Span { from: 0, to: read(rest)? }
    } else if let Some(rest) = value.strip_prefix('<') {
        Span { from: 0, to: read(rest)? - 1 }
    } else if let Some((from, to)) = value.split_once("..") {
        Span { from: read(from)?, to: read(to)? }
    } else {
        let exact = read(value)?;
        Span { from: exact, to: exact }
    };
    if span.from > span.to {
        return Err(format!("`{value}` fits nothing: its end is below its beginning"));
    }
    Ok(span)
}

fn when(value: &str) -> Result<When, String> {
    let wrong = || {
        format!("`{value}` is no time; use 2026-11-23T16:05:12Z, 2026-11-23, or an age such as -90s, -30m, -2h, -7d")
    };
    if let Some(age) = value.strip_prefix('-') {
        let end = age.len().saturating_sub(1);
        let unit_s = match age.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            Some(b'w') => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let number = age.get(..end).filter(|digits| is_digits(digits)).ok_or_else(wrong)?;
        let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit_s));
        let seconds = seconds.filter(|seconds| *seconds <= MAX_AGE_S).ok_or_else(wrong)?;
        return Ok(When::Ago(seconds * 1_000));
    }
    if value.len() == 10 {
        let date: Date = value.parse().map_err(|_| wrong())?;
        let midnight = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        return Ok(When::At(midnight.timestamp().as_millisecond()));
    }
    let at: Timestamp = value.parse().map_err(|_| wrong())?;
    Ok(When::At(at.as_millisecond()))
}
