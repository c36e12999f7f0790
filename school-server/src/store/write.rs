//! The writing connection: batches in one transaction, few large statements. It works in the thread that asks, which is the
//! writer's own, so that a statement costs no hand-over between threads.

use std::{collections::HashMap, path::Path};

use bytes::Bytes;
use rollcall_proto::{id::EventId, webhook::event::EventType};
use rusqlite::{Connection, ToSql, params};

use super::{BUSY_TIMEOUT, StoreFailure, rows::RowsStatement};
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
/// Pages of the write-ahead log between two checkpoints, 4 MiB.
const CHECKPOINT_PAGES: i64 = 1_000;
/// Of the write-ahead log this is kept after a checkpoint.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Cached pages, KiB.
const CACHE_KIB: i64 = 16_384;
/// All texts of this file.
const STATEMENTS: usize = 64;

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
    connection: Connection,
}

impl WriteStore {
    /// Over a database that is migrated already.
    pub(super) fn open(path: &Path) -> Result<Self, StoreFailure> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(Self { connection })
    }

    /// Whether the file opens, but may not be written.
    pub(super) fn is_read_only(&self) -> bool {
        self.connection.is_readonly("main").unwrap_or(false)
    }

    /// Which of these ids were here before, with the digest of the body that came then.
    pub fn seen(&mut self, ids: impl Iterator<Item = EventId>) -> Result<HashMap<EventId, [u8; 32]>, StoreFailure> {
        let ids: Vec<EventId> = ids.collect();
        let mut found = HashMap::new();
        FIND_SEEN.query(
            &self.connection,
            &ids,
            |row, id| row.put(&id.as_bytes()[..]).map(drop),
            |row| {
                let (id, sha256): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let id = EventId::from_slice(&id).ok_or_else(|| damaged("seen.event_id"))?;
                found.insert(id, sha256.try_into().map_err(|_| damaged("seen.body_sha256"))?);
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The versions held of these students; absent where nothing is held.
    pub fn versions(&mut self, sourced_ids: &[&str]) -> Result<Vec<(String, u64)>, StoreFailure> {
        let mut found = Vec::new();
        FIND_VERSIONS.query(
            &self.connection,
            sourced_ids,
            |row, sourced_id| row.put(sourced_id).map(drop),
            |row| {
                found.push((row.get(0)?, row.get::<_, i64>(1)? as u64));
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// Writes a batch in one transaction. False, and nothing written, where one of the ids was here before.
    pub fn write(
        &mut self,
        plan: &Plan<'_>,
        window: Option<&Window>,
        records: &[Recorded],
        first_number: u64,
        now_ms: i64,
    ) -> Result<bool, StoreFailure> {
        self.execute("BEGIN IMMEDIATE", &[])?;
        let written = self.write_rows(plan, window, records, first_number, now_ms);
        self.end(written)
    }

    fn write_rows(
        &mut self,
        plan: &Plan<'_>,
        window: Option<&Window>,
        records: &[Recorded],
        first_number: u64,
        now_ms: i64,
    ) -> Result<bool, StoreFailure> {
        let conn = &self.connection;
        let new = SEEN
            .execute(conn, &plan.seen, |row, (id, sha256)| row.put(&id.as_bytes()[..])?.put(&sha256[..]).map(drop))?;
        if new < plan.seen.len() {
            return Ok(false);
        }
        write_students(conn, &plan.students, now_ms)?;
        KEPT.execute(conn, &plan.kept, |row, (id, event_type, body)| {
            row.put(&id.as_bytes()[..])?.put(event_type)?.put(body)?.put(now_ms).map(drop)
        })?;
        ALERTS.execute(conn, &plan.alerts, |row, (id, words)| {
            row.put(now_ms)?.put(id.to_string())?.put(words).map(drop)
        })?;
        let mut number = first_number as i64;
        RECEIVED.execute(conn, records, |row, record| {
            row.put(number)?.put(record.at_ms)?.put(record.verdict as u8)?.put(&record.event_type)?;
            row.put(record.sequence as i64)?.put(&record.message_id)?.put(&record.result)?.put(record.code)?;
            row.put(record.latency_us)?.put(&record.student_sourced_id)?;
            number += 1;
            Ok(())
        })?;
        if let Some(window) = window {
            let values = params![window.contiguous() as i64, window.ranges_text()];
            self.execute("UPDATE receiver SET contiguous = ?1, ranges = ?2", values)?;
        }
        Ok(true)
    }

    /// Commits what was written, or rolls back.
    fn end(&mut self, written: Result<bool, StoreFailure>) -> Result<bool, StoreFailure> {
        let result = match written {
            Ok(true) => match self.execute("COMMIT", &[]) {
                Ok(_) => return Ok(true),
                Err(error) => Err(error),
            },
            other => other,
        };
        // SQLite may have rolled back by itself; then there is nothing to roll back, which is no failure.
        let _ = self.execute("ROLLBACK", &[]);
        result
    }

    /// After a commit: brings what the log holds into the database, once that is much. SQLite's own checkpoints say nothing
    /// of their failures, and a log that is never brought in grows until the disk is full.
    pub fn checkpoint(&self) -> Result<(), StoreFailure> {
        let pages = |mode: &str| {
            let mut statement = self.connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
            statement.query_row([], |row| row.get::<_, i64>(1))
        };
        // The first only looks.
        if pages("NOOP")? >= CHECKPOINT_PAGES {
            pages("PASSIVE")?;
        }
        Ok(())
    }

    fn execute(&self, text: &str, values: &[&dyn ToSql]) -> Result<usize, StoreFailure> {
        Ok(self.connection.prepare_cached(text)?.execute(values)?)
    }

    /// Notes whose data this is and where the window stands.
    pub fn identify(&mut self, identity: &Identity, window: &Window) -> Result<(), StoreFailure> {
        let Identity { school_id, school_sourced_id, school_name, district_sourced_id, .. } = identity;
        let (contiguous, ranges) = (window.contiguous() as i64, window.ranges_text());
        self.execute(
            "UPDATE receiver SET school_id = ?1, school_sourced_id = ?2, school_name = ?3, district_sourced_id = ?4, \
             contiguous = ?5, ranges = ?6",
            params![school_id, school_sourced_id, school_name, district_sourced_id, contiguous, ranges],
        )?;
        Ok(())
    }

    /// The same for a school that was registered anew: with it goes what is held of the earlier one, all but the record.
    pub fn begin_anew(&mut self, identity: &Identity, window: &Window) -> Result<(), StoreFailure> {
        self.execute("BEGIN IMMEDIATE", &[])?;
        let mut written = self.identify(identity, window);
        for table in ["student", "student_history", "kept"] {
            written = written.and_then(|()| self.execute(&format!("DELETE FROM {table}"), &[]).map(drop));
        }
        self.end(written.map(|()| true)).map(drop)
    }

    /// Kept messages whose type this version applies, oldest first.
    pub fn kept_of_known_type(&mut self) -> Result<Vec<(EventId, Bytes)>, StoreFailure> {
        let text = "SELECT event_id, event_type, body FROM kept WHERE event_type LIKE 'student.%'";
        let mut statement = self.connection.prepare(text)?;
        let mut rows = statement.query([])?;
        let mut kept = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, event_type, body): (Vec<u8>, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if EventType::parse(&event_type).is_some_and(|t| t.carries_student() || t.ends_access()) {
                kept.push((EventId::from_slice(&id).ok_or_else(|| damaged("kept.event_id"))?, body.into()));
            }
        }
        kept.sort_by_key(|(id, _)| *id);
        Ok(kept)
    }

    /// Applies a kept message and forgets that it was kept.
    pub fn apply_kept(
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
        self.execute("BEGIN IMMEDIATE", &[])?;
        let mut written = write_students(&self.connection, &rows, now_ms);
        if written.is_ok() {
            let forget = "DELETE FROM kept WHERE event_id = ?1";
            written = self.execute(forget, params![&id.as_bytes()[..]]).map(drop);
        }
        self.end(written.map(|()| true)).map(drop)
    }

    /// Drops the oldest rows of the record, in bounded steps.
    pub fn purge(&mut self, newest: u64) -> Result<(), StoreFailure> {
        let oldest = newest.saturating_sub(RECORDED_KEPT) as i64;
        for _ in 0..PURGE_ROUNDS {
            let old = "DELETE FROM received WHERE number IN \
                       (SELECT number FROM received WHERE number <= ?1 ORDER BY number LIMIT ?2)";
            let refused = "DELETE FROM received WHERE number IN (SELECT number FROM received WHERE verdict >= 2 \
                           ORDER BY number DESC LIMIT ?2 OFFSET ?1)";
            let old = self.execute(old, params![oldest, PURGE_ROWS])?;
            let refused = self.execute(refused, params![REFUSED_KEPT, PURGE_ROWS])?;
            if old + refused < PURGE_ROWS as usize {
                break;
            }
        }
        self.execute(
            "DELETE FROM kept WHERE event_id IN (SELECT event_id FROM kept WHERE event_type = 'roster.checkpoint' \
             ORDER BY event_id DESC LIMIT 1000 OFFSET ?1)",
            params![CHECKPOINTS_KEPT],
        )?;
        Ok(())
    }

    /// Writes the log back into the database and closes.
    pub fn close(self) {
        // Best effort: what is committed is safe in the log.
        let _ = self.connection.close();
    }
}

fn write_students(conn: &Connection, students: &[StudentRow<'_>], now_ms: i64) -> Result<(), StoreFailure> {
    STUDENTS.execute(conn, students, |row, student| {
        let (json, search) = student.here.unwrap_or_default();
        row.put(student.sourced_id)?.put(student.version as i64)?.put(student.here.is_none())?;
        row.put(json)?.put(search)?.put(now_ms).map(drop)
    })?;
    Ok(())
}

fn damaged(what: &str) -> StoreFailure {
    StoreFailure::Damaged(what.to_owned())
}
