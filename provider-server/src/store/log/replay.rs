//! Sending many messages again: counted exactly first, then queued in bounded acts.
//!
//! A replay concerns what is meant to arrive: superseded, discarded and erased messages are left out, and so is what
//! waits for its first try anyway. Who has left the school is not told of again, and a purged body cannot be sent: such
//! messages are refused, and counted.

use std::sync::Arc;

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{
    BUDGET, StoreError, cancel,
    groups::Group,
    heads,
    resends::{self, Request, ResendId},
    search::Range,
};
use crate::{
    error::{Refusal, RefusalKind},
    model::{delivery::Trigger, log_filter::LogFilter},
    store::{
        Committed, Conn, Store, Tx,
        audit::{self, AuditAct},
    },
};

/// Messages in one replay.
const MAX_MESSAGES: usize = 500_000;
/// Messages in one act.
const PART: usize = 1_024;
const COLUMNS: &str = "SELECT e.sequence, CASE WHEN b.event_id IS NULL OR (COALESCE(p.present, 0) = 0
        AND e.event_type IN ('student.created', 'student.updated', 'student.enrolled')) THEN 1 ELSE 0 END";
const JOINED: &str = " LEFT JOIN event_bodies b ON b.event_id = e.event_id
    LEFT JOIN school_students p ON p.school_id = e.school_id AND p.sourced_id = e.sourced_id";
const DUE: &str = " AND (e.state IN ('delivered', 'parked', 'held') OR (e.state = 'pending' AND e.tries > 0))";

/// Which messages are sent again.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// By their last attempt; the empty filter asks nothing of it.
    pub filter: LogFilter,
    /// Made at or after, Unix ms.
    pub since_ms: Option<i64>,
    /// With a higher sequence.
    pub after_sequence: Option<u64>,
    /// Of this group; nothing else is asked of them.
    pub group: Option<Group>,
}

/// What a replay does, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Names it, for a cancel; zeros where nothing was queued.
    pub replay: ResendId,
    /// Messages queued.
    pub messages: u64,
    /// Left out because the student has left the school or the body was purged.
    pub refused: u64,
    /// Whether it was cancelled before everything was queued.
    pub cancelled: bool,
}

/// Sends again what is selected; with `dry_run` only counts.
pub async fn replay(
    store: &Store,
    (school, district): (SchoolId, DistrictId),
    selection: Selection,
    actor: &str,
    dry_run: bool,
) -> Result<Replayed, StoreError> {
    let asks = !selection.filter.is_empty() || selection.since_ms.is_some() || selection.after_sequence.is_some();
    // Who only counts may count everything.
    if !asks && selection.group.is_none() && !dry_run {
        return Err(Refusal::field("filter", "give a filter or a time: a replay of everything is not meant").into());
    }
    if asks && selection.group.is_some() {
        return Err(Refusal::field("group", "stands instead of a filter and a time: give one of them").into());
    }
    let (selected, now_ms) = (selection.clone(), store.now_ms());
    // Of one moment: what is attempted again meanwhile is otherwise neither among the old attempts nor among the new ones.
    let counted = store.snapshot(move |conn| Box::pin(async move { select(conn, school, &selected, now_ms).await }));
    let (sequences, refused) = counted.await?;
    let messages = sequences.len() as u64;
    if dry_run || sequences.is_empty() {
        return Ok(Replayed { messages, refused, ..Replayed::default() });
    }
    let replay = store.shared().entropy.bytes();
    let mut replayed = Replayed { replay, refused, ..Replayed::default() };
    let detail = format!("{messages} messages, {}", describe(&selection));
    let act = AuditAct::in_district(district, actor, "messages.replayed", school).with_detail(detail);
    let actor: Arc<str> = actor.into();
    let who = actor.clone();
    store.act(move |tx| Box::pin(async move { begin(tx, school, replay, &who, act).await })).await?;
    for part in sequences.chunks(PART) {
        let (part, who) = (part.to_vec(), actor.clone());
        let asked = part.len() as u64;
        let queued = store.act(move |tx| Box::pin(async move { queue(tx, school, replay, &who, part).await })).await?;
        let Some(queued) = queued else {
            replayed.cancelled = true;
            break;
        };
        replayed.messages += queued;
        // A student left, or a message was superseded, since the count.
        replayed.refused += asked - queued;
    }
    Ok(replayed)
}

fn describe(selection: &Selection) -> String {
    let mut parts = Vec::new();
    if !selection.filter.is_empty() {
        parts.push(format!("filter {}", selection.filter));
    }
    if let Some(ms) = selection.since_ms {
        parts.push(format!("since {}", jiff::Timestamp::from_millisecond(ms).unwrap_or_default()));
    }
    if let Some(sequence) = selection.after_sequence {
        parts.push(format!("after sequence {sequence}"));
    }
    if let Some(group) = &selection.group {
        parts.push(format!("group {group}"));
    }
    parts.join(", ")
}

/// The sequences that are sent again, in order, and the number of those refused.
async fn select(
    conn: &mut Conn,
    school: SchoolId,
    selection: &Selection,
    now_ms: i64,
) -> Result<(Vec<u64>, u64), StoreError> {
    let (mut sequences, mut refused) = (Vec::new(), 0);
    let mut take = |rows: Vec<crate::store::Row>| {
        for mut row in rows {
            match row.take(1)? {
                true => refused += 1,
                false => sequences.push(row.take(0)?),
            }
        }
        if sequences.len() > MAX_MESSAGES {
            let message = format!("more than {MAX_MESSAGES} messages match: narrow the filter or the time");
            return Err(StoreError::from(Refusal::new(RefusalKind::Exhausted, message)));
        }
        Ok(())
    };
    if let Some(group) = &selection.group {
        by_group(conn, school, group, &mut take).await?;
    } else if selection.filter.is_empty() {
        by_sequence(conn, school, selection, &mut take).await?;
    } else {
        by_attempts(conn, school, selection, now_ms, &mut take).await?;
    }
    sequences.sort_unstable();
    Ok((sequences, refused))
}

async fn by_group(
    conn: &mut Conn,
    school: SchoolId,
    group: &Group,
    take: &mut impl FnMut(Vec<crate::store::Row>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let part = group.part(conn, school, after).await?;
        let (Some(first), Some(last)) = (part.first(), part.last()) else { return Ok(()) };
        after = *last;
        let statement = super::condition::Statement::new(COLUMNS).sql(" FROM events e").sql(JOINED);
        let statement = statement.sql(" WHERE e.school_id = ").bind(school).sql(" AND e.sequence >= ").bind(*first);
        take(group.condition(statement.sql(" AND e.sequence <= ").bind(after)).query(conn).await?)?;
    }
}

async fn by_sequence(
    conn: &mut Conn,
    school: SchoolId,
    selection: &Selection,
    take: &mut impl FnMut(Vec<crate::store::Row>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let head = heads(conn, school).await?.sequence;
    let mut range = Range::between(school, selection.after_sequence.unwrap_or(0).saturating_add(1), head + 1);
    if let Some(since_ms) = selection.since_ms {
        range = range.of_messages_since(conn, since_ms).await?;
    }
    while !range.is_empty() {
        let part = range.cut_oldest(BUDGET);
        let statement = super::condition::Statement::new(COLUMNS).sql(" FROM events e").sql(JOINED);
        let statement = statement.sql(" WHERE e.school_id = ").bind(school).sql(" AND e.sequence >= ").bind(part.from);
        let statement = statement.sql(" AND e.sequence < ").bind(part.to).sql(DUE);
        take(statement.created_since(selection.since_ms).query(conn).await?)?;
    }
    Ok(())
}

/// Through the log, because the filter is about last attempts.
async fn by_attempts(
    conn: &mut Conn,
    school: SchoolId,
    selection: &Selection,
    now_ms: i64,
    take: &mut impl FnMut(Vec<crate::store::Row>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let head = heads(conn, school).await?.log_sequence;
    let mut range = Range::of(conn, school, &selection.filter, now_ms, head + 1).await?;
    let select = format!("{COLUMNS} FROM attempts a CROSS JOIN events e{JOINED}");
    while !range.is_empty() {
        let part = range.newest_part(conn, BUDGET).await?;
        range.to = part.from;
        let statement = part.bounded(&select).sql(" AND e.event_id = a.event_id").sql(DUE);
        let statement = statement.created_since(selection.since_ms);
        let statement = match selection.after_sequence {
            Some(sequence) => statement.sql(" AND e.sequence > ").bind(sequence),
            None => statement,
        };
        let statement = statement.filter(&selection.filter, now_ms).sql(
            " AND NOT EXISTS (SELECT 1 FROM attempts later WHERE later.event_id = a.event_id
                AND later.log_sequence > a.log_sequence)",
        );
        take(statement.query(conn).await?)?;
    }
    Ok(())
}

async fn begin(
    tx: &mut Tx<'_>,
    school: SchoolId,
    replay: ResendId,
    actor: &str,
    act: AuditAct,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO replays (replay_id, school_id, at_ms, actor) VALUES ($1, $2, $3, $4)";
    let values = vec![(&replay).into(), school.into(), tx.now_ms.into(), actor.to_owned().into()];
    tx.conn.execute(sql, values).await?;
    audit::append(tx, vec![act]).await
}

/// Queues a part of it; `None` once it was cancelled.
async fn queue(
    tx: &mut Tx<'_>,
    school: SchoolId,
    id: ResendId,
    actor: &str,
    sequences: Vec<u64>,
) -> Result<Option<u64>, StoreError> {
    tx.lock_schools([school]).await?;
    if !cancel::goes_on(tx, id).await? {
        return Ok(None);
    }
    // The rules once more: the count was made before this transaction.
    let queued = resends::queue(tx, Request { id, school, trigger: Trigger::Replay, actor }, sequences).await?;
    if !queued.is_empty() {
        tx.after_commit(Committed::Reload(school));
    }
    Ok(Some(queued.len() as u64))
}
