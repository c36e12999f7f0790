//! Undelivered messages in groups of one school and one cause. What rests because of the whole connection is one group;
//! what failed for itself is grouped by its last attempt.

use rollcall_proto::id::{DistrictId, EventId, SchoolId};

use super::{BUDGET, Conn, Row, StoreError, Value, condition::Statement};
use crate::{
    error::Refusal,
    model::{
        access::Scope,
        delivery::{reason, state},
        outcome::Cause,
    },
    store::Store,
};

/// Messages of one school that are looked at, the oldest.
const MAX_SEARCHED: u64 = 50_000;
/// The condition of the index of what is open, and a bound on its second column: without it, SQLite takes the index by
/// student and reads every message that there ever was.
const OPEN: &str = " AND e.sequence > 0 AND e.state IN ('pending', 'parked', 'held')";
/// What failed at least once, or rests.
const UNDELIVERED: &str = " AND (e.state <> 'pending' OR e.tries > 0)";
const OF_CONNECTION: &str = "(e.state = 'held' OR (e.state = 'parked' AND e.reason = 'connection_down'))";
const LAST: &str = "a.event_id = e.event_id AND a.log_sequence =
    (SELECT MAX(l.log_sequence) FROM attempts l WHERE l.event_id = e.event_id)";

/// Names a group inside its school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// pending, parked or held
    pub state: &'static str,
    /// Of the state.
    pub reason: String,
    /// Of each message's last attempt; `None` where all messages of the state and reason are meant.
    pub cause: Option<Cause>,
    /// The same; 0 where there was no answer.
    pub code: u16,
}

impl Group {
    /// Checks what a caller names.
    pub fn new(state: &str, reason: &str, cause: &str, code: u32) -> Result<Self, Refusal> {
        let known = [state::PENDING, state::PARKED, state::HELD].into_iter().find(|known| *known == state);
        let state = known.ok_or_else(|| Refusal::field("group.state", "must be pending, parked or held"))?;
        let cause = match cause {
            "" => None,
            name => Some(Cause::parse(name).ok_or_else(|| Refusal::field("group.cause", "is no known cause"))?),
        };
        let code = u16::try_from(code).map_err(|_| Refusal::field("group.code", "is no HTTP code"))?;
        if cause.is_none() && code != 0 {
            return Err(Refusal::field("group.code", "needs a cause"));
        }
        Ok(Self { state, reason: reason.into(), cause, code })
    }

    /// Adds its condition on messages `e`.
    pub fn condition(&self, statement: Statement) -> Statement {
        let statement = statement.sql(OPEN).sql(UNDELIVERED).sql(" AND e.state = ").bind(self.state);
        let statement = statement.sql(" AND e.reason = ").bind(&self.reason);
        let Some(cause) = self.cause else { return statement };
        let statement = statement.sql(" AND EXISTS (SELECT 1 FROM attempts a WHERE ").sql(LAST);
        statement.sql(" AND a.cause = ").bind(cause.as_str()).sql(" AND a.code = ").bind(self.code).sql(")")
    }

    /// The sequences of its messages after one, in order; a part of them.
    pub async fn part(&self, conn: &mut Conn, school: SchoolId, after: u64) -> Result<Vec<u64>, StoreError> {
        let select = Statement::new("SELECT e.sequence FROM events e WHERE e.school_id = ").bind(school);
        let rows = self.condition(select.sql(" AND e.sequence > ").bind(after));
        let rows = rows.sql(" ORDER BY e.sequence LIMIT ").bind(BUDGET).query(conn).await?;
        rows.into_iter().map(|mut row| row.take(0)).collect()
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.state)?;
        let cause = self.cause.map_or("", Cause::as_str);
        let parts = [self.reason.as_str(), cause];
        parts.into_iter().filter(|part| !part.is_empty()).try_for_each(|part| write!(f, " {part}"))?;
        if self.code > 0 { write!(f, " {}", self.code) } else { Ok(()) }
    }
}

/// A group with what is known of it.
#[allow(missing_docs)]
pub struct Undelivered {
    pub school: SchoolId,
    pub school_name: String,
    pub group: Group,
    pub messages: u64,
    /// Not all of the school's messages were looked at.
    pub more: bool,
    /// When the oldest and the newest of them were made, Unix ms.
    pub first_ms: i64,
    pub last_ms: i64,
    /// The oldest.
    pub sample: EventId,
    /// Of the newest failed attempt concerned.
    pub cause: Option<Cause>,
    pub detail: String,
    pub code: u16,
}

/// What is asked for.
pub struct Asked {
    /// The caller's.
    pub scope: Scope,
    /// One district only.
    pub district: Option<DistrictId>,
    /// One school only.
    pub school: Option<SchoolId>,
    /// Schools after this one, by name.
    pub after: Option<SchoolId>,
    /// Schools at most.
    pub limit: i64,
}

/// The groups of some schools, by school name, and the school that the next page begins after. All are of one moment: a
/// message that moves from one group to another is in one of them.
pub async fn undelivered(store: &Store, asked: Asked) -> Result<(Vec<Undelivered>, Option<SchoolId>), StoreError> {
    store.snapshot(move |conn| Box::pin(undelivered_in(conn, asked))).await
}

async fn undelivered_in(conn: &mut Conn, asked: Asked) -> Result<(Vec<Undelivered>, Option<SchoolId>), StoreError> {
    let limit = asked.limit;
    let schools = schools(conn, asked).await?;
    let next = schools.last().map(|(id, _)| *id).filter(|_| schools.len() as i64 == limit);
    let mut groups = Vec::new();
    for (school, name) in schools {
        of_school(conn, school, &name, &mut groups).await?;
    }
    Ok((groups, next))
}

async fn schools(conn: &mut Conn, asked: Asked) -> Result<Vec<(SchoolId, String)>, StoreError> {
    let districts = match (asked.district, asked.scope) {
        (Some(only), _) => Some(vec![only]),
        (None, Scope::Installation) => None,
        (None, Scope::Districts(districts)) => Some(districts),
        (None, Scope::School(district, _)) => Some(vec![district]),
    };
    if districts.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let mut statement = Statement::new(
        "SELECT s.school_id, s.name FROM schools s WHERE EXISTS (SELECT 1 FROM events e WHERE e.school_id = s.school_id",
    );
    statement = statement.sql(OPEN).sql(UNDELIVERED).sql(")");
    if let Some(districts) = districts {
        statement = statement.sql(" AND s.district_id IN ").list(districts);
    }
    if let Some(school) = asked.school {
        statement = statement.sql(" AND s.school_id = ").bind(school);
    }
    if let Some(after) = asked.after {
        let name = "(SELECT n.name FROM schools n WHERE n.school_id = ";
        statement =
            statement.sql(" AND (s.name, s.school_id) > (").sql(name).bind(after).sql("), ").bind(after).sql(")");
    }
    let rows = statement.sql(" ORDER BY s.name, s.school_id LIMIT ").bind(asked.limit).query(conn).await?;
    rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
}

async fn of_school(
    conn: &mut Conn,
    school: SchoolId,
    name: &str,
    groups: &mut Vec<Undelivered>,
) -> Result<(), StoreError> {
    let bounded = |select: &str| Statement::new(select).sql(" WHERE e.school_id = ").bind(school).sql(OPEN);
    let beyond =
        bounded("SELECT e.sequence FROM events e").sql(UNDELIVERED).sql(" ORDER BY e.sequence LIMIT 1 OFFSET ");
    let beyond = beyond.bind(MAX_SEARCHED).query(conn).await?.into_iter().next();
    let more = beyond.is_some();
    let to: u64 = beyond.map_or(Ok(i64::MAX as u64), |mut row| row.take(0))?;
    let figures = "COUNT(*), MIN(e.created_ms), MAX(e.created_ms), MIN(e.sequence)";

    let of_connection = bounded(&format!("SELECT e.state, e.reason, '', 0, {figures} FROM events e"));
    let of_connection = of_connection.sql(" AND e.sequence < ").bind(to).sql(" AND ").sql(OF_CONNECTION);
    let mut rows = of_connection.sql(" GROUP BY 1, 2").query(conn).await?;

    let select = format!(
        "SELECT e.state, e.reason, COALESCE(a.cause, ''), COALESCE(a.code, 0), {figures}
         FROM events e LEFT JOIN attempts a ON {LAST}"
    );
    let for_itself = bounded(&select).sql(UNDELIVERED).sql(" AND e.sequence < ").bind(to).sql(" AND NOT ");
    rows.extend(for_itself.sql(OF_CONNECTION).sql(" GROUP BY 1, 2, 3, 4").query(conn).await?);

    for row in rows {
        groups.push(read(conn, row, school, name, more).await?);
    }
    Ok(())
}

async fn read(
    conn: &mut Conn,
    mut row: Row,
    school: SchoolId,
    name: &str,
    more: bool,
) -> Result<Undelivered, StoreError> {
    let (state, why): (String, String) = (row.take(0)?, row.take(1)?);
    let state = [state::PENDING, state::PARKED, state::HELD].into_iter().find(|known| *known == state);
    let state = state.ok_or(StoreError::Corrupt("a message has an unknown state"))?;
    let group = Group { state, reason: why, cause: Cause::parse(&row.take::<String>(2)?), code: row.take(3)? };
    let oldest: u64 = row.take(7)?;
    let sql = "SELECT event_id FROM events WHERE school_id = $1 AND sequence = $2";
    let sample = conn.query_optional(sql, vec![school.into(), oldest.into()]).await?;
    let sample: EventId = sample.ok_or(StoreError::Corrupt("a message that was just counted is gone"))?.take(0)?;
    let whole_connection = group.state == state::HELD || group.reason == reason::CONNECTION_DOWN;
    let (sql, value): (&str, Value) = if whole_connection {
        // Word for word the condition of the index of trouble.
        let sql = "SELECT a.cause, a.detail, a.code FROM attempts a WHERE a.school_id = $1
                   AND (a.status <> 'delivered' OR a.try_number > 1 OR a.trigger_kind <> 'automatic')
                   AND a.cause <> '' ORDER BY a.log_sequence DESC LIMIT 1";
        (sql, school.into())
    } else {
        let sql = "SELECT cause, detail, code FROM attempts WHERE event_id = $1 ORDER BY log_sequence DESC LIMIT 1";
        (sql, sample.into())
    };
    let failure = conn.query_optional(sql, vec![value]).await?;
    let failure = failure.map(|mut row| Ok::<_, StoreError>((row.take::<String>(0)?, row.take(1)?, row.take(2)?)));
    let (cause, detail, code) = failure.transpose()?.unwrap_or_default();
    Ok(Undelivered {
        school,
        school_name: name.into(),
        group,
        messages: row.take(4)?,
        more,
        first_ms: row.take(5)?,
        last_ms: row.take(6)?,
        sample,
        cause: Cause::parse(&cause),
        detail,
        code,
    })
}
