//! The writing connection: batches in one transaction, few large statements.

use std::collections::HashMap;

use bytes::Bytes;
use rollcall_proto::{id::EventId, webhook::event::EventType};
use sqlx::{Connection, Row, SqliteConnection};

use super::{
    StoreFailure,
    rows::{MAX_ROWS, RowsStatement},
};
use crate::{
    inbox::{
        Recorded,
        plan::{Plan, StudentRow},
        window::Window,
    },
    receive::message::Content,
    secrets::Identity,
};

/// Refused requests kept in the record.
pub const REFUSED_KEPT: i64 = 10_000;
/// Answered requests kept in the record.
pub const RECORDED_KEPT: u64 = 1_000_000;
/// Checkpoints kept for a version that reads them.
const CHECKPOINTS_KEPT: i64 = 100;
const PURGE_ROWS: i64 = 2_000;
const PURGE_ROUNDS: usize = 30;

static SEEN: RowsStatement =
    RowsStatement::new("INSERT INTO seen (event_id, body_sha256) VALUES", 2, "ON CONFLICT DO NOTHING");
static FIND_SEEN: RowsStatement =
    RowsStatement::new("SELECT event_id, body_sha256 FROM seen WHERE (event_id) IN (VALUES", 1, ")");
static FIND_VERSIONS: RowsStatement =
    RowsStatement::new("SELECT sourced_id, version FROM student WHERE (sourced_id) IN (VALUES", 1, ")");
static STUDENTS: RowsStatement = RowsStatement::new(
    "INSERT INTO student (sourced_id, version, gone, json, search, received_at_ms) VALUES",
    6,
    "ON CONFLICT (sourced_id) DO UPDATE SET version = excluded.version, gone = excluded.gone, json = excluded.json, \
     search = excluded.search, received_at_ms = excluded.received_at_ms WHERE excluded.version > student.version",
);
static KEPT: RowsStatement =
    RowsStatement::new("INSERT INTO kept (event_id, event_type, body, received_at_ms) VALUES", 4, "");
static ALERTS: RowsStatement = RowsStatement::new("INSERT INTO alert (at_ms, message_id, words) VALUES", 3, "");
static RECEIVED: RowsStatement = RowsStatement::new(
    "INSERT INTO received (number, at_ms, verdict, event_type, sequence, message_id, result, code, latency_us, \
     student_sourced_id) VALUES",
    10,
    "",
);

/// The one connection that writes.
pub struct WriteStore {
    connection: SqliteConnection,
}

impl WriteStore {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self { connection }
    }

    /// Which of these ids were here before, with the digest of the body that came then.
    pub async fn seen(
        &mut self,
        ids: impl Iterator<Item = EventId>,
    ) -> Result<HashMap<EventId, [u8; 32]>, StoreFailure> {
        let ids: Vec<EventId> = ids.collect();
        let mut found = HashMap::new();
        for chunk in ids.chunks(MAX_ROWS) {
            let mut query = sqlx::query(FIND_SEEN.text(chunk.len()));
            for id in chunk {
                query = query.bind(&id.as_bytes()[..]);
            }
            for row in query.fetch_all(&mut self.connection).await? {
                let (id, sha256): (Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
                let id = EventId::from_slice(&id).ok_or_else(|| damaged("seen.event_id"))?;
                found.insert(id, sha256.try_into().map_err(|_| damaged("seen.body_sha256"))?);
            }
        }
        Ok(found)
    }

    /// The versions held of these students; absent where nothing is held.
    pub async fn versions(&mut self, sourced_ids: &[&str]) -> Result<Vec<(String, u64)>, StoreFailure> {
        let mut found = Vec::new();
        for chunk in sourced_ids.chunks(MAX_ROWS) {
            let mut query = sqlx::query(FIND_VERSIONS.text(chunk.len()));
            for sourced_id in chunk {
                query = query.bind(*sourced_id);
            }
            for row in query.fetch_all(&mut self.connection).await? {
                found.push((row.try_get(0)?, row.try_get::<i64, _>(1)? as u64));
            }
        }
        Ok(found)
    }

    /// Writes a batch in one transaction. False, and nothing written, where one of the ids was here before.
    pub async fn write(
        &mut self,
        plan: &Plan<'_>,
        window: Option<&Window>,
        records: &[Recorded],
        first_number: u64,
        now_ms: i64,
    ) -> Result<bool, StoreFailure> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let written = self.write_rows(plan, window, records, first_number, now_ms).await;
        self.end(written).await
    }

    async fn write_rows(
        &mut self,
        plan: &Plan<'_>,
        window: Option<&Window>,
        records: &[Recorded],
        first_number: u64,
        now_ms: i64,
    ) -> Result<bool, StoreFailure> {
        let connection = &mut self.connection;
        for chunk in plan.seen.chunks(MAX_ROWS) {
            let mut query = sqlx::query(SEEN.text(chunk.len()));
            for (id, sha256) in chunk {
                query = query.bind(&id.as_bytes()[..]).bind(&sha256[..]);
            }
            if query.execute(&mut *connection).await?.rows_affected() < chunk.len() as u64 {
                return Ok(false);
            }
        }
        write_students(connection, &plan.students, now_ms).await?;
        for chunk in plan.kept.chunks(MAX_ROWS) {
            let mut query = sqlx::query(KEPT.text(chunk.len()));
            for (id, event_type, body) in chunk {
                query = query.bind(&id.as_bytes()[..]).bind(*event_type).bind(*body).bind(now_ms);
            }
            query.execute(&mut *connection).await?;
        }
        for chunk in plan.alerts.chunks(MAX_ROWS) {
            let mut query = sqlx::query(ALERTS.text(chunk.len()));
            for (id, words) in chunk {
                query = query.bind(now_ms).bind(id.to_string()).bind(words);
            }
            query.execute(&mut *connection).await?;
        }
        let mut number = first_number as i64;
        for chunk in records.chunks(MAX_ROWS) {
            let mut query = sqlx::query(RECEIVED.text(chunk.len()));
            for record in chunk {
                query = query
                    .bind(number)
                    .bind(record.at_ms)
                    .bind(i64::from(record.verdict as u8))
                    .bind(&record.event_type)
                    .bind(record.sequence as i64)
                    .bind(&record.message_id)
                    .bind(&record.result)
                    .bind(i64::from(record.code))
                    .bind(i64::from(record.latency_us))
                    .bind(&record.student_sourced_id);
                number += 1;
            }
            query.execute(&mut *connection).await?;
        }
        if let Some(window) = window {
            sqlx::query("UPDATE receiver SET contiguous = $1, ranges = $2")
                .bind(window.contiguous() as i64)
                .bind(window.ranges_text())
                .execute(&mut *connection)
                .await?;
        }
        Ok(true)
    }

    /// Commits what was written, or rolls back.
    async fn end(&mut self, written: Result<bool, StoreFailure>) -> Result<bool, StoreFailure> {
        let result = match written {
            Ok(true) => match sqlx::query("COMMIT").execute(&mut self.connection).await {
                Ok(_) => return Ok(true),
                Err(error) => Err(error.into()),
            },
            other => other,
        };
        // SQLite may have rolled back by itself; then there is nothing to roll back, which is no failure.
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        result
    }

    /// Notes whose data this is and where the window stands.
    pub async fn identify(&mut self, identity: &Identity, window: &Window) -> Result<(), StoreFailure> {
        sqlx::query(
            "UPDATE receiver SET school_id = $1, school_sourced_id = $2, school_name = $3, district_sourced_id = $4, \
             contiguous = $5, ranges = $6",
        )
        .bind(&identity.school_id)
        .bind(&identity.school_sourced_id)
        .bind(&identity.school_name)
        .bind(&identity.district_sourced_id)
        .bind(window.contiguous() as i64)
        .bind(window.ranges_text())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Kept messages whose type this version applies, oldest first.
    pub async fn kept_of_known_type(&mut self) -> Result<Vec<(EventId, Bytes)>, StoreFailure> {
        let rows = sqlx::query("SELECT event_id, event_type, body FROM kept WHERE event_type LIKE 'student.%'")
            .fetch_all(&mut self.connection)
            .await?;
        let mut kept = Vec::new();
        for row in rows {
            let (id, event_type, body): (Vec<u8>, String, Vec<u8>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if EventType::parse(&event_type).is_some_and(|t| t.carries_student() || t.ends_access()) {
                kept.push((EventId::from_slice(&id).ok_or_else(|| damaged("kept.event_id"))?, body.into()));
            }
        }
        kept.sort_by_key(|(id, _)| *id);
        Ok(kept)
    }

    /// Applies a kept message and forgets that it was kept.
    pub async fn apply_kept(
        &mut self,
        id: EventId,
        content: &Content,
        versions: &HashMap<String, u64>,
        now_ms: i64,
    ) -> Result<(), StoreFailure> {
        let row = match content {
            Content::Student { sourced_id, version, json, search } => {
                StudentRow { sourced_id, version: *version, here: Some((json, search)) }
            }
            Content::Gone { sourced_id, version } => StudentRow { sourced_id, version: *version, here: None },
            Content::Test | Content::Unknown(_) => return Ok(()),
        };
        let stale = versions.get(row.sourced_id).is_some_and(|held| row.version <= *held);
        let rows = if stale { Vec::new() } else { vec![row] };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let mut written = write_students(&mut self.connection, &rows, now_ms).await;
        if written.is_ok() {
            let forget = sqlx::query("DELETE FROM kept WHERE event_id = $1").bind(&id.as_bytes()[..]);
            written = forget.execute(&mut self.connection).await.map(drop).map_err(StoreFailure::from);
        }
        self.end(written.map(|()| true)).await.map(drop)
    }

    /// Drops the oldest rows of the record, in bounded steps.
    pub async fn purge(&mut self, newest: u64) -> Result<(), StoreFailure> {
        let oldest = newest.saturating_sub(RECORDED_KEPT) as i64;
        for _ in 0..PURGE_ROUNDS {
            let old = sqlx::query(
                "DELETE FROM received WHERE number IN \
                 (SELECT number FROM received WHERE number <= $1 ORDER BY number LIMIT $2)",
            );
            let refused = sqlx::query(
                "DELETE FROM received WHERE number IN (SELECT number FROM received WHERE verdict >= 2 \
                 ORDER BY number DESC LIMIT $2 OFFSET $1)",
            );
            let old = old.bind(oldest).bind(PURGE_ROWS).execute(&mut self.connection).await?;
            let refused = refused.bind(REFUSED_KEPT).bind(PURGE_ROWS).execute(&mut self.connection).await?;
            if old.rows_affected() + refused.rows_affected() < PURGE_ROWS as u64 {
                break;
            }
        }
        sqlx::query(
            "DELETE FROM kept WHERE event_id IN (SELECT event_id FROM kept WHERE event_type = 'roster.checkpoint' \
             ORDER BY event_id DESC LIMIT 1000 OFFSET $1)",
        )
        .bind(CHECKPOINTS_KEPT)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Writes the log back into the database and closes.
    pub async fn close(self) {
        // Best effort: what is committed is safe in the log.
        let _ = self.connection.close().await;
    }
}

async fn write_students(
    connection: &mut SqliteConnection,
    students: &[StudentRow<'_>],
    now_ms: i64,
) -> Result<(), StoreFailure> {
    for chunk in students.chunks(MAX_ROWS) {
        let mut query = sqlx::query(STUDENTS.text(chunk.len()));
        for row in chunk {
            let (json, search) = row.here.unwrap_or_default();
            query = query
                .bind(row.sourced_id)
                .bind(row.version as i64)
                .bind(i64::from(row.here.is_none()))
                .bind(json)
                .bind(search)
                .bind(now_ms);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn damaged(what: &str) -> StoreFailure {
    StoreFailure::Fatal(format!("the database is damaged ({what}): restore the data directory from a backup"))
}
