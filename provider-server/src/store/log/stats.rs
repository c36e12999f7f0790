//! Figures of a school over a time.

use rollcall_proto::id::SchoolId;

use super::{Conn, StoreError, heads, search::Range};
use crate::model::log_filter::{LogFilter, Term, Test, When};

/// Attempts that are counted at most: the newest.
const MAX_COUNTED: u64 = 1_000_000;
/// Attempts whose latencies are compared at most: the newest.
const MAX_MEASURED: u64 = 100_000;

/// See the schema.
#[derive(Debug, Default)]
pub struct Stats {
    /// Attempts.
    pub attempts: u64,
    /// By status.
    pub by_status: Vec<(String, u64)>,
    /// By cause, of those that failed.
    pub by_cause: Vec<(String, u64)>,
    /// p50, p95 and p99 of whole attempts, µs; 0 where there are none.
    pub latency_us: [u32; 3],
    /// Messages that wait.
    pub pending: u64,
    /// Messages that rest.
    pub parked: u64,
    /// When the oldest of those that wait was made, Unix ms.
    pub oldest_pending_ms: Option<i64>,
}

/// The figures since a time.
pub async fn stats(conn: &mut Conn, school: SchoolId, since_ms: i64) -> Result<Stats, StoreError> {
    let head = heads(conn, school).await?.log_sequence;
    let filter = LogFilter { terms: vec![Term { excluded: false, test: Test::Since(When::At(since_ms)) }] };
    let range = Range::of(conn, school, &filter, since_ms, head + 1).await?;
    let mut stats = Stats::default();
    let counted = range.newest_part(conn, MAX_COUNTED).await?;
    let statement = counted.bounded("SELECT a.status, a.cause, COUNT(*) FROM attempts a").filter(&filter, since_ms);
    let rows = statement.sql(" GROUP BY a.status, a.cause ORDER BY a.status, a.cause").query(conn).await?;
    for mut row in rows {
        let (status, cause, count): (String, String, u64) = (row.take(0)?, row.take(1)?, row.take(2)?);
        stats.attempts += count;
        add(&mut stats.by_status, status, count);
        if !cause.is_empty() {
            add(&mut stats.by_cause, cause, count);
        }
    }
    let measured = range.newest_part(conn, MAX_MEASURED).await?;
    stats.latency_us = percentiles(conn, measured, &filter, since_ms).await?;

    // The condition of the index of what is open, and a bound on its second column: without it, SQLite takes the index by
    // student and reads every message that there ever was.
    let sql = "SELECT state, COUNT(*) FROM events
               WHERE school_id = $1 AND sequence > 0 AND state IN ('pending', 'parked', 'held') GROUP BY state";
    for mut row in conn.query(sql, vec![school.into()]).await? {
        let (state, count): (String, u64) = (row.take(0)?, row.take(1)?);
        match state.as_str() {
            "pending" => stats.pending = count,
            "parked" => stats.parked = count,
            _ => {}
        }
    }
    let sql = "SELECT created_ms FROM events WHERE school_id = $1 AND state IN ('pending', 'parked', 'held')
               AND state = 'pending' ORDER BY sequence LIMIT 1";
    let row = conn.query_optional(sql, vec![school.into()]).await?;
    stats.oldest_pending_ms = row.map(|mut row| row.take(0)).transpose()?;
    Ok(stats)
}

fn add(counts: &mut Vec<(String, u64)>, name: String, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known += count,
        None => counts.push((name, count)),
    }
}

async fn percentiles(conn: &mut Conn, range: Range, filter: &LogFilter, since_ms: i64) -> Result<[u32; 3], StoreError> {
    let counted = range.bounded("SELECT COUNT(*) FROM attempts a").filter(filter, since_ms).query(conn).await?;
    let count: u64 = counted.into_iter().next().map_or(Ok(0), |mut row| row.take(0))?;
    let mut latencies = [0; 3];
    for (latency, percent) in latencies.iter_mut().zip([50, 95, 99]) {
        // The nearest rank.
        let rank = (count * percent).div_ceil(100).max(1);
        let statement = range.bounded("SELECT a.latency_us FROM attempts a").filter(filter, since_ms);
        let statement = statement.sql(" ORDER BY a.latency_us LIMIT 1 OFFSET ").bind(rank - 1);
        let row = statement.query(conn).await?.into_iter().next();
        *latency = row.map_or(Ok(0), |mut row| row.take(0))?;
    }
    Ok(latencies)
}
