//! The delivery log's filter: `status:failed,parked code:5xx|timeout event:student.* try:>3 latency:>2s -id:evt_…
//! after:-1h`. Words are joined by "and", the values of one word by "or"; a leading `-` excludes.
//!
//! | word | values |
//! |---|---|
//! | `status` | `delivered`, `retrying`, `parked`, `held`, or `failed`: everything but delivered |
//! | `code` | `503`, `5xx`, `500..504`, `>=500`, `none` (no answer), or a cause |
//! | `cause` | `dns`, `connect`, `tls`, `timeout`, … |
//! | `event`, `type` | `student.updated`, `student.*` |
//! | `student` | a sourcedId or `stu_…` |
//! | `id`, `message` | `evt_…` |
//! | `trigger` | `automatic`, `resend`, `replay`, `probe`, `test` |
//! | `try` | `3`, `>3`, `2..4` |
//! | `latency` | `>500ms`, `<=2s`, `100ms..1s`; without a unit ms are meant |
//! | `since`, `after` | at or after: an instant, a date, or an age such as `-90s`, `-30m`, `-2h`, `-7d` |
//! | `until`, `before` | before: the same |
//!
//! A value with blanks, commas or bars stands in double quotes.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use rollcall_proto::{
    id::{EventId, StudentId},
    webhook::event::EventType,
};

use super::{delivery::Trigger, outcome::Cause};

pub use parse::FilterError;

/// A parsed filter. The empty one lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// All must hold.
    pub terms: Vec<Term>,
}

/// One word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Written with a leading `-`: what fits is left out.
    pub excluded: bool,
    /// What is asked.
    pub test: Test,
}

/// What one word asks; one of its values must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// What became of the message by the attempt.
    Status(Vec<AttemptStatus>),
    /// The HTTP code, or why there was none.
    Code(Vec<CodeTest>),
    /// Why it failed.
    Cause(Vec<Cause>),
    /// The event's type.
    Event(Vec<EventPattern>),
    /// The student.
    Student(Vec<StudentKey>),
    /// The message.
    Message(Vec<EventId>),
    /// Why it was made.
    Trigger(Vec<Trigger>),
    /// The try's number.
    Try(Vec<Span>),
    /// The whole attempt, µs.
    Latency(Vec<Span>),
    /// At or after.
    Since(When),
    /// Before.
    Until(When),
}

/// A status to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptStatus {
    /// It arrived.
    Delivered,
    /// It is tried again.
    Retrying,
    /// It rests.
    Parked,
    /// The endpoint is gone.
    Held,
    /// Everything but delivered, a failed test included.
    Failed,
}

impl AttemptStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Retrying, Self::Parked, Self::Held, Self::Failed];

    /// The word in the filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Parked => "parked",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// A value of `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTest {
    /// Codes of this span; 0 is no answer.
    Codes(Span),
    /// Failed for this cause.
    Cause(Cause),
}

/// A value of `event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventPattern {
    /// This type.
    Is(EventType),
    /// Every type that begins so; at least one does.
    Begins(String),
}

impl EventPattern {
    /// Whether a type fits.
    pub fn matches(&self, event_type: EventType) -> bool {
        match self {
            Self::Is(this) => *this == event_type,
            Self::Begins(prefix) => event_type.as_str().starts_with(prefix.as_str()),
        }
    }
}

/// A value of `student`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StudentKey {
    /// OneRoster's key.
    SourcedId(String),
    /// Ours.
    Id(StudentId),
}

/// Whole numbers from `from` to `to`, both included; `to` of [`Span::MAX`] is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub from: i64,
    /// The greatest; at least `from`.
    pub to: i64,
}

impl Span {
    /// No upper end.
    pub const MAX: i64 = i64::MAX;
}

/// A time, absolute or before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Unix ms.
    At(i64),
    /// Ms before now; whole seconds.
    Ago(i64),
}

impl When {
    /// Unix ms.
    pub fn unix_ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl LogFilter {
    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Bounds on the time, Unix ms, that follow from the words that include: at or after, and before.
    pub fn time_bounds(&self, now_ms: i64) -> (Option<i64>, Option<i64>) {
        let (mut since, mut until) = (None, None);
        for term in self.terms.iter().filter(|term| !term.excluded) {
            match term.test {
                Test::Since(when) => since = since.max(Some(when.unix_ms(now_ms))),
                Test::Until(when) => {
                    let ms = when.unix_ms(now_ms);
                    until = Some(until.map_or(ms, |known: i64| known.min(ms)));
                }
                _ => {}
            }
        }
        (since, until)
    }

    /// Whether only attempts can pass that were no first, automatic success: those have an index of their own.
    pub fn is_about_trouble(&self) -> bool {
        self.terms.iter().any(|term| match &term.test {
            Test::Status(values) => {
                let ordinary = |status: &AttemptStatus| *status == AttemptStatus::Delivered;
                if term.excluded { values.iter().any(ordinary) } else { !values.iter().any(ordinary) }
            }
            Test::Trigger(values) => values.contains(&Trigger::Automatic) == term.excluded,
            Test::Try(spans) => {
                let ordinary = |span: &Span| span.from <= 1 && span.to >= 1;
                if term.excluded { spans.iter().any(ordinary) } else { !spans.iter().any(ordinary) }
            }
            Test::Cause(_) => !term.excluded,
            Test::Code(values) => {
                let ordinary = |value: &CodeTest| matches!(value, CodeTest::Codes(s) if s.from < 300 && s.to >= 200);
                let all_ordinary =
                    |value: &CodeTest| matches!(value, CodeTest::Codes(s) if s.from <= 200 && s.to >= 299);
                if term.excluded { values.iter().any(all_ordinary) } else { !values.iter().any(ordinary) }
            }
            _ => false,
        })
    }
}

impl fmt::Display for LogFilter {
    /// The canonical form; it parses to the same filter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{}{}", if term.excluded { "-" } else { "" }, term.test)?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(values) => list(f, "status", values, |value| value.as_str().into()),
            Self::Code(values) => list(f, "code", values, |value| match value {
                CodeTest::Codes(Span { from: 0, to: 0 }) => "none".into(),
                CodeTest::Codes(Span { from, to })
                    if (1..=5).contains(&(from / 100)) && from % 100 == 0 && *to == from + 99 =>
                {
                    format!("{}xx", from / 100)
                }
                CodeTest::Codes(span) => span_text(*span, |number| number.to_string()),
                CodeTest::Cause(cause) => cause.as_str().into(),
            }),
            Self::Cause(values) => list(f, "cause", values, |value| value.as_str().into()),
            Self::Event(values) => list(f, "event", values, |value| match value {
                EventPattern::Is(event_type) => event_type.as_str().into(),
                EventPattern::Begins(prefix) => format!("{prefix}*"),
            }),
            Self::Student(values) => list(f, "student", values, |value| match value {
                StudentKey::SourcedId(id) => quoted(id),
                StudentKey::Id(id) => id.to_string(),
            }),
            Self::Message(values) => list(f, "id", values, ToString::to_string),
            Self::Trigger(values) => list(f, "trigger", values, |value| value.as_str().into()),
            Self::Try(values) => list(f, "try", values, |span| span_text(*span, |number| number.to_string())),
            Self::Latency(values) => list(f, "latency", values, |span| span_text(*span, latency_text)),
            Self::Since(when) => write!(f, "since:{}", when_text(*when)),
            Self::Until(when) => write!(f, "until:{}", when_text(*when)),
        }
    }
}

fn list<T>(f: &mut fmt::Formatter<'_>, word: &str, values: &[T], text: impl Fn(&T) -> String) -> fmt::Result {
    let values: Vec<String> = values.iter().map(text).collect();
    write!(f, "{word}:{}", values.join(","))
}

fn span_text(span: Span, number: impl Fn(i64) -> String) -> String {
    match (span.from, span.to) {
        (from, to) if from == to => number(from),
        // Read back, `>n` begins at n + 1: the shorter form where the writer meant it.
        (from, Span::MAX) if from > 0 => format!(">{}", number(from - 1)),
        (from, Span::MAX) => format!(">={}", number(from)),
        (0, to) => format!("<={}", number(to)),
        (from, to) => format!("{}..{}", number(from), number(to)),
    }
}

fn latency_text(us: i64) -> String {
    match us {
        us if us % 1_000_000 == 0 => format!("{}s", us / 1_000_000),
        us if us % 1_000 == 0 => format!("{}ms", us / 1_000),
        us => format!("{us}us"),
    }
}

fn when_text(when: When) -> String {
    match when {
        When::At(ms) => Timestamp::from_millisecond(ms).map(|at| at.to_string()).unwrap_or_default(),
        When::Ago(ms) => {
            let seconds = ms / 1_000;
            match seconds {
                s if s % 86_400 == 0 => format!("-{}d", s / 86_400),
                s if s % 3_600 == 0 => format!("-{}h", s / 3_600),
                s if s % 60 == 0 => format!("-{}m", s / 60),
                s => format!("-{s}s"),
            }
        }
    }
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || ".-_/@:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
