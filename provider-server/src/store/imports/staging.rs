//! Staged rows: only allowed, normalised fields, sealed with the district's data key, and only until the run rests.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId};

use super::{Detail, Run, RunState, get};
use crate::{
    clock::Entropy,
    model::source_row::SourceStudent,
    sealing::{Place, SealingKey},
    store::{
        Conn, StoreError, Tx, Value,
        keys::{KeyCache, district_scope},
        student_doc,
    },
};

/// Rows that one statement of the clean-up takes.
const CLEAN_ROWS: i64 = 5_000;

const DELETED: u8 = 1;
const STATED: u8 = 2;
const PREFERRED: u8 = 4;
const COMPLETE: u8 = 8;
const KNOWN_ONLY: u8 = 16;

/// Seals the rows of one run; used beside the database, while the file is read.
pub struct Sealer {
    run: RunId,
    key: SealingKey,
    entropy: Entropy,
    rows: u64,
}

impl Sealer {
    /// For a run, with its district's key.
    pub async fn open(tx: &mut Tx<'_>, run: RunId, district: DistrictId) -> Result<Self, StoreError> {
        let key = KeyCache::get_or_create(tx, &district_scope(district)).await?;
        Ok(Self { run, key, entropy: tx.shared.entropy.clone(), rows: 0 })
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// A school of `orgs.csv`.
    pub fn school(&mut self, sourced_id: String, line: u64, name: &str) -> StagedRow {
        self.row("org", sourced_id, line, Some(name.as_bytes()))
    }

    /// A student.
    pub fn student(&mut self, sourced_id: String, line: u64, source: &SourceStudent) -> StagedRow {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let mut plain = vec![
            flag(source.deleted, DELETED)
                | flag(source.stated, STATED)
                | flag(source.preferred_stated, PREFERRED)
                | flag(source.complete, COMPLETE)
                | flag(source.known_only, KNOWN_ONLY),
        ];
        plain.extend_from_slice(student_doc::write(&source.fields).as_bytes());
        self.row("student", sourced_id, line, Some(&plain))
    }

    /// A rejected row: its student is not absent.
    pub fn rejected(&mut self, sourced_id: String, line: u64) -> StagedRow {
        self.row("rejected", sourced_id, line, None)
    }

    fn row(&mut self, kind: &'static str, sourced_id: String, line: u64, plain: Option<&[u8]>) -> StagedRow {
        self.rows += 1;
        let sealed = plain.map(|plain| seal(&self.key, &self.entropy, self.run, self.rows, plain)).unwrap_or_default();
        StagedRow { number: self.rows, kind, sourced_id, line, sealed }
    }
}

/// A row to stage.
pub struct StagedRow {
    number: u64,
    kind: &'static str,
    sourced_id: String,
    line: u64,
    sealed: Vec<u8>,
}

fn with_place<T>(run: RunId, number: u64, use_it: impl FnOnce(Place<'_>) -> T) -> T {
    let mut row = [0; 24];
    row[..16].copy_from_slice(run.as_bytes());
    row[16..].copy_from_slice(&number.to_be_bytes());
    use_it(Place { column: "import_rows.sealed", row: &row })
}

fn seal(key: &SealingKey, entropy: &Entropy, run: RunId, number: u64, plain: &[u8]) -> Vec<u8> {
    with_place(run, number, |place| key.seal(place, plain, entropy))
}

/// What a staged row holds.
pub enum Staged {
    /// A school's name.
    School(String),
    Student(Box<SourceStudent>),
    Rejected,
    /// A planned deletion of a student that is absent from the file.
    Delete,
}

/// Opens what [`Sealer`] sealed.
pub fn open(key: &SealingKey, run: RunId, number: u64, kind: &str, sealed: &[u8]) -> Result<Staged, StoreError> {
    let unreadable = || StoreError::Corrupt("a staged row is unreadable");
    let plain = || with_place(run, number, |place| key.open(place, sealed));
    Ok(match kind {
        "org" => Staged::School(String::from_utf8(plain()?.to_vec()).map_err(|_| unreadable())?),
        "student" => {
            let plain = plain()?;
            let (flags, doc) = plain.split_first().ok_or_else(unreadable)?;
            let doc = std::str::from_utf8(doc).map_err(|_| unreadable())?;
            Staged::Student(Box::new(SourceStudent {
                deleted: flags & DELETED != 0,
                stated: flags & STATED != 0,
                preferred_stated: flags & PREFERRED != 0,
                complete: flags & COMPLETE != 0,
                known_only: flags & KNOWN_ONLY != 0,
                fields: student_doc::read(doc)?,
            }))
        }
        "rejected" => Staged::Rejected,
        "delete" => Staged::Delete,
        _ => return Err(unreadable()),
    })
}

/// Stages rows and says how far the reading is. Answers whether the run is still wanted.
pub async fn stage(tx: &mut Tx<'_>, run: RunId, rows: Vec<StagedRow>, rows_read: u64) -> Result<bool, StoreError> {
    let sql = "UPDATE import_runs SET rows_read = $2 WHERE run_id = $1 AND state = 'checking'";
    if tx.conn.execute(sql, vec![run.into(), rows_read.into()]).await? == 0 {
        return Ok(false);
    }
    let mut values = Vec::with_capacity(rows.len() * 6);
    for row in rows {
        values.extend([run.into(), row.number.into(), row.kind.into(), row.sourced_id.into()]);
        values.extend([row.line.into(), row.sealed.into()]);
    }
    insert(tx.conn, values).await?;
    Ok(true)
}

async fn insert(conn: &mut Conn, values: Vec<Value>) -> Result<(), StoreError> {
    let head = "INSERT INTO import_rows (run_id, row_number, kind, sourced_id, line, sealed)";
    conn.insert_many(head, "", 6, values).await.map(drop)
}

/// What the reading found of the whole file.
pub struct ReadFile {
    pub version: &'static str,
    pub kind: &'static str,
    pub zip_sha256: [u8; 32],
    pub newest_source_ms: Option<i64>,
    pub rows: u64,
    pub detail: Detail,
}

/// The file is read and staged: the worker goes on from here, also after a restart.
pub async fn finish_reading(tx: &mut Tx<'_>, run: RunId, file: ReadFile) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET phase = 'planning', version = $2, kind = $3, zip_sha256 = $4,
                   newest_source_ms = $5, rows_read = $6, rows_total = $6, counts = $7
               WHERE run_id = $1 AND state = 'checking'";
    let values = vec![
        run.into(),
        file.version.into(),
        file.kind.into(),
        file.zip_sha256.into(),
        file.newest_source_ms.into(),
        file.rows.into(),
        file.detail.to_value(),
    ];
    tx.conn.execute(sql, values).await.map(drop)
}

/// Stages planned deletions behind the rows of the file.
pub async fn stage_deletions(
    tx: &mut Tx<'_>,
    run: RunId,
    first: u64,
    sourced_ids: Vec<String>,
) -> Result<(), StoreError> {
    if get(tx.conn, run).await?.state != RunState::Checking {
        return Ok(());
    }
    let mut values = Vec::with_capacity(sourced_ids.len() * 6);
    for (number, sourced_id) in (first..).zip(sourced_ids) {
        values.extend([run.into(), number.into(), "delete".into(), sourced_id.into(), 0u64.into()]);
        values.push(Vec::new().into());
    }
    insert(tx.conn, values).await
}

/// Takes back the deletions of an earlier plan. Answers whether there may be more.
pub async fn unstage_deletions(tx: &mut Tx<'_>, run: &Run) -> Result<bool, StoreError> {
    let last = run.detail.staged as i64;
    let sql = "DELETE FROM import_rows WHERE run_id = $1 AND row_number > $2 AND row_number IN
               (SELECT row_number FROM import_rows WHERE run_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3)";
    let deleted = tx.conn.execute(sql, vec![run.id.into(), last.into(), CLEAN_ROWS.into()]).await?;
    Ok(deleted as i64 == CLEAN_ROWS)
}

/// Runs that rest and still have staged rows.
pub async fn to_clean(conn: &mut Conn) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT r.run_id FROM import_runs r
               WHERE r.state IN ('applied', 'failed', 'discarded', 'cancelled', 'undoing', 'undone')
                 AND EXISTS (SELECT 1 FROM import_rows i WHERE i.run_id = r.run_id) LIMIT 100";
    conn.query(sql, vec![]).await?.into_iter().map(|mut row| row.take(0)).collect()
}

/// Deletes some of a resting run's staged rows. Answers whether there may be more.
pub async fn clean(tx: &mut Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM import_rows WHERE run_id = $1 AND row_number IN
               (SELECT row_number FROM import_rows WHERE run_id = $1 ORDER BY row_number LIMIT $2)";
    let deleted = tx.conn.execute(sql, vec![run.into(), CLEAN_ROWS.into()]).await?;
    Ok(deleted as i64 == CLEAN_ROWS)
}

/// What the reader must know of the district: its schools by sourcedId, and the district's own sourcedId.
pub async fn known_orgs(conn: &mut Conn, district: DistrictId) -> Result<HashMap<String, bool>, StoreError> {
    let sql = "SELECT sourced_id, 1 FROM schools WHERE district_id = $1
               UNION ALL SELECT sourced_id, 0 FROM districts WHERE district_id = $1";
    let rows = conn.query(sql, vec![district.into()]).await?;
    let mut known = HashMap::with_capacity(rows.len());
    for mut row in rows {
        let (sourced_id, is_school) = (row.take(0)?, row.take(1)?);
        *known.entry(sourced_id).or_insert(is_school) |= is_school;
    }
    Ok(known)
}
