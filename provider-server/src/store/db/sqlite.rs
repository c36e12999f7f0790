//! The embedded database, spoken to directly. What writes runs its statements in the thread that asks, which is the
//! writer's own: a statement costs no hand-over between threads. What reads may take a while, so that it runs beside the
//! threads that serve.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::{CachedStatement, Connection, types::ValueRef};
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Dialect, Row, StoreError, Value, migrations, sound};

const READERS: u32 = 4;
/// The first SQLite without the WAL-reset corruption bug.
const MIN_SQLITE: i32 = 3_051_003;
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// Pages of the log between two checkpoints, 16 MiB.
const CHECKPOINT_PAGES: i64 = 4_000;
const STATEMENTS: usize = 256;
/// A page is not what it must be, or the disk fails where it is: SQLite does not tell the two apart.
pub const MALFORMED: &str = "a page of its file is not as it was written, or cannot be read";

/// The connection that writes, and those that read beside it.
#[derive(Clone)]
pub struct Pools {
    writer: Arc<Pool>,
    readers: Arc<Pool>,
}

impl Pools {
    /// Creates the file where it is missing, checks the library, looks for damage and migrates.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        check_version()?;
        sound::look(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_LIMIT)
            .pragma("secure_delete", "ON");
        let mut conn = SqliteConnection::connect_with(&options).await.map_err(migration_fault)?;
        migrations::run(&mut conn, Dialect::Sqlite, migration_fault).await?;
        conn.close().await.map_err(migration_fault)?;
        let damaged = Arc::new(AtomicBool::new(false));
        let pool = |purpose, size| Pool::new(path.to_owned(), purpose, size, damaged.clone());
        Ok(Self { writer: pool(Use::Write, 1), readers: pool(Use::Read, READERS) })
    }

    pub async fn reader(&self) -> Result<Link, StoreError> {
        self.readers.take().await
    }

    pub async fn writer(&self) -> Result<Link, StoreError> {
        self.writer.take().await
    }

    pub fn is_damaged(&self) -> bool {
        self.readers.damaged.load(Ordering::Relaxed)
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// What the connections of a pool are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The one that writes; its statements run in the thread that asks.
    Write,
    /// One of those that read beside it.
    Read,
}

impl Use {
    /// Cached pages of each connection, KiB. The system caches the file once more, for all of them.
    fn cache_kib(self) -> u32 {
        match self {
            Self::Write => 16_384,
            Self::Read => 2_048,
        }
    }

    fn statements(self) -> usize {
        match self {
            Self::Write => STATEMENTS,
            Self::Read => STATEMENTS / 8,
        }
    }
}

/// Connections of one use.
struct Pool {
    path: PathBuf,
    purpose: Use,
    size: u32,
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
    /// Of all pools of the file.
    damaged: Arc<AtomicBool>,
}

impl Pool {
    /// At most so many connections, each opened when it is first needed.
    fn new(path: PathBuf, purpose: Use, size: u32, damaged: Arc<AtomicBool>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(size as usize));
        Arc::new(Self { path, purpose, size, idle: Mutex::default(), places, damaged })
    }

    /// A connection; waits where all are in use.
    async fn take(self: &Arc<Self>) -> Result<Link, StoreError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let idle = self.idle().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => {
                let pool = self.clone();
                off_thread(move || pool.open()).await?
            }
        };
        Ok(Link { held: Some((conn, place)), pool: self.clone() })
    }

    /// Waits until every connection came back, and closes them.
    async fn close(&self) {
        let all = self.places.acquire_many(self.size).await;
        self.places.close();
        drop(all);
        self.idle().clear();
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let conn = Connection::open(&self.path).map_err(|error| match error.sqlite_error_code() {
            // It was opened before, so that handles are missing: they come back.
            Some(rusqlite::ErrorCode::CannotOpen) => StoreError::Unreachable,
            _ => error.into(),
        })?;
        conn.busy_timeout(BUSY_LIMIT)?;
        conn.set_prepared_statement_cache_capacity(self.purpose.statements());
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "secure_delete", "ON")?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "cache_size", -i64::from(self.purpose.cache_kib()))?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        if self.purpose == Use::Read {
            conn.pragma_update(None, "query_only", "ON")?;
        }
        Ok(conn)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("no holder of this lock panics")
    }
}

/// A connection that is in use.
pub struct Link {
    /// With its place in the pool. Away while a statement runs beside: where its caller goes away, it is closed once the
    /// statement ends, and its place is free then.
    held: Option<(Connection, OwnedSemaphorePermit)>,
    pool: Arc<Pool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        // One that is inside a transaction is closed, which ends that.
        if let Some((conn, _place)) = self.held.take().filter(|(conn, _)| conn.is_autocommit()) {
            self.pool.idle().push(conn);
        }
    }
}

impl Link {
    async fn with<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let held = self.held.take().ok_or(StoreError::Stopping)?;
        let (held, done) = match self.pool.purpose {
            Use::Write => {
                let done = act(&held.0);
                (held, done)
            }
            Use::Read => {
                off_thread(move || {
                    let done = act(&held.0);
                    Ok((held, done))
                })
                .await?
            }
        };
        self.held = Some(held);
        let done = match done {
            // What only reads loses nothing by it: the server goes on with what can be read.
            Err(StoreError::Io) if self.pool.purpose == Use::Read => Err(StoreError::Corrupt(MALFORMED)),
            done => done,
        };
        if matches!(done, Err(StoreError::Corrupt(MALFORMED))) {
            self.pool.damaged.store(true, Ordering::Relaxed);
        }
        done
    }
}

/// Brings what the log holds into the file, once that is much. SQLite's own checkpoints say nothing of their failures: a
/// file that takes no fsync would never get what its log holds, which would grow until the disk is full.
pub async fn checkpoint(link: &mut Link) -> Result<(), StoreError> {
    // The log's pages, and nothing is done.
    let mut row = fetch(link, "PRAGMA wal_checkpoint(NOOP)".into(), vec![]).await?;
    let pages: i64 = row.first_mut().map_or(Ok(0), |row| row.take(1))?;
    if pages >= CHECKPOINT_PAGES {
        fetch(link, "PRAGMA wal_checkpoint(PASSIVE)".into(), vec![]).await?;
    }
    Ok(())
}

/// Runs a statement; answers the rows affected.
pub async fn execute(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<u64, StoreError> {
    link.with(move |conn| run(conn, &sql, &values)).await
}

/// Runs a query; answers all of its rows.
pub async fn fetch(link: &mut Link, sql: Arc<str>, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    link.with(move |conn| read(conn, &sql, &values)).await
}

pub async fn ping(link: &mut Link) -> Result<(), StoreError> {
    fetch(link, "SELECT 1".into(), vec![]).await.map(drop)
}

async fn off_thread<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    // It does not run where the runtime ends.
    tokio::task::spawn_blocking(act).await.unwrap_or(Err(StoreError::Stopping))
}

fn run(conn: &Connection, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(conn.changes())
}

fn read(conn: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let column = |index| match row.get_ref(index)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(int) => Ok(Value::Int(int)),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(StoreError::Corrupt("a text is not UTF-8")),
            },
            ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
            ValueRef::Real(_) => Err(StoreError::Corrupt("a column holds an unknown kind of value")),
        };
        found.push(Row((0..columns).map(column).collect::<Result<_, StoreError>>()?));
    }
    Ok(found)
}

/// Binds by number: `$n` takes the nth value, wherever it stands; those without a name take the first values in order.
fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), StoreError> {
    const MISSING: StoreError = StoreError::Corrupt("a statement has more parameters than values");
    let mut anonymous = 0;
    for place in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(place) {
            Some(name) => name[1..].parse().map_err(|_| MISSING)?,
            None => {
                anonymous += 1;
                anonymous
            }
        };
        match values.get(usize::wrapping_sub(number, 1)).ok_or(MISSING)? {
            Value::Null => statement.raw_bind_parameter(place, rusqlite::types::Null),
            Value::Int(int) => statement.raw_bind_parameter(place, int),
            Value::Text(text) => statement.raw_bind_parameter(place, text.as_str()),
            Value::Static(text) => statement.raw_bind_parameter(place, text),
            Value::Bytes(bytes) => statement.raw_bind_parameter(place, bytes.as_slice()),
            Value::Array(_) => return Err(StoreError::Corrupt("SQLite has no arrays")),
        }?;
    }
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, words) => fault(failure.extended_code, words.as_deref()),
            other => Self::Database(other.to_string()),
        }
    }
}

fn migration_fault(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(_) => StoreError::Io,
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            fault(code, Some(database.message()))
        }
        other => StoreError::Database(other.to_string()),
    }
}

/// By SQLite's result code, of which the low byte is the primary one. The words name tables and constraints, never values.
fn fault(code: i32, words: Option<&str>) -> StoreError {
    /// The index of the log, which needs to be in no file after a crash, finds no room to grow.
    const NO_ROOM_FOR_INDEX: i32 = 10 | 19 << 8;
    match code & 0xFF {
        13 => StoreError::DiskFull,
        _ if code == NO_ROOM_FOR_INDEX => StoreError::DiskFull,
        10 => StoreError::Io,
        11 | 26 => StoreError::Corrupt(MALFORMED),
        8 => StoreError::Unfit("its file may not be written: give this user the right to, and to its folder".into()),
        _ => StoreError::Database(words.unwrap_or("no words").to_owned()),
    }
}

fn check_version() -> Result<(), StoreError> {
    if rusqlite::version_number() < MIN_SQLITE {
        return Err(StoreError::Corrupt("this SQLite can corrupt its log: 3.51.3 or newer is needed"));
    }
    Ok(())
}
