//! The live tail.

use futures::{Stream, stream};
use rollcall_proto::{id::SchoolId, provider::v1 as pb};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::answers::to_attempt;
use crate::{
    grpc::status::to_status,
    model::log_filter::LogFilter,
    store::{Store, StoreError, log},
};

/// Rows of one part of a tail.
const TAIL_PART: usize = 500;
/// A tail that finds nothing tells how far it came after this many rows.
const TAIL_SILENCE: u64 = 1_000;

/// Rows as they are recorded. Nothing is read while the reader of the stream is slow: the log itself is the buffer.
pub struct Tail {
    pub store: Store,
    pub school: SchoolId,
    pub filter: LogFilter,
    /// Subscribed before the head was read.
    pub wake: watch::Receiver<u64>,
    pub stopping: CancellationToken,
    /// Everything up to this log sequence was searched.
    pub cursor: u64,
    /// The cursor that the reader of the stream knows.
    pub told: Option<u64>,
}

impl Tail {
    /// The stream; it ends with the server, and after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<pb::TailAttemptsResponse, Status>> {
        stream::unfold(Some(self), |tail| async {
            let mut tail = tail?;
            match tail.next().await {
                Ok(Some(part)) => Some((Ok(part), Some(tail))),
                Ok(None) => None,
                Err(error) => Some((Err(to_status(error)), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<pb::TailAttemptsResponse>, StoreError> {
        loop {
            if self.stopping.is_cancelled() {
                return Ok(None);
            }
            self.wake.mark_unchanged();
            let (found, max_tries) = {
                let mut conn = self.store.reader().await?;
                let max_tries = log::heads(&mut conn, self.school).await?.max_tries;
                let now_ms = self.store.now_ms();
                let part = log::newer(&mut conn, self.school, &self.filter, now_ms, self.cursor, TAIL_PART).await?;
                (part, max_tries)
            };
            self.cursor = found.log_sequence;
            let silent = self.told.map_or(TAIL_SILENCE, |told| self.cursor - told);
            if !found.attempts.is_empty() || silent >= TAIL_SILENCE {
                self.told = Some(self.cursor);
                let attempts = found.attempts.into_iter().map(|attempt| to_attempt(attempt, max_tries)).collect();
                return Ok(Some(pb::TailAttemptsResponse { attempts, log_sequence: self.cursor }));
            }
            if found.at_head {
                tokio::select! {
                    () = self.stopping.cancelled() => return Ok(None),
                    changed = self.wake.changed() => if changed.is_err() { return Ok(None) },
                }
            }
        }
    }
}
