//! The delivery log, read: pages of attempts in a school's gap-free log sequence, both ways.
//!
//! What a page costs does not grow with the history: a page searches at most [`BUDGET`] rows and then says how far it
//! came. Attempts that were no first, automatic success have an index of their own; a student's and a message's are
//! found by theirs.

pub mod cancel;
pub(super) mod condition;
pub mod discard;
pub mod export;
pub mod groups;
pub mod histogram;
pub mod message;
pub mod replay;
pub mod resend;
pub mod resends;
mod search;
pub mod stats;

use rollcall_proto::id::{EventId, SchoolId, StudentId};

use super::{Conn, Row, StoreError, Value};
use crate::{
    error::Refusal,
    model::{log_filter::LogFilter, outcome::Cause},
};
use search::{Narrow, Order, Range};

/// Rows that one page searches at most.
pub const BUDGET: u64 = 10_000;
const COLUMNS: &str = "a.school_id, a.log_sequence, a.event_id, a.event_type, a.sequence, a.student_id, a.sourced_id,
    a.at_ms, a.trigger_kind, a.try_number, a.status, a.cause, a.detail, a.code, a.latency_us, a.first_byte_us,
    a.request_bytes, a.response_bytes, a.next_ms, a.clock_skew_s";

/// One attempt, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The school.
    pub school: SchoolId,
    /// Gap-free per school.
    pub log_sequence: u64,
    /// The message.
    pub message: EventId,
    /// Its type.
    pub event_type: String,
    /// The message's place in the school's sequence; 0 for a test.
    pub sequence: u64,
    /// The student; none for a test.
    pub student: Option<StudentId>,
    /// OneRoster's key of the student.
    pub sourced_id: String,
    /// When it began, Unix ms.
    pub at_ms: i64,
    /// automatic, resend, replay, probe, test
    pub trigger: String,
    /// Runs on across triggers.
    pub try_number: u32,
    /// delivered, retrying, parked, held, failed
    pub status: String,
    /// Why it failed; `None` on success.
    pub cause: Option<Cause>,
    /// Narrows the cause.
    pub detail: String,
    /// HTTP code; 0 where there was no answer.
    pub code: u16,
    /// The whole attempt, µs.
    pub latency_us: u32,
    /// Until the answer's head, µs; 0 where none came.
    pub first_byte_us: u32,
    /// Bytes sent.
    pub request_bytes: u32,
    /// Bytes read of the answer's body.
    pub response_bytes: u32,
    /// When the message was to be tried next, Unix ms.
    pub next_ms: Option<i64>,
    /// The answer's Date minus our clock, s.
    pub clock_skew_s: i32,
}

impl Attempt {
    fn read(mut row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            school: row.take(0)?,
            log_sequence: row.take(1)?,
            message: row.take(2)?,
            event_type: row.take(3)?,
            sequence: row.take(4)?,
            student: row.take(5)?,
            sourced_id: row.take(6)?,
            at_ms: row.take(7)?,
            trigger: row.take(8)?,
            try_number: row.take(9)?,
            status: row.take(10)?,
            cause: Cause::parse(&row.take::<String>(11)?),
            detail: row.take(12)?,
            code: row.take(13)?,
            latency_us: row.take(14)?,
            first_byte_us: row.take(15)?,
            request_bytes: row.take(16)?,
            response_bytes: row.take(17)?,
            next_ms: row.take(18)?,
            clock_skew_s: row.take(19)?,
        })
    }
}

/// How far a school's log and sequence reach, and its automatic tries.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// The newest attempt; 0 where there is none.
    pub log_sequence: u64,
    /// The newest message; 0 where there is none.
    pub sequence: u64,
    /// Automatic tries allowed.
    pub max_tries: u32,
}

/// The heads of a school.
pub async fn heads(conn: &mut Conn, school: SchoolId) -> Result<Heads, StoreError> {
    let sql = "SELECT log_sequence, head_sequence, max_tries FROM schools WHERE school_id = $1";
    let row = conn.query_optional(sql, vec![school.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    Ok(Heads { log_sequence: row.take(0)?, sequence: row.take(1)?, max_tries: row.take(2)? })
}

/// A page of attempts, newest first.
#[derive(Debug)]
pub struct Page {
    /// At most as many as asked.
    pub attempts: Vec<Attempt>,
    /// Where the next page begins (`before`); `None` at the end.
    pub next: Option<u64>,
    /// Set where the budget ended first: everything newer was searched, Unix ms.
    pub searched_until_ms: Option<i64>,
}

/// Attempts that match, newest first, older than `before` where it is given.
pub async fn older(
    conn: &mut Conn,
    school: SchoolId,
    filter: &LogFilter,
    now_ms: i64,
    before: Option<u64>,
    limit: usize,
) -> Result<Page, StoreError> {
    let end = heads(conn, school).await?.log_sequence + 1;
    let range = Range::of(conn, school, filter, now_ms, before.map_or(end, |before| before.min(end))).await?;
    let (attempts, searched_from) = match Narrow::find(conn, school, filter).await? {
        Some(narrow) => (narrow.rows(conn, filter, now_ms, &range, limit + 1).await?, range.from),
        None => {
            let part = range.newest_part(conn, BUDGET).await?;
            (part.rows(conn, filter, now_ms, Order::NewestFirst, limit + 1).await?, part.from)
        }
    };
    let mut page = Page { attempts, next: None, searched_until_ms: None };
    if page.attempts.len() > limit {
        page.attempts.truncate(limit);
        page.next = page.attempts.last().map(|last| last.log_sequence);
    } else if searched_from > range.from {
        page.next = Some(searched_from);
        page.searched_until_ms = began_ms(conn, school, searched_from).await?;
    }
    Ok(page)
}

/// When an attempt began, Unix ms.
async fn began_ms(conn: &mut Conn, school: SchoolId, log_sequence: u64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT at_ms FROM attempts WHERE school_id = $1 AND log_sequence = $2";
    let row = conn.query_optional(sql, vec![school.into(), log_sequence.into()]).await?;
    row.map(|mut row| row.take(0)).transpose()
}

/// What a tail reads next.
pub struct Tail {
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// Everything up to this log sequence was searched.
    pub log_sequence: u64,
    /// Whether that was all that is recorded.
    pub at_head: bool,
}

/// Attempts that match, oldest first, after a log sequence.
pub async fn newer(
    conn: &mut Conn,
    school: SchoolId,
    filter: &LogFilter,
    now_ms: i64,
    after: u64,
    limit: usize,
) -> Result<Tail, StoreError> {
    // Read first: what is recorded after it is for the next call.
    let head = heads(conn, school).await?.log_sequence;
    let last = head.min(after.saturating_add(BUDGET));
    let range = Range::between(school, after.saturating_add(1), last.saturating_add(1));
    let mut attempts = range.rows(conn, filter, now_ms, Order::OldestFirst, limit + 1).await?;
    let mut log_sequence = last.max(after);
    if attempts.len() > limit {
        attempts.truncate(limit);
        log_sequence = attempts.last().map_or(after, |last| last.log_sequence);
    }
    Ok(Tail { attempts, log_sequence, at_head: log_sequence >= head })
}
