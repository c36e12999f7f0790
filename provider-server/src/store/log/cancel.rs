//! Cancelling a replay: what no attempt was made of goes back to what it was.
//!
//! A replay is done as soon as its messages are queued; from then on they are messages like others. So a cancel looks at
//! each row: where the next try is still the replay's, the row gets back what [`super::resends`] kept. What is being sent
//! at this moment is sent to its end, and its outcome recorded; where somebody asked for the same message later, it stays
//! queued for them.

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{StoreError, Value, resends::ResendId};
use crate::{
    error::Refusal,
    store::{
        Committed, Store, Tx,
        audit::{self, AuditAct},
    },
};

/// Messages in one act.
const PART: u64 = 1_024;

/// What a cancel did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// The replay.
    pub replay: ResendId,
    /// Messages that are what they were before.
    pub restored: u64,
    /// Messages that were attempted already.
    pub begun: u64,
}

/// Cancels a replay of a school; without an id its newest. To cancel twice does no harm, and goes on with what a first
/// cancel could not finish.
pub async fn cancel(
    store: &Store,
    (school, district): (SchoolId, DistrictId),
    replay: Option<ResendId>,
    actor: &str,
) -> Result<Cancelled, StoreError> {
    let actor = actor.to_owned();
    let replay = store.act(move |tx| Box::pin(stop(tx, (school, district), replay, actor))).await?;
    let mut cancelled = Cancelled { replay, ..Cancelled::default() };
    let mut after = 0;
    while let Some(part) = store.act(move |tx| Box::pin(take_back(tx, school, replay, after))).await? {
        after = part.last;
        cancelled.restored += part.restored;
        cancelled.begun += part.begun;
    }
    Ok(cancelled)
}

/// Whether a replay may queue more. The school is locked.
pub async fn goes_on(tx: &mut Tx<'_>, replay: ResendId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM replays WHERE replay_id = $1 AND cancelled_ms IS NULL";
    Ok(tx.conn.query_optional(sql, vec![(&replay).into()]).await?.is_some())
}

/// Marks it, so that it queues no more.
async fn stop(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    replay: Option<ResendId>,
    actor: String,
) -> Result<ResendId, StoreError> {
    tx.lock_schools([school]).await?;
    let row = match replay {
        Some(id) => {
            let sql = "SELECT replay_id FROM replays WHERE school_id = $1 AND replay_id = $2";
            tx.conn.query_optional(sql, vec![school.into(), (&id).into()]).await?
        }
        None => {
            let sql = "SELECT replay_id FROM replays WHERE school_id = $1 ORDER BY at_ms DESC LIMIT 1";
            tx.conn.query_optional(sql, vec![school.into()]).await?
        }
    };
    let Some(mut row) = row else { return Err(Refusal::not_found("a replay of this school").into()) };
    let id: Vec<u8> = row.take(0)?;
    let id: ResendId = id.try_into().map_err(|_| StoreError::Corrupt("a replay has no id"))?;
    let sql = "UPDATE replays SET cancelled_ms = $2 WHERE replay_id = $1 AND cancelled_ms IS NULL";
    if tx.conn.execute(sql, vec![(&id).into(), tx.now_ms.into()]).await? > 0 {
        let act = AuditAct::in_district(district, &actor, "messages.replay_cancelled", school);
        audit::append(tx, vec![act.with_detail(hex::encode(id))]).await?;
    }
    Ok(id)
}

struct Part {
    last: u64,
    restored: u64,
    begun: u64,
}

async fn take_back(
    tx: &mut Tx<'_>,
    school: SchoolId,
    replay: ResendId,
    after: u64,
) -> Result<Option<Part>, StoreError> {
    tx.lock_schools([school]).await?;
    let sql = "SELECT MAX(sequence), COUNT(*) FROM (SELECT sequence FROM resends
                   WHERE resend_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3) AS part";
    let row = tx.conn.query_optional(sql, vec![(&replay).into(), after.into(), PART.into()]).await?;
    let Some(mut row) = row else { return Ok(None) };
    let (Some(last), messages): (Option<u64>, u64) = (row.take(0)?, row.take(1)?) else { return Ok(None) };
    let values = || vec![Value::from(school), (&replay).into(), after.into(), last.into()];
    let sql = "UPDATE events SET state = r.state, reason = r.reason, due_ms = r.due_ms, next_trigger = r.next_trigger,
                   settled_ms = r.settled_ms
               FROM resends r
               WHERE r.resend_id = $2 AND r.sequence > $3 AND r.sequence <= $4 AND r.taken_back = 0
                   AND events.school_id = $1 AND events.sequence = r.sequence AND events.next_trigger = 'replay'
                   AND events.state IN ('pending', 'parked', 'held') AND events.tries = r.from_try - 1
                   AND NOT EXISTS (SELECT 1 FROM resends l WHERE l.event_id = r.event_id AND l.resend_id <> r.resend_id
                       AND l.taken_back = 0 AND l.from_try = r.from_try AND l.at_ms >= r.at_ms)";
    let restored = tx.conn.execute(sql, values()).await?;
    let sql = "UPDATE resends SET taken_back = 1
               WHERE resend_id = $2 AND sequence > $3 AND sequence <= $4
                   AND EXISTS (SELECT 1 FROM events e WHERE e.school_id = $1 AND e.sequence = resends.sequence
                       AND e.tries = resends.from_try - 1)";
    let not_begun = tx.conn.execute(sql, values()).await?;
    if restored > 0 {
        tx.after_commit(Committed::Reload(school));
    }
    Ok(Some(Part { last, restored, begun: messages - not_begun.min(messages) }))
}
