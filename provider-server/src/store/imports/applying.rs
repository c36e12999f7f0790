//! Applying in batches: the changes, their events, what the run did to whom and the cursor commit together, so that a
//! kill resumes exactly.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId, StudentId};

use super::{
    Run, RunState, UNDO_MS, actor, get, planning,
    problems::{Refused, add_refused},
    schools,
    staging::Staged,
};
use crate::{
    error::Refusal,
    model::{
        change::{ChangeAct, ChangeRequest, Origin},
        source_row::{SourceRules, act_of},
        student::Student,
    },
    store::{
        Conn, StoreError, Tx, Value,
        audit::{self, AuditAct},
        changes,
    },
};

/// Staged rows in one transaction. Callers of the same store wait for it, so it is kept below the limit of a batch.
const BATCH: usize = 512;

/// Applies the next batch. Answers whether there is more.
pub async fn step(tx: &mut Tx<'_>, id: RunId) -> Result<bool, StoreError> {
    let run = get(tx.conn, id).await?;
    if run.state != RunState::Applying {
        return Ok(false);
    }
    let sql = "SELECT apply_cursor FROM import_runs WHERE run_id = $1";
    let row = tx.conn.query_optional(sql, vec![id.into()]).await?;
    let cursor: u64 = row.ok_or_else(|| Refusal::not_found("the import run"))?.take(0)?;
    let rules = run.rules(super::birth_date_allowed(tx.conn, run.district).await?);
    let key = planning::key(tx.conn, tx.shared, run.district).await?;
    let page = planning::page(tx.conn, &key, &run, cursor, BATCH).await?;
    let finished = page.len() < BATCH;
    let cursor = page.last().map_or(cursor, |row| row.number);

    let (mut new_schools, mut requests, mut before) = (Vec::new(), Vec::new(), HashMap::new());
    for row in page {
        let current = row.current.as_ref().map(|(_, student)| student);
        let act = match row.staged {
            Staged::School(name) => {
                new_schools.push((row.sourced_id, name));
                continue;
            }
            staged => act(staged, current, rules, run.without_deletions),
        };
        let Some(act) = act else { continue };
        if let Some((student_id, student)) = &row.current {
            before.insert(row.sourced_id.clone(), (*student_id, student.version));
        }
        requests.push(ChangeRequest {
            district: run.district,
            sourced_id: row.sourced_id,
            act,
            expected_version: None,
            idempotency: None,
            line: Some(row.line).filter(|line| *line > 0),
        });
    }
    let created = schools::create_missing(tx, run.district, new_schools).await?;
    let applied = apply(tx, &run, requests, before).await?;
    let sql = "UPDATE import_runs SET apply_cursor = $2, applied = applied + $3 WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into(), cursor.into(), applied.into()]).await?;
    if created > 0 {
        count_schools(tx, run, created).await?;
    }
    if finished {
        finish(tx, id).await?;
    }
    Ok(!finished)
}

/// The act that a staged row asks for.
pub fn act(
    staged: Staged,
    current: Option<&Student>,
    rules: SourceRules,
    without_deletions: bool,
) -> Option<ChangeAct> {
    let act = match staged {
        Staged::Student(source) => act_of(current, *source, rules)?,
        Staged::Delete => current.map(|_| ChangeAct::Delete)?,
        Staged::School(_) | Staged::Rejected => return None,
    };
    Some(act).filter(|act| !(without_deletions && matches!(act, ChangeAct::Delete)))
}

/// Applies the requests and remembers what they did to whom. Answers how many changed something.
async fn apply(
    tx: &mut Tx<'_>,
    run: &Run,
    requests: Vec<ChangeRequest>,
    before: HashMap<String, (StudentId, u64)>,
) -> Result<u64, StoreError> {
    if requests.is_empty() {
        return Ok(0);
    }
    let asked: Vec<(String, u64)> = requests.iter().map(|r| (r.sourced_id.clone(), r.line.unwrap_or(0))).collect();
    let origin = Origin { actor: actor(run.id), kind: "import", run: Some(run.id) };
    let outcomes = changes::apply(tx, vec![(origin, requests)]).await?.pop().unwrap_or_default();
    let (mut known, mut created, mut refused) = (Vec::new(), HashMap::new(), Vec::new());
    for (outcome, (sourced_id, line)) in outcomes.into_iter().zip(asked) {
        match outcome {
            Ok(outcome) if outcome.change.is_none() => {}
            Ok(outcome) => match before.get(&sourced_id) {
                Some((id, version)) => {
                    known.extend([run.id.into(), (*id).into(), (*version).into(), outcome.student.version.into()]);
                }
                None => {
                    created.insert(sourced_id, outcome.student.version);
                }
            },
            Err(refusal) => refused.push(refused_row(sourced_id, line, &refusal)),
        }
    }
    let changed = (known.len() / 4 + created.len()) as u64;
    for (id, version) in ids_of(tx, run.district, created).await? {
        known.extend([run.id.into(), id.into(), 0u64.into(), version.into()]);
    }
    let head = "INSERT INTO import_changes (run_id, student_id, version_before, version_after)";
    let tail = "ON CONFLICT (run_id, student_id) DO UPDATE SET version_after = excluded.version_after";
    tx.conn.insert_many(head, tail, 4, known).await?;
    add_refused(tx, run.id, refused).await?;
    Ok(changed)
}

/// A row that the record's rules refuse, by its first field at fault.
pub fn refused_row(sourced_id: String, line: u64, refusal: &Refusal) -> Refused {
    let field = refusal.violations.first().map(|violation| violation.field.clone()).unwrap_or_default();
    Refused { line, sourced_id, field, message: refusal.message.clone() }
}

async fn ids_of(
    tx: &mut Tx<'_>,
    district: DistrictId,
    created: HashMap<String, u64>,
) -> Result<Vec<(StudentId, u64)>, StoreError> {
    let sql = "SELECT student_id, sourced_id FROM students WHERE district_id = $1 AND sourced_id IN {list}";
    let list = created.keys().map(Value::from).collect();
    let mut ids = Vec::with_capacity(created.len());
    for mut row in tx.conn.query_list(sql, vec![district.into()], list).await? {
        let (id, sourced_id): (StudentId, String) = (row.take(0)?, row.take(1)?);
        let version = created.get(&sourced_id).ok_or(StoreError::Corrupt("a created student is missing"))?;
        ids.push((id, *version));
    }
    Ok(ids)
}

async fn count_schools(tx: &mut Tx<'_>, run: Run, created: u64) -> Result<(), StoreError> {
    let mut detail = run.detail;
    detail.counts.schools_created += created;
    let sql = "UPDATE import_runs SET counts = $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), detail.to_value()]).await.map(drop)
}

async fn finish(tx: &mut Tx<'_>, id: RunId) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'applied', phase = 'done', finished_ms = $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into(), tx.now_ms.into()]).await?;
    let run = get(tx.conn, id).await?;
    let act = AuditAct::in_district(run.district, &actor(id), "import.applied", id);
    audit::append(tx, vec![act.with_detail(format!("{} changes", run.applied))]).await
}

/// A run that can no longer be undone and is remembered still.
pub async fn to_forget(conn: &mut Conn, now_ms: i64) -> Result<Option<RunId>, StoreError> {
    let sql = "SELECT r.run_id FROM import_runs r
               WHERE r.state IN ('applied', 'cancelled', 'undone', 'failed') AND r.finished_ms < $1
                 AND EXISTS (SELECT 1 FROM import_changes c WHERE c.run_id = r.run_id) LIMIT 1";
    let row = conn.query_optional(sql, vec![(now_ms - UNDO_MS).into()]).await?;
    row.map(|mut row| row.take(0)).transpose()
}

/// Forgets some of what a run did to whom.
pub async fn forget_changes(tx: &mut Tx<'_>, run: RunId) -> Result<(), StoreError> {
    const ROWS: i64 = 5_000;
    let sql = "DELETE FROM import_changes WHERE run_id = $1 AND student_id IN
               (SELECT student_id FROM import_changes WHERE run_id = $1 ORDER BY student_id LIMIT $2)";
    tx.conn.execute(sql, vec![run.into(), ROWS.into()]).await.map(drop)
}
