//! Findings of a run, by file and line. None contains a name.

use std::borrow::Cow;

use rollcall_proto::id::RunId;

use crate::{
    oneroster::{Problem, Severity},
    store::{Conn, StoreError, Tx, Value},
};

/// The code of a row that the record's own rules refuse.
const REFUSED: &str = "student.refused";

/// One finding, as stored.
pub struct StoredProblem {
    /// Grows with every finding of the run.
    pub number: u64,
    pub severity: String,
    pub file: String,
    pub line: u64,
    pub sourced_id: String,
    pub field: String,
    pub code: String,
    pub message: String,
    pub how_to_fix: String,
}

/// A row that the record's own rules refuse.
pub struct Refused {
    pub line: u64,
    pub sourced_id: String,
    /// By its wire name; empty where the row as a whole is meant.
    pub field: String,
    pub message: String,
}

/// Keeps findings, numbered from `first` on.
pub async fn add(tx: &mut Tx<'_>, run: RunId, first: u64, problems: Vec<Problem>) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(problems.len() * 10);
    for (number, problem) in (first..).zip(problems) {
        values.extend([run.into(), number.into(), problem.severity.as_str().into(), text(problem.file)]);
        values.extend([problem.line.into(), problem.sourced_id.into(), text(problem.field)]);
        values.extend([problem.code.as_str().into(), problem.message.into(), problem.how_to_fix.into()]);
    }
    insert(tx.conn, values).await
}

fn text(text: Cow<'static, str>) -> Value {
    match text {
        Cow::Borrowed(text) => text.into(),
        Cow::Owned(text) => text.into(),
    }
}

async fn insert(conn: &mut Conn, values: Vec<Value>) -> Result<(), StoreError> {
    let head = "INSERT INTO import_problems
        (run_id, number, severity, file, line, sourced_id, field, code, message, how_to_fix)";
    conn.insert_many(head, "", 10, values).await.map(drop)
}

/// Keeps the refused rows of a plan instead of those of the plan before.
pub async fn replace_refused(tx: &mut Tx<'_>, run: RunId, refused: Vec<Refused>) -> Result<(), StoreError> {
    let sql = "DELETE FROM import_problems WHERE run_id = $1 AND code = $2";
    tx.conn.execute(sql, vec![run.into(), REFUSED.into()]).await?;
    add_refused(tx, run, refused).await
}

/// Keeps refused rows behind what is there.
pub async fn add_refused(tx: &mut Tx<'_>, run: RunId, refused: Vec<Refused>) -> Result<(), StoreError> {
    if refused.is_empty() {
        return Ok(());
    }
    let sql = "SELECT COALESCE(MAX(number), 0) FROM import_problems WHERE run_id = $1";
    let row = tx.conn.query_optional(sql, vec![run.into()]).await?;
    let last: u64 = row.ok_or(StoreError::Corrupt("a maximum has no answer"))?.take(0)?;
    let mut values = Vec::with_capacity(refused.len() * 10);
    for (number, row) in (last + 1..).zip(refused) {
        values.extend([run.into(), number.into(), Severity::Error.as_str().into(), "users.csv".into()]);
        values.extend([row.line.into(), row.sourced_id.into(), row.field.into(), REFUSED.into()]);
        values.extend([row.message.into(), "correct the row at its source; the student was left as is".into()]);
    }
    insert(tx.conn, values).await
}

/// The next findings by number; `severity` is error, warning or empty for both.
pub async fn page(
    conn: &mut Conn,
    run: RunId,
    severity: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<StoredProblem>, StoreError> {
    let sql = "SELECT number, severity, file, line, sourced_id, field, code, message, how_to_fix FROM import_problems
               WHERE run_id = $1 AND number > $2 AND ($3 = '' OR severity = $3) ORDER BY number LIMIT $4";
    let values = vec![run.into(), after.into(), severity.to_owned().into(), (limit as u64).into()];
    let mut problems = Vec::new();
    for mut row in conn.query(sql, values).await? {
        problems.push(StoredProblem {
            number: row.take(0)?,
            severity: row.take(1)?,
            file: row.take(2)?,
            line: row.take(3)?,
            sourced_id: row.take(4)?,
            field: row.take(5)?,
            code: row.take(6)?,
            message: row.take(7)?,
            how_to_fix: row.take(8)?,
        });
    }
    Ok(problems)
}
