//! Connections, values, rows, and the few helpers that keep hot statements few and large.

mod sqlite;

use std::{collections::HashMap, path::Path, sync::Arc};

use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::StoreError;
use sqlite::{Pool, Sqlite, Use};

/// Rows per statement of a multi-row insert or list: a few fixed sizes, so that the statement cache holds.
const BATCH_SIZES: [usize; 5] = [256, 64, 16, 4, 1];
const READERS: u32 = 4;
/// The first SQLite without the WAL-reset corruption bug.
const MIN_SQLITE: u32 = 3_051_003;

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
    /// Takes the column's value; a value of another kind is a corrupt row.
    pub fn take<T: FromValue>(&mut self, column: usize) -> Result<T, StoreError> {
        let value = std::mem::replace(&mut self.0[column], Value::Null);
        T::from_value(value).ok_or(StoreError::Corrupt("a column holds another kind of value"))
    }
}

/// A connection. All SQL of `store/` goes through its methods.
pub struct Conn {
    inner: Sqlite,
    /// Texts of multi-row statements, by their head and size.
    texts: HashMap<(&'static str, usize), Arc<str>>,
}

impl Conn {
    fn new(inner: Sqlite) -> Self {
        Self { inner, texts: HashMap::new() }
    }

    /// Runs a statement; answers the rows affected.
    pub async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.inner.run(sql.into(), values).await
    }

    /// Runs a query; answers all of its rows. Callers bound them by LIMIT or by their list.
    pub async fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.inner.fetch(sql.into(), values).await
    }

    /// Runs a query that answers at most one row.
    pub async fn query_optional(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// `{head} VALUES (…),(…) {tail}` over all rows, in few statements of fixed sizes. `values` is row by row. Answers
    /// the rows affected.
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
            let (text, part) = self.many(head, tail, columns, &mut rest);
            affected += self.inner.run(text, part).await?;
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
            let (text, part) = self.many(head, tail, columns, &mut rest);
            rows.extend(self.inner.fetch(text, part).await?);
        }
        Ok(rows)
    }

    fn many(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        rest: &mut std::vec::IntoIter<Value>,
    ) -> (Arc<str>, Vec<Value>) {
        debug_assert_eq!(rest.len() % columns, 0, "whole rows");
        let rows = batch_size(rest.len() / columns, columns);
        debug_assert!(!head.contains('$') && !tail.contains('$'), "all parameters are the rows'");
        let text = self.texts.entry((head, rows)).or_insert_with(|| {
            let tuples = vec![anonymous(columns); rows];
            format!("{head} VALUES {} {tail}", tuples.join(",")).into()
        });
        (text.clone(), rest.take(rows * columns).collect())
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
            let size = batch_size(rest.len(), 1);
            let text = self
                .texts
                .entry((sql, size))
                .or_insert_with(|| shifted(sql, size).replace("{list}", &anonymous(size)).into());
            let text = text.clone();
            let values = rest.by_ref().take(size).chain(fixed.iter().cloned()).collect();
            rows.extend(self.inner.fetch(text, values).await?);
        }
        Ok(rows)
    }
}

fn batch_size(rows: usize, columns: usize) -> usize {
    // 32,766 is SQLite's limit of parameters.
    let fits = |size: &&usize| **size <= rows && **size * columns <= 32_000;
    *BATCH_SIZES.iter().find(fits).unwrap_or(&1)
}

/// Parameters without names. SQLite looks through all names of a statement for each parameter that is bound: with
/// `$1` to `$2560` that was three fifths of all time.
fn anonymous(count: usize) -> String {
    format!("({})", vec!["?"; count].join(","))
}

/// The same text with every `$n` as `$n+by`: anonymous parameters take the first values.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part[..end].parse::<usize>() {
            Ok(number) => format!("{done}${}{}", number + by, &part[end..]),
            Err(_) => format!("{done}${part}"),
        }
    })
}

/// A database: one connection that writes, a few that read beside it.
#[derive(Clone)]
pub struct Database {
    writer: Arc<Pool>,
    readers: Arc<Pool>,
}

impl Database {
    /// Opens the embedded database, creates it where it is missing, checks the library and migrates.
    pub async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        check_version(&mut conn).await?;
        migrate(&mut conn).await?;
        conn.close().await?;
        let readers = Pool::new(path.to_owned(), Use::Read, READERS);
        Ok(Self { writer: Pool::new(path.to_owned(), Use::Write, 1), readers })
    }

    /// A connection to read with; waits where all are in use.
    pub async fn reader(&self) -> Result<Conn, StoreError> {
        Ok(Conn::new(self.readers.take().await?))
    }

    pub(super) async fn writer(&self) -> Result<Conn, StoreError> {
        Ok(Conn::new(self.writer.take().await?))
    }

    /// Closes all connections; the log is folded into the database file. The writer must have ended.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Runs SQLite's own integrity check; answers its complaints, none where the file is sound.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.reader().await?.query("PRAGMA integrity_check(20)", vec![]).await?;
        let lines: Result<Vec<String>, _> = rows.into_iter().map(|mut row| row.take(0)).collect();
        Ok(lines?.into_iter().filter(|line| line != "ok").collect())
    }
}

impl Conn {
    /// Starts a transaction that holds the write lock from the start.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.execute("BEGIN IMMEDIATE", vec![]).await.map(drop)
    }

    /// Makes the transaction durable.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", vec![]).await.map(drop)
    }

    /// Gives the transaction up. A failed statement may have ended it already.
    pub(super) async fn rollback(&mut self) {
        if let Err(error) = self.execute("ROLLBACK", vec![]).await {
            tracing::debug!(%error, "nothing to roll back");
        }
    }

    /// Starts a read transaction: all that is read until its end is of one moment.
    pub(super) async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        self.execute("BEGIN", vec![]).await.map(drop)
    }

    /// Ends it. It must be reached, or the connection goes back to the pool with an open transaction: the caller runs in
    /// a task of its own, which nobody cancels.
    pub(super) async fn end_snapshot(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", vec![]).await.map(drop)
    }

    /// Whether the connection still answers.
    pub async fn ping(&mut self) -> Result<(), StoreError> {
        self.query("SELECT 1", vec![]).await.map(drop)
    }
}

async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");
    MIGRATIONS.run(conn).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => StoreError::Newer(version),
        sqlx::migrate::MigrateError::VersionMismatch(version) => StoreError::Newer(version),
        sqlx::migrate::MigrateError::Execute(error) => StoreError::from(error),
        other => StoreError::Migration(other.to_string()),
    })
}

async fn check_version(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let text: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(conn).await?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let version = next() * 1_000_000 + next() * 1_000 + next();
    if version < MIN_SQLITE {
        return Err(StoreError::Corrupt("this SQLite can corrupt its log: 3.51.3 or newer is needed"));
    }
    Ok(())
}
