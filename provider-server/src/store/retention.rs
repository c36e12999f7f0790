//! What is kept for a limited time only: bodies of requests and answers, then messages and attempts themselves. A pass
//! goes through what is old in bounded batches, each found by reading beside the writer and deleted in a transaction of
//! its own, so that the writer is never held for long. A pass that ends early loses nothing: the next one finds the rest.
//!
//! Ids of messages begin with the time of their making, so their bodies need no index by age.

mod bodies;
mod metadata;

use std::collections::VecDeque;

use rollcall_proto::id::{EventId, SchoolId};

use super::{Conn, Store, StoreError};
use crate::model::retention::Retention;

/// Rows of one batch: a few milliseconds of the writer.
pub const BATCH: u64 = 256;

/// What one batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Bodies of messages deleted.
    pub bodies: u64,
    /// Answers of schools' systems deleted.
    pub answers: u64,
    /// Messages discarded because they could not be delivered in their time.
    pub expired: u64,
    /// Messages and attempts deleted, and counts of them.
    pub rows: u64,
}

impl Purged {
    /// Adds what another batch did.
    pub fn add(&mut self, other: Self) {
        self.bodies += other.bodies;
        self.answers += other.answers;
        self.expired += other.expired;
        self.rows += other.rows;
    }
}

enum Stage {
    /// Messages' bodies after this one.
    Bodies(Option<EventId>),
    /// A school's answers after this log sequence.
    Answers(u64),
    Attempts,
    Events,
    Hours,
    /// All schools are done.
    Idempotency,
}

/// One way through what is stored, as of its beginning.
pub struct Pass {
    keep: Retention,
    now_ms: i64,
    stage: Stage,
    /// Those that are not done, the current one first; deleted ones have a log, too.
    schools: VecDeque<SchoolId>,
}

impl Pass {
    /// Begins a pass.
    pub async fn begin(store: &Store, keep: Retention) -> Result<Self, StoreError> {
        let rows = store.reader().await?.query("SELECT school_id FROM schools ORDER BY school_id", vec![]).await?;
        let schools = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<_, _>>()?;
        Ok(Self { keep, now_ms: store.now_ms(), stage: Stage::Bodies(None), schools })
    }

    /// Looks for the next batch and deletes it; `None` at the end.
    pub async fn step(&mut self, store: &Store) -> Result<Option<Purged>, StoreError> {
        loop {
            let school = self.schools.front().copied();
            let conn = &mut store.reader().await?;
            match (&self.stage, school) {
                (Stage::Bodies(after), _) => {
                    let found = bodies::find(conn, &self.keep, self.now_ms, *after).await?;
                    self.stage = found.last.map_or(Stage::Answers(0), |last| Stage::Bodies(Some(last)));
                    if !found.due.is_empty() {
                        let (keep, due) = (self.keep, found.due);
                        return store.act(move |tx| Box::pin(bodies::purge(tx, keep, due))).await.map(Some);
                    }
                }
                (Stage::Answers(after), Some(school)) => {
                    let before_ms = self.now_ms - self.keep.bodies_ms;
                    let found = bodies::find_answers(conn, school, before_ms, *after).await?;
                    self.stage = found.last.map_or(Stage::Attempts, Stage::Answers);
                    if !found.due.is_empty() {
                        let due = found.due;
                        return store.act(move |tx| Box::pin(bodies::purge_answers(tx, school, due))).await.map(Some);
                    }
                }
                (Stage::Attempts, Some(school)) => match self.metadata_until(conn, school).await? {
                    Some(until) => return store.act(move |tx| Box::pin(until.purge(tx, school))).await.map(Some),
                    None => self.stage = Stage::Events,
                },
                (Stage::Events, Some(school)) => match self.metadata_until(conn, school).await? {
                    Some(until) => return store.act(move |tx| Box::pin(until.purge(tx, school))).await.map(Some),
                    None => self.stage = Stage::Hours,
                },
                (Stage::Hours, Some(school)) => match self.metadata_until(conn, school).await? {
                    Some(until) => return store.act(move |tx| Box::pin(until.purge(tx, school))).await.map(Some),
                    None => {
                        self.schools.pop_front();
                        self.stage = Stage::Answers(0);
                    }
                },
                (Stage::Idempotency, _) => return metadata::purge_idempotency(store, self.now_ms).await,
                (_, None) => self.stage = Stage::Idempotency,
            }
        }
    }

    async fn metadata_until(&self, conn: &mut Conn, school: SchoolId) -> Result<Option<metadata::Until>, StoreError> {
        let before_ms = self.now_ms - self.keep.log_ms;
        match self.stage {
            Stage::Attempts => metadata::attempts(conn, school, before_ms).await,
            Stage::Events => metadata::events(conn, school, before_ms).await,
            _ => metadata::hours(conn, school, before_ms).await,
        }
    }
}
