//! What a held run would do to whom: the plan again, for a page of staged rows.

use crate::{
    error::Refusal,
    model::{
        change::{self, ChangeRequest},
        import_run::RunState,
        planned_change::{ChangeKind, PlannedChange, schools_of},
    },
    store::{
        Store, StoreError,
        imports::{
            Run,
            applying::act,
            staging::{self, Staged},
            surroundings,
        },
    },
};

/// Staged rows read together, and in one page at most.
const ROWS: i64 = 1_000;
const MAX_ROWS: usize = 10_000;

/// What is asked for.
pub struct Asked {
    /// One kind only; deletions come in the reverse order of the file, because most of them stand at its end.
    pub kind: Option<ChangeKind>,
    /// Only students who are at the school of this sourcedId before or after; empty for all.
    pub school: String,
    /// Where the page before ended.
    pub after: Option<u64>,
    /// Changes at most.
    pub limit: usize,
}

/// A page of changes with their lines, and where the next begins.
pub struct Page {
    /// The changes; 0 stands for a student who is absent from the file.
    pub changes: Vec<(PlannedChange, u64)>,
    /// `None` at the end.
    pub next: Option<u64>,
}

/// A page of what a held run would do.
pub async fn page(store: &Store, run: &Run, asked: Asked) -> Result<Page, StoreError> {
    if run.state != RunState::Held {
        return Err(Refusal::precondition("only a held run has a plan to look at").into());
    }
    let mut conn = store.reader().await?;
    let birth_date = surroundings::keeps_birth_dates(&mut conn, run.district).await?;
    let key = staging::key(&mut conn, store.shared(), run.district).await?;
    let backwards = asked.kind == Some(ChangeKind::Deleted);
    let (mut changes, mut at, mut looked_at) = (Vec::new(), asked.after, 0);
    while looked_at < MAX_ROWS {
        let rows = match backwards {
            true => staging::page_back(&mut conn, &key, run.id, at, ROWS).await?,
            false => staging::page(&mut conn, &key, run.id, at.unwrap_or(0), ROWS).await?,
        };
        if rows.is_empty() {
            return Ok(Page { changes, next: None });
        }
        looked_at += rows.len();
        let known = staging::students(&mut conn, run.district, rows.iter().map(|row| row.sourced_id.as_str())).await?;
        for row in rows {
            at = Some(row.number);
            if matches!(row.what, Staged::School(_)) {
                continue;
            }
            let before = known.get(&row.sourced_id);
            let Some(act) = act(run, before, row.what, birth_date) else { continue };
            let (district, sourced_id) = (run.district, row.sourced_id);
            let request =
                ChangeRequest { district, sourced_id, act, expected_version: None, idempotency: None, line: None };
            // What the record's rules refuse is among the problems.
            let Ok(after) = change::next(before, request, birth_date) else { continue };
            let is_asked = before != Some(&after)
                && asked.kind.is_none_or(|kind| kind == ChangeKind::of(before, &after))
                && (asked.school.is_empty() || schools_of(before, &after).contains(&asked.school.as_str()));
            if is_asked {
                changes.push((PlannedChange::new(before, &after), row.line));
            }
            if changes.len() == asked.limit {
                return Ok(Page { changes, next: at });
            }
        }
    }
    Ok(Page { changes, next: at })
}
