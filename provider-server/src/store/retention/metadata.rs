//! The log itself: attempts, messages and hourly counts of a school from the oldest on, and answers to idempotency keys.

use rollcall_proto::id::SchoolId;

use super::{BATCH, Conn, Purged, StoreError};
use crate::{
    crash,
    model::retention::IDEMPOTENCY_MS,
    store::{Store, Tx},
};

/// Mostly the oldest row is young, and no other is looked at.
const LOOKS: [u64; 2] = [1, BATCH];

/// The end of a batch of a school: everything up to it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Attempts up to this log sequence.
    Attempt(u64),
    /// Messages up to this sequence.
    Event(u64),
    /// Counts up to the hour that began then, Unix ms.
    Hour(i64),
}

/// The oldest attempts of a school, where they began at or before a time.
pub async fn attempts(conn: &mut Conn, school: SchoolId, before_ms: i64) -> Result<Option<Until>, StoreError> {
    let sql = "SELECT log_sequence, at_ms FROM attempts WHERE school_id = $1 ORDER BY log_sequence LIMIT $2";
    let mut until = None;
    for limit in LOOKS {
        for mut row in conn.query(sql, vec![school.into(), limit.into()]).await? {
            if row.take::<i64>(1)? > before_ms {
                return Ok(until);
            }
            until = Some(Until::Attempt(row.take(0)?));
        }
    }
    Ok(until)
}

/// The oldest messages of a school, where they rest since a time and no attempt of them is kept.
pub async fn events(conn: &mut Conn, school: SchoolId, before_ms: i64) -> Result<Option<Until>, StoreError> {
    let sql = "SELECT e.sequence, CASE WHEN e.state NOT IN ('pending', 'parked', 'held') AND e.created_ms <= $2
                   AND COALESCE(e.settled_ms, e.created_ms) <= $2
                   AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.event_id = e.event_id)
                   AND NOT EXISTS (SELECT 1 FROM event_bodies b WHERE b.event_id = e.event_id) THEN 1 ELSE 0 END
               FROM events e WHERE e.school_id = $1 ORDER BY e.sequence LIMIT $3";
    let mut until = None;
    for limit in LOOKS {
        for mut row in conn.query(sql, vec![school.into(), before_ms.into(), limit.into()]).await? {
            if !row.take::<bool>(1)? {
                return Ok(until);
            }
            until = Some(Until::Event(row.take(0)?));
        }
    }
    Ok(until)
}

/// The oldest counts of a school, where their hour began at or before a time.
pub async fn hours(conn: &mut Conn, school: SchoolId, before_ms: i64) -> Result<Option<Until>, StoreError> {
    let sql = "SELECT hour_ms FROM attempt_hours WHERE school_id = $1 AND hour_ms <= $2 ORDER BY hour_ms LIMIT $3";
    let rows = conn.query(sql, vec![school.into(), before_ms.into(), BATCH.into()]).await?;
    rows.into_iter().next_back().map(|mut row| row.take(0).map(Until::Hour)).transpose()
}

impl Until {
    /// Deletes the batch. A message that was asked for again since the look stays, and with it what comes after it.
    pub async fn purge(self, tx: &mut Tx<'_>, school: SchoolId) -> Result<Purged, StoreError> {
        tx.lock_schools([school]).await?;
        crash::point("purge");
        let mut purged = Purged::default();
        purged.rows = match self {
            Self::Attempt(last) => {
                let values = || vec![school.into(), last.into()];
                let sql = "DELETE FROM attempt_answers WHERE school_id = $1 AND log_sequence <= $2";
                purged.answers = tx.conn.execute(sql, values()).await?;
                tx.conn.execute("DELETE FROM attempts WHERE school_id = $1 AND log_sequence <= $2", values()).await?
            }
            Self::Event(last) => {
                let sql = "DELETE FROM resends WHERE event_id IN (SELECT event_id FROM events
                           WHERE school_id = $1 AND sequence <= $2 AND state NOT IN ('pending', 'parked', 'held'))";
                tx.conn.execute(sql, vec![school.into(), last.into()]).await?;
                let sql = "DELETE FROM events WHERE school_id = $1 AND sequence <= $2
                             AND state NOT IN ('pending', 'parked', 'held')";
                tx.conn.execute(sql, vec![school.into(), last.into()]).await?
            }
            Self::Hour(last) => {
                let sql = "DELETE FROM attempt_hours WHERE school_id = $1 AND hour_ms <= $2";
                tx.conn.execute(sql, vec![school.into(), last.into()]).await?
            }
        };
        Ok(purged)
    }
}

/// Answers that no repeated request is given any more; `None` where there are none.
pub async fn purge_idempotency(store: &Store, now_ms: i64) -> Result<Option<Purged>, StoreError> {
    let before_ms = now_ms - IDEMPOTENCY_MS;
    let sql = "SELECT 1 FROM idempotency WHERE created_ms <= $1 LIMIT 1";
    if store.reader().await?.query_optional(sql, vec![before_ms.into()]).await?.is_none() {
        return Ok(None);
    }
    let purge = store.act(move |tx| {
        Box::pin(async move {
            crash::point("purge");
            let sql = "DELETE FROM idempotency WHERE (credential, district_id, idempotency_key) IN
                       (SELECT credential, district_id, idempotency_key FROM idempotency WHERE created_ms <= $1
                        ORDER BY created_ms LIMIT $2)";
            tx.conn.execute(sql, vec![before_ms.into(), BATCH.into()]).await
        })
    });
    Ok(Some(Purged { rows: purge.await?, ..Purged::default() }))
}
