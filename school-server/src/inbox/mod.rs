//! The inbox: one task owns all writing. It takes whatever waits, decides it, writes it in one transaction and answers
//! after the commit. There is no timer: a lone request is committed at once, many share one fsync.

pub mod plan;
pub mod window;
mod writer;

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    receive::{
        message::Message,
        verdict::{Outcome, Verdict},
    },
    secrets::{Identity, Keys},
};
pub use writer::{Writer, WriterFailure};

/// Verified messages that may wait for the writer.
const QUEUE: usize = 2_048;
/// Refused requests that may wait to be recorded; more are only counted.
const REFUSED_QUEUE: usize = 512;

/// A verified message that waits for its commit.
pub struct Job {
    pub message: Message,
    /// The keys whose newest secret signed it: then it is from the school that they were handed over for.
    pub newest: Option<Arc<Keys>>,
    /// When the request's head had arrived.
    pub started: Instant,
    pub answer: oneshot::Sender<Outcome>,
}

/// A request as it is recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub at_ms: i64,
    pub verdict: Verdict,
    pub event_type: String,
    pub sequence: u64,
    pub message_id: String,
    pub result: String,
    pub code: u16,
    pub latency_us: u32,
    pub student_sourced_id: String,
}

/// What else the writer is asked for.
pub enum Order {
    /// Notes whose data this is; refused where the rows are another school's. `start_after` comes with the confirm, and
    /// only then a school that was registered anew takes the place of the one before.
    Identify { identity: Identity, start_after: Option<u64>, answer: oneshot::Sender<Result<(), String>> },
}

/// The way to the writer.
#[derive(Clone)]
pub struct Inbox {
    jobs: mpsc::Sender<Job>,
    refused: mpsc::Sender<Recorded>,
    orders: mpsc::Sender<Order>,
    newest: watch::Receiver<u64>,
}

/// The writer's ends of the queues.
pub(crate) struct Queues {
    jobs: mpsc::Receiver<Job>,
    refused: mpsc::Receiver<Recorded>,
    orders: mpsc::Receiver<Order>,
    newest: watch::Sender<u64>,
}

impl Inbox {
    pub(crate) fn new(newest: u64) -> (Self, Queues) {
        let (job_sender, jobs) = mpsc::channel(QUEUE);
        let (refused_sender, refused) = mpsc::channel(REFUSED_QUEUE);
        let (order_sender, orders) = mpsc::channel(8);
        let (newest_sender, newest) = watch::channel(newest);
        let inbox = Self { jobs: job_sender, refused: refused_sender, orders: order_sender, newest };
        (inbox, Queues { jobs, refused, orders, newest: newest_sender })
    }

    /// Hands a message over and waits for its commit. Where the queue is full or the writer has ended: busy.
    pub async fn deliver(&self, message: Message, newest: Option<Arc<Keys>>, started: Instant) -> Outcome {
        let (answer, answered) = oneshot::channel();
        match self.jobs.try_send(Job { message, newest, started, answer }) {
            Ok(()) => answered.await.unwrap_or(Outcome::Busy),
            Err(_) => Outcome::Busy,
        }
    }

    /// Notes a refused request, without waiting; false where it is dropped because too many come at once.
    pub fn note_refused(&self, recorded: Recorded) -> bool {
        self.refused.try_send(recorded).is_ok()
    }

    /// Notes whose data this is and where the window begins.
    pub async fn identify(&self, identity: Identity, start_after: Option<u64>) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let stopping = || "the receiver is stopping".to_owned();
        self.orders.send(Order::Identify { identity, start_after, answer }).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// The newest recorded request's number, and its changes.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }
}
