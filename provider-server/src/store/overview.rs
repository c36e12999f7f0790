//! The dashboard: figures of the last day against the one before, a strip per school, what waits, what needs attention.
//! Attempts come from the hourly counters; what waits is counted from the index of what is open, and kept once an hour.
//! Nothing reads the log.

mod attention;
pub mod waiting;

use std::collections::HashMap;

use rollcall_proto::id::{DistrictId, EventId, SchoolId};

use super::{Conn, StoreError, Value, codes, log::condition::Statement, record::HOUR_MS};
use crate::model::{
    access::Scope,
    attention::{AttentionItem, rank},
    delivery::{reason, state},
    latency::percentile,
    school::ShownState,
};

use waiting::Waiting;

/// Hours of a strip.
pub const HOURS: usize = 24;
const DAY_MS: i64 = HOUR_MS * 24;
const MAX_STRIPS: usize = 500;
const MAX_ITEMS: usize = 50;

/// See the schema.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Overview {
    pub at_ms: i64,
    pub last_day: Day,
    pub day_before: Day,
    pub pending: u64,
    pub parked: u64,
    pub held: u64,
    /// The oldest message that waits, and when it was made.
    pub oldest: Option<(EventId, i64)>,
    /// What waited when the running hour began, a day ago; `None` where that was not kept.
    pub day_ago: Option<Waiting>,
    /// Worst first, at most 500.
    pub schools: Vec<Strip>,
    pub schools_total: usize,
    /// Most urgent first, at most 50.
    pub attention: Vec<AttentionItem>,
    pub attention_total: usize,
}

/// Figures of 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Day {
    pub attempts: u64,
    pub delivered: u64,
    pub latency_p95_us: u32,
}

/// A school on the dashboard.
#[allow(missing_docs)]
pub struct Strip {
    pub id: SchoolId,
    pub district: DistrictId,
    pub name: String,
    pub state: ShownState,
    pub last_delivered_ms: Option<i64>,
    pub open: Open,
    /// By hour, the running one last.
    pub delivered: [u32; HOURS],
    pub failed: [u32; HOURS],
    failed_in_all: u64,
}

/// What waits at a school.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Open {
    pub pending: u64,
    pub parked: u64,
    pub held: u64,
    /// Of those parked, the ones that parked alone, and when the oldest of them was made.
    pub parked_alone: u64,
    pub parked_alone_since_ms: Option<i64>,
    /// The first in the sequence, and when the oldest was made.
    oldest: Option<(u64, i64)>,
}

impl Open {
    fn all(&self) -> u64 {
        self.pending + self.parked + self.held
    }

    fn oldest_ms(&self) -> Option<i64> {
        self.oldest.map(|(_, ms)| ms)
    }
}

/// Which districts are asked for; `None` for all of them.
type Districts = Option<Vec<DistrictId>>;

/// The dashboard of what is in scope; of one district where it is given.
pub async fn overview(
    conn: &mut Conn,
    scope: &Scope,
    district: Option<DistrictId>,
    now_ms: i64,
) -> Result<Overview, StoreError> {
    let districts = match (district, scope) {
        (Some(only), _) => Some(vec![only]),
        (None, Scope::Installation) => None,
        (None, Scope::Districts(districts)) => Some(districts.clone()),
        (None, Scope::School(district, _)) => Some(vec![*district]),
    };
    let mut overview = Overview { at_ms: now_ms, ..Overview::default() };
    if districts.as_ref().is_some_and(Vec::is_empty) {
        return Ok(overview);
    }
    // The running hour is the last of the 24.
    let first_hour_ms = now_ms - now_ms.rem_euclid(HOUR_MS) - DAY_MS + HOUR_MS;
    [overview.last_day, overview.day_before] = days(conn, &districts, first_hour_ms).await?;
    overview.day_ago = waiting::day_before(conn, &districts, first_hour_ms + DAY_MS - HOUR_MS).await?;
    let mut schools = read_schools(conn, &districts, now_ms).await?;
    count_open(conn, &districts, &mut schools).await?;
    count_failed(conn, &districts, first_hour_ms, &mut schools).await?;
    for strip in schools.values() {
        overview.pending += strip.open.pending;
        overview.parked += strip.open.parked;
        overview.held += strip.open.held;
    }
    overview.oldest = oldest(conn, schools.values()).await?.map(|(_, id, created_ms)| (id, created_ms));
    overview.attention = attention::gather(conn, &districts, &schools, now_ms).await?;
    rank(&mut overview.attention);
    overview.attention_total = overview.attention.len();
    overview.attention.truncate(MAX_ITEMS);
    overview.schools_total = schools.len();
    overview.schools = worst_first(schools);
    draw(conn, &mut overview.schools, first_hour_ms).await?;
    Ok(overview)
}

/// ` AND s.district_id IN (…)`, where it matters.
fn within(statement: Statement, districts: &Districts) -> Statement {
    match districts {
        Some(districts) => statement.sql(" AND s.district_id IN ").list(districts.iter().copied()),
        None => statement,
    }
}

/// Figures of the day from `first_hour_ms` on, and of the one before.
async fn days(conn: &mut Conn, districts: &Districts, first_hour_ms: i64) -> Result<[Day; 2], StoreError> {
    let select = Statement::new("SELECT CASE WHEN h.hour_ms >= ").bind(first_hour_ms).sql(
        " THEN 0 ELSE 1 END, h.latency_step, CAST(SUM(h.attempts) AS BIGINT),
            CAST(SUM(CASE WHEN h.status = 'delivered' THEN h.attempts ELSE 0 END) AS BIGINT)
          FROM schools s CROSS JOIN attempt_hours h WHERE h.school_id = s.school_id AND h.hour_ms >= ",
    );
    let rows = within(select.bind(first_hour_ms - DAY_MS), districts).sql(" GROUP BY 1, 2").query(conn).await?;
    let (mut days, mut steps) = ([Day::default(); 2], [Vec::new(), Vec::new()]);
    for mut row in rows {
        let (day, step, attempts): (usize, i64, u64) = (row.take(0)?, row.take(1)?, row.take(2)?);
        days[day].attempts += attempts;
        days[day].delivered += row.take::<u64>(3)?;
        steps[day].push((step, attempts));
    }
    for (day, steps) in days.iter_mut().zip(&steps) {
        day.latency_p95_us = percentile(steps, 95);
    }
    Ok(days)
}

async fn read_schools(
    conn: &mut Conn,
    districts: &Districts,
    now_ms: i64,
) -> Result<HashMap<SchoolId, Strip>, StoreError> {
    let select = "SELECT s.school_id, s.district_id, s.name, s.state, s.health, s.last_delivered_ms FROM schools s
                  WHERE s.state <> 'deleted'";
    let rows = within(Statement::new(select), districts).query(conn).await?;
    let mut schools = HashMap::with_capacity(rows.len());
    let mut without: Vec<SchoolId> = Vec::new();
    for mut row in rows {
        let (state, health): (String, String) = (row.take(3)?, row.take(4)?);
        let shown = ShownState::of(&state, &health, false);
        let shown = shown.ok_or(StoreError::Corrupt("a school has an unknown state"))?;
        let strip = Strip {
            id: row.take(0)?,
            district: row.take(1)?,
            name: row.take(2)?,
            state: shown,
            last_delivered_ms: row.take(5)?,
            open: Open::default(),
            delivered: [0; HOURS],
            failed: [0; HOURS],
            failed_in_all: 0,
        };
        if shown == ShownState::NotConnected {
            without.push(strip.id);
        }
        schools.insert(strip.id, strip);
    }
    for code in codes::latest(conn, &without, now_ms).await?.iter().filter(|code| code.state.is_live()) {
        if let Some(strip) = schools.get_mut(&code.school) {
            strip.state = ShownState::Enrolling;
        }
    }
    Ok(schools)
}

async fn count_open(
    conn: &mut Conn,
    districts: &Districts,
    schools: &mut HashMap<SchoolId, Strip>,
) -> Result<(), StoreError> {
    // The condition of the index of what is open, and a bound on its second column: without it, SQLite takes the index by
    // student and reads every message that there ever was.
    let select = "SELECT e.school_id, e.state, e.reason, COUNT(*), MIN(e.sequence), MIN(e.created_ms)
                  FROM schools s CROSS JOIN events e
                  WHERE e.school_id = s.school_id AND e.sequence > 0 AND e.state IN ('pending', 'parked', 'held')";
    for mut row in within(Statement::new(select), districts).sql(" GROUP BY 1, 2, 3").query(conn).await? {
        let Some(strip) = schools.get_mut(&row.take(0)?) else { continue };
        let (state, why, count): (String, String, u64) = (row.take(1)?, row.take(2)?, row.take(3)?);
        let (sequence, created_ms): (u64, i64) = (row.take(4)?, row.take(5)?);
        let open = &mut strip.open;
        match state.as_str() {
            state::PENDING => open.pending += count,
            state::PARKED => open.parked += count,
            _ => open.held += count,
        }
        if state == state::PARKED && why != reason::CONNECTION_DOWN {
            open.parked_alone += count;
            let since = open.parked_alone_since_ms.map_or(created_ms, |known| known.min(created_ms));
            open.parked_alone_since_ms = Some(since);
        }
        let oldest = open.oldest.map_or((sequence, created_ms), |(s, c)| (s.min(sequence), c.min(created_ms)));
        open.oldest = Some(oldest);
    }
    Ok(())
}

/// The oldest message that waits at one of these schools, and when it was made.
async fn oldest<'a>(
    conn: &mut Conn,
    schools: impl Iterator<Item = &'a Strip>,
) -> Result<Option<(&'a Strip, EventId, i64)>, StoreError> {
    let waiting = schools.filter_map(|strip| Some((strip.open.oldest?, strip)));
    let first = waiting.min_by_key(|((_, created_ms), strip)| (*created_ms, strip.id));
    let Some(((sequence, created_ms), strip)) = first else { return Ok(None) };
    let sql = "SELECT event_id FROM events WHERE school_id = $1 AND sequence = $2";
    let row = conn.query_optional(sql, vec![strip.id.into(), sequence.into()]).await?;
    Ok(row.map(|mut row| row.take(0)).transpose()?.map(|id| (strip, id, created_ms)))
}

/// How many attempts failed since then: it orders schools of the same state.
async fn count_failed(
    conn: &mut Conn,
    districts: &Districts,
    since_ms: i64,
    schools: &mut HashMap<SchoolId, Strip>,
) -> Result<(), StoreError> {
    let select = Statement::new(
        "SELECT h.school_id, CAST(SUM(h.attempts) AS BIGINT) FROM schools s CROSS JOIN attempt_hours h
         WHERE h.school_id = s.school_id AND h.status <> 'delivered' AND h.hour_ms >= ",
    );
    for mut row in within(select.bind(since_ms), districts).sql(" GROUP BY 1").query(conn).await? {
        if let Some(strip) = schools.get_mut(&row.take(0)?) {
            strip.failed_in_all = row.take(1)?;
        }
    }
    Ok(())
}

fn worst_first(schools: HashMap<SchoolId, Strip>) -> Vec<Strip> {
    let mut schools: Vec<Strip> = schools.into_values().collect();
    let trouble = |state: ShownState| match state {
        ShownState::Compromised => 0,
        ShownState::Down => 1,
        ShownState::Held => 2,
        ShownState::Revoked => 3,
        ShownState::Failing => 4,
        ShownState::Active | ShownState::Paused => 5,
        ShownState::Enrolling => 6,
        ShownState::NotConnected => 7,
    };
    schools.sort_by(|a, b| {
        let key = |strip: &Strip| (trouble(strip.state), std::cmp::Reverse((strip.failed_in_all, strip.open.all())));
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)).then(a.id.cmp(&b.id))
    });
    schools.truncate(MAX_STRIPS);
    schools
}

/// Fills the strips of the last day.
async fn draw(conn: &mut Conn, schools: &mut [Strip], first_hour_ms: i64) -> Result<(), StoreError> {
    let sql = "SELECT school_id, hour_ms, CAST(SUM(CASE WHEN status = 'delivered' THEN attempts ELSE 0 END) AS BIGINT),
                  CAST(SUM(CASE WHEN status = 'delivered' THEN 0 ELSE attempts END) AS BIGINT)
               FROM attempt_hours WHERE hour_ms >= $1 AND school_id IN {list} GROUP BY school_id, hour_ms";
    let places: HashMap<SchoolId, usize> = schools.iter().enumerate().map(|(index, strip)| (strip.id, index)).collect();
    let list = schools.iter().map(|strip| Value::from(strip.id)).collect();
    for mut row in conn.query_list(sql, vec![first_hour_ms.into()], list).await? {
        let (school, hour_ms): (SchoolId, i64) = (row.take(0)?, row.take(1)?);
        let hour = usize::try_from((hour_ms - first_hour_ms) / HOUR_MS).unwrap_or(HOURS);
        let (Some(place), true) = (places.get(&school), hour < HOURS) else { continue };
        let counted = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        schools[*place].delivered[hour] = counted(row.take(2)?);
        schools[*place].failed[hour] = counted(row.take(3)?);
    }
    Ok(())
}
