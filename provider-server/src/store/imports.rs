//! Import runs: their rows and problems. What a file said waits in [`staging`]; [`applying`] makes it true and
//! [`undoing`] takes it back.

pub mod applying;
pub mod plan;
pub mod problems;
pub mod staging;
pub mod surroundings;
pub mod undoing;

use rollcall_proto::id::{DistrictId, RunId};

use super::{
    Conn, Row, StoreError, Tx, Value,
    audit::{self, AuditAct},
    nodes,
};
use crate::{
    error::Refusal,
    model::{access::Scope, import_run::RunState},
    oneroster::Problem,
};
use plan::Plan;

/// An applied run can be taken back for so long.
pub const UNDO_MS: i64 = 24 * 3_600 * 1_000;

const COLUMNS: &str = "SELECT run_id, district_id, state, phase, file_name, profile, version, kind, rows_read, counts,
    applied, without_deletions, undo_skipped, error, started_by, started_ms, finished_ms, review FROM import_runs";

/// One run.
#[allow(missing_docs)]
#[derive(Clone)]
pub struct Run {
    pub id: RunId,
    pub district: DistrictId,
    pub state: RunState,
    /// reading, planning, applying, undoing, done
    pub phase: String,
    pub file_name: String,
    /// strict or lenient
    pub profile: String,
    /// 1.1 or 1.2; empty before the manifest was read.
    pub version: String,
    /// bulk or delta; empty before the manifest was read.
    pub kind: String,
    pub rows_read: u64,
    pub plan: Plan,
    /// Changes made so far.
    pub applied: u64,
    pub without_deletions: bool,
    /// Staff see the plan before anything is applied.
    pub review: bool,
    /// Students that an undo left alone.
    pub undo_skipped: u64,
    /// Why it failed.
    pub error: String,
    pub started_by: String,
    pub started_ms: i64,
    pub finished_ms: Option<i64>,
}

fn read(mut row: Row) -> Result<Run, StoreError> {
    let state: String = row.take(2)?;
    Ok(Run {
        id: row.take(0)?,
        district: row.take(1)?,
        state: RunState::parse(&state).ok_or(StoreError::Corrupt("an import run has an unknown state"))?,
        phase: row.take(3)?,
        file_name: row.take(4)?,
        profile: row.take(5)?,
        version: row.take(6)?,
        kind: row.take(7)?,
        rows_read: row.take(8)?,
        plan: Plan::read(&row.take::<String>(9)?)?,
        applied: row.take(10)?,
        without_deletions: row.take(11)?,
        undo_skipped: row.take(12)?,
        error: row.take(13)?,
        started_by: row.take(14)?,
        started_ms: row.take(15)?,
        finished_ms: row.take(16)?,
        review: row.take(17)?,
    })
}

/// Refuses while another run of the district is not done.
pub async fn check_free(conn: &mut Conn, district: DistrictId) -> Result<(), StoreError> {
    let sql = "SELECT run_id, state FROM import_runs
               WHERE district_id = $1 AND state IN ('checking', 'held', 'applying', 'undoing') LIMIT 1";
    let Some(mut row) = conn.query_optional(sql, vec![district.into()]).await? else { return Ok(()) };
    let (id, state): (RunId, String) = (row.take(0)?, row.take(1)?);
    let what = if state == "held" { "approve or discard it first" } else { "wait for it, or cancel it" };
    Err(Refusal::precondition(format!("another import of this district, {id}, is {state}: {what}")).into())
}

/// Registers a run whose file is here.
pub async fn create(
    tx: &mut Tx<'_>,
    district: DistrictId,
    actor: &str,
    file_name: &str,
    profile: &'static str,
    review: bool,
) -> Result<RunId, StoreError> {
    tx.lock_district(district).await?;
    check_free(tx.conn, district).await?;
    let id = RunId::new(tx.now_ms, tx.shared.entropy.bytes());
    let sql = "INSERT INTO import_runs
                  (run_id, district_id, state, phase, file_name, profile, started_by, started_ms, review, node_id)
               VALUES ($1, $2, 'checking', 'reading', $3, $4, $5, $6, $7, $8)";
    let (file, by) = (file_name.to_owned(), actor.to_owned());
    let (district_id, now, node) = (district.into(), tx.now_ms.into(), (&tx.shared.node).into());
    let values = vec![id.into(), district_id, file.into(), profile.into(), by.into(), now, review.into(), node];
    tx.conn.execute(sql, values).await?;
    keep(tx, district, actor, "import.started", id, String::new()).await?;
    Ok(id)
}

/// One run, if it is in scope.
pub async fn get(conn: &mut Conn, scope: &Scope, id: RunId) -> Result<Run, StoreError> {
    let row = conn.query_optional(&format!("{COLUMNS} WHERE run_id = $1"), vec![id.into()]).await?;
    let run = row.map(read).transpose()?.filter(|run| scope.includes_district(run.district));
    run.ok_or_else(|| Refusal::not_found("the import run").into())
}

/// Runs of a district, newest first, from before this one.
pub async fn list(
    conn: &mut Conn,
    district: DistrictId,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    // Ids of runs grow with time.
    let newest = Value::Bytes(vec![0xFF; 16]);
    let sql = format!("{COLUMNS} WHERE district_id = $1 AND run_id < $2 ORDER BY run_id DESC LIMIT $3");
    let values = vec![district.into(), before.map_or(newest, Value::from), limit.into()];
    conn.query(&sql, values).await?.into_iter().map(read).collect()
}

/// Runs that a server works on, or was working on when it stopped; but those of this one, where it is given.
pub async fn at_work(conn: &mut Conn, but: Option<nodes::NodeId>) -> Result<Vec<Run>, StoreError> {
    let sql = format!(
        "{COLUMNS} WHERE state IN ('checking', 'applying', 'undoing') AND (node_id IS NULL OR node_id <> $1)
         ORDER BY run_id"
    );
    let but = but.map_or_else(Vec::new, |node| node.to_vec());
    conn.query(&sql, vec![but.into()]).await?.into_iter().map(read).collect()
}

/// Makes a run at work this server's, unless another one that is alive works on it. Answers whether it is ours.
pub async fn adopt(tx: &mut Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    if !tx.conn.is_shared() {
        return Ok(true);
    }
    tx.lock_run(run).await?;
    let sql = "SELECT node_id FROM import_runs WHERE run_id = $1";
    let Some(mut row) = tx.conn.query_optional(sql, vec![run.into()]).await? else { return Ok(false) };
    let node: Option<Vec<u8>> = row.take(0)?;
    if let Some(node) = node.filter(|node| *node != tx.shared.node)
        && nodes::is_alive(tx.conn, &node).await?
    {
        return Ok(false);
    }
    let sql = "UPDATE import_runs SET node_id = $2 WHERE run_id = $1";
    tx.conn.execute(sql, vec![run.into(), (&tx.shared.node).into()]).await?;
    Ok(true)
}

/// Locks a run that this server reads or plans; answers whether it still may. One that was silent for longer than its lease
/// may find that it was cancelled, or that another server goes on with it.
async fn lock_checked(tx: &mut Tx<'_>, run: RunId) -> Result<bool, StoreError> {
    tx.lock_run(run).await?;
    let sql = "SELECT node_id FROM import_runs WHERE run_id = $1 AND state = 'checking'";
    let Some(mut row) = tx.conn.query_optional(sql, vec![run.into()]).await? else { return Ok(false) };
    let node: Option<Vec<u8>> = row.take(0)?;
    Ok(!tx.conn.is_shared() || node.is_some_and(|node| node == tx.shared.node))
}

/// The file is read, and its facts are known: from here on a restart can go on.
pub async fn read_done(
    tx: &mut Tx<'_>,
    run: RunId,
    (version, kind): (&'static str, &'static str),
    rows: u64,
    plan: &Plan,
) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET phase = 'planning', version = $2, kind = $3, counts = $4, rows_read = $5,
               rows_total = $5 WHERE run_id = $1 AND state = 'checking'";
    tx.conn.execute(sql, vec![run.into(), version.into(), kind.into(), plan.write().into(), rows.into()]).await?;
    Ok(())
}

/// The plan is made: the run goes on, or waits for staff. Answers whether it was this server's to say.
pub async fn planned(
    tx: &mut Tx<'_>,
    run: &Run,
    plan: &Plan,
    refused: Vec<Problem>,
    hold: bool,
) -> Result<bool, StoreError> {
    if !lock_checked(tx, run.id).await? {
        return Ok(false);
    }
    problems::replace_refused(tx, run.id, refused).await?;
    let state = if hold { RunState::Held } else { RunState::Applying };
    let phase = if hold { "done" } else { "applying" };
    let sql = "UPDATE import_runs SET state = $2, phase = $3, counts = $4, finished_ms = $5 WHERE run_id = $1";
    let finished: Value = hold.then_some(tx.now_ms).into();
    let values = vec![run.id.into(), state.as_str().into(), phase.into(), plan.write().into(), finished];
    tx.conn.execute(sql, values).await?;
    if hold {
        let codes: Vec<&str> = plan.holds.iter().map(|hold| hold.code.as_str()).collect();
        keep(tx, run.district, "system", "import.held", run.id, codes.join(", ")).await?;
    }
    Ok(true)
}

/// Nothing was applied, and this is why.
pub async fn fail(tx: &mut Tx<'_>, run: &Run, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'failed', phase = 'done', error = $2, finished_ms = $3
               WHERE run_id = $1 AND state = 'checking'";
    if tx.conn.execute(sql, vec![run.id.into(), why.to_owned().into(), tx.now_ms.into()]).await? > 0 {
        keep(tx, run.district, "system", "import.failed", run.id, String::new()).await?;
    }
    Ok(())
}

/// Staff approve what the run was held for: it is planned again, and held again if a figure grew.
pub async fn approve(tx: &mut Tx<'_>, run: &Run, actor: &str, without_deletions: bool) -> Result<(), StoreError> {
    // What staff saw is what they approve: a run that was held since it was read is not meant.
    expect_one(u64::from(run.state == RunState::Held), run, "only a held run is approved")?;
    let plan = Plan { approved: run.plan.holds.clone(), ..run.plan.clone() };
    let sql = "UPDATE import_runs SET state = 'checking', phase = 'planning', without_deletions = $2, counts = $3,
               finished_ms = NULL, node_id = $4 WHERE run_id = $1 AND state = 'held'";
    let values = vec![run.id.into(), without_deletions.into(), plan.write().into(), (&tx.shared.node).into()];
    expect_one(tx.conn.execute(sql, values).await?, run, "only a held run is approved")?;
    let detail = if without_deletions { "without deletions" } else { "" };
    keep(tx, run.district, actor, "import.approved", run.id, detail.into()).await
}

/// Keeps who looked at what a run would do to whom.
pub async fn log_preview(tx: &mut Tx<'_>, run: Run, actor: String) -> Result<(), StoreError> {
    keep(tx, run.district, &actor, "import.plan_shown", run.id, String::new()).await
}

/// Staff decide against a held run.
pub async fn discard(tx: &mut Tx<'_>, run: &Run, actor: &str) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'discarded', phase = 'done', finished_ms = $2
               WHERE run_id = $1 AND state = 'held'";
    expect_one(
        tx.conn.execute(sql, vec![run.id.into(), tx.now_ms.into()]).await?,
        run,
        "only a held run is discarded",
    )?;
    keep(tx, run.district, actor, "import.discarded", run.id, String::new()).await
}

/// Stops a run wherever it is; what was applied stays.
pub async fn cancel(tx: &mut Tx<'_>, run: &Run, actor: &str) -> Result<(), StoreError> {
    let sql = "UPDATE import_runs SET state = 'cancelled', phase = 'done', finished_ms = $2
               WHERE run_id = $1 AND state IN ('checking', 'held', 'applying')";
    expect_one(tx.conn.execute(sql, vec![run.id.into(), tx.now_ms.into()]).await?, run, "the run is done")?;
    keep(tx, run.district, actor, "import.cancelled", run.id, String::new()).await
}

fn expect_one(rows: u64, run: &Run, rule: &str) -> Result<(), StoreError> {
    if rows == 1 {
        return Ok(());
    }
    Err(Refusal::precondition(format!("the run is {}: {rule}", run.state.as_str())).into())
}

/// Appends to the district's audit log.
async fn keep(
    tx: &mut Tx<'_>,
    district: DistrictId,
    actor: &str,
    act: &'static str,
    run: RunId,
    detail: String,
) -> Result<(), StoreError> {
    audit::append(tx, vec![AuditAct::in_district(district, actor, act, run).with_detail(detail)]).await
}
