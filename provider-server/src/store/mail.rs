//! What mail is about, found in the schools' own rows and in imports, and what it has told: the difference is what is
//! told next. So a mail that was not sent, for whatever reason, is still due.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, RunId, SchoolId};

use super::{Conn, StoreError, Tx, imports::plan::Plan};
use crate::model::{
    digest::{Called, Now, Subject, Told},
    school::ShownState,
};

/// A subject that has something to be told, or had.
pub struct Observed {
    /// What it is.
    pub of: Subject,
    /// What it is called.
    pub called: Called,
    /// How it is.
    pub now: Now,
    /// What was told of it.
    pub told: Told,
    /// When a mail told of it last, Unix ms; 0 where none did.
    pub told_ms: i64,
}

/// Everything that may have to be told, and the stored subjects that are no more.
#[derive(Default)]
pub struct Observation {
    /// In the order of their ids.
    pub subjects: Vec<Observed>,
    /// Deleted schools.
    pub gone: Vec<String>,
}

/// Looks at everything once. What waits is not counted here: that is read of the few that are told of.
pub async fn observe(conn: &mut Conn) -> Result<Observation, StoreError> {
    let mut told = HashMap::new();
    for mut row in conn.query("SELECT subject, told, told_ms FROM mail_told", vec![]).await? {
        let (subject, doc, told_ms): (String, String, i64) = (row.take(0)?, row.take(1)?, row.take(2)?);
        let doc: Told = serde_json::from_str(&doc).map_err(|_| StoreError::Corrupt("what mail told is no JSON"))?;
        told.insert(subject, (doc, told_ms));
    }
    let mut found = schools(conn).await?;
    found.extend(districts(conn).await?);
    let mut observation = Observation::default();
    for (of, called, now) in found {
        let (told, told_ms) = told.remove(&of.id()).unwrap_or_default();
        observation.subjects.push(Observed { of, called, now, told, told_ms });
    }
    observation.gone = told.into_keys().collect();
    observation.gone.sort_unstable();
    Ok(observation)
}

type Found = Vec<(Subject, Called, Now)>;

async fn schools(conn: &mut Conn) -> Result<Found, StoreError> {
    // Word for word the condition of its index.
    let sql = "SELECT school_id, COUNT(*), MAX(settled_ms) FROM events
               WHERE state = 'parked' AND reason = 'exhausted' GROUP BY school_id";
    let mut alone: HashMap<SchoolId, (u64, Option<i64>)> = HashMap::new();
    for mut row in conn.query(sql, vec![]).await? {
        alone.insert(row.take(0)?, (row.take(1)?, row.take(2)?));
    }
    let sql = "SELECT s.school_id, s.name, s.sourced_id, d.name, s.state, s.health, s.last_delivered_ms, s.alarmed_ms
               FROM schools s JOIN districts d ON d.district_id = s.district_id
               WHERE s.state <> 'deleted' ORDER BY s.school_id";
    let mut found = Vec::new();
    for mut row in conn.query(sql, vec![]).await? {
        let school: SchoolId = row.take(0)?;
        let called = Called { school: row.take(1)?, school_sourced_id: row.take(2)?, district: row.take(3)? };
        let state = ShownState::of(&row.take::<String>(4)?, &row.take::<String>(5)?, false);
        let (parked, parked_ms) = alone.remove(&school).unwrap_or_default();
        let now = Now::School {
            state: state.ok_or(StoreError::Corrupt("a school has an unknown state"))?,
            delivered_ms: row.take::<Option<i64>>(6)?.unwrap_or(0),
            parked,
            parked_ms: parked_ms.unwrap_or(0),
            alarmed_ms: row.take(7)?,
        };
        found.push((Subject::School(school), called, now));
    }
    Ok(found)
}

async fn districts(conn: &mut Conn) -> Result<Found, StoreError> {
    let mut waiting: HashMap<DistrictId, Vec<(RunId, u64)>> = HashMap::new();
    let sql = "SELECT run_id, district_id, counts FROM import_runs WHERE state = 'held' ORDER BY run_id";
    for mut row in conn.query(sql, vec![]).await? {
        let changes = Plan::read(&row.take::<String>(2)?)?.counts.changes();
        waiting.entry(row.take(1)?).or_default().push((row.take(0)?, changes));
    }
    let rows = conn.query("SELECT district_id, name FROM districts ORDER BY district_id", vec![]).await?;
    let read = |mut row: super::Row| {
        let district: DistrictId = row.take(0)?;
        let called = Called { district: row.take(1)?, ..Called::default() };
        let runs = waiting.remove(&district).unwrap_or_default();
        Ok((Subject::District(district), called, Now::District(runs)))
    };
    rows.into_iter().map(read).collect()
}

/// Messages that wait at a school, without those that parked alone.
pub async fn waiting(conn: &mut Conn, of: Subject) -> Result<u64, StoreError> {
    let Subject::School(school) = of else { return Ok(0) };
    let sql = "SELECT COUNT(*) FROM events WHERE school_id = $1 AND sequence > 0
                 AND state IN ('pending', 'parked', 'held') AND NOT (state = 'parked' AND reason = 'exhausted')";
    let row = conn.query_optional(sql, vec![school.into()]).await?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// Keeps what was told.
pub async fn keep(tx: &mut Tx<'_>, of: Subject, told: Told, told_ms: i64) -> Result<(), StoreError> {
    let doc = serde_json::to_string(&told).map_err(|_| StoreError::Corrupt("what mail told cannot be written"))?;
    let sql = "INSERT INTO mail_told (subject, told, told_ms) VALUES ($1, $2, $3)
               ON CONFLICT (subject) DO UPDATE SET told = excluded.told, told_ms = excluded.told_ms";
    tx.conn.execute(sql, vec![of.id().into(), doc.into(), told_ms.into()]).await.map(drop)
}

/// Forgets subjects that are no more.
pub async fn forget(tx: &mut Tx<'_>, subjects: Vec<String>) -> Result<(), StoreError> {
    for subject in subjects {
        tx.conn.execute("DELETE FROM mail_told WHERE subject = $1", vec![subject.into()]).await?;
    }
    Ok(())
}
