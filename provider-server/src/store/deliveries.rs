//! Open deliveries: read back where they did not fit in memory, and put to rest where their connection is.

use std::collections::BTreeSet;

use rollcall_proto::{
    id::{EventId, SchoolId, StudentId},
    webhook::event::EventType,
};

use super::{Committed, Conn, Shared, StoreError, Tx, Value, body, keys::school_scope};
use crate::model::delivery::{NewDelivery, Trigger, state};

/// A delivery that is not done, as its row holds it.
pub struct OpenDelivery {
    /// What is sent.
    pub delivery: NewDelivery,
    /// The state of its row: pending, parked or held.
    pub state: &'static str,
    /// Tries made, over all triggers.
    pub tries: u32,
    /// Of them the automatic ones.
    pub automatic_tries: u32,
    /// Why the next try is made.
    pub trigger: Trigger,
    /// When it is due, Unix ms; 0 means at once.
    pub due_ms: i64,
    /// When it was first tried, Unix ms; 0 where it never was.
    pub first_try_ms: i64,
}

/// A page of open deliveries in sequence.
pub struct OpenPage {
    /// The deliveries.
    pub deliveries: Vec<OpenDelivery>,
    /// Everything before this sequence was read.
    pub reached: u64,
    /// Nothing open is after it.
    pub at_end: bool,
    /// The school's newest message when the page was read, or before that.
    pub head: u64,
}

/// The deliveries of a school that go out once its connection works, from a sequence on.
pub async fn load_open(
    conn: &mut Conn,
    shared: &Shared,
    school: SchoolId,
    from_sequence: u64,
    limit: u32,
) -> Result<OpenPage, StoreError> {
    let sql = "SELECT head_sequence FROM schools WHERE school_id = $1";
    let head = conn.query_optional(sql, vec![school.into()]).await?.map_or(Ok(0), |mut row| row.take(0))?;
    // The list of states is the condition of the partial index: the history is never read.
    let rows = conn
        .query(
            "SELECT e.sequence, e.event_id, e.event_type, e.student_id, e.sourced_id, e.tries, e.automatic_tries,
                e.due_ms, e.next_trigger, b.sealed,
                CASE WHEN e.tries > 0 THEN (SELECT MIN(a.at_ms) FROM attempts a WHERE a.event_id = e.event_id) END,
                e.state
             FROM events e LEFT JOIN event_bodies b ON b.event_id = e.event_id
             WHERE e.school_id = $1 AND e.sequence >= $2 AND e.state IN ('pending', 'parked', 'held')
                AND (e.state <> 'parked' OR e.reason = 'connection_down')
             ORDER BY e.sequence LIMIT $3",
            vec![school.into(), from_sequence.into(), limit.into()],
        )
        .await?;
    let at_end = rows.len() < limit as usize;
    let mut page = OpenPage { deliveries: Vec::with_capacity(rows.len()), reached: from_sequence, at_end, head };
    if rows.is_empty() {
        return Ok(page);
    }
    let key = shared.keys.get(conn, &school_scope(school)).await?;
    for mut row in rows {
        let (sequence, event): (u64, EventId) = (row.take(0)?, row.take(1)?);
        page.reached = sequence + 1;
        let event_type =
            EventType::parse(&row.take::<String>(2)?).ok_or(StoreError::Corrupt("an event has an unknown type"))?;
        let sealed: Option<Vec<u8>> = row.take(9)?;
        let body = sealed.and_then(|sealed| body::open(&key, &event, &sealed).ok());
        let Some(body) = body else {
            tracing::error!(%school, message = %event, "the body of a message is gone or damaged; it stays undelivered");
            continue;
        };
        let trigger = Trigger::parse(&row.take::<String>(8)?).unwrap_or(Trigger::Automatic);
        page.deliveries.push(OpenDelivery {
            delivery: NewDelivery {
                school,
                sequence,
                event,
                event_type,
                student: row.take::<StudentId>(3)?,
                sourced_id: row.take::<String>(4)?.into(),
                body: bytes::Bytes::copy_from_slice(&body),
            },
            state: open_state(&row.take::<String>(11)?),
            tries: row.take(5)?,
            automatic_tries: row.take(6)?,
            // What staff ask for is due at once, whatever a clock said that was ahead.
            due_ms: if trigger == Trigger::Automatic { row.take(7)? } else { 0 },
            trigger,
            first_try_ms: row.take::<Option<i64>>(10)?.unwrap_or(0),
        });
    }
    Ok(page)
}

fn open_state(name: &str) -> &'static str {
    [state::PARKED, state::HELD].into_iter().find(|state| *state == name).unwrap_or(state::PENDING)
}

/// When the newest attempt was made, Unix ms; 0 where none was.
pub async fn latest_ms(conn: &mut Conn) -> Result<i64, StoreError> {
    let sql = "SELECT COALESCE(MAX((SELECT a.at_ms FROM attempts a WHERE a.school_id = s.school_id
                   ORDER BY a.log_sequence DESC LIMIT 1)), 0) FROM schools s";
    conn.query_optional(sql, vec![]).await?.map_or(Ok(0), |mut row| row.take(0))
}

/// A clock that was ahead by so much was set back: what waits at these schools for a time after now waits for so much less.
pub async fn clock_set_back(
    tx: &mut Tx<'_>,
    schools: Vec<SchoolId>,
    now_ms: i64,
    by_ms: i64,
) -> Result<(), StoreError> {
    tx.lock_schools(schools.iter().copied()).await?;
    let (fixed, list) = (vec![now_ms.into(), by_ms.into()], schools.into_iter().map(Value::from).collect::<Vec<_>>());
    let sql = "UPDATE schools SET retry_at_ms = retry_at_ms - $2 WHERE retry_at_ms > $1 AND school_id IN {list}
               RETURNING school_id";
    tx.conn.query_list(sql, fixed.clone(), list.clone()).await?;
    let sql = "UPDATE events SET due_ms = due_ms - $2
               WHERE state IN ('pending', 'parked', 'held') AND due_ms > $1 AND next_trigger = 'automatic'
                   AND school_id IN {list} RETURNING school_id";
    let rows = tx.conn.query_list(sql, fixed, list).await?;
    let schools = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<BTreeSet<SchoolId>, _>>()?;
    schools.into_iter().for_each(|school| tx.after_commit(Committed::Reload(school)));
    Ok(())
}

/// Rows that one act puts to rest: the writer is never held for long.
const REST_PAGE: i64 = 2_000;

/// Brings the rows of what waits at a school to another state, without spending tries, from a sequence on: parked as
/// connection down, held, or pending again. What is parked alone stays. Answers where to go on; `None` at the end.
pub async fn rest_waiting(
    tx: &mut Tx<'_>,
    school: SchoolId,
    (state, reason): (&'static str, &'static str),
    from_sequence: u64,
) -> Result<Option<u64>, StoreError> {
    tx.lock_schools([school]).await?;
    let last = tx
        .conn
        .query_optional(
            "SELECT MAX(sequence), COUNT(*) FROM (SELECT sequence FROM events
                WHERE school_id = $1 AND sequence >= $2 AND state IN ('pending', 'parked', 'held')
                ORDER BY sequence LIMIT $3) AS page",
            vec![school.into(), from_sequence.into(), REST_PAGE.into()],
        )
        .await?;
    let Some(mut row) = last else { return Ok(None) };
    let Some(last) = row.take::<Option<u64>>(0)? else { return Ok(None) };
    let full = row.take::<i64>(1)? >= REST_PAGE;
    tx.conn
        .execute(
            "UPDATE events SET state = $4, reason = $5, due_ms = 0,
                automatic_tries = CASE WHEN $4 = 'parked' THEN 0 ELSE automatic_tries END,
                was_parked = CASE WHEN $4 = 'parked' THEN 1 ELSE was_parked END,
                settled_ms = CASE WHEN $4 = 'pending' THEN NULL ELSE $6 END
             WHERE school_id = $1 AND sequence >= $2 AND sequence <= $3 AND state IN ('pending', 'parked', 'held')
                AND state <> $4 AND (state <> 'parked' OR reason = 'connection_down')",
            vec![school.into(), from_sequence.into(), last.into(), state.into(), reason.into(), tx.now_ms.into()],
        )
        .await?;
    Ok(full.then_some(last + 1))
}
