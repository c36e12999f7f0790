//! The reading side: pages for the desk and the command line.

use rollcall_proto::webhook::event::StudentObject;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use crate::{
    inbox::{Recorded, window::Window},
    receive::verdict::Verdict,
};

/// Students read at once by an export.
const EXPORT_ROWS: i64 = 500;

/// Connections that only read.
#[derive(Clone)]
pub struct ReadStore {
    pub(super) pool: SqlitePool,
}

/// A student of the roster.
pub struct HeldStudent {
    pub sourced_id: String,
    pub json: String,
    pub received_at_ms: i64,
}

impl HeldStudent {
    /// The record behind the canonical text.
    pub fn object(&self) -> Option<StudentObject> {
        serde_json::from_str(&self.json).ok()
    }
}

/// Counts and marks for the status.
pub struct Figures {
    pub students: u32,
    pub contiguous: u64,
    pub highest: u64,
    pub last_verified_at_ms: Option<i64>,
    pub alerts: u32,
    pub latest_alert: String,
    pub school_sourced_id: String,
    pub district_sourced_id: String,
}

impl ReadStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT contiguous FROM receiver").fetch_one(&self.pool).await.map(drop)
    }

    /// Counts and marks.
    pub async fn figures(&self) -> Result<Figures, sqlx::Error> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM student WHERE gone = 0), contiguous, ranges, \
             (SELECT at_ms FROM received WHERE verdict = 0 ORDER BY number DESC LIMIT 1), \
             (SELECT COUNT(*) FROM alert), \
             COALESCE((SELECT words || ' (' || message_id || ')' FROM alert ORDER BY number DESC LIMIT 1), ''), \
             school_sourced_id, district_sourced_id FROM receiver",
        )
        .fetch_one(&self.pool)
        .await?;
        let contiguous = row.try_get::<i64, _>(1)? as u64;
        let window = Window::from_stored(contiguous, &row.try_get::<String, _>(2)?);
        Ok(Figures {
            students: row.try_get(0)?,
            contiguous,
            highest: window.map_or(contiguous, |window| window.highest()),
            last_verified_at_ms: row.try_get(3)?,
            alerts: row.try_get(4)?,
            latest_alert: row.try_get(5)?,
            school_sourced_id: row.try_get(6)?,
            district_sourced_id: row.try_get(7)?,
        })
    }

    /// Which sequences were received.
    pub async fn window(&self) -> Result<Window, sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        window(&mut conn).await
    }

    /// Students here now after `after`, by sourcedId; `search` is lower-case text, empty for all.
    pub async fn students(&self, after: &str, search: &str, limit: i64) -> Result<Vec<HeldStudent>, sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        students(&mut conn, after, search, limit).await
    }

    /// Hands over all students that are here at one moment, by sourcedId; answers what was received by then.
    pub async fn roster_now(&self, mut take: impl FnMut(&HeldStudent)) -> Result<Window, sqlx::Error> {
        // All that one transaction reads is of the moment of its first read; dropped, it ends.
        let mut moment = self.pool.begin().await?;
        let received = window(&mut moment).await?;
        let mut after = String::new();
        loop {
            let page = students(&mut moment, &after, "", EXPORT_ROWS).await?;
            let Some(last) = page.last() else { return Ok(received) };
            after.clone_from(&last.sourced_id);
            page.iter().for_each(&mut take);
        }
    }

    /// The next students of an export; empty at the end.
    pub async fn export(&self, after: &str) -> Result<Vec<HeldStudent>, sqlx::Error> {
        self.students(after, "", EXPORT_ROWS).await
    }

    /// Recorded requests before `before`, newest first, of these verdicts (none given: any).
    pub async fn events_before(
        &self,
        before: u64,
        verdicts: &[Verdict],
        limit: i64,
    ) -> Result<Vec<(u64, Recorded)>, sqlx::Error> {
        // Only our own numbers become part of the text.
        let list: Vec<String> = verdicts.iter().map(|verdict| (*verdict as u8).to_string()).collect();
        let filter = if list.is_empty() { String::new() } else { format!("AND verdict IN ({})", list.join(",")) };
        let text = format!("{EVENT} WHERE number < $1 {filter} ORDER BY number DESC LIMIT $2");
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let rows = sqlx::query(AssertSqlSafe(text)).bind(before).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(event).collect()
    }

    /// Recorded requests after `after`, oldest first.
    pub async fn events_after(&self, after: u64, limit: i64) -> Result<Vec<(u64, Recorded)>, sqlx::Error> {
        let text = format!("{EVENT} WHERE number > $1 ORDER BY number LIMIT $2");
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = sqlx::query(AssertSqlSafe(text)).bind(after).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(event).collect()
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn window(conn: &mut SqliteConnection) -> Result<Window, sqlx::Error> {
    let row = sqlx::query("SELECT contiguous, ranges FROM receiver").fetch_one(conn).await?;
    let window = Window::from_stored(row.try_get::<i64, _>(0)? as u64, &row.try_get::<String, _>(1)?);
    window.ok_or_else(|| sqlx::Error::Decode("the sequence window is damaged".into()))
}

async fn students(
    conn: &mut SqliteConnection,
    after: &str,
    search: &str,
    limit: i64,
) -> Result<Vec<HeldStudent>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT sourced_id, json, received_at_ms FROM student \
         WHERE gone = 0 AND sourced_id > $1 AND ($2 = '' OR instr(search, $2) > 0) ORDER BY sourced_id LIMIT $3",
    )
    .bind(after)
    .bind(search)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(HeldStudent { sourced_id: row.try_get(0)?, json: row.try_get(1)?, received_at_ms: row.try_get(2)? })
        })
        .collect()
}

pub(super) const EVENT: &str = "SELECT number, at_ms, verdict, event_type, sequence, message_id, result, code, latency_us, \
                     student_sourced_id FROM received";

pub(super) fn event(row: &SqliteRow) -> Result<(u64, Recorded), sqlx::Error> {
    let recorded = Recorded {
        at_ms: row.try_get(1)?,
        verdict: Verdict::from_number(row.try_get(2)?),
        event_type: row.try_get(3)?,
        sequence: row.try_get::<i64, _>(4)? as u64,
        message_id: row.try_get(5)?,
        result: row.try_get(6)?,
        code: row.try_get::<i64, _>(7)? as u16,
        latency_us: row.try_get::<i64, _>(8)? as u32,
        student_sourced_id: row.try_get(9)?,
    };
    Ok((row.try_get::<i64, _>(0)? as u64, recorded))
}
