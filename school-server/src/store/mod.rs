//! The only SQL. One writing connection beside a few reading ones; WAL, every commit fsynced.

pub mod history;
pub mod read;
mod rows;
pub mod write;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, Row,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::{AppError, Kind},
    inbox::window::Window,
    secrets::Identity,
};

/// Before this version SQLite could corrupt a database when its write-ahead log was reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A look for damage takes no longer at a start: of a large file the tables that fit into this time are looked at.
const LOOK_LIMIT: Duration = Duration::from_millis(500);
/// SQLite's instructions between two looks at the time.
const LOOK_STEP: i32 = 10_000;
/// What a school does about a damaged database: it holds nothing that the provider does not have.
const REMEDY: &str = "restore the data directory from a backup; without one, move its school.db away and enroll again: the \
                      provider then sends every student anew";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why a statement did not work, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    /// No room; it passes when there is room again.
    #[error("the disk is full")]
    Full,
    /// Somebody else holds the database for a while.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// Pages or rows are not what this program writes.
    #[error("the database is damaged ({0}): {REMEDY}")]
    Damaged(String),
    /// What was written may not be on the disk, or cannot be read.
    #[error("the database cannot be written safely any more: {0}")]
    Fatal(String),
}

impl From<rusqlite::Error> for StoreFailure {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|failure| failure.extended_code);
        const FULL: i32 = 13;
        const IO_SHARED_MEMORY_SIZE: i32 = 10 | 19 << 8;
        match code {
            Some(FULL | IO_SHARED_MEMORY_SIZE) => Self::Full,
            Some(code) if matches!(code & 0xff, 11 | 26) => Self::Damaged(error.to_string()),
            Some(code) if matches!(code & 0xff, 5 | 6) => Self::Busy(error.to_string()),
            _ => Self::Fatal(error.to_string()),
        }
    }
}

/// What the writer starts from.
#[derive(Debug)]
pub struct State {
    pub window: Window,
    pub identity: Identity,
    /// The newest recorded request's number.
    pub newest: u64,
}

/// Both sides of the open database.
pub struct Opened {
    pub write: write::WriteStore,
    pub read: read::ReadStore,
    pub state: State,
}

/// Opens the database, creates or migrates it, and reads where it stands.
///
/// # Errors
/// Refuses, with what to do, a library that is too old and a database that is damaged or newer than this program.
pub async fn open(path: &Path) -> Result<Opened, AppError> {
    let place = path.display();
    let read_only =
        || AppError::config(format!("{place} may not be written: give this user the right to, and to its folder"));
    let unusable = |error: &sqlx::Error| match sqlite_code(error).map(|code| code & 0xff) {
        Some(11 | 26) => AppError::new(Kind::BadData, format!("{place} is damaged ({error}): {REMEDY}")),
        Some(8) => read_only(),
        _ => AppError::internal(format!("{place} cannot be used: {error}")),
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(|e| unusable(&e))?;
    check_library(&mut connection).await?;
    let complaints = look(&mut connection).await.map_err(|e| unusable(&e))?;
    if let Some(first) = complaints.first() {
        return Err(AppError::new(Kind::BadData, format!("{place} is damaged ({first}): {REMEDY}")));
    }
    MIGRATIONS.run(&mut connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => {
            let words = format!("{place} was written by a newer version (migration {version})");
            AppError::new(Kind::BadData, format!("{words}: update this program, or restore a backup"))
        }
        MigrateError::Execute(error) => unusable(&error),
        other => AppError::internal(format!("{place} cannot be used: {other}")),
    })?;
    let state = read_state(&mut connection).await.map_err(|e| unusable(&e))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "ON"));
    connection.close().await.map_err(|e| unusable(&e))?;
    let write =
        write::WriteStore::open(path).map_err(|e| AppError::internal(format!("{place} cannot be used: {e}")))?;
    if write.is_read_only() {
        return Err(read_only());
    }
    Ok(Opened { write, read: read::ReadStore::new(readers), state })
}

fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Looks for damaged pages before anything is written; answers SQLite's complaints, which name pages and tables, never
/// values.
async fn look(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let begun = Instant::now();
    connection.lock_handle().await?.set_progress_handler(LOOK_STEP, move || begun.elapsed() < LOOK_LIMIT);
    let looked: Result<Vec<String>, _> = sqlx::query_scalar("PRAGMA quick_check(10)").fetch_all(&mut *connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    const INTERRUPTED: i32 = 9;
    match looked {
        Err(error) if sqlite_code(&error) == Some(INTERRUPTED) => Ok(Vec::new()),
        looked => Ok(looked?.into_iter().filter(|line| line != "ok").collect()),
    }
}

async fn check_library(connection: &mut SqliteConnection) -> Result<(), AppError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|e| AppError::while_doing(Kind::Internal, "asking SQLite for its version", e))?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(AppError::internal(format!("SQLite {version} is too old: 3.51.3 or newer is needed")));
    }
    Ok(())
}

async fn read_state(connection: &mut SqliteConnection) -> Result<State, sqlx::Error> {
    let row = sqlx::query(
        "SELECT school_id, school_sourced_id, school_name, district_sourced_id, contiguous, ranges FROM receiver",
    )
    .fetch_one(&mut *connection)
    .await?;
    let identity = Identity {
        school_id: row.try_get(0)?,
        school_sourced_id: row.try_get(1)?,
        school_name: row.try_get(2)?,
        district_sourced_id: row.try_get(3)?,
        ..Identity::default()
    };
    let (contiguous, ranges): (i64, String) = (row.try_get(4)?, row.try_get(5)?);
    let window = Window::from_stored(contiguous as u64, &ranges)
        .ok_or_else(|| sqlx::Error::Decode("the sequence window is damaged".into()))?;
    let newest: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM received").fetch_one(connection).await?;
    Ok(State { window, identity, newest: newest as u64 })
}
