//! Messages: one with its attempts and their opened answers, and lists of those that wait or rest.

use rollcall_proto::id::{ChangeId, DistrictId, EventId, SchoolId, StudentId};
use zeroize::Zeroizing;

use super::{Attempt, BUDGET, COLUMNS, Conn, Row, StoreError, Value, condition::Statement, heads, resends};
use crate::{
    error::Refusal,
    model::{
        access::Scope,
        delivery::{reason, state},
    },
    store::{
        Shared, Tx,
        audit::{self, AuditAct},
        body,
        keys::school_scope,
        record::KeptAnswer,
    },
};

/// Attempts that a message is shown with, and how many of their answers: the newest.
const MAX_ATTEMPTS: i64 = 200;
const MAX_ANSWERS: usize = 30;
/// Later than any sequence.
const UNBOUNDED: u64 = i64::MAX as u64;
const OPEN: [&str; 3] = [state::PENDING, state::PARKED, state::HELD];
const MESSAGE: &str = "SELECT e.event_id, e.school_id, s.district_id, e.event_type, e.sequence, e.student_id,
        e.sourced_id, e.state, e.reason, e.created_ms, e.due_ms, e.body_bytes, e.change_id, e.tries, s.retry_at_ms
    FROM events e JOIN schools s ON s.school_id = e.school_id";

/// A message: an event and its one delivery. A `connection.test` has no student, no change and no state of its own.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: EventId,
    /// Where it goes.
    pub school: SchoolId,
    /// The school's district.
    pub district: DistrictId,
    /// Its type.
    pub event_type: String,
    /// Its place in the school's sequence; 0 for a test.
    pub sequence: u64,
    /// The student.
    pub student: Option<StudentId>,
    /// OneRoster's key of the student.
    pub sourced_id: String,
    /// pending, delivered, parked, held, superseded, discarded, erased
    pub state: String,
    /// Why it is in that state.
    pub reason: String,
    /// Unix ms.
    pub created_ms: i64,
    /// When it goes out next, Unix ms; `None` where that is not known.
    pub next_ms: Option<i64>,
    /// The size of its body.
    pub body_bytes: u32,
    /// The change that made it.
    pub change: Option<ChangeId>,
    /// Tries made, over all triggers.
    pub tries: u32,
}

impl Message {
    fn read(mut row: Row) -> Result<Self, StoreError> {
        let (state, reason): (String, String) = (row.take(7)?, row.take(8)?);
        let (due_ms, retry_at_ms): (i64, i64) = (row.take(10)?, row.take(14)?);
        let next_ms = match state.as_str() {
            state::PENDING => Some(due_ms),
            state::PARKED if reason == reason::CONNECTION_DOWN => Some(retry_at_ms),
            _ => None,
        };
        Ok(Self {
            id: row.take(0)?,
            school: row.take(1)?,
            district: row.take(2)?,
            event_type: row.take(3)?,
            sequence: row.take(4)?,
            student: row.take(5)?,
            sourced_id: row.take(6)?,
            state,
            reason,
            created_ms: row.take(9)?,
            next_ms: next_ms.filter(|ms| *ms > 0),
            body_bytes: row.take(11)?,
            change: row.take(12)?,
            tries: row.take(13)?,
        })
    }
}

/// A message in the caller's scope. An id outside of it answers like an unknown one.
pub async fn find(conn: &mut Conn, scope: &Scope, id: EventId) -> Result<Message, StoreError> {
    let row = conn.query_optional(&format!("{MESSAGE} WHERE e.event_id = $1"), vec![id.into()]).await?;
    let message = match row {
        Some(row) => Some(Message::read(row)?),
        None => find_test(conn, id).await?,
    };
    let visible = message.filter(|message| scope.includes_school(message.district, message.school));
    Ok(visible.ok_or_else(|| Refusal::not_found("the message"))?)
}

/// A test is known by its attempts alone.
async fn find_test(conn: &mut Conn, id: EventId) -> Result<Option<Message>, StoreError> {
    let sql = "SELECT a.school_id, s.district_id, a.event_type, a.status, a.at_ms, a.request_bytes, a.try_number
               FROM attempts a JOIN schools s ON s.school_id = a.school_id
               WHERE a.event_id = $1 ORDER BY a.log_sequence DESC LIMIT 1";
    let Some(mut row) = conn.query_optional(sql, vec![id.into()]).await? else { return Ok(None) };
    let delivered = row.take::<String>(3)? == state::DELIVERED;
    Ok(Some(Message {
        id,
        school: row.take(0)?,
        district: row.take(1)?,
        event_type: row.take(2)?,
        sequence: 0,
        student: None,
        sourced_id: String::new(),
        state: if delivered { state::DELIVERED } else { state::DISCARDED }.into(),
        reason: if delivered { "" } else { "a test is not sent again" }.into(),
        created_ms: row.take(4)?,
        next_ms: None,
        body_bytes: row.take(5)?,
        change: None,
        tries: row.take(6)?,
    }))
}

/// An attempt with what is kept of its answer.
pub struct AttemptDetail {
    /// The attempt.
    pub attempt: Attempt,
    /// Kept for failures, and while two secrets sign; `None` beyond the newest attempts, too.
    pub answer: Option<KeptAnswer>,
    /// Fingerprints of the secrets that signed; empty where that is not known any more.
    pub signed_by: Vec<String>,
    /// Who had it made: a username, or `school:ID`; empty for the engine's own, and where nothing was kept.
    pub requested_by: String,
}

/// The attempts of a message, oldest first: the newest of them, where there are very many.
pub async fn attempts(conn: &mut Conn, shared: &Shared, message: &Message) -> Result<Vec<AttemptDetail>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM attempts a WHERE a.event_id = $1 ORDER BY a.log_sequence DESC LIMIT $2");
    let rows = conn.query(&sql, vec![message.id.into(), MAX_ATTEMPTS.into()]).await?;
    let attempts: Vec<Attempt> = rows.into_iter().map(Attempt::read).collect::<Result<_, _>>()?;
    let newest = attempts.iter().take(MAX_ANSWERS).map(|attempt| attempt.log_sequence.into()).collect();
    let sql = "SELECT log_sequence, sealed FROM attempt_answers WHERE school_id = $1 AND log_sequence IN {list}";
    let mut answers = std::collections::HashMap::new();
    for mut row in conn.query_list(sql, vec![message.school.into()], newest).await? {
        answers.insert(row.take::<i64>(0)?, row.take::<Vec<u8>>(1)?);
    }
    // A deleted school has neither answers nor a key.
    let key = match answers.is_empty() {
        true => None,
        false => Some(shared.keys.get(conn, &school_scope(message.school)).await?),
    };
    let secrets = secrets(conn, message.school).await?;
    let asked = resends::of_message(conn, message.id).await?;
    let mut details = Vec::with_capacity(attempts.len());
    for attempt in attempts.into_iter().rev() {
        let log_sequence = attempt.log_sequence as i64;
        let sealed = key.as_ref().zip(answers.remove(&log_sequence));
        let answer =
            sealed.map(|(key, sealed)| KeptAnswer::open(key, message.school, log_sequence, &sealed)).transpose()?;
        let signed_by = match &answer {
            Some(answer) if !answer.signed_by.is_empty() => {
                answer.signed_by.iter().map(|fingerprint| fingerprint.to_string()).collect()
            }
            _ => the_only_secret(&secrets, attempt.at_ms),
        };
        let requested_by = resends::requested_by(&asked, &attempt);
        details.push(AttemptDetail { attempt, answer, signed_by, requested_by });
    }
    Ok(details)
}

struct SecretLife {
    fingerprint: String,
    created_ms: i64,
    expires_ms: Option<i64>,
}

/// Those that sign or did. Of one that was ended by an earlier version nobody knows when: it counts for nothing.
async fn secrets(conn: &mut Conn, school: SchoolId) -> Result<Vec<SecretLife>, StoreError> {
    let sql = "SELECT fingerprint, created_ms, expires_ms FROM secrets
               WHERE school_id = $1 AND (state IN ('active', 'retiring') OR (state = 'ended' AND expires_ms > created_ms))
               ORDER BY created_ms DESC LIMIT 100";
    let rows = conn.query(sql, vec![school.into()]).await?;
    let read =
        |mut row: Row| Ok(SecretLife { fingerprint: row.take(0)?, created_ms: row.take(1)?, expires_ms: row.take(2)? });
    rows.into_iter().map(read).collect()
}

/// Who signed is kept where it tells something; else there was one secret.
fn the_only_secret(secrets: &[SecretLife], at_ms: i64) -> Vec<String> {
    let live = |secret: &&SecretLife| secret.created_ms <= at_ms && secret.expires_ms.is_none_or(|end| end > at_ms);
    let mut live = secrets.iter().filter(live);
    match (live.next(), live.next()) {
        (Some(only), None) => vec![only.fingerprint.clone()],
        _ => Vec::new(),
    }
}

/// The exact bytes that are signed and sent; `None` once they were purged.
pub async fn body(
    conn: &mut Conn,
    shared: &Shared,
    message: &Message,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let sql = "SELECT sealed FROM event_bodies WHERE event_id = $1";
    let Some(mut row) = conn.query_optional(sql, vec![message.id.into()]).await? else { return Ok(None) };
    let key = shared.keys.get(conn, &school_scope(message.school)).await?;
    Ok(Some(body::open(&key, &message.id, &row.take::<Vec<u8>>(0)?)?))
}

/// Keeps who looked at a body.
pub async fn log_reveal(tx: &mut Tx<'_>, message: Message, actor: String) -> Result<(), StoreError> {
    let act = AuditAct::in_district(message.district, &actor, "message.body_shown", message.id);
    audit::append(tx, vec![act.with_detail(message.school)]).await
}

/// Messages of a school in these states, newest first, older than `before` where it is given; with where the next page
/// begins. No state means pending, parked and held.
pub async fn list(
    conn: &mut Conn,
    school: SchoolId,
    states: &[&'static str],
    before: Option<u64>,
    limit: usize,
) -> Result<(Vec<Message>, Option<u64>), StoreError> {
    let states = if states.is_empty() { &OPEN[..] } else { states };
    // The newest page has no end: what is open can move on to a later message between two statements, as a sync does it.
    let to = before.unwrap_or(UNBOUNDED).min(UNBOUNDED);
    // Word for word the condition of the index of what is open.
    let only_open = states.iter().all(|state| OPEN.contains(state));
    let condition = if only_open { " AND e.state IN ('pending', 'parked', 'held')" } else { "" };
    let bounded = |select: &str| {
        Statement::new(select)
            .sql(" WHERE e.school_id = ")
            .bind(school)
            .sql(" AND e.sequence < ")
            .bind(to)
            .sql(condition)
    };
    let from = if only_open {
        let statement = bounded("SELECT e.sequence FROM events e").sql(" ORDER BY e.sequence DESC LIMIT 1 OFFSET ");
        let row = statement.bind(BUDGET - 1).query(conn).await?.into_iter().next();
        row.map_or(Ok(1), |mut row| row.take(0))?
    } else {
        let newest = heads(conn, school).await?.sequence;
        to.min(newest + 1).saturating_sub(BUDGET).max(1)
    };
    let statement = bounded(MESSAGE).sql(" AND e.sequence >= ").bind(from).sql(" AND e.state IN ");
    let statement = statement.list(states.iter().copied()).sql(" ORDER BY e.sequence DESC LIMIT ");
    let rows = statement.bind(Value::from(limit as u64 + 1)).query(conn).await?;
    let mut messages: Vec<Message> = rows.into_iter().map(Message::read).collect::<Result<_, _>>()?;
    let next = if messages.len() > limit {
        messages.truncate(limit);
        messages.last().map(|last| last.sequence)
    } else {
        (from > 1).then_some(from)
    };
    Ok((messages, next))
}
