//! What waits, kept once an hour, so that the dashboard can tell what it was a day ago.

use std::collections::HashMap;

use rollcall_proto::id::SchoolId;

use super::{Conn, DAY_MS, Districts, StoreError, Value, within};
use crate::store::{Store, Tx, log::condition::Statement, record::HOUR_MS};

/// For so long an hour is kept.
const KEPT_MS: i64 = 2 * DAY_MS;

/// What waited at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Waiting {
    /// When, Unix ms: the beginning of an hour.
    pub at_ms: i64,
    pub pending: u64,
    pub parked: u64,
    pub held: u64,
    /// When the oldest was made, Unix ms.
    pub oldest_ms: Option<i64>,
}

/// Keeps what waits now, where this hour has not been kept yet and there is a connected school.
pub async fn keep_hour(store: &Store) -> Result<(), StoreError> {
    let now_ms = store.now_ms();
    let hour_ms = now_ms - now_ms.rem_euclid(HOUR_MS);
    let mut conn = store.reader().await?;
    let sql = "SELECT 1 FROM waiting_hours WHERE hour_ms = $1 LIMIT 1";
    if conn.query_optional(sql, vec![hour_ms.into()]).await?.is_some() {
        return Ok(());
    }
    let rows = count(&mut conn, hour_ms).await?;
    drop(conn);
    if rows.is_empty() {
        return Ok(());
    }
    store.act(move |tx| Box::pin(write(tx, hour_ms, rows))).await
}

/// A row for each connected school, counted from the index of what is open.
async fn count(conn: &mut Conn, hour_ms: i64) -> Result<Vec<Value>, StoreError> {
    let sql = "SELECT e.school_id, SUM(CASE WHEN e.state = 'pending' THEN 1 ELSE 0 END),
            SUM(CASE WHEN e.state = 'parked' THEN 1 ELSE 0 END), SUM(CASE WHEN e.state = 'held' THEN 1 ELSE 0 END),
            MIN(e.created_ms)
        FROM schools s CROSS JOIN events e
        WHERE e.school_id = s.school_id AND e.sequence > 0 AND e.state IN ('pending', 'parked', 'held')
        GROUP BY e.school_id";
    let mut open = HashMap::new();
    for mut row in conn.query(sql, vec![]).await? {
        let counts: [i64; 4] = [row.take(1)?, row.take(2)?, row.take(3)?, row.take(4)?];
        open.insert(row.take::<SchoolId>(0)?, counts);
    }
    let sql = "SELECT school_id FROM schools WHERE ever_connected = 1 AND state <> 'deleted' ORDER BY school_id";
    let mut values: Vec<Value> = Vec::new();
    for mut row in conn.query(sql, vec![]).await? {
        let school: SchoolId = row.take(0)?;
        let found = open.get(&school);
        let [pending, parked, held, _] = found.copied().unwrap_or_default();
        values.extend([hour_ms.into(), school.into(), pending.into(), parked.into(), held.into()]);
        values.push(found.map(|[.., oldest_ms]| *oldest_ms).into());
    }
    Ok(values)
}

async fn write(tx: &mut Tx<'_>, hour_ms: i64, rows: Vec<Value>) -> Result<(), StoreError> {
    let head = "INSERT INTO waiting_hours (hour_ms, school_id, pending, parked, held, oldest_ms)";
    // Another server may have been first.
    tx.conn.insert_many(head, "ON CONFLICT (hour_ms, school_id) DO NOTHING", 6, rows).await?;
    let sql = "DELETE FROM waiting_hours WHERE hour_ms < $1";
    tx.conn.execute(sql, vec![(hour_ms - KEPT_MS).into()]).await.map(drop)
}

/// What waited a day before an hour; `None` where that was not kept.
pub(super) async fn day_before(
    conn: &mut Conn,
    districts: &Districts,
    hour_ms: i64,
) -> Result<Option<Waiting>, StoreError> {
    let at_ms = hour_ms - DAY_MS;
    let select = Statement::new(
        "SELECT COUNT(*), CAST(SUM(w.pending) AS BIGINT), CAST(SUM(w.parked) AS BIGINT), CAST(SUM(w.held) AS BIGINT),
            MIN(w.oldest_ms)
         FROM waiting_hours w CROSS JOIN schools s
         WHERE s.school_id = w.school_id AND s.state <> 'deleted' AND w.hour_ms = ",
    );
    let row = within(select.bind(at_ms), districts).query(conn).await?.into_iter().next();
    let Some(mut row) = row else { return Ok(None) };
    if row.take::<u64>(0)? == 0 {
        return Ok(None);
    }
    let waiting =
        Waiting { at_ms, pending: row.take(1)?, parked: row.take(2)?, held: row.take(3)?, oldest_ms: row.take(4)? };
    Ok(Some(waiting))
}
