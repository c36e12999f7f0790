//! Gathers the changes of many callers into batches: while one batch commits, the next one fills. There is no timer; a
//! lone caller waits for nobody. Batches follow one another, so that a caller's changes keep their order.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{mpsc, oneshot};

use super::{MAX_BATCH, Outcomes, apply};
use crate::{
    model::change::{ChangeRequest, Origin},
    store::{Store, StoreError, Tx},
};

type Reply = oneshot::Sender<Result<Outcomes, StoreError>>;

/// Calls that may wait; more wait in their callers.
const QUEUE: usize = 2_048;

struct Call {
    origin: Origin,
    requests: Vec<ChangeRequest>,
    reply: Reply,
}

/// The door for changes. Cheap to clone.
#[derive(Clone)]
pub struct ChangeQueue {
    calls: mpsc::Sender<Call>,
    queue: Arc<Queue>,
}

struct Queue {
    store: Store,
    waiting: Mutex<Waiting>,
    /// The writer was asked to take what waits, and has not begun to. On a shared database, which has several writers:
    /// and has not ended it, so that one batch never overtakes another.
    asked: AtomicBool,
}

struct Waiting {
    calls: mpsc::Receiver<Call>,
    /// Did not fit the batch before.
    first: Option<Call>,
}

impl ChangeQueue {
    /// Starts gathering for this store.
    pub fn start(store: Store) -> Self {
        let (calls, waiting) = mpsc::channel(QUEUE);
        let waiting = Mutex::new(Waiting { calls: waiting, first: None });
        Self { calls, queue: Arc::new(Queue { store, waiting, asked: AtomicBool::new(false) }) }
    }

    /// Accepts changes in order; the answer means that they are durable. At most [`MAX_BATCH`].
    pub async fn submit(&self, origin: Origin, requests: Vec<ChangeRequest>) -> Result<Outcomes, StoreError> {
        debug_assert!(requests.len() <= MAX_BATCH);
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { origin, requests, reply }).await.map_err(|_| StoreError::Stopping)?;
        self.queue.ask();
        answer.await.map_err(|_| self.queue.store.shared().not_done())?
    }
}

impl Queue {
    /// Asks the writer to take what waits: what comes until it does so is in the same batch.
    fn ask(self: &Arc<Self>) {
        if self.asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let (asked, replies) = (Asked { queue: self.clone(), begun: false }, Arc::new(Mutex::new(Vec::new())));
        let (taken, queue, store) = (replies.clone(), self.clone(), self.store.clone());
        let finish = move |result| {
            let replies = std::mem::take(&mut *replies.lock().expect("no holder of this lock panics"));
            answer(replies, result);
            if queue.store.database.is_shared() {
                queue.asked_no_more();
            }
            if queue.waiting().has_more() {
                queue.ask();
            }
        };
        // Whoever asks first may go away; the others wait for the batch all the same.
        tokio::spawn(async move { store.post(move |tx| Box::pin(commit_batch(tx, asked, taken)), finish).await });
    }

    /// From here on the next one to come asks again. A swap: what was sent before that asking is seen afterwards.
    fn asked_no_more(&self) {
        self.asked.swap(false, Ordering::AcqRel);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of this lock panics")
    }
}

/// What was asked of the writer.
struct Asked {
    queue: Arc<Queue>,
    begun: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        // The writer could not begin a transaction: what waits is not done, and who comes next asks again.
        if !self.begun {
            self.queue.asked_no_more();
            while self.queue.waiting().has_more() {
                drop(self.queue.waiting().take_batch());
            }
        }
    }
}

async fn commit_batch(
    tx: &mut Tx<'_>,
    mut asked: Asked,
    replies: Arc<Mutex<Vec<Reply>>>,
) -> Result<Vec<Outcomes>, StoreError> {
    asked.begun = true;
    if !asked.queue.store.database.is_shared() {
        asked.queue.asked_no_more();
    }
    let (calls, taken) = asked.queue.waiting().take_batch();
    *replies.lock().expect("no holder of this lock panics") = taken;
    if calls.is_empty() { Ok(Vec::new()) } else { apply(tx, calls).await }
}

impl Waiting {
    fn has_more(&self) -> bool {
        self.first.is_some() || !self.calls.is_empty()
    }

    /// Takes as many whole calls as fit a batch, at least one where there is one.
    fn take_batch(&mut self) -> (Vec<(Origin, Vec<ChangeRequest>)>, Vec<Reply>) {
        let (mut calls, mut replies, mut changes) = (Vec::new(), Vec::new(), 0);
        loop {
            let call = match self.first.take() {
                Some(call) => call,
                None => match self.calls.try_recv() {
                    Ok(call) => call,
                    Err(_) => break,
                },
            };
            changes += call.requests.len();
            if changes > MAX_BATCH && !calls.is_empty() {
                self.first = Some(call);
                break;
            }
            calls.push((call.origin, call.requests));
            replies.push(call.reply);
        }
        (calls, replies)
    }
}

/// A caller that went away does not undo its changes.
fn answer(replies: Vec<Reply>, result: Result<Vec<Outcomes>, StoreError>) {
    match result {
        Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, outcomes)| {
            let _ = reply.send(Ok(outcomes));
        }),
        Err(error) => replies.into_iter().for_each(|reply| {
            let _ = reply.send(Err(error.for_another()));
        }),
    }
}
