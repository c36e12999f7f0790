//! The one writer. Jobs that wait while a commit is under way share the next one: many callers, one fsync, no timer.
//! Each job runs inside a savepoint, so that its failure undoes it alone.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{Shared, StoreError, db::Conn};
use crate::model::delivery::NewDelivery;
use rollcall_proto::id::SchoolId;

/// Jobs that may wait for the writer; more wait in their callers.
const QUEUE: usize = 1024;
/// Jobs in one transaction.
const MAX_JOBS: usize = 256;

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
    outbox: Vec<Committed>,
}

impl Tx<'_> {
    /// Hands this to the engine once the transaction is durable.
    pub fn after_commit(&mut self, committed: Committed) {
        self.outbox.push(committed);
    }
}

/// A job: runs in the transaction, and answers its caller once it is durable or failed.
pub(super) type Job = Box<dyn for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, Finish> + Send>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(super) async fn act<T, F>(writer: &mpsc::Sender<Job>, act: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    // A caller that went away does not undo what it asked.
    post(writer, act, |result| drop(reply.send(result))).await?;
    answer.await.map_err(|_| StoreError::Stopping)?
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
            match run_in_savepoint(tx, act).await {
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

async fn run_in_savepoint<T, F>(tx: &mut Tx<'_>, act: F) -> Result<T, StoreError>
where
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> Act<'t, T> + Send,
{
    let outbox = tx.outbox.len();
    tx.conn.execute("SAVEPOINT act", vec![]).await?;
    let result = act(tx).await;
    if result.is_err() {
        tx.outbox.truncate(outbox);
        tx.conn.execute("ROLLBACK TO act", vec![]).await?;
    }
    tx.conn.execute("RELEASE act", vec![]).await?;
    result
}

impl StoreError {
    /// The same fault for another caller of the same batch.
    pub(super) fn for_another(&self) -> StoreError {
        self.clone_if_fatal().unwrap_or_else(|| match self {
            Self::Stopping => Self::Stopping,
            Self::Refused(refusal) => Self::Refused(refusal.clone()),
            other => Self::Database(other.to_string()),
        })
    }

    /// Faults after which the whole transaction is lost.
    fn clone_if_fatal(&self) -> Option<StoreError> {
        match self {
            Self::DiskFull => Some(Self::DiskFull),
            Self::Io => Some(Self::Io),
            Self::Corrupt(what) => Some(Self::Corrupt(what)),
            _ => None,
        }
    }
}

pub(super) fn start(
    conn: Conn,
    shared: Arc<Shared>,
    engine: mpsc::UnboundedSender<Committed>,
) -> Result<mpsc::Sender<Job>, StoreError> {
    let (sender, jobs) = mpsc::channel::<Job>(QUEUE);
    let runtime = Handle::current();
    // The embedded database works in the thread that asks: this one, which serves nobody else.
    let thread = std::thread::Builder::new().name("writer".into());
    thread.spawn(move || runtime.block_on(write(conn, shared, engine, jobs))).map_err(|_| StoreError::Io)?;
    Ok(sender)
}

async fn write(
    mut conn: Conn,
    shared: Arc<Shared>,
    engine: mpsc::UnboundedSender<Committed>,
    mut jobs: mpsc::Receiver<Job>,
) {
    let mut waiting = Vec::with_capacity(MAX_JOBS);
    let mut last_ms = 0;
    loop {
        tokio::select! {
            count = jobs.recv_many(&mut waiting, MAX_JOBS) => if count == 0 { break },
            // Closing answers what waits already, and refuses the rest.
            () = shared.closing.cancelled(), if !jobs.is_closed() => {
                jobs.close();
                continue;
            }
        }
        // A clock that was set back must not make later changes look older.
        last_ms = shared.clock.now_ms().max(last_ms);
        if !commit_group(&mut conn, &shared, last_ms, &mut waiting, &engine).await {
            break;
        }
    }
}

/// Runs the waiting jobs in one transaction. Answers whether the writer may go on.
async fn commit_group(
    conn: &mut Conn,
    shared: &Arc<Shared>,
    now_ms: i64,
    waiting: &mut Vec<Job>,
    engine: &mpsc::UnboundedSender<Committed>,
) -> bool {
    if let Err(error) = conn.begin().await {
        tracing::error!(%error, "no transaction could be started");
        waiting.clear();
        return !matches!(error, StoreError::Io);
    }
    let mut finishes: Vec<Finish> = Vec::with_capacity(waiting.len());
    let mut tx = Tx { conn, shared, now_ms, outbox: Vec::new() };
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
    let outbox = std::mem::take(&mut tx.outbox);
    let result = match failed {
        None => tx.conn.commit().await,
        Some(error) => Err(error),
    };
    waiting.clear();
    match result {
        Ok(()) => {
            for committed in outbox {
                if matches!(committed, Committed::Connection(_)) {
                    shared.sync_wake.notify_one();
                }
                // The engine ends before the store does; then the next start finds the work in the database.
                let _ = engine.send(committed);
            }
            finishes.into_iter().for_each(|finish| finish(Ok(())));
            true
        }
        Err(error) => {
            tracing::error!(%error, "a transaction was not committed");
            conn.rollback().await;
            for finish in finishes {
                finish(Err(error.for_another()));
            }
            // After a failed fsync the page cache may lie: stop, and recover from the log at the next start.
            if matches!(error, StoreError::Io) {
                shared.fatal.send_replace(true);
                return false;
            }
            true
        }
    }
}
