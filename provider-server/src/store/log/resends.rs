//! What was asked to be sent again: who asked, and what each message was before. The log tells the first, and a cancel of
//! a replay needs the second.

use rollcall_proto::id::{EventId, SchoolId};

use super::{Attempt, Conn, Row, StoreError, Value};
use crate::{model::delivery::Trigger, store::Tx};

/// Names a replay, or the resend of one message.
pub type ResendId = [u8; 16];

/// Requests of one message that are looked through: the newest.
const MAX_REQUESTS: i64 = 200;

/// What a message was before the first of several requests that no attempt answered yet is what it was before all of them.
macro_rules! remember {
    ($rules:literal) => {
        concat!(
            "INSERT INTO resends (event_id, resend_id, school_id, sequence, trigger_kind, actor, at_ms, from_try, state,
                reason, due_ms, next_trigger, settled_ms)
             SELECT e.event_id, $2, e.school_id, e.sequence, $3, $4, $5, e.tries + 1, COALESCE(o.state, e.state),
                COALESCE(o.reason, e.reason), COALESCE(o.due_ms, e.due_ms), COALESCE(o.next_trigger, e.next_trigger),
                CASE WHEN o.event_id IS NULL THEN e.settled_ms ELSE o.settled_ms END
             FROM events e LEFT JOIN resends o ON o.event_id = e.event_id AND o.resend_id =
                (SELECT q.resend_id FROM resends q WHERE q.event_id = e.event_id AND q.taken_back = 0
                    AND q.from_try = e.tries + 1 AND e.next_trigger IN ('resend', 'replay')
                    AND e.state IN ('pending', 'parked', 'held') ORDER BY q.at_ms LIMIT 1)
             WHERE e.school_id = $1 AND ",
            $rules,
            " AND e.sequence IN {list} RETURNING sequence"
        )
    };
}

/// Whatever its state.
const ONE: &str = remember!("1 = 1");
/// What is meant to arrive, and may: not of who has left the school, and nothing whose body was purged.
const MANY: &str = remember!(
    "e.state IN ('pending', 'delivered', 'parked', 'held')
     AND EXISTS (SELECT 1 FROM event_bodies b WHERE b.event_id = e.event_id)
     AND (e.event_type NOT IN ('student.created', 'student.updated', 'student.enrolled')
        OR EXISTS (SELECT 1 FROM school_students p WHERE p.school_id = e.school_id
            AND p.sourced_id = e.sourced_id AND p.present = 1))"
);

/// Who asks for what.
pub struct Request<'a> {
    /// The replay, or an id of its own.
    pub id: ResendId,
    /// The school of the messages; it is locked.
    pub school: SchoolId,
    /// Resend for a single message, whatever its state; replay leaves out what must not be sent.
    pub trigger: Trigger,
    /// `staff:NAME` or `school:ID`.
    pub actor: &'a str,
}

/// Queues messages to be sent again at once, and keeps what they were. Answers those that were queued.
pub async fn queue(tx: &mut Tx<'_>, request: Request<'_>, sequences: Vec<u64>) -> Result<Vec<u64>, StoreError> {
    let Request { id, school, trigger, actor } = request;
    let sql = if trigger == Trigger::Replay { MANY } else { ONE };
    let values = vec![school.into(), (&id).into(), trigger.as_str().into(), actor.to_owned().into(), tx.now_ms.into()];
    let list = sequences.into_iter().map(Value::from).collect();
    let rows = tx.conn.query_list(sql, values, list).await?;
    let queued = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<Vec<u64>, _>>()?;
    let sql = "UPDATE events SET state = 'pending', reason = '', due_ms = $2, next_trigger = $3, settled_ms = NULL
               WHERE school_id = $1 AND sequence IN {list} RETURNING sequence";
    let list = queued.iter().copied().map(Value::from).collect();
    tx.conn.query_list(sql, vec![school.into(), tx.now_ms.into(), trigger.as_str().into()], list).await?;
    Ok(queued)
}

/// Who asked, and for what.
#[derive(Clone, Debug)]
pub struct Asked {
    trigger: String,
    actor: String,
    at_ms: i64,
    from_try: u32,
    taken_back: bool,
}

/// Who asked for a message to be sent again, newest first.
pub async fn of_message(conn: &mut Conn, message: EventId) -> Result<Vec<Asked>, StoreError> {
    let sql = "SELECT trigger_kind, actor, at_ms, from_try, taken_back FROM resends
               WHERE event_id = $1 ORDER BY at_ms DESC LIMIT $2";
    let rows = conn.query(sql, vec![message.into(), MAX_REQUESTS.into()]).await?;
    let read = |mut row: Row| {
        Ok(Asked {
            trigger: row.take(0)?,
            actor: row.take(1)?,
            at_ms: row.take(2)?,
            from_try: row.take(3)?,
            taken_back: row.take(4)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Who had an attempt made: a username, or `school:ID`; empty for the engine's own attempts, and where nothing was kept.
pub fn requested_by(asked: &[Asked], attempt: &Attempt) -> String {
    let fits = |asked: &&Asked| asked.trigger == attempt.trigger && asked.from_try <= attempt.try_number;
    // By the newest request before it. One that was cancelled counts only where there is no other: its attempt was under way
    // by then. Clocks of two servers may differ, so that a request seems to come after its attempt.
    let newest = |taken_back: bool, early: bool| {
        asked.iter().filter(fits).find(|a| a.taken_back == taken_back && (a.at_ms <= attempt.at_ms) == early)
    };
    let found = newest(false, true).or_else(|| newest(true, true)).or_else(|| newest(false, false));
    let actor = found.map(|asked| asked.actor.as_str()).unwrap_or_default();
    actor.strip_prefix("staff:").unwrap_or(actor).to_owned()
}
