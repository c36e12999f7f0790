//! What writes. On SQLite one writer with a thread of its own: jobs that wait while a commit is under way share the next
//! one, many callers, one fsync, no timer. Each but the first runs inside a savepoint, so that its failure undoes it
//! alone; what the first one did is undone with the transaction, in which nothing else was done yet: a savepoint costs a
//! copy of each page that is changed. On PostgreSQL a few writers, each with a connection of its own and one job in a
//! transaction: rows are locked in one order, which two jobs in one transaction could not keep, and the server itself
//! gathers the commits of many connections into one fsync.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc, oneshot},
};

use super::{
    Shared, StoreError,
    audit::{self, AuditAct},
    commit_mark::{CommitId, Mark},
    db::{Conn, Database, MALFORMED},
    nodes,
};
use crate::{crash, exit::Failure, model::delivery::NewDelivery};
use rollcall_proto::id::SchoolId;

/// Jobs that may wait for the writer; more wait in their callers.
const QUEUE: usize = 1024;
/// Jobs in one transaction.
const MAX_JOBS: usize = 256;
/// Writers of a shared database.
const WRITERS: usize = 3;
/// Before a lost database is asked again.
const PATIENCE: Duration = Duration::from_millis(250);

/// The future of one act.
pub type Act<'t, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 't>>;

/// What a committed transaction means for the engine.
pub enum Committed {
    /// New deliveries, in the order of each school's sequence.
    Deliveries(Vec<NewDelivery>),
    /// A school's connection changed (url, secrets, policy, state): read it again.
    Connection(SchoolId),
    /// Messages of a school became due by an act of staff (resend, replay, resume), or were superseded or discarded:
    /// read its open messages again.
    Reload(SchoolId),
}

/// A transaction under way.
pub struct Tx<'c> {
    /// The connection, inside the transaction.
    pub conn: &'c mut Conn,
    /// Time, randomness and keys.
    pub shared: &'c Arc<Shared>,
    /// The time of this transaction, ms; later than any earlier one's or equal.
    pub now_ms: i64,
    /// Acts to be written into the audit log just before the commit.
    pub(super) acts: Vec<AuditAct>,
    outbox: Vec<Committed>,
    /// Whether no other job is in this transaction, nor will be.
    is_alone: bool,
    /// Whether an earlier job did something in this transaction.
    is_begun: bool,
    /// The one job failed: the transaction is to be undone.
    is_undone: bool,
    /// Whether data keys were made in it.
    pub(super) made_keys: bool,
}

impl Tx<'_> {
    /// Undoes everything.
    async fn begin_anew(&mut self) -> Result<(), StoreError> {
        self.forget_keys();
        self.outbox.clear();
        self.acts.clear();
        self.conn.rollback().await;
        self.conn.begin().await.map_err(StoreError::ends_all)
    }

    /// To be called where something is undone: a key that is in memory alone would seal what nobody opens again.
    fn forget_keys(&self) {
        if self.made_keys {
            self.shared.keys.forget_all();
        }
    }

    /// Hands this to the engine once the transaction is durable.
    pub fn after_commit(&mut self, committed: Committed) {
        self.outbox.push(committed);
    }
}

/// A job: runs in the transaction, and answers its caller once it is durable or failed.
pub(super) type Job = Box<dyn for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, Finish> + Send>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(super) async fn act<T, F>(writer: &mpsc::Sender<Job>, shared: &Shared, act: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    // A caller that went away does not undo what it asked.
    post(writer, act, |result| drop(reply.send(result))).await?;
    answer.await.map_err(|_| shared.not_done())?
}

impl Shared {
    /// What became of a job that was dropped: it did nothing.
    pub(super) fn not_done(&self) -> StoreError {
        match self.closing.is_cancelled() || self.fatal.borrow().is_some() {
            true => StoreError::Stopping,
            false => StoreError::Unreachable,
        }
    }
}

/// The same for whoever does not wait here: `finish` is told, in the writer's thread, once the act is durable or failed.
/// It is dropped untold where the writer has ended.
pub(super) async fn post<T, F>(
    writer: &mpsc::Sender<Job>,
    act: F,
    finish: impl FnOnce(Result<T, StoreError>) + Send + 'static,
) -> Result<(), StoreError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send + 'static,
{
    let job: Job = Box::new(move |tx| {
        Box::pin(async move {
            match run_in_part(tx, act).await {
                Ok(value) => Ok(Box::new(move |committed: Result<(), StoreError>| {
                    finish(committed.map(|()| value));
                }) as Finish),
                Err(error) => {
                    let fatal = error.clone_if_fatal();
                    finish(Err(error));
                    fatal.map_or_else(|| Ok(Box::new(|_| ()) as Finish), Err)
                }
            }
        })
    });
    writer.send(job).await.map_err(|_| StoreError::Stopping)
}

async fn run_in_part<T, F>(tx: &mut Tx<'_>, act: F) -> Result<T, StoreError>
where
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send,
{
    if !tx.is_begun {
        let result = act(tx).await;
        tx.is_begun = result.is_ok();
        match &result {
            Err(_) if tx.is_alone => tx.is_undone = true,
            Err(error) if error.clone_if_fatal().is_none() => tx.begin_anew().await?,
            _ => {}
        }
        return result;
    }
    let (outbox, acts) = (tx.outbox.len(), tx.acts.len());
    tx.conn.begin_part().await.map_err(StoreError::ends_all)?;
    let result = act(tx).await;
    if let Err(error) = &result {
        if error.clone_if_fatal().is_some() {
            // The whole transaction goes, this part with it; the database may have undone it already.
            return result;
        }
        tx.forget_keys();
        tx.outbox.truncate(outbox);
        tx.acts.truncate(acts);
    }
    tx.conn.end_part(result.is_ok()).await.map_err(StoreError::ends_all)?;
    result
}

impl StoreError {
    /// The same fault for another caller of the same batch.
    pub(super) fn for_another(&self) -> StoreError {
        self.clone_if_fatal().unwrap_or_else(|| match self {
            Self::Stopping => Self::Stopping,
            Self::Conflict => Self::Conflict,
            Self::Refused(refusal) => Self::Refused(refusal.clone()),
            other => Self::Database(other.to_string()),
        })
    }

    /// This fault as one that ends the whole group: outside of a transaction no job may run.
    fn ends_all(self) -> StoreError {
        self.clone_if_fatal().unwrap_or(Self::Unreachable)
    }

    /// Faults after which the whole transaction is lost.
    fn clone_if_fatal(&self) -> Option<StoreError> {
        match self {
            Self::DiskFull => Some(Self::DiskFull),
            Self::Io => Some(Self::Io),
            Self::Unreachable => Some(Self::Unreachable),
            Self::Corrupt(what) => Some(Self::Corrupt(what)),
            _ => None,
        }
    }
}

/// Starts the writers of a database.
pub(super) async fn start(
    database: &Database,
    shared: Arc<Shared>,
    engine: mpsc::UnboundedSender<Committed>,
) -> Result<mpsc::Sender<Job>, StoreError> {
    let (sender, jobs) = mpsc::channel::<Job>(QUEUE);
    let jobs = Arc::new(Mutex::new(jobs));
    let is_shared = database.is_shared();
    for _ in 0..if is_shared { WRITERS } else { 1 } {
        let mut conn = database.writer().await?;
        let mark = match is_shared {
            true => Some(Mark::register(&mut conn, &shared).await?),
            false => None,
        };
        let (database, shared, engine) = (database.clone(), shared.clone(), engine.clone());
        let needed = Needed(shared.clone());
        let writer = Writer { database, conn: Some(conn), mark, shared, engine, last_ms: 0 }.run(jobs.clone());
        let writer = async move {
            let _needed = needed;
            writer.await;
        };
        if is_shared {
            tokio::spawn(writer);
        } else {
            // The embedded database works in the thread that asks: this one, which serves nobody else.
            let (runtime, thread) = (Handle::current(), std::thread::Builder::new().name("writer".into()));
            thread.spawn(move || runtime.block_on(writer)).map_err(|_| StoreError::Io)?;
        }
    }
    Ok(sender)
}

/// Held by a writer: where one ends, or panics, before the store is closed, the server must end too.
struct Needed(Arc<Shared>);

impl Drop for Needed {
    fn drop(&mut self) {
        if !self.0.closing.is_cancelled() {
            self.0.end_with(Failure::internal("the server stopped after a failure, see the log"));
        }
    }
}

/// What all jobs of a transaction leave to its end.
async fn finish_tx(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    if tx.is_alone {
        let reloads = tx.outbox.iter().filter_map(|committed| match committed {
            Committed::Reload(school) => Some(*school),
            _ => None,
        });
        nodes::wake(tx, reloads.collect()).await?;
    }
    audit::write(tx).await
}

struct Writer {
    database: Database,
    /// `None` once it was lost; a new one is opened for the next transaction.
    conn: Option<Conn>,
    /// Where the outcome of a commit can be looked up. SQLite needs none: a COMMIT answers, or the process ends.
    mark: Option<Mark>,
    shared: Arc<Shared>,
    engine: mpsc::UnboundedSender<Committed>,
    last_ms: i64,
}

impl Writer {
    async fn run(mut self, jobs: Arc<Mutex<mpsc::Receiver<Job>>>) {
        let most = if self.mark.is_some() { 1 } else { MAX_JOBS };
        let mut waiting = Vec::with_capacity(most);
        loop {
            {
                let mut jobs = jobs.lock().await;
                tokio::select! {
                    count = jobs.recv_many(&mut waiting, most) => if count == 0 { break },
                    // Closing answers what waits already, and refuses the rest.
                    () = self.shared.closing.cancelled(), if !jobs.is_closed() => {
                        jobs.close();
                        continue;
                    }
                }
            }
            // A clock that was set back must not make later changes look older.
            self.last_ms = self.shared.clock.now_ms().max(self.last_ms);
            if !self.commit_group(&mut waiting).await {
                break;
            }
        }
    }

    /// Runs the waiting jobs in one transaction. Answers whether the writer may go on.
    async fn commit_group(&mut self, waiting: &mut Vec<Job>) -> bool {
        let mut conn = match self.begin().await {
            Ok(conn) => conn,
            Err(error) => {
                tracing::error!(%error, "no transaction could be started");
                let may_go_on = self.may_go_on(error);
                waiting.clear();
                return may_go_on;
            }
        };
        let mut finishes: Vec<Finish> = Vec::with_capacity(waiting.len());
        let mut tx = Tx {
            conn: &mut conn,
            shared: &self.shared,
            now_ms: self.last_ms,
            acts: Vec::new(),
            outbox: Vec::new(),
            is_alone: self.mark.is_some(),
            is_begun: false,
            is_undone: false,
            made_keys: false,
        };
        let mut failed = None;
        for job in waiting.drain(..) {
            match job(&mut tx).await {
                Ok(finish) => finishes.push(finish),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if tx.is_undone && failed.is_none() {
            tx.forget_keys();
            conn.rollback().await;
            self.conn = Some(conn);
            return true;
        }
        if failed.is_none() {
            failed = finish_tx(&mut tx).await.err();
        }
        let (outbox, made_keys) = (std::mem::take(&mut tx.outbox), tx.made_keys);
        let result = match failed {
            None => self.commit(conn).await,
            Some(error) => {
                self.give_up(conn, &error).await;
                Err(error)
            }
        };
        match result {
            Ok(()) => {
                crash::point("after-commit");
                self.hand_over(outbox);
                finishes.into_iter().for_each(|finish| finish(Ok(())));
                self.tidy().await
            }
            Err(error) => {
                tracing::error!(%error, "a transaction was not committed");
                if made_keys {
                    self.shared.keys.forget_all();
                }
                for finish in finishes {
                    finish(Err(error.for_another()));
                }
                self.may_go_on(error)
            }
        }
    }

    /// Answers whether the writer may go on.
    async fn tidy(&mut self) -> bool {
        let Some(conn) = &mut self.conn else { return true };
        match conn.tidy().await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the database could not be tidied up after a commit");
                self.may_go_on(error)
            }
        }
    }

    /// After a failed fsync the page cache may lie, and what is written over a damaged page damages more: the server ends,
    /// and its next start recovers from the log or names the restore.
    fn may_go_on(&self, error: StoreError) -> bool {
        let ends = matches!(error, StoreError::Io | StoreError::Corrupt(MALFORMED));
        if ends {
            self.shared.end_with(error.into());
        }
        !ends
    }

    /// A connection inside a new transaction. One that was lost since the last transaction is replaced.
    async fn begin(&mut self) -> Result<Conn, StoreError> {
        if let Some(mut conn) = self.conn.take() {
            match conn.begin().await {
                Err(StoreError::Unreachable) => {}
                Err(error) => {
                    self.conn = Some(conn);
                    return Err(error);
                }
                Ok(()) => return Ok(conn),
            }
        }
        let mut conn = self.database.writer().await?;
        conn.begin().await?;
        Ok(conn)
    }

    async fn give_up(&mut self, mut conn: Conn, error: &StoreError) {
        if !matches!(error, StoreError::Unreachable) {
            conn.rollback().await;
            self.conn = Some(conn);
        }
    }

    async fn commit(&mut self, mut conn: Conn) -> Result<(), StoreError> {
        let id: CommitId = self.shared.entropy.bytes();
        if let Some(mark) = &self.mark
            && let Err(error) = mark.set(&mut conn, id, self.last_ms).await
        {
            self.give_up(conn, &error).await;
            return Err(error);
        }
        crash::point("before-commit");
        match (conn.commit().await, self.mark.is_some()) {
            // Whether it was committed is not known: never tried again, but looked up.
            (Err(StoreError::Unreachable), true) => match self.was_committed(id).await? {
                true => Ok(()),
                false => Err(StoreError::Unreachable),
            },
            (Err(error), _) => {
                self.give_up(conn, &error).await;
                Err(error)
            }
            (Ok(()), _) => {
                self.conn = Some(conn);
                Ok(())
            }
        }
    }

    /// Asks until the database answers: until then nothing of this writer is sure.
    async fn was_committed(&mut self, id: CommitId) -> Result<bool, StoreError> {
        tracing::warn!("the connection was lost in a commit: its outcome is looked up");
        loop {
            match self.look_up(id).await {
                Ok(committed) => return Ok(committed),
                Err(error) => tracing::warn!(%error, "the outcome of a commit is not known yet"),
            }
            tokio::select! {
                () = self.shared.closing.cancelled() => return Err(StoreError::Stopping),
                () = tokio::time::sleep(PATIENCE) => {}
            }
        }
    }

    async fn look_up(&mut self, id: CommitId) -> Result<bool, StoreError> {
        let Some(mark) = &self.mark else { return Ok(false) };
        let mut conn = self.database.writer().await?;
        let committed = mark.stands(&mut conn, id).await?;
        self.conn = Some(conn);
        Ok(committed)
    }

    fn hand_over(&self, outbox: Vec<Committed>) {
        if !outbox.is_empty() {
            self.shared.news.tell();
        }
        for committed in outbox {
            if matches!(committed, Committed::Connection(_)) {
                self.shared.sync_wake.notify_one();
            }
            // The engine ends before the store does; then the next start finds the work in the database.
            let _ = self.engine.send(committed);
        }
    }
}
