//! Giving messages up, and taking that back for a while: what they were is kept until then.

use rollcall_proto::id::{DistrictId, EventId, SchoolId};

use super::{Row, StoreError, Value, groups::Group};
use crate::{
    error::{Refusal, RefusalKind},
    store::{
        Committed, Store, Tx,
        audit::{self, AuditAct},
    },
};

/// Messages that one call names at most.
pub const MAX_NAMED: usize = 1_000;
/// For so long a discard can be taken back, ms.
pub const UNDO_MS: i64 = 10 * 60_000;
/// Messages of a group in one discard.
const MAX_MESSAGES: usize = 500_000;
/// Messages in one act.
const PART: usize = 1_024;
/// Rows of one statement that forgets.
const FORGET: i64 = 5_000;

/// Where, why and by whom.
#[derive(Clone)]
pub struct Discard {
    /// The school and its district.
    pub place: (SchoolId, DistrictId),
    /// Kept with the messages.
    pub reason: String,
    /// Who.
    pub actor: String,
}

/// What was discarded.
pub struct Discarded {
    /// How many messages.
    pub messages: u64,
    /// Names the discard, for taking it back.
    pub undo: [u8; 16],
}

/// Gives undelivered messages of a school up, for a reason that is kept. What was delivered or superseded meanwhile stays
/// as it is. An id that is not of this school refuses the whole act.
pub async fn named(tx: &mut Tx<'_>, discard: Discard, ids: Vec<EventId>) -> Result<Discarded, StoreError> {
    let (school, district) = discard.place;
    let sql = "SELECT event_id, sequence FROM events WHERE school_id = $1 AND event_id IN {list}";
    let list = ids.iter().copied().map(Value::from).collect();
    let mut sequences = std::collections::HashMap::with_capacity(ids.len());
    for mut row in tx.conn.query_list(sql, vec![school.into()], list).await? {
        sequences.insert(row.take::<EventId>(0)?, row.take::<u64>(1)?);
    }
    if let Some(missing) = ids.iter().find(|id| !sequences.contains_key(id)) {
        return Err(Refusal::not_found(format_args!("the message {missing}")).into());
    }
    let undo = tx.shared.entropy.bytes();
    let mut given_up = give_up(tx, &discard, undo, sequences.into_values().collect(), None).await?;
    given_up.sort_unstable();
    let act =
        |id| AuditAct::in_district(district, &discard.actor, "message.discarded", id).with_detail(&discard.reason);
    audit::append(tx, given_up.iter().map(act).collect()).await?;
    Ok(Discarded { messages: given_up.len() as u64, undo })
}

/// The same for a whole group.
pub async fn group(store: &Store, discard: Discard, group: Group) -> Result<Discarded, StoreError> {
    let ((school, district), undo) = (discard.place, store.shared().entropy.bytes());
    let (mut sequences, mut after) = (Vec::new(), 0);
    loop {
        let part = group.part(&mut store.reader().await?, school, after).await?;
        let Some(last) = part.last() else { break };
        after = *last;
        sequences.extend(part);
        if sequences.len() > MAX_MESSAGES {
            let message = format!("the group has more than {MAX_MESSAGES} messages: discard them by their ids");
            return Err(Refusal::new(RefusalKind::Exhausted, message).into());
        }
    }
    let detail = format!("{} messages, {group}: {}", sequences.len(), discard.reason);
    let mut act =
        Some(AuditAct::in_district(district, &discard.actor, "messages.discarded", school).with_detail(detail));
    let mut messages = 0;
    for part in sequences.chunks(PART) {
        let (part, act, discard, state) = (part.to_vec(), act.take(), discard.clone(), group.state);
        messages += store
            .act(move |tx| {
                Box::pin(async move {
                    audit::append(tx, act.into_iter().collect()).await?;
                    Ok(give_up(tx, &discard, undo, part, Some(state)).await?.len() as u64)
                })
            })
            .await?;
    }
    Ok(Discarded { messages, undo })
}

/// Discards those that are open, in this state where one is named, and remembers what they were.
async fn give_up(
    tx: &mut Tx<'_>,
    discard: &Discard,
    undo: [u8; 16],
    sequences: Vec<u64>,
    state: Option<&'static str>,
) -> Result<Vec<EventId>, StoreError> {
    let school = discard.place.0;
    let sql = "SELECT sequence, event_id, state, reason, settled_ms FROM events
               WHERE school_id = $1 AND state IN ('pending', 'parked', 'held') AND ($2 = '' OR state = $2)
                 AND sequence IN {list}";
    let list = sequences.into_iter().map(Value::from).collect();
    let rows = tx.conn.query_list(sql, vec![school.into(), state.unwrap_or_default().into()], list).await?;
    let (mut given_up, mut open, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in rows {
        let sequence: u64 = row.take(0)?;
        given_up.push(row.take(1)?);
        open.push(Value::from(sequence));
        let (state, why): (String, String) = (row.take(2)?, row.take(3)?);
        before.extend([Value::from(&undo), school.into(), sequence.into(), tx.now_ms.into(), state.into(), why.into()]);
        before.push(row.take::<Option<i64>>(4)?.into());
    }
    if given_up.is_empty() {
        return Ok(given_up);
    }
    let head = "INSERT INTO discards (discard_id, school_id, sequence, at_ms, state, reason, settled_ms)";
    tx.conn.insert_many(head, "", 7, before).await?;
    let sql = "UPDATE events SET state = 'discarded', reason = $2, settled_ms = $3
               WHERE school_id = $1 AND sequence IN {list} RETURNING sequence";
    tx.conn.query_list(sql, vec![school.into(), (&discard.reason).into(), tx.now_ms.into()], open).await?;
    tx.after_commit(Committed::Reload(school));
    Ok(given_up)
}

/// What taking a discard back did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// As they were before.
    pub restored: u64,
    /// Needless by now.
    pub superseded: u64,
}

/// Takes a discard back. What was sent again meanwhile stays as it is.
pub async fn undo(
    store: &Store,
    (school, district): (SchoolId, DistrictId),
    undo: [u8; 16],
    actor: &str,
) -> Result<Undone, StoreError> {
    let sql = "SELECT COUNT(*) FROM discards WHERE discard_id = $1 AND school_id = $2 AND at_ms >= $3";
    let values = vec![(&undo).into(), school.into(), (store.now_ms() - UNDO_MS).into()];
    let row = store.reader().await?.query_optional(sql, values).await?;
    let kept: u64 = row.map_or(Ok(0), |mut row| row.take(0))?;
    if kept == 0 {
        let message = "the discard is over 10 minutes old, or was taken back already: resend the messages instead";
        return Err(Refusal::precondition(message).into());
    }
    let act = AuditAct::in_district(district, actor, "messages.discard_undone", school);
    let mut act = Some(act.with_detail(format!("{kept} messages")));
    let mut undone = Undone::default();
    loop {
        let act = act.take();
        let part = store.act(move |tx| Box::pin(restore_part(tx, school, undo, act))).await?;
        let Some(part) = part else { return Ok(undone) };
        undone.restored += part.restored;
        undone.superseded += part.superseded;
    }
}

async fn restore_part(
    tx: &mut Tx<'_>,
    school: SchoolId,
    undo: [u8; 16],
    act: Option<AuditAct>,
) -> Result<Option<Undone>, StoreError> {
    audit::append(tx, act.into_iter().collect()).await?;
    let sql = "DELETE FROM discards WHERE discard_id = $1 AND sequence IN
                 (SELECT sequence FROM discards WHERE discard_id = $1 AND school_id = $2 ORDER BY sequence LIMIT $3)
               RETURNING sequence, state, reason, settled_ms";
    let rows = tx.conn.query(sql, vec![(&undo).into(), school.into(), (PART as u64).into()]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let (mut list, mut before) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len() * 5));
    for mut row in rows {
        let sequence: u64 = row.take(0)?;
        list.push(Value::from(sequence));
        let (state, why): (String, String) = (row.take(1)?, row.take(2)?);
        before.extend([Value::from(school), sequence.into(), state.into(), why.into()]);
        before.push(row.take::<Option<i64>>(3)?.into());
    }
    // The rule of a delivery and of a withdrawal: what came later made it needless.
    let sql = "UPDATE events SET state = 'superseded', reason = 'later_version_delivered', settled_ms = $2
               WHERE school_id = $1 AND state = 'discarded' AND sequence IN {list}
                 AND EXISTS (SELECT 1 FROM events l WHERE l.school_id = events.school_id
                     AND l.student_id = events.student_id AND l.sequence > events.sequence
                     AND (l.state = 'delivered' OR l.event_type IN ('student.withdrawn', 'student.deleted')))
               RETURNING sequence";
    let needless: Vec<Row> = tx.conn.query_list(sql, vec![school.into(), tx.now_ms.into()], list).await?;
    let restored = tx
        .conn
        .insert_many(
            "UPDATE events SET state = v.column3, reason = v.column4, settled_ms = v.column5 FROM (",
            ") AS v WHERE events.school_id = v.column1 AND events.sequence = v.column2 AND events.state = 'discarded'
                AND EXISTS (SELECT 1 FROM event_bodies b WHERE b.event_id = events.event_id)",
            5,
            before,
        )
        .await?;
    tx.after_commit(Committed::Reload(school));
    Ok(Some(Undone { restored, superseded: needless.len() as u64 }))
}

/// Forgets discards that cannot be taken back any more: some of them.
pub async fn purge(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "DELETE FROM discards WHERE (discard_id, sequence) IN
               (SELECT discard_id, sequence FROM discards WHERE at_ms < $1 LIMIT $2)";
    tx.conn.execute(sql, vec![(tx.now_ms - UNDO_MS).into(), FORGET.into()]).await.map(drop)
}
