//! The bodies of messages that came to rest, and the answers to their attempts; with those of messages that expired.

use std::collections::{BTreeMap, HashSet};

use rollcall_proto::id::{DistrictId, EventId, SchoolId};

use super::{BATCH, Conn, Purged, StoreError};
use crate::{
    crash,
    model::{
        delivery::reason,
        retention::{self, Kept, Retention},
    },
    store::{
        Committed, Tx, Value,
        audit::{self, AuditAct},
    },
};

/// What a look found.
pub struct Found<D, C> {
    /// To be deleted.
    pub due: Vec<D>,
    /// Where the next look begins; `None` where there is no more.
    pub last: Option<C>,
}

/// A message whose body is to go. A body without a message has no school.
pub type DueBody = (EventId, Option<SchoolId>);

/// Looks through the next bodies.
pub async fn find(
    conn: &mut Conn,
    keep: &Retention,
    now_ms: i64,
    after: Option<EventId>,
) -> Result<Found<DueBody, EventId>, StoreError> {
    let after = after.unwrap_or(EventId::new(0, [0; 10]));
    let end = EventId::new(keep.made_before_ms(now_ms).saturating_add(1), [0; 10]);
    let sql = "SELECT b.event_id, e.school_id, e.state, e.created_ms, e.due_ms, e.settled_ms
               FROM event_bodies b LEFT JOIN events e ON e.event_id = b.event_id
               WHERE b.event_id > $1 AND b.event_id < $2 ORDER BY b.event_id LIMIT $3";
    let rows = conn.query(sql, vec![after.into(), end.into(), BATCH.into()]).await?;
    let full = rows.len() as u64 >= BATCH;
    let mut found = Found { due: Vec::new(), last: None };
    for mut row in rows {
        let (event, school): (EventId, Option<SchoolId>) = (row.take(0)?, row.take(1)?);
        found.last = full.then_some(event);
        let due = match school {
            Some(_) => {
                let state: String = row.take(2)?;
                let (created_ms, due_ms, settled_ms) = (row.take(3)?, row.take(4)?, row.take(5)?);
                keep.due(Kept { state: &state, created_ms, due_ms, settled_ms }, now_ms).is_some()
            }
            None => true,
        };
        if due {
            found.due.push((event, school));
        }
    }
    Ok(found)
}

/// Deletes bodies and answers. What changed since the look, because somebody sent it again, stays.
pub async fn purge(tx: &mut Tx<'_>, keep: Retention, due: Vec<DueBody>) -> Result<Purged, StoreError> {
    tx.lock_schools(due.iter().filter_map(|(_, school)| *school)).await?;
    let list = || due.iter().map(|(event, _)| Value::from(*event)).collect::<Vec<_>>();
    let expired = expire(tx, &keep, list()).await?;
    let mut purged = Purged { expired: expired.len() as u64, ..Purged::default() };
    let sql = "SELECT event_id FROM events WHERE event_id IN {list}
                 AND (state IN ('pending', 'parked', 'held') OR COALESCE(settled_ms, created_ms) > $1)";
    let rows = tx.conn.query_list(sql, vec![(tx.now_ms - keep.bodies_ms).into()], list()).await?;
    let mut stays: HashSet<EventId> = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<_, _>>()?;
    stays.retain(|event| !expired.contains(event));
    let going = || due.iter().filter(|(event, _)| !stays.contains(event)).map(|(event, _)| Value::from(*event));
    let sql = "DELETE FROM attempt_answers WHERE (school_id, log_sequence) IN
                 (SELECT a.school_id, a.log_sequence FROM attempts a WHERE a.event_id IN {list})
               RETURNING log_sequence";
    purged.answers = tx.conn.query_list(sql, vec![], going().collect()).await?.len() as u64;
    crash::point("purge");
    let sql = "DELETE FROM event_bodies WHERE event_id IN {list} RETURNING event_id";
    purged.bodies = tx.conn.query_list(sql, vec![], going().collect()).await?.len() as u64;
    Ok(purged)
}

/// Discards what could not be delivered in its time, and keeps that in the audit log, once for each school.
async fn expire(tx: &mut Tx<'_>, keep: &Retention, list: Vec<Value>) -> Result<HashSet<EventId>, StoreError> {
    let before_ms = tx.now_ms - keep.undelivered_ms;
    // Whoever asked for it again began anew; once it rests, its row does not tell any more.
    let sql = "UPDATE events SET state = 'discarded', reason = $1, settled_ms = $2
               WHERE state IN ('pending', 'parked', 'held') AND created_ms <= $3 AND due_ms <= $3
                 AND NOT EXISTS (SELECT 1 FROM resends r WHERE r.event_id = events.event_id AND r.taken_back = 0
                    AND r.at_ms > $3)
                 AND event_id IN {list} RETURNING school_id, event_id";
    let fixed = vec![reason::EXPIRED.into(), tx.now_ms.into(), before_ms.into()];
    let (mut by_school, mut expired): (BTreeMap<SchoolId, u64>, _) = (BTreeMap::new(), HashSet::new());
    for mut row in tx.conn.query_list(sql, fixed, list).await? {
        *by_school.entry(row.take(0)?).or_default() += 1;
        expired.insert(row.take(1)?);
    }
    let sql = "SELECT school_id, district_id FROM schools WHERE school_id IN {list}";
    let schools = by_school.keys().map(|school| Value::from(*school)).collect();
    let time = retention::shown(keep.undelivered_ms);
    for mut row in tx.conn.query_list(sql, vec![], schools).await? {
        let (school, district): (SchoolId, DistrictId) = (row.take(0)?, row.take(1)?);
        let messages = by_school.get(&school).copied().unwrap_or_default();
        let act = AuditAct::in_district(district, "system", "messages.expired", school);
        let words = if messages == 1 { "message" } else { "messages" };
        let detail = format!("{messages} {words}, not delivered in {time}");
        audit::append(tx, vec![act.with_detail(detail)]).await?;
        tx.after_commit(Committed::Reload(school));
        tracing::warn!(%school, messages, time, "messages that could not be delivered were discarded as expired");
    }
    Ok(expired)
}

/// Answers of a school that are old and whose message has no body any more: those of tests of the connection, and what was
/// recorded of a message after its body had gone.
pub async fn find_answers(
    conn: &mut Conn,
    school: SchoolId,
    before_ms: i64,
    after: u64,
) -> Result<Found<u64, u64>, StoreError> {
    let mut found = Found { due: Vec::new(), last: None };
    // Mostly the oldest is young, and no other is looked at.
    let sql = "SELECT created_ms FROM attempt_answers WHERE school_id = $1 ORDER BY log_sequence LIMIT 1";
    let oldest_ms =
        conn.query_optional(sql, vec![school.into()]).await?.map(|mut row| row.take::<i64>(0)).transpose()?;
    if oldest_ms.is_none_or(|oldest_ms| oldest_ms > before_ms) {
        return Ok(found);
    }
    let sql = "SELECT x.log_sequence, x.created_ms, CASE WHEN EXISTS (SELECT 1 FROM attempts a
                   JOIN event_bodies b ON b.event_id = a.event_id
                   WHERE a.school_id = x.school_id AND a.log_sequence = x.log_sequence) THEN 1 ELSE 0 END
               FROM attempt_answers x WHERE x.school_id = $1 AND x.log_sequence > $2
               ORDER BY x.log_sequence LIMIT $3";
    let rows = conn.query(sql, vec![school.into(), after.into(), BATCH.into()]).await?;
    let full = rows.len() as u64 >= BATCH;
    for mut row in rows {
        let (log_sequence, created_ms): (u64, i64) = (row.take(0)?, row.take(1)?);
        if created_ms > before_ms {
            // Nothing that comes after it is older.
            found.last = None;
            break;
        }
        found.last = full.then_some(log_sequence);
        if !row.take::<bool>(2)? {
            found.due.push(log_sequence);
        }
    }
    Ok(found)
}

/// Deletes answers. A body that is gone does not come back, so nothing is looked at again.
pub async fn purge_answers(tx: &mut Tx<'_>, school: SchoolId, due: Vec<u64>) -> Result<Purged, StoreError> {
    tx.lock_schools([school]).await?;
    crash::point("purge");
    let sql = "DELETE FROM attempt_answers WHERE school_id = $1 AND log_sequence IN {list} RETURNING log_sequence";
    let list = due.into_iter().map(Value::from).collect();
    let answers = tx.conn.query_list(sql, vec![school.into()], list).await?.len() as u64;
    Ok(Purged { answers, ..Purged::default() })
}
