//! The one thread that writes.

mod owner;

use std::{collections::HashMap, time::Duration};

use rollcall_proto::id::EventId;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    Job, Queues, Recorded,
    plan::{Plan, plan, record},
    window::Window,
};
use crate::{
    clock::Clock,
    error::{AppError, Kind},
    metrics::Metrics,
    receive::{message, verdict::Outcome},
    secrets::Identity,
    store::{StoreFailure, write::WriteStore},
};

/// Messages in one transaction at most.
const BATCH: usize = 256;
/// Refused requests are written with the next batch, or after this time.
const REFUSED_DELAY: Duration = Duration::from_millis(500);
/// Student versions remembered at most; then they are read again.
const MAX_VERSIONS: usize = 200_000;

/// Why the writer ended before it was asked to.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WriterFailure(StoreFailure);

impl From<WriterFailure> for AppError {
    fn from(WriterFailure(failure): WriterFailure) -> Self {
        match failure {
            StoreFailure::Damaged(_) => Self::new(Kind::BadData, failure.to_string()),
            StoreFailure::Full | StoreFailure::Busy(_) | StoreFailure::Fatal(_) => Self::internal(failure.to_string()),
        }
    }
}

/// Owns the writing connection, the window and what is remembered of the rows.
pub struct Writer {
    store: WriteStore,
    queues: Queues,
    clock: Clock,
    metrics: Metrics,
    /// No request is open any more: answer what waits and end.
    finish: CancellationToken,
    window: Window,
    identity: Identity,
    /// A school with the same sourcedId that the provider registered anew: it takes the place of `identity` once something
    /// shows that the provider confirmed it.
    successor: Option<Identity>,
    newest: u64,
    /// Versions known to equal the rows; this thread is the only writer.
    versions: HashMap<String, u64>,
    /// Whether the last batch held duplicates: then ids are looked up first.
    expect_duplicates: bool,
    refused_since_purge: usize,
    recorded_since_purge: usize,
}

impl Writer {
    pub(crate) fn new(
        store: WriteStore,
        queues: Queues,
        clock: Clock,
        metrics: Metrics,
        finish: CancellationToken,
        state: crate::store::State,
    ) -> Self {
        Self {
            store,
            queues,
            clock,
            metrics,
            finish,
            window: state.window,
            identity: state.identity,
            successor: None,
            newest: state.newest,
            versions: HashMap::new(),
            expect_duplicates: false,
            refused_since_purge: 0,
            recorded_since_purge: 0,
        }
    }

    /// Writes until it shall finish and everything that waited is answered.
    pub async fn run(mut self) -> Result<(), WriterFailure> {
        self.apply_kept()?;
        let mut jobs: Vec<Job> = Vec::with_capacity(BATCH);
        let mut refused: Vec<Recorded> = Vec::new();
        let mut flush_at: Option<Instant> = None;
        loop {
            let later = flush_at.unwrap_or_else(Instant::now);
            let open = tokio::select! {
                biased;
                () = self.finish.cancelled(), if !self.queues.jobs.is_closed() => {
                    self.queues.jobs.close();
                    self.queues.orders.close();
                    continue;
                }
                count = self.queues.jobs.recv_many(&mut jobs, BATCH) => count > 0,
                Some(order) = self.queues.orders.recv() => {
                    self.carry_out(order)?;
                    true
                }
                Some(first) = self.queues.refused.recv(), if flush_at.is_none() => {
                    refused.push(first);
                    flush_at = Some(Instant::now() + REFUSED_DELAY);
                    continue;
                }
                () = sleep_until(later), if flush_at.is_some() => true,
            };
            if !jobs.is_empty() || flush_at.is_some_and(|at| at <= Instant::now()) || !open {
                while refused.len() < BATCH
                    && let Ok(next) = self.queues.refused.try_recv()
                {
                    refused.push(next);
                }
                flush_at = None;
                self.commit(&mut jobs, &mut refused)?;
            }
            if !open {
                self.store.close();
                return Ok(());
            }
        }
    }

    /// One transaction for all of it, then the answers.
    fn commit(&mut self, jobs: &mut Vec<Job>, refused: &mut Vec<Recorded>) -> Result<(), WriterFailure> {
        if jobs.is_empty() && refused.is_empty() {
            return Ok(());
        }
        match self.write(jobs, refused) {
            Ok(outcomes) => {
                self.metrics.batch(jobs.len());
                for (job, outcome) in jobs.drain(..).zip(outcomes) {
                    // A requester that went away gets its answer on the retry: duplicate.
                    let _ = job.answer.send(outcome);
                }
                refused.clear();
                self.store.checkpoint().or_else(survive)?;
                self.purge()
            }
            Err(failure) => {
                // What is remembered may differ from the rows now.
                self.versions.clear();
                let outcome = match failure {
                    StoreFailure::Full => Outcome::DiskFull,
                    StoreFailure::Busy(_) | StoreFailure::Damaged(_) | StoreFailure::Fatal(_) => Outcome::Busy,
                };
                for job in jobs.drain(..) {
                    let _ = job.answer.send(outcome);
                }
                refused.clear();
                survive(failure)
            }
        }
    }

    fn write(&mut self, jobs: &[Job], refused: &[Recorded]) -> Result<Vec<Outcome>, StoreFailure> {
        self.meet_successor(jobs)?;
        self.learn_versions(jobs)?;
        let now_ms = self.clock.now_ms();
        let mut look_up = self.expect_duplicates;
        loop {
            let ids = || jobs.iter().map(|job| job.message.id);
            let seen: HashMap<EventId, [u8; 32]> = if look_up { self.store.seen(ids())? } else { HashMap::new() };
            let plan = plan(jobs, &self.window, &seen, &self.versions);
            let records: Vec<Recorded> = jobs
                .iter()
                .zip(&plan.outcomes)
                .map(|(job, outcome)| record(job, *outcome, now_ms))
                .chain(refused.iter().cloned())
                .collect();
            let window = (plan.window != self.window).then_some(&plan.window);
            if !self.store.write(&plan, window, &records, self.newest + 1, now_ms)? {
                // An id was there before, and nothing is written: look them up and decide again.
                look_up = true;
                continue;
            }
            self.expect_duplicates = plan.outcomes.contains(&Outcome::Duplicate);
            if self.versions.len() > MAX_VERSIONS {
                self.versions.clear();
            }
            for row in &plan.students {
                match self.versions.get_mut(row.sourced_id) {
                    Some(version) => *version = row.version,
                    None => drop(self.versions.insert(row.sourced_id.to_owned(), row.version)),
                }
            }
            self.newest += records.len() as u64;
            self.recorded_since_purge += records.len();
            self.refused_since_purge += records.iter().filter(|r| r.is_refused()).count();
            let Plan { window, outcomes, alerts, .. } = plan;
            self.window = window;
            for (id, words) in alerts {
                warn!(%id, "{words}");
            }
            // Nobody may be watching.
            let _ = self.queues.newest.send(self.newest);
            return Ok(outcomes);
        }
    }

    /// Reads the versions of students that are not remembered.
    fn learn_versions(&mut self, jobs: &[Job]) -> Result<(), StoreFailure> {
        let mut unknown: Vec<&str> = jobs
            .iter()
            .filter_map(|job| job.message.content.student())
            .map(|(sourced_id, _)| sourced_id)
            .filter(|sourced_id| !self.versions.contains_key(*sourced_id))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            let found = self.store.versions(&unknown)?;
            self.versions.extend(found);
        }
        Ok(())
    }

    /// Applies what an older version kept and this one knows.
    fn apply_kept(&mut self) -> Result<(), WriterFailure> {
        let kept = match self.store.kept_of_known_type() {
            Ok(kept) => kept,
            Err(failure) => return survive(failure),
        };
        for (id, body) in kept {
            let Ok(message) = message::parse(&body, &id.to_string(), &self.identity) else {
                error!(%id, "a kept message cannot be applied by this version: it stays kept");
                continue;
            };
            let Some((sourced_id, _)) = message.content.student() else { continue };
            let unknown = [sourced_id];
            let result = match self.store.versions(&unknown) {
                Ok(found) => {
                    self.versions.extend(found);
                    self.store.apply_kept(id, &message.content, &self.versions, self.clock.now_ms())
                }
                Err(failure) => Err(failure),
            };
            self.versions.clear();
            if let Err(failure) = result {
                return survive(failure);
            }
        }
        Ok(())
    }

    /// Keeps the record bounded, a little at a time.
    fn purge(&mut self) -> Result<(), WriterFailure> {
        if self.refused_since_purge < 1_000 && self.recorded_since_purge < 50_000 {
            return Ok(());
        }
        (self.refused_since_purge, self.recorded_since_purge) = (0, 0);
        match self.store.purge(self.newest) {
            Ok(()) => Ok(()),
            Err(failure) => survive(failure),
        }
    }
}

/// A full disk or a busy database passes; anything else means that a commit can no longer be trusted.
fn survive(failure: StoreFailure) -> Result<(), WriterFailure> {
    match failure {
        StoreFailure::Full => {
            warn!("the disk is full: requests are answered 503 until there is room");
            Ok(())
        }
        StoreFailure::Busy(words) => {
            warn!("the database was busy: {words}");
            Ok(())
        }
        StoreFailure::Damaged(_) | StoreFailure::Fatal(_) => Err(WriterFailure(failure)),
    }
}
