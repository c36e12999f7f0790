//! The only SQL. A change and everything that follows from it commit in one transaction of the one writer, which
//! gathers what many callers ask into one fsync (group commit, without a timer).
//!
//! [`StoreError`] is for faults of storage; what a caller did wrong is a [`Refusal`](crate::error::Refusal).

pub mod audit;
mod body;
pub mod changes;
pub mod chores;
pub mod codes;
mod commit_mark;
pub mod connections;
pub mod copy;
pub mod db;
pub mod deliveries;
pub mod districts;
pub mod enrollment;
pub mod erasure;
pub mod housekeeping;
pub mod imports;
pub mod keys;
pub mod limits;
mod locks;
pub mod log;
pub mod mail;
pub mod meta;
mod name_keys;
mod news;
pub mod nodes;
pub mod overview;
pub mod record;
pub mod retention;
pub mod roster;
pub mod rotation;
pub mod school_connection;
pub mod school_deletion;
pub mod schools;
pub mod scope;
pub mod secrets;
pub mod staff;
pub mod student_doc;
pub mod students;
pub mod sync;
pub mod tokens;
mod writer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rollcall_proto::id::DistrictId;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Entropy},
    error::Refusal,
    exit::Failure,
    sealing::{Keyring, SealError},
};

pub use db::{Conn, Database, DatabaseUrl, Row, Value};
pub use writer::{Act, Committed, Tx};

/// A fault of the storage below us. Never contains student data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The caller's request cannot be met; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No space left; nothing was changed. Passes when space is there again.
    #[error("the disk is full: free some space, nothing was lost")]
    DiskFull,
    /// Reading or writing the disk failed. After this, nothing that the server believes of its files is sure.
    #[error("the disk failed, so the server stops: it reads what is committed at its next start")]
    Io,
    /// The database has migrations that this program does not know.
    #[error("the database was made by a newer version (migration {0}): install that version or restore a backup")]
    Newer(i64),
    /// A migration failed; it was rolled back.
    #[error("the database could not be migrated: {0}")]
    Migration(String),
    /// The file is damaged or holds what no version of ours writes.
    #[error("the database is damaged ({0}): restore a backup, see docs/operations.md")]
    Corrupt(&'static str),
    /// A sealed value does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// The server is stopping.
    #[error("the server is stopping: try again")]
    Stopping,
    /// PostgreSQL cannot be reached, or does not let us in for now. What was asked did not happen.
    #[error("the database does not answer: try again")]
    Unreachable,
    /// Another server wrote the same rows at the same time. What was asked did not happen.
    #[error("the same was changed at the same time: try again")]
    Conflict,
    /// A database that cannot keep what is promised, or that does not let us in.
    #[error("the database is not fit for use: {0}")]
    Unfit(String),
    /// Anything else that the database says.
    #[error("the database refused a statement ({0})")]
    Database(String),
}

/// The store: cheap to clone, shared by everything that reads or writes.
#[derive(Clone)]
pub struct Store {
    database: Database,
    writer: mpsc::Sender<writer::Job>,
    shared: Arc<Shared>,
}

/// What every transaction may need.
pub struct Shared {
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Randomness of ids, keys and nonces.
    pub entropy: Entropy,
    /// Data keys that were unwrapped already.
    pub keys: keys::KeyCache,
    /// Districts by what named them: see [`scope::known_district`].
    districts: Mutex<HashMap<String, DistrictId>>,
    /// Grows when attempts were recorded: wakes live tails.
    log_wake: watch::Sender<u64>,
    /// Wakes the sync worker when a connection changed.
    pub sync_wake: Notify,
    /// This server among those that share the database.
    pub node: nodes::NodeId,
    /// What servers that share the database tell each other.
    pub news: news::News,
    closing: CancellationToken,
    fatal: watch::Sender<Option<Failure>>,
}

impl Store {
    /// Opens the database as this server among those that share it; a server that was started again keeps its name. What
    /// transactions commit for the engine arrives at the receiver.
    pub async fn open(
        url: &DatabaseUrl,
        node: nodes::NodeId,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        entropy: Entropy,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Committed>), StoreError> {
        let database = Database::open(url).await?;
        let shared = Arc::new(Shared {
            clock,
            entropy,
            node,
            news: news::News::default(),
            keys: keys::KeyCache::new(keyring),
            districts: Mutex::default(),
            log_wake: watch::Sender::new(0),
            sync_wake: Notify::new(),
            closing: CancellationToken::new(),
            fatal: watch::Sender::new(None),
        });
        let (committed, engine) = mpsc::unbounded_channel();
        let writer = writer::start(&database, shared.clone(), committed).await?;
        if meta::get(&mut database.reader().await?, copy::UNDER_WAY).await?.is_some() {
            let words = "a copy into it was not finished: copy again into an empty one";
            return Err(StoreError::Unfit(words.into()));
        }
        news::start(&database, &shared);
        let store = Self { database, writer, shared };
        store.act(|tx| Box::pin(async move { keys::check(tx).await })).await?;
        name_keys::make_due(&store).await?;
        Ok((store, engine))
    }

    /// Runs one act in a transaction of its own inside the next group commit. An error undoes this act alone.
    /// The answer means that it is durable.
    pub async fn act<T, F>(&self, act: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send + 'static,
    {
        writer::act(&self.writer, &self.shared, act).await
    }

    /// The same for whoever does not wait here: `finish` is told in the writer's thread and must be short.
    async fn post<T, F>(
        &self,
        act: F,
        finish: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send + 'static,
    {
        writer::post(&self.writer, act, finish).await
    }

    /// A connection to read with.
    pub async fn reader(&self) -> Result<Conn, StoreError> {
        self.database.reader().await
    }

    /// Reads what must all be of one moment. It runs to its end even where its caller goes away, because it must not
    /// leave a transaction open.
    pub async fn snapshot<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> Act<'c, T> + Send + 'static,
    {
        let store = self.clone();
        let reading = tokio::spawn(async move {
            let mut conn = store.reader().await?;
            conn.begin_snapshot().await?;
            let answer = read(&mut conn).await;
            conn.end_snapshot().await?;
            answer
        });
        reading.await.unwrap_or(Err(StoreError::Stopping))
    }

    /// Time, randomness and keys.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Unix time in ms.
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// Changes whenever attempts were recorded.
    pub fn log_wake(&self) -> watch::Receiver<u64> {
        self.shared.log_wake.subscribe()
    }

    /// Finishes what waits, refuses the rest, and closes the files.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.database.close().await;
    }

    /// The database below, for checks.
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl Shared {
    /// The server cannot go on: it must end, with this failure. The first one is told.
    pub fn end_with(&self, failure: Failure) {
        self.fatal.send_if_modified(|fatal| {
            let is_first = fatal.is_none();
            fatal.get_or_insert(failure);
            is_first
        });
    }

    /// Why the server must end, once it must.
    pub fn fatal(&self) -> watch::Receiver<Option<Failure>> {
        self.fatal.subscribe()
    }

    /// Tells live tails that attempts were recorded, here and at the other servers.
    pub fn attempts_recorded(&self) {
        self.log_wake.send_modify(|count| *count += 1);
        self.news.tell();
    }
}
