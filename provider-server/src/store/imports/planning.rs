//! What planning reads: staged rows beside the records that are there, those absent from the file, and the figures of
//! the district. Pages, on a reader: nothing here holds the writer.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId, StudentId};

use super::{Run, RunState, get, problems::Refused, staging};
use crate::{
    model::{holds::Hold, student::Student},
    sealing::SealingKey,
    store::{
        Conn, Row, Shared, StoreError, Tx,
        audit::{self, AuditAct},
        changes::read_status,
        keys::district_scope,
        student_doc,
    },
};

/// A staged row, opened, with the record that is there.
pub struct StagedRecord {
    pub number: u64,
    pub sourced_id: String,
    pub line: u64,
    pub staged: staging::Staged,
    pub current: Option<(StudentId, Student)>,
}

/// The next rows of a run by their numbers, as far as `limit` goes.
pub async fn page(
    conn: &mut Conn,
    key: &SealingKey,
    run: &Run,
    after: u64,
    limit: usize,
) -> Result<Vec<StagedRecord>, StoreError> {
    let sql = "SELECT r.row_number, r.kind, r.sourced_id, r.line, r.sealed,
                      s.student_id, s.status, s.version, s.modified_ms, s.doc
               FROM import_rows r LEFT JOIN students s ON s.district_id = $2 AND s.sourced_id = r.sourced_id
               WHERE r.run_id = $1 AND r.row_number > $3 ORDER BY r.row_number LIMIT $4";
    let values = vec![run.id.into(), run.district.into(), after.into(), (limit as u64).into()];
    let rows = conn.query(sql, values).await?;
    let mut page = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (number, kind, sourced_id): (u64, String, String) = (row.take(0)?, row.take(1)?, row.take(2)?);
        let line = row.take(3)?;
        let staged = staging::open(key, run.id, number, &kind, &row.take::<Vec<u8>>(4)?)?;
        let current = match row.take::<Option<StudentId>>(5)? {
            Some(id) => Some((id, read_student(&mut row, &sourced_id, 6)?)),
            None => None,
        };
        page.push(StagedRecord { number, sourced_id, line, staged, current });
    }
    Ok(page)
}

/// Reads status, version, modified_ms and doc from this column on.
fn read_student(row: &mut Row, sourced_id: &str, from: usize) -> Result<Student, StoreError> {
    Ok(Student {
        sourced_id: sourced_id.to_owned(),
        status: read_status(&row.take::<String>(from)?)?,
        version: row.take(from + 1)?,
        modified_ms: row.take(from + 2)?,
        fields: student_doc::read(&row.take::<String>(from + 3)?)?,
    })
}

/// Students in use that no row of the file is about, by sourcedId. Rejected rows are about somebody too.
pub async fn absent(conn: &mut Conn, run: &Run, after: &str, limit: usize) -> Result<Vec<Student>, StoreError> {
    let sql = "SELECT s.sourced_id, s.status, s.version, s.modified_ms, s.doc FROM students s
               WHERE s.district_id = $2 AND s.sourced_id > $3 AND s.status = 'active' AND NOT EXISTS
                   (SELECT 1 FROM import_rows r WHERE r.run_id = $1 AND r.sourced_id = s.sourced_id
                       AND r.kind IN ('student', 'rejected'))
               ORDER BY s.sourced_id LIMIT $4";
    let values = vec![run.id.into(), run.district.into(), after.to_owned().into(), (limit as u64).into()];
    let mut students = Vec::new();
    for mut row in conn.query(sql, values).await? {
        let sourced_id: String = row.take(0)?;
        students.push(read_student(&mut row, &sourced_id, 1)?);
    }
    Ok(students)
}

/// The key of a run's staged rows.
pub async fn key(conn: &mut Conn, shared: &Shared, district: DistrictId) -> Result<SealingKey, StoreError> {
    shared.keys.get(conn, &district_scope(district)).await
}

/// A school as it is now.
pub struct SchoolNow {
    pub name: String,
    pub students: u64,
}

/// The district's schools by sourcedId, with how many students each has.
pub async fn schools(conn: &mut Conn, district: DistrictId) -> Result<HashMap<String, SchoolNow>, StoreError> {
    let sql = "SELECT c.sourced_id, c.name,
                   (SELECT COUNT(*) FROM school_students p WHERE p.school_id = c.school_id AND p.present = 1)
               FROM schools c WHERE c.district_id = $1";
    let mut schools = HashMap::new();
    for mut row in conn.query(sql, vec![district.into()]).await? {
        schools.insert(row.take(0)?, SchoolNow { name: row.take(1)?, students: row.take(2)? });
    }
    Ok(schools)
}

/// How many students of the district are in use.
pub async fn students(conn: &mut Conn, district: DistrictId) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM students WHERE district_id = $1 AND status = 'active'";
    let row = conn.query_optional(sql, vec![district.into()]).await?;
    row.ok_or(StoreError::Corrupt("a count has no answer"))?.take(0)
}

/// How a file compares with those that were taken before.
pub struct Earlier {
    /// The last run took the same bytes.
    pub same_file: bool,
    /// The newest source date that was accepted, ms.
    pub newest_source_ms: Option<i64>,
}

/// Compares with the runs of the district that applied something.
pub async fn earlier(conn: &mut Conn, run: &Run) -> Result<Earlier, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM import_runs r WHERE r.run_id = $1 AND r.zip_sha256 =
                   (SELECT l.zip_sha256 FROM import_runs l WHERE l.district_id = $2 AND l.run_id < $1
                       AND l.state IN ('applied', 'undone', 'cancelled') ORDER BY l.run_id DESC LIMIT 1)),
                (SELECT MAX(a.newest_source_ms) FROM import_runs a
                   WHERE a.district_id = $2 AND a.run_id < $1 AND a.state = 'applied')";
    let row = conn.query_optional(sql, vec![run.id.into(), run.district.into()]).await?;
    let mut row = row.ok_or(StoreError::Corrupt("a count has no answer"))?;
    Ok(Earlier { same_file: row.take(0)?, newest_source_ms: row.take(1)? })
}

/// Keeps the plan: the run is held, or begins to be applied. Answers false where it was cancelled meanwhile.
pub async fn decide(
    tx: &mut Tx<'_>,
    id: RunId,
    detail: super::Detail,
    holds: Vec<Hold>,
    refused: Vec<Refused>,
) -> Result<bool, StoreError> {
    let run = get(tx.conn, id).await?;
    if run.state != RunState::Checking {
        return Ok(false);
    }
    let mut detail = detail;
    detail.set_holds(&holds);
    let (state, phase) = if holds.is_empty() { ("applying", "applying") } else { ("held", "planning") };
    let sql = "UPDATE import_runs SET state = $2, phase = $3, counts = $4, apply_cursor = 0 WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into(), state.into(), phase.into(), detail.to_value()]).await?;
    super::problems::replace_refused(tx, id, refused).await?;
    if holds.is_empty() {
        return Ok(true);
    }
    let codes: Vec<&str> = holds.iter().map(|hold| hold.code.as_str()).take(20).collect();
    let act = AuditAct::in_district(run.district, &super::actor(id), "import.held", id).with_detail(codes.join(" "));
    audit::append(tx, vec![act]).await?;
    Ok(true)
}
