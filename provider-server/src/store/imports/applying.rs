//! A staged run becomes true: schools, then students, then the deletions, in batches with a durable cursor. A kill at
//! any point loses nothing and doubles nothing.

use std::collections::HashMap;

use rollcall_proto::id::StudentId;

use super::{Run, keep, problems, staging};
use crate::{
    crash,
    error::Refusal,
    model::{
        change::{ChangeAct, ChangeRequest, Origin},
        import_run::RunState,
        source_row::act_of,
        student::{Status, Student},
    },
    oneroster::{Code, Problem, Severity},
    store::{StoreError, Tx, Value, changes, schools},
};
use staging::{Staged, StagedRow};

/// Rows of one transaction: other callers wait no longer than for these.
const BATCH: i64 = 500;

/// Applies the next rows; answers whether there may be more.
pub async fn apply_batch(tx: &mut Tx<'_>, run: Run, birth_date: bool) -> Result<bool, StoreError> {
    tx.lock_run(run.id).await?;
    let sql = "SELECT apply_cursor FROM import_runs WHERE run_id = $1 AND state = $2";
    let row = tx.conn.query_optional(sql, vec![run.id.into(), RunState::Applying.as_str().into()]).await?;
    let Some(mut row) = row else { return Ok(false) };
    let cursor: u64 = row.take(0)?;
    let key = staging::key(tx.conn, tx.shared, run.district).await?;
    let rows = staging::page(tx.conn, &key, run.id, cursor, BATCH).await?;
    let Some(last) = rows.last().map(|row| row.number) else {
        finish(tx, &run).await?;
        return Ok(false);
    };
    let (names, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| matches!(row.what, Staged::School(_)));
    create_schools(tx, &run, names).await?;
    let applied = apply_students(tx, &run, rows, birth_date).await?;
    let sql = "UPDATE import_runs SET apply_cursor = $2, applied = applied + $3 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), last.into(), applied.into()]).await?;
    crash::point("apply");
    Ok(true)
}

/// Schools that the district does not have yet; they have no connection.
async fn create_schools(tx: &mut Tx<'_>, run: &Run, rows: Vec<StagedRow>) -> Result<(), StoreError> {
    let actor = format!("run:{}", run.id);
    for row in rows {
        let Staged::School(name) = row.what else { continue };
        let sql = "SELECT 1 FROM schools WHERE district_id = $1 AND sourced_id = $2";
        let known = tx.conn.query_optional(sql, vec![run.district.into(), (&row.sourced_id).into()]).await?;
        if known.is_none() {
            schools::create(tx, &actor, run.district, &name, &row.sourced_id).await?;
        }
    }
    Ok(())
}

async fn apply_students(tx: &mut Tx<'_>, run: &Run, rows: Vec<StagedRow>, birth_date: bool) -> Result<u64, StoreError> {
    tx.lock_students(run.district, rows.iter().map(|row| row.sourced_id.as_str())).await?;
    let known = staging::students(tx.conn, run.district, rows.iter().map(|row| row.sourced_id.as_str())).await?;
    let mut requests: Vec<ChangeRequest> = Vec::with_capacity(rows.len());
    for row in rows {
        let current = known.get(&row.sourced_id);
        let Some(act) = act(run, current, row.what, birth_date) else { continue };
        requests.push(ChangeRequest {
            district: run.district,
            sourced_id: row.sourced_id,
            act,
            expected_version: None,
            idempotency: None,
            line: Some(row.line).filter(|line| *line > 0),
        });
    }
    let places: Vec<(String, u64)> =
        requests.iter().map(|request| (request.sourced_id.clone(), request.line.unwrap_or(0))).collect();
    let origin = Origin { actor: format!("run:{}", run.id), kind: "import", run: Some(run.id) };
    let outcomes = changes::apply(tx, vec![(origin, requests)]).await?.remove(0);
    let (mut changed, mut refused) = (Vec::new(), Vec::new());
    for ((sourced_id, line), outcome) in places.into_iter().zip(outcomes) {
        match outcome {
            Ok(outcome) if outcome.change.is_some() => {
                // Not what was known above: another call may have made the student since.
                let after = outcome.student.version;
                changed.push((sourced_id, after - 1, after));
            }
            Ok(_) => {}
            Err(refusal) => refused.push(refused_row(sourced_id, line, &refusal)),
        }
    }
    problems::add_refused(tx, run.id, refused).await?;
    let applied = changed.len() as u64;
    remember(tx, run, changed).await?;
    Ok(applied)
}

/// What a staged row asks for now.
pub fn act(run: &Run, current: Option<&Student>, what: Staged, birth_date: bool) -> Option<ChangeAct> {
    let act = match what {
        Staged::Student(source) => act_of(current, *source, run.plan.source.rules(birth_date))?,
        Staged::Absent => ChangeAct::Delete,
        Staged::School(_) | Staged::Rejected => return None,
    };
    if matches!(act, ChangeAct::Delete) {
        let in_use = current.is_some_and(|student| student.status == Status::Active);
        return Some(act).filter(|_| in_use && !run.without_deletions);
    }
    Some(act)
}

/// A row that the rules of the record refuse. Its words name fields, never values.
pub fn refused_row(sourced_id: String, line: u64, refusal: &Refusal) -> Problem {
    let field = refusal.violations.first().map(|violation| violation.field.clone()).unwrap_or_default();
    let problem = Problem::new(Severity::Error, "users.csv", Code::RecordRefused).line(line).field(field);
    Problem { sourced_id, ..problem.detail(&refusal.message) }
}

/// Keeps what the run did to whom, for an undo.
async fn remember(tx: &mut Tx<'_>, run: &Run, changed: Vec<(String, u64, u64)>) -> Result<(), StoreError> {
    let sql = "SELECT sourced_id, student_id FROM students WHERE district_id = $1 AND sourced_id IN {list}";
    let list = changed.iter().map(|(sourced_id, ..)| Value::from(sourced_id)).collect();
    let mut ids: HashMap<String, StudentId> = HashMap::with_capacity(changed.len());
    for mut row in tx.conn.query_list(sql, vec![run.district.into()], list).await? {
        ids.insert(row.take(0)?, row.take(1)?);
    }
    let mut values: Vec<Value> = Vec::with_capacity(changed.len() * 4);
    for (sourced_id, before, after) in changed {
        let id = *ids.get(&sourced_id).ok_or(StoreError::Corrupt("a student that was just written is not there"))?;
        values.extend([run.id.into(), id.into(), before.into(), after.into()]);
    }
    let head = "INSERT INTO import_changes (run_id, student_id, version_before, version_after)";
    tx.conn.insert_many(head, "", 4, values).await?;
    Ok(())
}

async fn finish(tx: &mut Tx<'_>, run: &Run) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'applied', phase = 'done', finished_ms = $2, zip_sha256 = $3,
               newest_source_ms = $4 WHERE run_id = $1";
    let plan = &run.plan;
    let values = vec![run.id.into(), tx.now_ms.into(), plan.sha256.clone().into(), plan.newest_source_ms.into()];
    tx.conn.execute(sql, values).await?;
    let counts = plan.counts;
    let deleted = if run.without_deletions { 0 } else { counts.deleted };
    let detail = format!("{} created, {} updated, {deleted} deleted", counts.created, counts.updated);
    keep(tx, run.district, &run.started_by, "import.applied", run.id, detail).await
}
