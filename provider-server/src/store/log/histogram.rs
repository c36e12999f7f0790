//! Attempts over a time, counted by bucket and status. Whole hours without a filter come from the counters that are kept
//! for them; everything else is counted in the log, under a budget.

use rollcall_proto::id::SchoolId;

use super::{
    Conn, Row, StoreError, began_ms,
    condition::Statement,
    heads,
    search::{Narrow, Range},
};
use crate::model::{
    buckets::Buckets,
    log_filter::{AttemptStatus, LogFilter, Term, Test, When},
};

/// Rows of the log that one histogram counts at most: the newest.
const MAX_COUNTED: u64 = 200_000;
/// The same where a filter names its rows.
const MAX_NAMED: usize = 10_000;

/// Counts by status, in the order of [`AttemptStatus::ALL`].
pub type Counts = [u64; AttemptStatus::ALL.len()];

/// See the module.
pub struct Histogram {
    /// One for each bucket.
    pub counts: Vec<Counts>,
    /// Set where the budget ended first: only attempts since this time were counted, Unix ms.
    pub searched_until_ms: Option<i64>,
}

/// Counts the attempts that match.
pub async fn histogram(
    conn: &mut Conn,
    school: SchoolId,
    filter: &LogFilter,
    now_ms: i64,
    buckets: Buckets,
) -> Result<Histogram, StoreError> {
    let mut histogram = Histogram { counts: vec![Counts::default(); buckets.count], searched_until_ms: None };
    if filter.is_empty() && buckets.hold_whole_hours() {
        let sql = "SELECT (hour_ms - $2) / $3, status, CAST(SUM(attempts) AS BIGINT) FROM attempt_hours
                   WHERE school_id = $1 AND hour_ms >= $2 AND hour_ms < $4 GROUP BY 1, 2";
        let (from, until) = (buckets.from_ms.into(), buckets.until_ms().into());
        let rows = conn.query(sql, vec![school.into(), from, buckets.length_ms.into(), until]).await?;
        rows.into_iter().try_for_each(|row| histogram.take(row))?;
        return Ok(histogram);
    }
    let within = |test| Term { excluded: false, test };
    let mut filter = filter.clone();
    filter.terms.push(within(Test::Since(When::At(buckets.from_ms))));
    filter.terms.push(within(Test::Until(When::At(buckets.until_ms()))));
    let end = heads(conn, school).await?.log_sequence + 1;
    let range = Range::of(conn, school, &filter, now_ms, end).await?;
    match Narrow::find(conn, school, &filter).await? {
        Some(narrow) => {
            let attempts = narrow.rows(conn, &filter, now_ms, &range, MAX_NAMED).await?;
            for attempt in &attempts {
                histogram.add(buckets.place(attempt.at_ms), &attempt.status, 1)?;
            }
            let all = attempts.len() < MAX_NAMED;
            histogram.searched_until_ms = attempts.last().map(|oldest| oldest.at_ms).filter(|_| !all);
        }
        None => {
            let part = range.newest_part(conn, MAX_COUNTED).await?;
            let select = Statement::new("SELECT (a.at_ms - ").bind(buckets.from_ms).sql(") / ").bind(buckets.length_ms);
            let counted = part.bound(select.sql(", a.status, COUNT(*) FROM attempts a")).filter(&filter, now_ms);
            let rows = counted.sql(" GROUP BY 1, 2").query(conn).await?;
            rows.into_iter().try_for_each(|row| histogram.take(row))?;
            if part.from > range.from {
                histogram.searched_until_ms = began_ms(conn, school, part.from).await?;
            }
        }
    }
    Ok(histogram)
}

impl Histogram {
    /// A row of (bucket, status, count).
    fn take(&mut self, mut row: Row) -> Result<(), StoreError> {
        let (place, status, count): (usize, String, u64) = (row.take(0)?, row.take(1)?, row.take(2)?);
        self.add(Some(place), &status, count)
    }

    fn add(&mut self, place: Option<usize>, status: &str, count: u64) -> Result<(), StoreError> {
        let known = AttemptStatus::ALL.iter().position(|known| known.as_str() == status);
        let known = known.ok_or(StoreError::Corrupt("an attempt has an unknown status"))?;
        if let Some(counts) = place.and_then(|place| self.counts.get_mut(place)) {
            counts[known] += count;
        }
        Ok(())
    }
}
