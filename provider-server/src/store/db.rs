//! The one place that knows sqlx, and the two databases: connections, values, rows, and the few helpers that keep hot
//! statements few and large. Everybody else writes one text for both; where they differ stands here and below.

mod arrays;
mod migrations;
mod postgres;
mod schema;
mod sound;
mod sqlite;
mod texts;
mod url;

use std::{sync::Arc, time::Instant};

use super::StoreError;
use texts::{Dialect, Texts};

pub(super) use schema::Table;
pub(crate) use sqlite::MALFORMED;
pub use url::DatabaseUrl;

/// A value to bind or that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// BIGINT
    Int(i64),
    /// TEXT
    Text(String),
    /// TEXT that lives as long as the program.
    Static(&'static str),
    /// BYTEA
    Bytes(Vec<u8>),
    /// Many of them, for PostgreSQL.
    Array(arrays::Array),
}

macro_rules! values_from {
    ($($from:ty => |$v:ident| $to:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self { $to }
        }
    )*};
}

values_from! {
    i64 => |v| Value::Int(v);
    u64 => |v| Value::Int(v as i64);
    u32 => |v| Value::Int(v.into());
    i32 => |v| Value::Int(v.into());
    u16 => |v| Value::Int(v.into());
    bool => |v| Value::Int(v.into());
    String => |v| Value::Text(v);
    &String => |v| Value::Text(v.clone());
    &'static str => |v| Value::Static(v);
    Vec<u8> => |v| Value::Bytes(v);
    &[u8] => |v| Value::Bytes(v.to_vec());
    [u8; 32] => |v| Value::Bytes(v.to_vec());
    &[u8; 16] => |v| Value::Bytes(v.to_vec());
}

macro_rules! values_from_ids {
    ($($id:ident)*) => {$(
        impl From<rollcall_proto::id::$id> for Value {
            fn from(id: rollcall_proto::id::$id) -> Self { Value::Bytes(id.as_bytes().to_vec()) }
        }
        impl FromValue for rollcall_proto::id::$id {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Bytes(bytes) => Self::from_slice(&bytes),
                    _ => None,
                }
            }
        }
    )*};
}

values_from_ids! { DistrictId SchoolId StudentId EventId ChangeId RunId SecretId StaffId KeyId }

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Value::Null, Into::into)
    }
}

/// A Rust type that a column can be read as.
pub trait FromValue: Sized {
    /// `None` where the value is of another kind.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_int {
    ($($int:ty)*) => {$(
        impl FromValue for $int {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Int(int) => int.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

from_int! { i64 u64 u32 i32 u16 usize }

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(|int| int != 0)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// One row of an answer.
pub struct Row(Vec<Value>);

impl Row {
    /// All of its values.
    pub(super) fn into_values(self) -> Vec<Value> {
        self.0
    }

    /// Takes the column's value; a value of another kind is a corrupt row.
    pub fn take<T: FromValue>(&mut self, column: usize) -> Result<T, StoreError> {
        let value = std::mem::replace(&mut self.0[column], Value::Null);
        T::from_value(value).ok_or(StoreError::Corrupt("a column holds another kind of value"))
    }
}

/// A connection. All SQL of `store/` goes through its methods.
pub struct Conn {
    link: Link,
    texts: Texts,
    tidied: Option<Instant>,
}

enum Link {
    Sqlite(sqlite::Link),
    Postgres(postgres::Link),
}

impl Conn {
    fn sqlite(link: sqlite::Link) -> Self {
        Self { link: Link::Sqlite(link), texts: Texts::new(Dialect::Sqlite), tidied: None }
    }

    fn postgres(link: postgres::Link) -> Self {
        Self { link: Link::Postgres(link), texts: Texts::new(Dialect::Postgres), tidied: None }
    }

    /// Whether other servers may write at the same time: then what is read in order to be written is locked.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.link, Link::Postgres(_))
    }

    /// Runs a statement; answers the rows affected.
    pub async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.run(sql.into(), values).await
    }

    async fn run(&mut self, sql: Arc<str>, values: Vec<Value>) -> Result<u64, StoreError> {
        match &mut self.link {
            Link::Sqlite(link) => sqlite::execute(link, sql, values).await,
            Link::Postgres(link) => postgres::execute(link, sql, values).await,
        }
    }

    /// Runs a query; answers all of its rows. Callers bound them by LIMIT or by their list.
    pub async fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.fetch(sql.into(), values).await
    }

    async fn fetch(&mut self, sql: Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match &mut self.link {
            Link::Sqlite(link) => sqlite::fetch(link, sql, values).await,
            Link::Postgres(link) => postgres::fetch(link, sql, values).await,
        }
    }

    /// Runs a query that answers at most one row.
    pub async fn query_optional(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// `{head} VALUES (…),(…) {tail}` over all rows, in few statements. `values` is row by row. Answers the rows affected.
    pub async fn insert_many(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let mut affected = 0;
        let mut rest = values.into_iter();
        while rest.len() > 0 {
            let (text, part) = self.texts.many(head, tail, columns, &mut rest)?;
            affected += self.run(text, part).await?;
        }
        Ok(affected)
    }

    /// The same for statements with RETURNING; the order of the answers is undefined.
    pub async fn query_many(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(values.len() / columns);
        let mut rest = values.into_iter();
        while rest.len() > 0 {
            let (text, part) = self.texts.many(head, tail, columns, &mut rest)?;
            rows.extend(self.fetch(text, part).await?);
        }
        Ok(rows)
    }

    /// A query with a list: `{list}` in `sql` becomes the list's parameters, beside the `fixed` ones. The answers of all
    /// parts are put together; their order is undefined.
    pub async fn query_list(
        &mut self,
        sql: &'static str,
        fixed: Vec<Value>,
        list: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(list.len());
        let mut rest = list.into_iter();
        while rest.len() > 0 {
            let (text, values) = self.texts.list(sql, &fixed, &mut rest)?;
            rows.extend(self.fetch(text, values).await?);
        }
        Ok(rows)
    }

    /// Starts a transaction. On SQLite it holds the one write lock from the start; on PostgreSQL it locks what it is about
    /// to write, see `locks.rs`.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.control("BEGIN IMMEDIATE", "BEGIN").await
    }

    /// Makes the transaction durable.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.control("COMMIT", "COMMIT").await
    }

    /// Gives the transaction up. A failed statement may have ended it already.
    pub(super) async fn rollback(&mut self) {
        if let Err(error) = self.control("ROLLBACK", "ROLLBACK").await {
            tracing::debug!(%error, "nothing to roll back");
        }
    }

    /// Begins a part of the transaction that can be undone alone.
    pub(super) async fn begin_part(&mut self) -> Result<(), StoreError> {
        self.control("SAVEPOINT act", "SAVEPOINT act").await
    }

    /// Ends it: kept, or undone.
    pub(super) async fn end_part(&mut self, keep: bool) -> Result<(), StoreError> {
        if !keep {
            self.control("ROLLBACK TO act", "ROLLBACK TO act").await?;
        }
        self.control("RELEASE act", "RELEASE act").await
    }

    /// Starts a read transaction: all that is read until its end is of one moment.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        self.control("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Ends it. It must be reached, or the connection goes back to the pool with an open transaction.
    pub(super) async fn end_snapshot(&mut self) -> Result<(), StoreError> {
        self.control("COMMIT", "COMMIT").await
    }

    async fn control(&mut self, sqlite: &'static str, postgres: &'static str) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(link) => sqlite::execute(link, sqlite.into(), vec![]).await.map(drop),
            Link::Postgres(link) => postgres::control(link, postgres).await,
        }
    }

    /// After a commit, which is durable before it: SQLite's log is kept short, and PostgreSQL is told now and then to count
    /// what grew.
    pub(super) async fn tidy(&mut self) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(link) => sqlite::checkpoint(link).await,
            Link::Postgres(link) => {
                if self.tidied.is_some_and(|at| at.elapsed() < postgres::COUNTED_EVERY) {
                    return Ok(());
                }
                self.tidied = Some(Instant::now());
                postgres::count_grown(link).await
            }
        }
    }

    /// Whether the connection still answers.
    pub async fn ping(&mut self) -> Result<(), StoreError> {
        match &mut self.link {
            Link::Sqlite(link) => sqlite::ping(link).await,
            Link::Postgres(link) => postgres::ping(link).await,
        }
    }
}

/// A database: what writes, and a few connections that read beside it.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
}

#[derive(Clone)]
enum Pools {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pools),
}

impl Database {
    /// Opens the database, creates an embedded one where it is missing, checks what it promises, and migrates.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let pools = match url {
            DatabaseUrl::Sqlite(path) => Pools::Sqlite(sqlite::Pools::open(path).await?),
            DatabaseUrl::Postgres(url) => Pools::Postgres(postgres::Pools::open(url).await?),
        };
        Ok(Self { pools })
    }

    /// Whether several servers may use it at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    /// A connection to read with; waits where all are in use.
    pub async fn reader(&self) -> Result<Conn, StoreError> {
        match &self.pools {
            Pools::Sqlite(pools) => pools.reader().await.map(Conn::sqlite),
            Pools::Postgres(pools) => pools.reader().await.map(Conn::postgres),
        }
    }

    /// A connection to write with: the only one on SQLite, a further one on PostgreSQL.
    pub(super) async fn writer(&self) -> Result<Conn, StoreError> {
        match &self.pools {
            Pools::Sqlite(pools) => pools.writer().await.map(Conn::sqlite),
            Pools::Postgres(pools) => pools.writer().await.map(Conn::postgres),
        }
    }

    /// Calls `heard` whenever another server told something; ends with a fault.
    pub(super) async fn listen(&self, heard: impl Fn()) -> StoreError {
        match &self.pools {
            Pools::Sqlite(_) => std::future::pending().await,
            Pools::Postgres(pools) => pools.listen(heard).await,
        }
    }

    /// Whether anything that was read was found to be damaged since the start.
    pub fn is_damaged(&self) -> bool {
        match &self.pools {
            Pools::Sqlite(pools) => pools.is_damaged(),
            Pools::Postgres(_) => false,
        }
    }

    /// Closes all connections; SQLite folds its log into the database file. The writer must have ended.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite(pools) => pools.close().await,
            Pools::Postgres(pools) => pools.close().await,
        }
    }

    /// Runs SQLite's own integrity check; answers its complaints, none where the file is sound. PostgreSQL has tools of
    /// its own for that (`pg_amcheck`, checksums).
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        if self.is_shared() {
            return Ok(Vec::new());
        }
        let rows = self.reader().await?.query("PRAGMA integrity_check(20)", vec![]).await?;
        let lines: Result<Vec<String>, _> = rows.into_iter().map(|mut row| row.take(0)).collect();
        Ok(lines?.into_iter().filter(|line| line != "ok").collect())
    }
}
