//! The findings of a run, in the order in which they were met.

use rollcall_proto::id::RunId;

use crate::{
    oneroster::Problem,
    store::{Conn, StoreError, Tx, Value},
};

/// Findings kept of one run; the reader lists at most 10,000 of one code in one file.
const MAX_PROBLEMS: u64 = 200_000;

/// A finding, with its number.
#[allow(missing_docs)]
pub struct KeptProblem {
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

/// Adds findings behind those that are there.
pub async fn add(tx: &mut Tx<'_>, run: RunId, problems: Vec<Problem>) -> Result<(), StoreError> {
    if problems.is_empty() {
        return Ok(());
    }
    let sql = "SELECT COALESCE(MAX(number), 0) FROM import_problems WHERE run_id = $1";
    let row = tx.conn.query_optional(sql, vec![run.into()]).await?;
    let first: u64 = row.map(|mut row| row.take(0)).transpose()?.unwrap_or(0);
    let room = MAX_PROBLEMS.saturating_sub(first) as usize;
    let mut values: Vec<Value> = Vec::with_capacity(problems.len().min(room) * 10);
    for (index, problem) in problems.into_iter().take(room).enumerate() {
        values.extend([run.into(), (first + 1 + index as u64).into(), problem.severity.as_str().into()]);
        values.extend([problem.file.into_owned().into(), problem.line.into(), problem.sourced_id.into()]);
        values.extend([problem.field.into_owned().into(), problem.code.as_str().into(), problem.message.into()]);
        values.push(problem.how_to_fix.into());
    }
    let head = "INSERT INTO import_problems
        (run_id, number, severity, file, line, sourced_id, field, code, message, how_to_fix)";
    tx.conn.insert_many(head, "", 10, values).await?;
    Ok(())
}

/// A page of findings behind this number; `severity` empty means all.
pub async fn list(
    conn: &mut Conn,
    run: RunId,
    severity: &str,
    after: u64,
    limit: i64,
) -> Result<Vec<KeptProblem>, StoreError> {
    let sql = "SELECT number, severity, file, line, sourced_id, field, code, message, how_to_fix FROM import_problems
               WHERE run_id = $1 AND number > $2 AND ($3 = '' OR severity = $3) ORDER BY number LIMIT $4";
    let values = vec![run.into(), after.into(), severity.to_owned().into(), limit.into()];
    let rows = conn.query(sql, values).await?.into_iter();
    rows.map(|mut row| {
        Ok(KeptProblem {
            number: row.take(0)?,
            severity: row.take(1)?,
            file: row.take(2)?,
            line: row.take(3)?,
            sourced_id: row.take(4)?,
            field: row.take(5)?,
            code: row.take(6)?,
            message: row.take(7)?,
            how_to_fix: row.take(8)?,
        })
    })
    .collect()
}
