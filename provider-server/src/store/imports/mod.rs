//! Import runs: their rows, and the one-run-per-district rule. Staged rows are in [`staging`], what a run would do in
//! [`planning`], batches in [`applying`], the way back in [`undo`], findings in [`problems`].
//!
//! | state | phase | who moves it on |
//! |---|---|---|
//! | checking | reading | the upload's own task; failed at the next start |
//! | checking | planning | the worker, from the staged rows, again after a restart |
//! | held | planning | staff |
//! | applying | applying | the worker, from the durable cursor |
//! | undoing | applying | the worker: what is undone leaves `import_changes` in the same transaction |

pub mod applying;
pub mod planning;
pub mod problems;
mod schools;
pub mod staging;
pub mod undo;

use rollcall_proto::id::{DistrictId, RunId};
use serde::{Deserialize, Serialize};

use super::{
    Conn, Row, StoreError, Tx, Value,
    audit::{self, AuditAct},
};
use crate::{
    error::Refusal,
    model::{
        access::Scope,
        holds::{Hold, HoldCode},
        source_row::SourceRules,
    },
};

/// How long a run can be undone, ms.
pub const UNDO_MS: i64 = 24 * 3_600_000;

const COLUMNS: &str =
    "run_id, district_id, state, phase, file_name, profile, version, kind, rows_read, rows_total, counts,
    applied, without_deletions, undo_skipped, error, started_by, started_ms, finished_ms, newest_source_ms";

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Checking,
    Held,
    Applying,
    Applied,
    Failed,
    Discarded,
    Cancelled,
    Undoing,
    Undone,
}

impl RunState {
    const ALL: [Self; 9] = [
        Self::Checking,
        Self::Held,
        Self::Applying,
        Self::Applied,
        Self::Failed,
        Self::Discarded,
        Self::Cancelled,
        Self::Undoing,
        Self::Undone,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Held => "held",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// Whether nothing goes on without staff.
    pub fn rests(self) -> bool {
        !matches!(self, Self::Checking | Self::Applying | Self::Undoing)
    }
}

/// Of the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
    /// Student rows that were skipped for an error.
    pub rejected: u64,
    pub warnings: u64,
    pub errors: u64,
    pub schools_created: u64,
}

/// Of one school: who enters, changes, leaves, stays as is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchoolCounts {
    pub sourced_id: String,
    pub name: String,
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
}

/// What is kept of a run beside its columns. Never personal data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    pub counts: Counts,
    pub schools: Vec<SchoolCounts>,
    holds: Vec<KeptHold>,
    /// What staff saw when they approved.
    approved: Vec<KeptHold>,
    /// The last staged row of the file; planned deletions stand behind it.
    pub staged: u64,
    /// Rows whose student could not be told: absence proves nothing then.
    pub hidden_rows: u64,
    pub birth_dates: bool,
    /// Students and rejected rows of the file.
    pub student_rows: u64,
    /// Of the rejected ones, those that the record's own rules refuse, by the latest plan.
    refused: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptHold {
    code: String,
    message: String,
    figure: u64,
    school: String,
}

impl Detail {
    /// Rows that the reading rejected.
    pub fn rejected_in_file(&self) -> u64 {
        self.counts.rejected.saturating_sub(self.refused)
    }

    /// Counts the rows that the record's own rules refuse as rejected ones, instead of those of the plan before.
    pub fn set_refused(&mut self, rows: u64) {
        self.counts.errors = self.counts.errors.saturating_sub(self.refused) + rows;
        self.counts.rejected = self.rejected_in_file() + rows;
        self.refused = rows;
    }

    /// Why the run waits.
    pub fn holds(&self) -> Vec<Hold> {
        read_holds(&self.holds)
    }

    /// Keeps why the run waits.
    pub fn set_holds(&mut self, holds: &[Hold]) {
        let keep = |hold: &Hold| KeptHold {
            code: hold.code.as_str().into(),
            message: hold.message.clone(),
            figure: hold.figure,
            school: hold.school.clone(),
        };
        self.holds = holds.iter().map(keep).collect();
    }

    /// What staff saw when they approved.
    pub fn approved(&self) -> Vec<Hold> {
        read_holds(&self.approved)
    }

    fn approve(&mut self) {
        self.approved = std::mem::take(&mut self.holds);
    }

    fn to_value(&self) -> Value {
        serde_json::to_string(self).expect("plain numbers and texts have a JSON form").into()
    }
}

fn read_holds(kept: &[KeptHold]) -> Vec<Hold> {
    let read = |hold: &KeptHold| {
        let code = HoldCode::parse(&hold.code)?;
        Some(Hold { code, message: hold.message.clone(), figure: hold.figure, school: hold.school.clone() })
    };
    kept.iter().filter_map(read).collect()
}

/// A run as stored.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub district: DistrictId,
    pub state: RunState,
    pub phase: String,
    pub file_name: String,
    pub profile: String,
    pub version: String,
    pub kind: String,
    pub rows_read: u64,
    pub rows_total: u64,
    pub detail: Detail,
    pub applied: u64,
    pub without_deletions: bool,
    pub undo_skipped: u64,
    pub error: String,
    pub started_by: String,
    pub started_ms: i64,
    pub finished_ms: Option<i64>,
    pub newest_source_ms: Option<i64>,
}

impl Run {
    fn read(mut row: Row) -> Result<Self, StoreError> {
        let state: String = row.take(2)?;
        let state = RunState::ALL.into_iter().find(|known| known.as_str() == state);
        let detail: String = row.take(10)?;
        Ok(Self {
            id: row.take(0)?,
            district: row.take(1)?,
            state: state.ok_or(StoreError::Corrupt("an import run has an unknown state"))?,
            phase: row.take(3)?,
            file_name: row.take(4)?,
            profile: row.take(5)?,
            version: row.take(6)?,
            kind: row.take(7)?,
            rows_read: row.take(8)?,
            rows_total: row.take(9)?,
            detail: serde_json::from_str(&detail).map_err(|_| StoreError::Corrupt("an import run is unreadable"))?,
            applied: row.take(11)?,
            without_deletions: row.take(12)?,
            undo_skipped: row.take(13)?,
            error: row.take(14)?,
            started_by: row.take(15)?,
            started_ms: row.take(16)?,
            finished_ms: row.take(17)?,
            newest_source_ms: row.take(18)?,
        })
    }

    /// How the rows are to be taken.
    pub fn rules(&self, birth_date_allowed: bool) -> SourceRules {
        SourceRules {
            birth_date_allowed,
            birth_dates_read: self.detail.birth_dates,
            bulk: self.kind == "bulk",
            absence_proves_nothing: self.detail.hidden_rows > 0,
        }
    }

    /// Whether the students that are absent from the file are to be deleted.
    pub fn deletes_absent(&self) -> bool {
        self.kind == "bulk" && self.detail.hidden_rows == 0 && !self.without_deletions
    }
}

/// A run to begin.
pub struct NewRun {
    pub district: DistrictId,
    pub actor: String,
    pub file_name: String,
    pub profile: &'static str,
}

/// Refuses where the district has a run under way or held.
pub async fn check_free(conn: &mut Conn, district: DistrictId) -> Result<(), StoreError> {
    let sql = "SELECT run_id, state FROM import_runs
               WHERE district_id = $1 AND state IN ('checking', 'held', 'applying', 'undoing') LIMIT 1";
    let Some(mut row) = conn.query_optional(sql, vec![district.into()]).await? else { return Ok(()) };
    let (run, state): (RunId, String) = (row.take(0)?, row.take(1)?);
    let todo = if state == "held" { "approve or discard it first" } else { "wait for its end, or cancel it" };
    Err(Refusal::precondition(format!("the district has a run already ({run}, {state}): {todo}")).into())
}

/// Begins a run whose zip has arrived whole.
pub async fn register(tx: &mut Tx<'_>, id: RunId, new: NewRun) -> Result<(), StoreError> {
    check_free(tx.conn, new.district).await?;
    let sql = "INSERT INTO import_runs (run_id, district_id, state, phase, file_name, profile, started_by, started_ms)
               VALUES ($1, $2, 'checking', 'reading', $3, $4, $5, $6)";
    let values = vec![
        id.into(),
        new.district.into(),
        new.file_name.into(),
        new.profile.into(),
        (&new.actor).into(),
        tx.now_ms.into(),
    ];
    tx.conn.execute(sql, values).await?;
    let act = AuditAct::in_district(new.district, &new.actor, "import.started", id);
    audit::append(tx, vec![act]).await
}

/// A run by its id, for the server itself.
pub async fn get(conn: &mut Conn, id: RunId) -> Result<Run, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM import_runs WHERE run_id = $1");
    let row = conn.query_optional(&sql, vec![id.into()]).await?;
    Run::read(row.ok_or_else(|| Refusal::not_found("the import run"))?)
}

/// A run that the caller may see; a foreign one answers like an unknown one.
pub async fn find(conn: &mut Conn, scope: &Scope, text: &str) -> Result<Run, StoreError> {
    let unknown = || StoreError::from(Refusal::not_found("the import run"));
    let run = get(conn, text.parse().map_err(|_| unknown())?).await?;
    if scope.includes_district(run.district) { Ok(run) } else { Err(unknown()) }
}

/// Runs of a district, newest first, behind the one given. Ids sort by their birth.
pub async fn list(
    conn: &mut Conn,
    district: DistrictId,
    before: Option<RunId>,
    limit: usize,
) -> Result<Vec<Run>, StoreError> {
    let cursor: Value = before.map_or_else(|| Value::Bytes(vec![0xFF; 17]), Value::from);
    let sql = format!(
        "SELECT {COLUMNS} FROM import_runs WHERE district_id = $1 AND run_id < $2 ORDER BY run_id DESC LIMIT $3"
    );
    let rows = conn.query(&sql, vec![district.into(), cursor, (limit as u64).into()]).await?;
    rows.into_iter().map(Run::read).collect()
}

/// Runs that the worker has to move on, oldest first.
pub async fn with_work(conn: &mut Conn) -> Result<Vec<Run>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM import_runs WHERE state IN ('applying', 'undoing')
             OR (state = 'checking' AND phase = 'planning') ORDER BY run_id LIMIT 100"
    );
    conn.query(&sql, vec![]).await?.into_iter().map(Run::read).collect()
}

/// Runs whose upload was being read.
pub async fn being_read(conn: &mut Conn) -> Result<Vec<RunId>, StoreError> {
    let sql = "SELECT run_id FROM import_runs WHERE state = 'checking' AND phase <> 'planning'";
    conn.query(sql, vec![]).await?.into_iter().map(|mut row| row.take(0)).collect()
}

/// Ends a run that cannot go on. What was applied stays.
pub async fn fail(tx: &mut Tx<'_>, id: RunId, error: String) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'failed', phase = 'done', error = $2, finished_ms = $3
               WHERE run_id = $1 AND state IN ('checking', 'applying') RETURNING district_id";
    let values = vec![id.into(), error.into(), tx.now_ms.into()];
    let Some(mut row) = tx.conn.query_optional(sql, values).await? else { return Ok(()) };
    let act = AuditAct::in_district(row.take(0)?, &actor(id), "import.failed", id);
    audit::append(tx, vec![act]).await
}

/// Who acts where a run does.
pub fn actor(id: RunId) -> String {
    format!("run:{id}")
}

/// Takes a held run up again: it is planned anew, and applied unless a figure grew.
pub async fn approve(tx: &mut Tx<'_>, id: RunId, by: &str, without_deletions: bool) -> Result<(), StoreError> {
    let mut run = in_state(tx, id, &[RunState::Held]).await?;
    run.detail.approve();
    let sql = "UPDATE import_runs SET state = 'checking', phase = 'planning', counts = $2, without_deletions = $3
               WHERE run_id = $1";
    tx.conn.execute(sql, vec![id.into(), run.detail.to_value(), without_deletions.into()]).await?;
    let act = AuditAct::in_district(run.district, by, "import.approved", id);
    let detail = if without_deletions { "without deletions" } else { "" };
    audit::append(tx, vec![act.with_detail(detail)]).await
}

/// Ends a held run; nothing was applied.
pub async fn discard(tx: &mut Tx<'_>, id: RunId, by: &str) -> Result<(), StoreError> {
    let run = in_state(tx, id, &[RunState::Held]).await?;
    end(tx, &run, "discarded", "import.discarded", by, String::new()).await
}

/// Stops a run. What was applied stays, and the run says how much.
pub async fn cancel(tx: &mut Tx<'_>, id: RunId, by: &str) -> Result<(), StoreError> {
    let run = in_state(tx, id, &[RunState::Checking, RunState::Held, RunState::Applying]).await?;
    let error = format!("cancelled: {} changes were applied and stay", run.applied);
    end(tx, &run, "cancelled", "import.cancelled", by, error).await
}

async fn end(
    tx: &mut Tx<'_>,
    run: &Run,
    state: &'static str,
    act: &'static str,
    by: &str,
    error: String,
) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = $2, phase = 'done', error = $3, finished_ms = $4 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.id.into(), state.into(), error.into(), tx.now_ms.into()]).await?;
    let act = AuditAct::in_district(run.district, by, act, run.id).with_detail(format!("{} applied", run.applied));
    audit::append(tx, vec![act]).await
}

/// The run, where it is in one of these states.
async fn in_state(tx: &mut Tx<'_>, id: RunId, states: &[RunState]) -> Result<Run, StoreError> {
    let run = get(tx.conn, id).await?;
    if states.contains(&run.state) {
        return Ok(run);
    }
    let wanted: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let message = format!("the run is {}; this needs one that is {}", run.state.as_str(), wanted.join(" or "));
    Err(Refusal::precondition(message).into())
}

/// Whether the district keeps birth dates.
pub async fn birth_date_allowed(conn: &mut Conn, district: DistrictId) -> Result<bool, StoreError> {
    let sql = "SELECT birth_date FROM districts WHERE district_id = $1";
    let row = conn.query_optional(sql, vec![district.into()]).await?;
    row.ok_or_else(|| Refusal::not_found("the district"))?.take(0)
}
