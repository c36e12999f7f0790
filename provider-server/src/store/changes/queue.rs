//! Gathers the changes of many callers into batches: while one batch commits, the next one fills. There is no timer; a
//! lone caller waits for nobody.

use tokio::sync::{mpsc, oneshot};

use super::{MAX_BATCH, Outcomes, apply};
use crate::{
    model::change::{ChangeRequest, Origin},
    store::{Store, StoreError},
};

/// Calls that may wait; more wait in their callers.
const QUEUE: usize = 2_048;

struct Call {
    origin: Origin,
    requests: Vec<ChangeRequest>,
    reply: oneshot::Sender<Result<Outcomes, StoreError>>,
}

/// The door for changes. Cheap to clone.
#[derive(Clone)]
pub struct ChangeQueue {
    calls: mpsc::Sender<Call>,
}

impl ChangeQueue {
    /// Starts gathering for this store.
    pub fn start(store: Store) -> Self {
        let (calls, mut waiting) = mpsc::channel::<Call>(QUEUE);
        tokio::spawn(async move {
            let mut gathered = Vec::new();
            while waiting.recv_many(&mut gathered, QUEUE).await > 0 {
                while !gathered.is_empty() {
                    commit_batch(&store, &mut gathered).await;
                }
            }
        });
        Self { calls }
    }

    /// Accepts changes in order; the answer means that they are durable. At most [`MAX_BATCH`].
    pub async fn submit(&self, origin: Origin, requests: Vec<ChangeRequest>) -> Result<Outcomes, StoreError> {
        debug_assert!(requests.len() <= MAX_BATCH);
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { origin, requests, reply }).await.map_err(|_| StoreError::Stopping)?;
        answer.await.map_err(|_| StoreError::Stopping)?
    }
}

/// Takes as many whole calls from the front as fit a batch, at least one.
async fn commit_batch(store: &Store, gathered: &mut Vec<Call>) {
    let mut changes = 0;
    let fits = |call: &Call| {
        changes += call.requests.len();
        changes <= MAX_BATCH
    };
    let count = gathered.iter().map(fits).take_while(|fits| *fits).count().max(1);
    let (mut replies, mut calls) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for call in gathered.drain(..count) {
        replies.push(call.reply);
        calls.push((call.origin, call.requests));
    }
    match store.act(move |tx| Box::pin(apply(tx, calls))).await {
        Ok(answers) => {
            for (reply, outcomes) in replies.into_iter().zip(answers) {
                // A caller that went away does not undo its changes.
                let _ = reply.send(Ok(outcomes));
            }
        }
        Err(error) => replies.into_iter().for_each(|reply| {
            let _ = reply.send(Err(error.for_another()));
        }),
    }
}
