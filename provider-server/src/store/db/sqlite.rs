//! The embedded database: one connection that writes, a few that read beside it.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Row as _, Sqlite, SqlitePool, TypeInfo as _, ValueRef as _,
    pool::PoolConnection,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use super::{Dialect, Row, StoreError, Value, migrations};

const READERS: u32 = 4;
/// The first SQLite without the WAL-reset corruption bug.
const MIN_SQLITE: u32 = 3_051_003;

pub type Link = PoolConnection<Sqlite>;

#[derive(Clone)]
pub struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Pools {
    /// Creates the file where it is missing, checks the library and migrates.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(512)
            .pragma("secure_delete", "ON")
            .pragma("wal_autocheckpoint", "4000")
            .pragma("cache_size", "-32768")
            .pragma("temp_store", "MEMORY");
        let writer = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(fault)?;
        check_version(&writer).await?;
        migrations::run(&mut *writer.acquire().await.map_err(fault)?, Dialect::Sqlite, fault).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "ON").create_if_missing(false))
            .await
            .map_err(fault)?;
        Ok(Self { writer, readers })
    }

    pub async fn reader(&self) -> Result<Link, StoreError> {
        self.readers.acquire().await.map_err(fault)
    }

    pub async fn writer(&self) -> Result<Link, StoreError> {
        self.writer.acquire().await.map_err(fault)
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

pub async fn execute(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<u64, StoreError> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
    Ok(query.execute(&mut **link).await.map_err(fault)?.rows_affected())
}

pub async fn fetch(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?);
    query.fetch_all(&mut **link).await.map_err(fault)?.iter().map(read_row).collect()
}

pub async fn ping(link: &mut Link) -> Result<(), StoreError> {
    link.ping().await.map_err(fault)
}

fn arguments(values: Vec<Value>) -> Result<SqliteArguments, StoreError> {
    use sqlx::Arguments as _;
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
            Value::Static(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        }
        .map_err(|_| StoreError::Corrupt("a value cannot be bound"))?;
    }
    Ok(arguments)
}

fn read_row(row: &SqliteRow) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let at = column.ordinal();
        let raw = row.try_get_raw(at).map_err(fault)?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().name() {
                "INTEGER" => Value::Int(row.try_get_unchecked(at).map_err(fault)?),
                "TEXT" => Value::Text(row.try_get_unchecked(at).map_err(fault)?),
                "BLOB" => Value::Bytes(row.try_get_unchecked(at).map_err(fault)?),
                _ => return Err(StoreError::Corrupt("a column holds an unknown kind of value")),
            }
        };
        values.push(value);
    }
    Ok(Row(values))
}

fn fault(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) => StoreError::Io,
        sqlx::Error::PoolClosed => StoreError::Stopping,
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
            // SQLite's primary result codes: the low byte of an extended one.
            match code & 0xFF {
                13 => StoreError::DiskFull,
                10 => StoreError::Io,
                11 | 26 => StoreError::Corrupt("SQLite says that the file is malformed"),
                // The text names tables and constraints, never values.
                _ => StoreError::Database(database.message().to_owned()),
            }
        }
        sqlx::Error::PoolTimedOut => StoreError::Database("no connection became free".into()),
        other => StoreError::Database(other.to_string()),
    }
}

async fn check_version(pool: &SqlitePool) -> Result<(), StoreError> {
    let text: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await.map_err(fault)?;
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let version = next() * 1_000_000 + next() * 1_000 + next();
    if version < MIN_SQLITE {
        return Err(StoreError::Corrupt("this SQLite can corrupt its log: 3.51.3 or newer is needed"));
    }
    Ok(())
}
