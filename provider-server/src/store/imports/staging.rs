//! What a file said, sealed with the district's data key until the run is done: normalised fields, never the file.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId};

use super::{Run, lock_checked};
use crate::{
    model::{
        source_row::SourceStudent,
        student::{Status, Student},
    },
    sealing::{Place, SealingKey},
    store::{
        Conn, Row, Shared, StoreError, Tx, Value,
        changes::read_status,
        keys::{KeyCache, district_scope},
        student_doc,
    },
};

/// Rows of one statement that clears.
const CLEAR: i64 = 5_000;
/// Students of one look for absent ones.
const ABSENT: i64 = 1_000;

/// What is staged.
#[derive(Clone)]
pub enum Staged {
    /// A school, by its name.
    School(String),
    /// A student as the file states it.
    Student(Box<SourceStudent>),
    /// A row that was skipped: its student does not count as absent.
    Rejected,
    /// A student who is in use and absent from a whole file.
    Absent,
}

/// A staged row.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct StagedRow {
    /// 1 is the first.
    pub number: u64,
    pub sourced_id: String,
    /// In its file; 0 where it stands in none.
    pub line: u64,
    pub what: Staged,
}

const SCHOOL: &str = "org";
const STUDENT: &str = "student";
const REJECTED: &str = "rejected";
const ABSENT_KIND: &str = "delete";

/// Flags of a student's row.
const DELETED: u8 = 1;
const STATED: u8 = 2;
const PREFERRED_STATED: u8 = 4;
const COMPLETE: u8 = 8;
const KNOWN_ONLY: u8 = 16;

fn place(row: &[u8; 24]) -> Place<'_> {
    Place { column: "import_rows.sealed", row }
}

fn row_key(run: RunId, number: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(run.as_bytes());
    key[16..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Adds rows while the run is being read; answers whether it still is, by this server.
pub async fn add(tx: &mut Tx<'_>, run: &Run, rows: Vec<StagedRow>, rows_read: u64) -> Result<bool, StoreError> {
    if !lock_checked(tx, run.id).await? {
        return Ok(false);
    }
    add_locked(tx, run, rows, rows_read).await?;
    Ok(true)
}

async fn add_locked(tx: &mut Tx<'_>, run: &Run, rows: Vec<StagedRow>, rows_read: u64) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET rows_read = $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), rows_read.into()]).await?;
    let key = KeyCache::get_or_create(tx, &district_scope(run.district)).await?;
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 6);
    for row in rows {
        let (kind, plain) = match row.what {
            Staged::School(name) => (SCHOOL, name.into_bytes()),
            Staged::Student(student) => (STUDENT, write(&student)),
            Staged::Rejected => (REJECTED, Vec::new()),
            Staged::Absent => (ABSENT_KIND, Vec::new()),
        };
        let plain = zeroize::Zeroizing::new(plain);
        let sealed = match plain.is_empty() {
            true => Vec::new(),
            false => key.seal(place(&row_key(run.id, row.number)), &plain, &tx.shared.entropy),
        };
        values.extend([run.id.into(), row.number.into(), kind.into(), row.sourced_id.into()]);
        values.extend([row.line.into(), sealed.into()]);
    }
    let head = "INSERT INTO import_rows (run_id, row_number, kind, sourced_id, line, sealed)";
    tx.conn.insert_many(head, "", 6, values).await.map(drop)
}

fn write(student: &SourceStudent) -> Vec<u8> {
    let flags = [
        (student.deleted, DELETED),
        (student.stated, STATED),
        (student.preferred_stated, PREFERRED_STATED),
        (student.complete, COMPLETE),
        (student.known_only, KNOWN_ONLY),
    ];
    let flags = flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
    let mut plain = vec![flags];
    plain.extend_from_slice(student_doc::write(&student.fields).as_bytes());
    plain
}

fn read(plain: &[u8]) -> Result<SourceStudent, StoreError> {
    let corrupt = || StoreError::Corrupt("a staged row is unreadable");
    let (flags, doc) = plain.split_first().ok_or_else(corrupt)?;
    let has = |flag: u8| flags & flag != 0;
    Ok(SourceStudent {
        deleted: has(DELETED),
        stated: has(STATED),
        preferred_stated: has(PREFERRED_STATED),
        complete: has(COMPLETE),
        known_only: has(KNOWN_ONLY),
        fields: student_doc::read(std::str::from_utf8(doc).map_err(|_| corrupt())?)?,
    })
}

/// The district's data key.
pub async fn key(conn: &mut Conn, shared: &Shared, district: DistrictId) -> Result<SealingKey, StoreError> {
    shared.keys.get(conn, &district_scope(district)).await
}

/// A page of rows that mean something, behind this number.
pub async fn page(
    conn: &mut Conn,
    key: &SealingKey,
    run: RunId,
    after: u64,
    limit: i64,
) -> Result<Vec<StagedRow>, StoreError> {
    let sql = "SELECT row_number, kind, sourced_id, line, sealed FROM import_rows
               WHERE run_id = $1 AND row_number > $2 AND kind <> 'rejected' ORDER BY row_number LIMIT $3";
    let rows = conn.query(sql, vec![run.into(), after.into(), limit.into()]).await?;
    open_rows(key, run, rows)
}

/// The same backwards, before this number; from the last on where none is given.
pub async fn page_back(
    conn: &mut Conn,
    key: &SealingKey,
    run: RunId,
    before: Option<u64>,
    limit: i64,
) -> Result<Vec<StagedRow>, StoreError> {
    let sql = "SELECT row_number, kind, sourced_id, line, sealed FROM import_rows
               WHERE run_id = $1 AND row_number < $2 AND kind <> 'rejected' ORDER BY row_number DESC LIMIT $3";
    let before = before.unwrap_or(i64::MAX as u64);
    let rows = conn.query(sql, vec![run.into(), before.into(), limit.into()]).await?;
    open_rows(key, run, rows)
}

fn open_rows(key: &SealingKey, run: RunId, rows: Vec<Row>) -> Result<Vec<StagedRow>, StoreError> {
    let mut staged = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (number, kind): (u64, String) = (row.take(0)?, row.take(1)?);
        let sealed: Vec<u8> = row.take(4)?;
        let row_key = row_key(run, number);
        let open = || key.open(place(&row_key), &sealed);
        let what = match kind.as_str() {
            SCHOOL => Staged::School(String::from_utf8_lossy(&open()?).into_owned()),
            STUDENT => Staged::Student(Box::new(read(&open()?)?)),
            ABSENT_KIND => Staged::Absent,
            _ => return Err(StoreError::Corrupt("a staged row has an unknown kind")),
        };
        staged.push(StagedRow { number, sourced_id: row.take(2)?, line: row.take(3)?, what });
    }
    Ok(staged)
}

/// The district's students of these sourcedIds.
pub async fn students(
    conn: &mut Conn,
    district: DistrictId,
    ids: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Student>, StoreError> {
    let sql = "SELECT sourced_id, status, version, modified_ms, doc FROM students
               WHERE district_id = $1 AND sourced_id IN {list}";
    let list = ids.map(|id| Value::Text(id.to_owned())).collect();
    let mut students = HashMap::new();
    for mut row in conn.query_list(sql, vec![district.into()], list).await? {
        let student = Student {
            sourced_id: row.take(0)?,
            status: read_status(&row.take::<String>(1)?)?,
            version: row.take(2)?,
            modified_ms: row.take(3)?,
            fields: student_doc::read(&row.take::<String>(4)?)?,
        };
        students.insert(student.sourced_id.clone(), student);
    }
    Ok(students)
}

/// Who is in use and absent from the file, a page at a time, by sourcedId.
pub async fn absent(conn: &mut Conn, run: &Run, after: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT s.sourced_id FROM students s
               WHERE s.district_id = $1 AND s.status = $3 AND s.sourced_id > $4 AND NOT EXISTS
                 (SELECT 1 FROM import_rows r WHERE r.run_id = $2 AND r.sourced_id = s.sourced_id
                  AND r.kind IN ('student', 'rejected'))
               ORDER BY s.sourced_id LIMIT $5";
    let active = Status::Active.as_str();
    let values = vec![run.district.into(), run.id.into(), active.into(), after.to_owned().into(), ABSENT.into()];
    conn.query(sql, values).await?.into_iter().map(|mut row| row.take(0)).collect()
}

/// Stages who is absent behind the rows of the file; answers whether the run is still being planned, by this server.
pub async fn add_absent(tx: &mut Tx<'_>, run: &Run, ids: Vec<String>) -> Result<bool, StoreError> {
    if !lock_checked(tx, run.id).await? {
        return Ok(false);
    }
    let first = last_number(tx.conn, run.id).await? + 1;
    let row =
        |(index, sourced_id)| StagedRow { number: first + index as u64, sourced_id, line: 0, what: Staged::Absent };
    let rows = ids.into_iter().enumerate().map(row).collect();
    add_locked(tx, run, rows, run.rows_read).await?;
    Ok(true)
}

async fn last_number(conn: &mut Conn, run: RunId) -> Result<u64, StoreError> {
    let sql = "SELECT COALESCE(MAX(row_number), 0) FROM import_rows WHERE run_id = $1";
    let row = conn.query_optional(sql, vec![run.into()]).await?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// Forgets some of those who were absent when the run was planned before: they are the last rows. Answers whether there
/// may be more.
pub async fn forget_absent(tx: &mut Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    if !lock_checked(tx, run).await? {
        return Ok(false);
    }
    let from = last_number(tx.conn, run).await?.saturating_sub(CLEAR as u64);
    let sql = "DELETE FROM import_rows WHERE run_id = $1 AND row_number > $2 AND kind = 'delete'";
    Ok(tx.conn.execute(sql, vec![run.into(), from.into()]).await? > 0)
}

/// A run whose staged rows are of no use any more.
pub async fn any_left(conn: &mut Conn) -> Result<Option<RunId>, StoreError> {
    let sql = "SELECT r.run_id FROM import_runs r
               WHERE r.state NOT IN ('checking', 'held', 'applying')
                 AND EXISTS (SELECT 1 FROM import_rows x WHERE x.run_id = r.run_id) LIMIT 1";
    let row = conn.query_optional(sql, vec![]).await?;
    row.map(|mut row| row.take(0)).transpose()
}

/// Deletes some of a run's staged rows; answers whether any were left.
pub async fn clear(tx: &mut Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM import_rows WHERE run_id = $1 AND row_number IN
               (SELECT row_number FROM import_rows WHERE run_id = $1 ORDER BY row_number LIMIT $2)";
    Ok(tx.conn.execute(sql, vec![run.into(), CLEAR.into()]).await? > 0)
}
