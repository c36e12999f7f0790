//! Schools: made, found, listed, with what is known of their connections. No secret is ever part of it.

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{
    Conn, Row, StoreError, Tx, Value,
    audit::{self, AuditAct},
    codes::{self, Code},
    keys::{KeyCache, digest_key_place, school_scope},
    secrets::{self, SecretInfo},
};
use crate::{
    error::{Refusal, RefusalKind},
    model::{
        access::Scope,
        school::{RetrySettings, ShownState},
    },
};

const COLUMNS: &str = "SELECT school_id, district_id, sourced_id, name, created_ms, head_sequence, log_sequence, state,
    reason, paused_until_ms, url, own_receiver, max_tries, retry_delays, probe_ms, timeout_ms, max_in_flight, health,
    retry_at_ms, last_delivered_ms, installation_host FROM schools";

/// A school with its connection and figures.
#[allow(missing_docs)]
pub struct School {
    pub id: SchoolId,
    pub district: DistrictId,
    pub sourced_id: String,
    pub name: String,
    pub created_ms: i64,
    /// The last sequence number given out.
    pub head_sequence: u64,
    pub state: ShownState,
    /// Why it is not active, or what needs attention; may be empty.
    pub reason: String,
    pub paused_until_ms: Option<i64>,
    pub url: String,
    pub own_receiver: bool,
    pub retry: RetrySettings,
    pub max_in_flight: u32,
    /// When the next trial or probe is due.
    pub next_attempt_ms: Option<i64>,
    pub last_delivered_ms: Option<i64>,
    pub installation_host: String,
    /// Those that wait or sign, newest first.
    pub secrets: Vec<SecretInfo>,
    /// The newest.
    pub code: Option<Code>,
    /// Students with an active enrollment here.
    pub students: u32,
    pub figures: Figures,
}

/// Messages by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Figures {
    pub pending: u64,
    pub delivered: u64,
    pub parked: u64,
    pub held: u64,
    pub superseded: u64,
    pub discarded: u64,
    pub erased: u64,
    pub attempts: u64,
    pub retried: u64,
    pub ever_parked: u64,
}

/// Makes a school without a connection. The name and the sourcedId are checked already.
pub async fn create(
    tx: &mut Tx<'_>,
    actor: &str,
    district: DistrictId,
    name: &str,
    sourced_id: &str,
) -> Result<SchoolId, StoreError> {
    tx.lock_district(district).await?;
    let sql = "SELECT 1 FROM schools WHERE district_id = $1 AND sourced_id = $2";
    if tx.conn.query_optional(sql, vec![district.into(), sourced_id.to_owned().into()]).await?.is_some() {
        let refusal = Refusal::field("sourcedId", "is taken by another school of this district");
        return Err(Refusal { kind: RefusalKind::AlreadyExists, ..refusal }.into());
    }
    let id = SchoolId::new(tx.now_ms, tx.shared.entropy.bytes());
    let key = KeyCache::get_or_create(tx, &school_scope(id)).await?;
    let digest_key = zeroize::Zeroizing::new(tx.shared.entropy.bytes::<32>());
    let sealed = key.seal(digest_key_place(&id), digest_key.as_slice(), &tx.shared.entropy);
    let sql = "INSERT INTO schools (school_id, district_id, sourced_id, name, created_ms, digest_key)
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        id.into(),
        district.into(),
        sourced_id.to_owned().into(),
        name.to_owned().into(),
        tx.now_ms.into(),
        sealed.into(),
    ];
    tx.conn.execute(sql, values).await?;
    let act = AuditAct::in_district(district, actor, "school.created", id).with_detail(sourced_id);
    audit::append(tx, vec![act]).await?;
    Ok(id)
}

/// One school.
pub async fn get(conn: &mut Conn, id: SchoolId, now_ms: i64) -> Result<School, StoreError> {
    let rows = conn.query(&format!("{COLUMNS} WHERE school_id = $1"), vec![id.into()]).await?;
    let found = complete(conn, rows, now_ms).await?.into_iter().next();
    found.ok_or_else(|| Refusal::not_found("the school").into())
}

/// A page of the schools in scope by name, after this one; within `district` where it is given.
pub async fn list(
    conn: &mut Conn,
    scope: &Scope,
    district: Option<DistrictId>,
    after: Option<SchoolId>,
    limit: i64,
    now_ms: i64,
) -> Result<Vec<School>, StoreError> {
    let districts = match (district, scope) {
        (Some(only), _) => Some(vec![only]),
        (None, Scope::Installation) => None,
        (None, Scope::Districts(districts)) => Some(districts.clone()),
        (None, Scope::School(own, _)) => Some(vec![*own]),
    };
    if districts.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = vec![limit.into()];
    let mut conditions = vec!["state <> 'deleted'".to_owned()];
    if let Some(districts) = districts {
        let places: Vec<String> = (0..districts.len()).map(|index| format!("${}", index + 2)).collect();
        conditions.push(format!("district_id IN ({})", places.join(",")));
        values.extend(districts.into_iter().map(Value::from));
    }
    if let Scope::School(_, own) = scope {
        values.push((*own).into());
        conditions.push(format!("school_id = ${}", values.len()));
    }
    if let Some(after) = after {
        values.push(after.into());
        let place = values.len();
        conditions.push(format!(
            "(name, school_id) > ((SELECT a.name FROM schools a WHERE a.school_id = ${place}), ${place})"
        ));
    }
    let sql = format!("{COLUMNS} WHERE {} ORDER BY name, school_id LIMIT $1", conditions.join(" AND "));
    let rows = conn.query(&sql, values).await?;
    complete(conn, rows, now_ms).await
}

/// Adds secrets, codes and counts, with one query each for all schools.
async fn complete(conn: &mut Conn, rows: Vec<Row>, now_ms: i64) -> Result<Vec<School>, StoreError> {
    let mut schools = Vec::with_capacity(rows.len());
    let mut states = Vec::with_capacity(rows.len());
    for row in rows {
        let (school, state) = read(row)?;
        schools.push(school);
        states.push(state);
    }
    let ids: Vec<SchoolId> = schools.iter().map(|school| school.id).collect();
    let mut secrets: HashMap<SchoolId, Vec<SecretInfo>> = HashMap::new();
    for (school, secret) in secrets::list(conn, &ids, now_ms).await? {
        secrets.entry(school).or_default().push(secret);
    }
    let codes = codes::latest(conn, &ids, now_ms).await?;
    let mut codes: HashMap<SchoolId, Code> = codes.into_iter().map(|code| (code.school, code)).collect();
    let mut students = count_students(conn, &ids).await?;
    let mut figures = count_messages(conn, &ids).await?;
    for (school, (state, health)) in schools.iter_mut().zip(states) {
        school.secrets = secrets.remove(&school.id).unwrap_or_default();
        school.code = codes.remove(&school.id);
        school.students = students.remove(&school.id).unwrap_or_default();
        let attempts = school.figures.attempts;
        school.figures = Figures { attempts, ..figures.remove(&school.id).unwrap_or_default() };
        let code_is_live = school.code.as_ref().is_some_and(|code| code.state.is_live());
        school.state = ShownState::of(&state, &health, code_is_live)
            .ok_or(StoreError::Corrupt("a school has an unknown state"))?;
        if school.reason.is_empty() {
            school.reason = school.state.reason().to_owned();
        }
    }
    Ok(schools)
}

fn read(mut row: Row) -> Result<(School, (String, String)), StoreError> {
    let state = (row.take(7)?, row.take(17)?);
    let school = School {
        id: row.take(0)?,
        district: row.take(1)?,
        sourced_id: row.take(2)?,
        name: row.take(3)?,
        created_ms: row.take(4)?,
        head_sequence: row.take(5)?,
        state: ShownState::NotConnected,
        reason: row.take(8)?,
        paused_until_ms: row.take(9)?,
        url: row.take(10)?,
        own_receiver: row.take(11)?,
        retry: RetrySettings {
            max_tries: row.take(12)?,
            delays_ms: RetrySettings::read_delays(&row.take::<String>(13)?),
            probe_ms: row.take(14)?,
            timeout_ms: row.take(15)?,
        },
        max_in_flight: row.take(16)?,
        next_attempt_ms: row.take::<Option<i64>>(18)?.filter(|at_ms| *at_ms > 0),
        last_delivered_ms: row.take(19)?,
        installation_host: row.take(20)?,
        secrets: Vec::new(),
        code: None,
        students: 0,
        // The log's sequence has no gaps, so its head is the count.
        figures: Figures { attempts: row.take(6)?, ..Figures::default() },
    };
    Ok((school, state))
}

async fn count_students(conn: &mut Conn, ids: &[SchoolId]) -> Result<HashMap<SchoolId, u32>, StoreError> {
    let sql = "SELECT school_id, COUNT(*) FROM school_students WHERE present = 1 AND school_id IN {list}
               GROUP BY school_id";
    let rows = conn.query_list(sql, vec![], ids.iter().map(|id| (*id).into()).collect()).await?;
    rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
}

/// In one statement, so that all counts are of one moment. The conditions are those of the indexes, word for word: of what
/// waits (with the bound on its second column that makes SQLite take it), and of what is done but was no first success. All
/// others arrived at their first try, and every number of the sequence is a message.
async fn count_messages(conn: &mut Conn, ids: &[SchoolId]) -> Result<HashMap<SchoolId, Figures>, StoreError> {
    let sql = "WITH asked AS (SELECT school_id, head_sequence FROM schools WHERE school_id IN {list})
        SELECT school_id, 'all', head_sequence, 0, 0 FROM asked
        UNION ALL
        SELECT e.school_id, e.state, COUNT(*), 0, CAST(SUM(e.was_parked) AS BIGINT) FROM asked a CROSS JOIN events e
        WHERE e.school_id = a.school_id AND e.sequence > 0 AND e.state IN ('pending', 'parked', 'held')
        GROUP BY e.school_id, e.state
        UNION ALL
        SELECT e.school_id, e.state, COUNT(*), SUM(CASE WHEN e.state = 'delivered' AND e.tries > 1 THEN 1 ELSE 0 END),
            CAST(SUM(e.was_parked) AS BIGINT) FROM asked a CROSS JOIN events e
        WHERE e.school_id = a.school_id AND (e.state IN ('superseded', 'discarded', 'erased')
            OR (e.state = 'delivered' AND (e.tries > 1 OR e.was_parked = 1)))
        GROUP BY e.school_id, e.state";
    let mut figures: HashMap<SchoolId, Figures> = HashMap::new();
    for mut row in conn.query_list(sql, vec![], ids.iter().map(|id| (*id).into()).collect()).await? {
        let figures = figures.entry(row.take(0)?).or_default();
        let (state, count): (String, u64) = (row.take(1)?, row.take(2)?);
        figures.retried += row.take::<u64>(3)?;
        figures.ever_parked += row.take::<u64>(4)?;
        match state.as_str() {
            "all" => figures.delivered += count,
            "pending" => figures.pending = count,
            "delivered" => {}
            "parked" => figures.parked = count,
            "held" => figures.held = count,
            "superseded" => figures.superseded = count,
            "discarded" => figures.discarded = count,
            "erased" => figures.erased = count,
            _ => return Err(StoreError::Corrupt("a message has an unknown state")),
        }
    }
    for figures in figures.values_mut() {
        let others = figures.pending + figures.parked + figures.held;
        let others = others + figures.superseded + figures.discarded + figures.erased;
        figures.delivered = figures.delivered.saturating_sub(others);
    }
    Ok(figures)
}
