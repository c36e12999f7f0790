//! Where what needs attention is found: in the schools' own rows, their codes and secrets, their newest attempt, and
//! imports.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId, SchoolId};

use super::{DAY_MS, Districts, Strip, oldest, within};
use crate::{
    model::{
        attention::{AttentionItem, AttentionKind, LONG_WAIT_MS, OLD_SECRET_MS},
        enrollment::CodeState,
        school::ShownState,
    },
    store::{Conn, StoreError, codes, imports::plan::Plan, log::condition::Statement},
};

/// Imports that are told at most.
const MAX_RUNS: i64 = 100;

fn of_school(kind: AttentionKind, strip: &Strip, count: u64, since_ms: Option<i64>) -> AttentionItem {
    AttentionItem {
        kind,
        district: strip.district,
        school: Some((strip.id, strip.name.clone())),
        run: None,
        message: None,
        count,
        since_ms,
        detail: String::new(),
    }
}

/// Everything that needs attention, in no order.
pub async fn gather(
    conn: &mut Conn,
    districts: &Districts,
    schools: &HashMap<SchoolId, Strip>,
    now_ms: i64,
) -> Result<Vec<AttentionItem>, StoreError> {
    let mut items = Vec::new();
    schools.values().for_each(|strip| by_state(strip, &mut items));
    long_wait(conn, schools, now_ms, &mut items).await?;
    ended_codes(conn, schools, now_ms, &mut items).await?;
    clocks(conn, districts, schools, now_ms, &mut items).await?;
    old_secrets(conn, districts, schools, now_ms, &mut items).await?;
    imports(conn, districts, now_ms, &mut items).await?;
    Ok(items)
}

fn by_state(strip: &Strip, items: &mut Vec<AttentionItem>) {
    let open = &strip.open;
    let kind = match strip.state {
        ShownState::Compromised => Some(AttentionKind::EnrollmentCompromised),
        ShownState::Down => Some(AttentionKind::ConnectionDown),
        ShownState::Held => Some(AttentionKind::ConnectionHeld),
        ShownState::Revoked => Some(AttentionKind::SecretRevoked),
        ShownState::Failing => Some(AttentionKind::ConnectionFailing),
        ShownState::Paused => Some(AttentionKind::Paused),
        ShownState::Active | ShownState::Enrolling | ShownState::NotConnected => None,
    };
    if let Some(kind) = kind {
        let count = open.all() - open.parked_alone;
        items.push(of_school(kind, strip, count, open.oldest_ms().or(strip.last_delivered_ms)));
    }
    if open.parked_alone > 0 {
        items.push(of_school(AttentionKind::Parked, strip, open.parked_alone, open.parked_alone_since_ms));
    }
}

/// The oldest message at a school that looks well, where it waits for long and is not told as parked.
async fn long_wait(
    conn: &mut Conn,
    schools: &HashMap<SchoolId, Strip>,
    now_ms: i64,
    items: &mut Vec<AttentionItem>,
) -> Result<(), StoreError> {
    let told =
        |strip: &&Strip| strip.open.parked_alone > 0 && strip.open.oldest_ms() == strip.open.parked_alone_since_ms;
    let look_well = schools.values().filter(|strip| strip.state == ShownState::Active && !told(strip));
    if let Some((strip, id, since_ms)) = oldest(conn, look_well).await?
        && now_ms - since_ms >= LONG_WAIT_MS
    {
        let waits_s = (now_ms - since_ms).unsigned_abs() / 1_000;
        let item = of_school(AttentionKind::OldestUndelivered, strip, waits_s, Some(since_ms));
        items.push(AttentionItem { message: Some(id), ..item });
    }
    Ok(())
}

/// Codes that ended without a connection.
async fn ended_codes(
    conn: &mut Conn,
    schools: &HashMap<SchoolId, Strip>,
    now_ms: i64,
    items: &mut Vec<AttentionItem>,
) -> Result<(), StoreError> {
    let without = schools.values().filter(|strip| strip.state == ShownState::NotConnected);
    let without: Vec<SchoolId> = without.map(|strip| strip.id).collect();
    for code in codes::latest(conn, &without, now_ms).await? {
        let kind = match code.state {
            CodeState::Expired => AttentionKind::CodeExpired,
            CodeState::Locked => AttentionKind::CodeLocked,
            _ => continue,
        };
        if let Some(strip) = schools.get(&code.school) {
            items.push(of_school(kind, strip, 0, Some(code.expires_ms.min(now_ms))));
        }
    }
    Ok(())
}

/// Receivers whose newest answer told another time than ours.
async fn clocks(
    conn: &mut Conn,
    districts: &Districts,
    schools: &HashMap<SchoolId, Strip>,
    now_ms: i64,
    items: &mut Vec<AttentionItem>,
) -> Result<(), StoreError> {
    let select = Statement::new(
        "SELECT s.school_id, a.clock_skew_s, a.at_ms FROM schools s CROSS JOIN attempts a
         WHERE a.school_id = s.school_id AND a.log_sequence = s.log_sequence AND a.clock_skew_s <> 0 AND a.at_ms >= ",
    );
    for mut row in within(select.bind(now_ms - DAY_MS), districts).query(conn).await? {
        let Some(strip) = schools.get(&row.take(0)?) else { continue };
        let (skew_s, at_ms): (i64, i64) = (row.take(1)?, row.take(2)?);
        items.push(of_school(AttentionKind::ClockSkew, strip, skew_s.unsigned_abs(), Some(at_ms)));
    }
    Ok(())
}

async fn old_secrets(
    conn: &mut Conn,
    districts: &Districts,
    schools: &HashMap<SchoolId, Strip>,
    now_ms: i64,
    items: &mut Vec<AttentionItem>,
) -> Result<(), StoreError> {
    let select = Statement::new(
        "SELECT s.school_id, MAX(x.created_ms) FROM schools s CROSS JOIN secrets x
         WHERE x.school_id = s.school_id AND x.state = 'active' AND x.created_ms < ",
    );
    for mut row in within(select.bind(now_ms - OLD_SECRET_MS), districts).sql(" GROUP BY 1").query(conn).await? {
        let Some(strip) = schools.get(&row.take(0)?) else { continue };
        let created_ms: i64 = row.take(1)?;
        let age_s = (now_ms - created_ms).unsigned_abs() / 1_000;
        items.push(of_school(AttentionKind::OldSecret, strip, age_s, Some(created_ms)));
    }
    Ok(())
}

/// Runs that wait for a decision, and those that failed in the last day.
async fn imports(
    conn: &mut Conn,
    districts: &Districts,
    now_ms: i64,
    items: &mut Vec<AttentionItem>,
) -> Result<(), StoreError> {
    let select = Statement::new(
        "SELECT s.run_id, s.district_id, s.state, s.counts, s.error, s.finished_ms FROM import_runs s
         WHERE (s.state = 'held' OR (s.state = 'failed' AND s.finished_ms >= ",
    );
    let runs = within(select.bind(now_ms - DAY_MS).sql("))"), districts).sql(" ORDER BY s.run_id DESC LIMIT ");
    for mut row in runs.bind(MAX_RUNS).query(conn).await? {
        let (run, district): (RunId, DistrictId) = (row.take(0)?, row.take(1)?);
        let held = row.take::<String>(2)? == "held";
        let plan = Plan::read(&row.take::<String>(3)?)?;
        items.push(AttentionItem {
            kind: if held { AttentionKind::ImportHold } else { AttentionKind::ImportFailed },
            district,
            school: None,
            run: Some(run),
            message: None,
            count: plan.counts.changes(),
            since_ms: row.take(5)?,
            detail: row.take(4)?,
        });
    }
    Ok(())
}
