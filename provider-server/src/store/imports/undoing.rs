//! Taking a run back: the state before it becomes a new version of each student that is still as the run left it.

use rollcall_proto::id::StudentId;

use super::{Run, UNDO_MS, check_free, keep};
use crate::{
    error::Refusal,
    model::{
        change::{ChangeAct, ChangeRequest, Origin},
        import_run::RunState,
    },
    store::{StoreError, Tx, changes, changes::read_status, student_doc},
};

const BATCH: i64 = 500;
const PURGE: i64 = 5_000;

/// Begins to take back a run, or what a cancelled one applied.
pub async fn begin(tx: &mut Tx<'_>, run: &Run, actor: &str) -> Result<(), StoreError> {
    let did_something = run.state == RunState::Applied || run.state == RunState::Cancelled && run.applied > 0;
    if !did_something {
        let message = format!("the run is {}: only a run that applied something is undone", run.state.as_str());
        return Err(Refusal::precondition(message).into());
    }
    if run.finished_ms.is_none_or(|finished_ms| finished_ms + UNDO_MS < tx.now_ms) {
        return Err(Refusal::precondition("the run was applied more than 24 h ago: it is not undone any more").into());
    }
    tx.lock_district(run.district).await?;
    check_free(tx.conn, run.district).await?;
    let sql =
        "UPDATE import_runs SET state = 'undoing', phase = 'undoing', applied = 0, finished_ms = NULL, node_id = $3
               WHERE run_id = $1 AND state = $2";
    let values = vec![run.id.into(), run.state.as_str().into(), (&tx.shared.node).into()];
    if tx.conn.execute(sql, values).await? == 0 {
        return Err(Refusal::precondition("the run moved on: look at it again").into());
    }
    keep(tx, run.district, actor, "import.undone", run.id, String::new()).await
}

async fn lock_batch(tx: &mut Tx<'_>, run: &Run) -> Result<(), StoreError> {
    tx.lock_run(run.id).await?;
    let sql = "SELECT s.sourced_id FROM import_changes c JOIN students s ON s.student_id = c.student_id
               WHERE c.run_id = $1 ORDER BY c.student_id LIMIT $2";
    let rows = tx.conn.query(sql, vec![run.id.into(), BATCH.into()]).await?;
    let sourced_ids = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<Vec<String>, _>>()?;
    tx.lock_students(run.district, sourced_ids.iter().map(String::as_str)).await
}

/// Takes the next students back; answers whether there may be more. What is done is forgotten with it, so that a kill
/// resumes.
pub async fn undo_batch(tx: &mut Tx<'_>, run: Run) -> Result<bool, StoreError> {
    lock_batch(tx, &run).await?;
    let sql = "SELECT c.student_id, c.version_before, c.version_after, s.sourced_id, s.version, v.status, v.doc
               FROM import_changes c JOIN students s ON s.student_id = c.student_id
               LEFT JOIN student_versions v ON v.student_id = c.student_id AND v.version = c.version_before
               WHERE c.run_id = $1 ORDER BY c.student_id LIMIT $2";
    let rows = tx.conn.query(sql, vec![run.id.into(), BATCH.into()]).await?;
    if rows.is_empty() {
        let sql = "UPDATE import_runs SET state = 'undone', phase = 'done', finished_ms = $2
                   WHERE run_id = $1 AND state = 'undoing'";
        tx.conn.execute(sql, vec![run.id.into(), tx.now_ms.into()]).await?;
        return Ok(false);
    }
    let (mut requests, mut skipped, mut last) = (Vec::with_capacity(rows.len()), 0u64, None);
    for mut row in rows {
        last = Some(row.take::<StudentId>(0)?);
        let (before, after): (u64, u64) = (row.take(1)?, row.take(2)?);
        let (sourced_id, current): (String, u64) = (row.take(3)?, row.take(4)?);
        let (status, doc): (Option<String>, Option<String>) = (row.take(5)?, row.take(6)?);
        let act = match (before, status, doc) {
            (0, ..) => ChangeAct::Delete,
            (_, Some(status), Some(doc)) => {
                ChangeAct::Restore(Box::new(student_doc::read(&doc)?), read_status(&status)?)
            }
            // The earlier version was erased.
            _ => {
                skipped += 1;
                continue;
            }
        };
        if current != after {
            skipped += 1;
            continue;
        }
        requests.push(ChangeRequest {
            district: run.district,
            sourced_id,
            act,
            expected_version: Some(after),
            idempotency: None,
            line: None,
        });
    }
    let origin = Origin { actor: format!("run:{}", run.id), kind: "undo", run: Some(run.id) };
    let outcomes = changes::apply(tx, vec![(origin, requests)]).await?.remove(0);
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    skipped += outcomes.len() as u64 - done;
    let sql = "DELETE FROM import_changes WHERE run_id = $1 AND student_id <= $2";
    tx.conn.execute(sql, vec![run.id.into(), last.into()]).await?;
    let sql = "UPDATE import_runs SET applied = applied + $2, undo_skipped = undo_skipped + $3 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), done.into(), skipped.into()]).await?;
    Ok(true)
}

/// Forgets, some at a time, what runs did that cannot be undone any more.
pub async fn purge(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "DELETE FROM import_changes WHERE (run_id, student_id) IN
               (SELECT c.run_id, c.student_id FROM import_changes c JOIN import_runs r ON r.run_id = c.run_id
                WHERE r.state IN ('applied', 'cancelled', 'undone') AND r.finished_ms < $1 LIMIT $2)";
    tx.conn.execute(sql, vec![(tx.now_ms - UNDO_MS).into(), PURGE.into()]).await?;
    Ok(())
}
