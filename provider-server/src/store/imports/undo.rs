//! The way back, within 24 h: the state before the run becomes a new version of each student that is still as the run
//! left it. What is undone leaves `import_changes` in the same transaction, so a kill resumes exactly.

use rollcall_proto::id::{RunId, StudentId};

use super::{Run, RunState, UNDO_MS, actor, check_free, get};
use crate::{
    error::Refusal,
    model::change::{ChangeAct, ChangeRequest, Origin},
    store::{
        StoreError, Tx,
        audit::{self, AuditAct},
        changes::{self, read_status},
        student_doc,
    },
};

const BATCH: usize = 512;

/// Begins the undo of a run.
pub async fn begin(tx: &mut Tx<'_>, id: RunId, by: &str) -> Result<(), StoreError> {
    let run = super::in_state(tx, id, &[RunState::Applied, RunState::Cancelled]).await?;
    if run.applied == 0 {
        return Err(Refusal::precondition("the run applied nothing: there is nothing to undo").into());
    }
    if run.finished_ms.is_none_or(|finished_ms| tx.now_ms > finished_ms + UNDO_MS) {
        return Err(Refusal::precondition("a run can be undone within 24 hours of its end: correct the source").into());
    }
    check_free(tx.conn, run.district).await?;
    let sql = "UPDATE import_runs SET state = 'undoing', phase = 'applying', error = '' WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into()]).await?;
    audit::append(tx, vec![AuditAct::in_district(run.district, by, "import.undo", id)]).await
}

/// Undoes the next batch. Answers whether there is more.
pub async fn step(tx: &mut Tx<'_>, id: RunId) -> Result<bool, StoreError> {
    let run = get(tx.conn, id).await?;
    if run.state != RunState::Undoing {
        return Ok(false);
    }
    let sql = "SELECT c.student_id, c.version_before, c.version_after, s.sourced_id, s.version, v.status, v.doc
               FROM import_changes c LEFT JOIN students s ON s.student_id = c.student_id
               LEFT JOIN student_versions v ON v.student_id = c.student_id AND v.version = c.version_before
               WHERE c.run_id = $1 ORDER BY c.student_id LIMIT $2";
    let rows = tx.conn.query(sql, vec![id.into(), (BATCH as u64).into()]).await?;
    let finished = rows.len() < BATCH;
    let (mut last, mut skipped, mut requests) = (None, 0u64, Vec::new());
    for mut row in rows {
        last = Some(row.take::<StudentId>(0)?);
        let (before, after): (u64, u64) = (row.take(1)?, row.take(2)?);
        let sourced_id: Option<String> = row.take(3)?;
        let version: Option<u64> = row.take(4)?;
        let Some(sourced_id) = sourced_id.filter(|_| version == Some(after)) else {
            skipped += 1;
            continue;
        };
        let earlier: (Option<String>, Option<String>) = (row.take(5)?, row.take(6)?);
        let act = match earlier {
            _ if before == 0 => ChangeAct::Delete,
            (Some(status), Some(doc)) => ChangeAct::Restore(Box::new(student_doc::read(&doc)?), read_status(&status)?),
            // Its earlier versions were erased.
            _ => {
                skipped += 1;
                continue;
            }
        };
        requests.push(ChangeRequest {
            district: run.district,
            sourced_id,
            act,
            expected_version: Some(after),
            idempotency: None,
            line: None,
        });
    }
    if !requests.is_empty() {
        let origin = Origin { actor: actor(id), kind: "undo", run: Some(id) };
        let outcomes = changes::apply(tx, vec![(origin, requests)]).await?.pop().unwrap_or_default();
        skipped += outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
    }
    if let Some(last) = last {
        let sql = "DELETE FROM import_changes WHERE run_id = $1 AND student_id <= $2";
        tx.conn.execute(sql, vec![id.into(), last.into()]).await?;
    }
    let sql = "UPDATE import_runs SET undo_skipped = undo_skipped + $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into(), skipped.into()]).await?;
    if finished {
        finish(tx, &run).await?;
    }
    Ok(!finished)
}

async fn finish(tx: &mut Tx<'_>, run: &Run) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'undone', phase = 'done', finished_ms = $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), tx.now_ms.into()]).await?;
    let skipped = get(tx.conn, run.id).await?.undo_skipped;
    let act = AuditAct::in_district(run.district, &actor(run.id), "import.undone", run.id);
    audit::append(tx, vec![act.with_detail(format!("{skipped} students left alone"))]).await
}
