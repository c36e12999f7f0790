//! Where a page looks: the part of a school's log that a filter can concern, cut to a budget.

use rollcall_proto::id::{EventId, SchoolId, StudentId};

use super::{
    Attempt, COLUMNS, Conn, StoreError,
    condition::{Statement, TROUBLE},
};
use crate::model::log_filter::{LogFilter, StudentKey, Test};

/// Attempts are recorded when they end, nearly in the order of their beginnings: a time is looked for this much around
/// it, ms. Only a clock that was set back by more could hide a row from a search by time.
const DISORDER_MS: i64 = 3_600_000;

/// The order of the rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By log sequence, descending.
    NewestFirst,
    /// By log sequence, ascending.
    OldestFirst,
}

impl Order {
    fn sql(self) -> &'static str {
        match self {
            Self::NewestFirst => " ORDER BY a.log_sequence DESC LIMIT ",
            Self::OldestFirst => " ORDER BY a.log_sequence LIMIT ",
        }
    }
}

/// Log sequences from `from` on, before `to`.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub school: SchoolId,
    pub from: u64,
    pub to: u64,
    /// Whether only rows of the index of trouble count.
    trouble: bool,
}

impl Range {
    /// What of the log before `to` a filter can concern.
    pub async fn of(
        conn: &mut Conn,
        school: SchoolId,
        filter: &LogFilter,
        now_ms: i64,
        to: u64,
    ) -> Result<Self, StoreError> {
        let sql = "SELECT log_sequence FROM attempts WHERE school_id = $1 ORDER BY log_sequence LIMIT 1";
        let oldest = conn.query_optional(sql, vec![school.into()]).await?;
        let from = oldest.map_or(Ok(to), |mut row| row.take(0))?;
        let trouble = filter.is_about_trouble();
        let mut range = Self { school, from: from.min(to), to, trouble };
        let (since, until) = filter.time_bounds(now_ms);
        let probe = "SELECT log_sequence, at_ms FROM attempts WHERE school_id = $1 AND log_sequence >= $2
                     ORDER BY log_sequence LIMIT 1";
        if let Some(since) = since {
            range.from = first_since(conn, probe, &range, since.saturating_sub(DISORDER_MS)).await?;
        }
        if let Some(until) = until {
            range.to = first_since(conn, probe, &range, until.saturating_add(DISORDER_MS)).await?;
        }
        Ok(range)
    }

    /// These rows.
    pub fn between(school: SchoolId, from: u64, to: u64) -> Self {
        Self { school, from, to, trouble: false }
    }

    /// Of a range of messages, those made since a time: with the disorder of clocks before it.
    pub async fn of_messages_since(self, conn: &mut Conn, since_ms: i64) -> Result<Self, StoreError> {
        let probe = "SELECT sequence, created_ms FROM events WHERE school_id = $1 AND sequence >= $2
                     ORDER BY sequence LIMIT 1";
        let from = first_since(conn, probe, &self, since_ms.saturating_sub(DISORDER_MS)).await?;
        Ok(Self { from, ..self })
    }

    /// Takes the oldest `rows` away and answers them.
    pub fn cut_oldest(&mut self, rows: u64) -> Self {
        let part = Self { to: self.to.min(self.from.saturating_add(rows)), ..*self };
        self.from = part.to;
        part
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// The newest part of it, at most `budget` rows.
    pub async fn newest_part(self, conn: &mut Conn, budget: u64) -> Result<Self, StoreError> {
        if !self.trouble {
            return Ok(Self { from: self.from.max(self.to.saturating_sub(budget)), ..self });
        }
        let rows = self.bounded("SELECT a.log_sequence FROM attempts a").sql(" AND ").sql(TROUBLE);
        let rows = rows.sql(Order::NewestFirst.sql()).sql("1 OFFSET ").bind(budget - 1).query(conn).await?;
        match rows.into_iter().next() {
            Some(mut row) => Ok(Self { from: row.take(0)?, ..self }),
            None => Ok(self),
        }
    }

    /// A statement over its rows, up to the condition.
    pub fn bounded(&self, select: &str) -> Statement {
        self.bound(Statement::new(select))
    }

    /// The same for one that has begun.
    pub fn bound(&self, select: Statement) -> Statement {
        select
            .sql(" WHERE a.school_id = ")
            .bind(self.school)
            .sql(" AND a.log_sequence >= ")
            .bind(self.from)
            .sql(" AND a.log_sequence < ")
            .bind(self.to)
    }

    /// The rows that match.
    pub async fn rows(
        &self,
        conn: &mut Conn,
        filter: &LogFilter,
        now_ms: i64,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Attempt>, StoreError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let select = format!("SELECT {COLUMNS} FROM attempts a");
        let statement = self.bounded(&select).filter(filter, now_ms).sql(order.sql()).bind(limit as u64);
        statement.query(conn).await?.into_iter().map(Attempt::read).collect()
    }
}

/// The first position of a range whose row has this time or a later one, by halves. `probe` answers the first row at or
/// after a position, with its time.
async fn first_since(conn: &mut Conn, probe: &str, range: &Range, ms: i64) -> Result<u64, StoreError> {
    let (mut low, mut high) = (range.from, range.to);
    while low < high {
        let middle = low + (high - low) / 2;
        let row = conn.query_optional(probe, vec![range.school.into(), middle.into()]).await?;
        let row = row.map(|mut row| Ok::<(u64, i64), StoreError>((row.take(0)?, row.take(1)?))).transpose()?;
        match row {
            Some((position, at_ms)) if at_ms < ms => low = position + 1,
            _ => high = middle,
        }
    }
    Ok(low.min(range.to))
}

/// A filter that names students or messages finds its few rows by their indexes.
pub enum Narrow {
    Messages(Vec<EventId>),
    Students(Vec<StudentId>),
}

impl Narrow {
    /// What the filter names; `None` where it names nothing, or a student that is not known by its sourcedId.
    pub async fn find(conn: &mut Conn, school: SchoolId, filter: &LogFilter) -> Result<Option<Self>, StoreError> {
        for term in filter.terms.iter().filter(|term| !term.excluded) {
            match &term.test {
                Test::Message(ids) => {
                    let mut own = Vec::with_capacity(ids.len());
                    for id in ids {
                        let sql = "SELECT school_id FROM attempts WHERE event_id = $1 LIMIT 1";
                        let row = conn.query_optional(sql, vec![(*id).into()]).await?;
                        if row.map(|mut row| row.take::<SchoolId>(0)).transpose()? == Some(school) {
                            own.push(*id);
                        }
                    }
                    return Ok(Some(Self::Messages(own)));
                }
                Test::Student(keys) => {
                    let mut ids = Vec::with_capacity(keys.len());
                    for key in keys {
                        match key {
                            StudentKey::Id(id) => ids.push(*id),
                            StudentKey::SourcedId(sourced_id) => {
                                let sql = "SELECT student_id FROM school_students
                                           WHERE school_id = $1 AND sourced_id = $2";
                                let row = conn.query_optional(sql, vec![school.into(), sourced_id.into()]).await?;
                                let Some(mut row) = row else { return Ok(None) };
                                ids.push(row.take(0)?);
                            }
                        }
                    }
                    return Ok(Some(Self::Students(ids)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The rows of a range that match, newest first.
    pub async fn rows(
        self,
        conn: &mut Conn,
        filter: &LogFilter,
        now_ms: i64,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<Attempt>, StoreError> {
        let statement = match self {
            Self::Messages(ids) if ids.is_empty() => return Ok(Vec::new()),
            // Without the school, which these messages belong to: with it, its whole log could be searched in order.
            Self::Messages(ids) => {
                Statement::new(&format!("SELECT {COLUMNS} FROM attempts a WHERE a.event_id IN ")).list(ids)
            }
            Self::Students(ids) => {
                let select = format!("SELECT {COLUMNS} FROM events e CROSS JOIN attempts a WHERE e.school_id = ");
                let statement = Statement::new(&select).bind(range.school).sql(" AND e.student_id IN ").list(ids);
                statement.sql(" AND a.event_id = e.event_id")
            }
        };
        let statement = statement.sql(" AND a.log_sequence >= ").bind(range.from);
        let statement = statement.sql(" AND a.log_sequence < ").bind(range.to).filter(filter, now_ms);
        let rows = statement.sql(Order::NewestFirst.sql()).bind(limit as u64).query(conn).await?;
        rows.into_iter().map(Attempt::read).collect()
    }
}
