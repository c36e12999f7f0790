//! The machine at work: step, do what the step asks, wait for a wake, a due time or the end. All decisions are the
//! scheduler's; here is the IO.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use rollcall_proto::id::SchoolId;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    client::Client,
    counters::Counters,
    membership::{self, Looked, Membership, Plan},
    message::Claimed,
    scheduler::{Actions, Limits, PageRequest, Recording, RestRequest, Scheduler, Unrecorded},
    sign::sign,
};
use crate::{
    crash,
    model::{
        connection::StoredConnection,
        outcome::{Cause, Outcome},
    },
    store::{
        Committed, Store, StoreError, Tx, connections,
        deliveries::{self, OpenPage},
        nodes::{self, Token},
        record::{self, Lost},
    },
};

/// What is under way may finish in this time once a stop began; an attempt takes 15 s at most.
const DRAIN: Duration = Duration::from_secs(19);
/// The machine looks at its clock at least this often: the wall clock may be set.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// After a fault of the database.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a server that is not heard of keeps its lanes, on a shared database.
pub const LEASE: Duration = Duration::from_secs(60);
/// Connections that are read one by one.
const FEW: usize = 16;
/// Events that are taken at once.
const GULP: usize = 1_024;

/// The delivery machine.
pub struct Engine {
    io: Arc<Io>,
    limits: Limits,
    counters: Counters,
    lease: Duration,
}

struct Io {
    store: Store,
    client: Client,
}

/// Something that was asked for is done.
enum Event {
    Sent(Box<Claimed>, Outcome),
    Page(PageRequest, Option<OpenPage>),
    Connection(SchoolId, Result<Option<StoredConnection>, StoreError>),
    Connections(Vec<StoredConnection>),
    Recorded(Arc<Recording>, Vec<Lost>),
    Rested(RestRequest, Option<u64>),
    /// Of lanes that are another server's by now.
    Refused(Vec<(SchoolId, Token)>, Vec<Unrecorded>),
    Looked(Option<Looked>),
    /// The store has ended before the machine.
    Unrecordable,
}

type Events = mpsc::UnboundedSender<Event>;

impl Engine {
    /// A machine over this store and this client.
    pub fn new(store: Store, client: Client, limits: Limits, counters: Counters) -> Self {
        Self { io: Arc::new(Io { store, client }), limits, counters, lease: LEASE }
    }

    /// With another lease than [`LEASE`].
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Delivers until told to stop, then drains: nothing new is sent, what is under way is finished and recorded.
    pub async fn run(self, mut committed: mpsc::UnboundedReceiver<Committed>, stopping: CancellationToken) {
        // Beside others the machine takes lanes once it has a lease, and reads their connections then.
        let is_shared = self.io.store.database().is_shared();
        let mut membership = is_shared.then(|| Membership::new(self.lease));
        let mut machine = if is_shared {
            Scheduler::beside_others(self.limits)
        } else {
            let Some(connections) = self.io.all_connections(&stopping).await else { return };
            let mut machine = Scheduler::since(self.limits, self.io.latest_ms().await);
            let now_ms = self.io.store.now_ms();
            connections.into_iter().for_each(|stored| machine.set_connection(stored, now_ms));
            machine
        };
        // Bounded by what was asked for: claims, pages and records are each limited by the scheduler.
        let (events, mut arrived) = mpsc::unbounded_channel();
        let (mut handed, mut done) = (Vec::with_capacity(GULP), Vec::with_capacity(GULP));
        let (mut recording, mut is_open, mut give_up, mut is_lost) = (false, true, None, false);
        loop {
            let now_ms = self.io.store.now_ms();
            machine.look_at_clock(now_ms);
            let is_stopping = stopping.is_cancelled();
            let may_begin = !is_stopping && membership.as_ref().is_none_or(Membership::is_valid);
            self.carry_out(machine.step(now_ms, !may_begin), &events);
            if let Some(plan) = membership.as_mut().and_then(|membership| membership.plan(is_stopping)) {
                tokio::spawn(self.io.clone().look(plan, events.clone()));
            }
            if !recording && machine.has_unrecorded() {
                recording = true;
                tokio::spawn(self.io.clone().record(machine.take_batch(), events.clone()));
            }
            // A look under way could lengthen the lease of a server that has left.
            if is_stopping && machine.is_settled() && membership.as_ref().is_none_or(|m| !m.is_looking()) {
                if is_shared {
                    membership::leave(&self.io.store).await;
                }
                return;
            }
            if is_stopping && is_lost {
                tracing::warn!("attempts could not be recorded any more and are made again");
                return;
            }
            let wait = machine.next_due_ms().map_or(LONGEST_WAIT, |due_ms| {
                Duration::from_millis(due_ms.saturating_sub(now_ms).max(1) as u64).min(LONGEST_WAIT)
            });
            let until = give_up.unwrap_or_else(|| Instant::now() + wait);
            let look_at = membership.as_ref().map_or(until, Membership::next);
            tokio::select! {
                _ = arrived.recv_many(&mut done, GULP) => {}
                count = committed.recv_many(&mut handed, GULP), if is_open => is_open = count > 0,
                () = tokio::time::sleep_until(until) => if is_stopping && give_up.is_some() {
                    tracing::warn!(attempts = machine.in_flight(), "attempts did not end in time and are made again");
                    return;
                },
                () = tokio::time::sleep_until(look_at), if is_shared => {}
                () = self.io.store.shared().news.arrived.notified(), if is_shared => {
                    membership.iter_mut().for_each(Membership::hasten);
                }
                () = stopping.cancelled(), if !is_stopping => give_up = Some(Instant::now() + DRAIN),
            }
            let now_ms = self.io.store.now_ms();
            machine.look_at_clock(now_ms);
            handed.drain(..).for_each(|committed| take_committed(&mut machine, committed, now_ms));
            for event in done.drain(..) {
                recording &= !matches!(event, Event::Recorded(..));
                match event {
                    Event::Looked(looked) => {
                        if let Some(membership) = &mut membership {
                            let taken = membership.looked(looked, &mut machine, &self.io.store, now_ms);
                            self.read_taken(taken, &mut machine, &stopping, &events);
                        }
                    }
                    Event::Unrecordable => is_lost = true,
                    Event::Refused(lanes, messages) => {
                        machine.refused(&messages, now_ms);
                        if let Some(membership) = &mut membership {
                            membership.lost(lanes.into_iter().map(|(school, _)| school), &mut machine, now_ms);
                        }
                    }
                    event => self.take_event(&mut machine, event, now_ms, &events),
                }
            }
        }
    }

    fn carry_out(&self, actions: Actions, events: &Events) {
        for claimed in actions.claims {
            tokio::spawn(self.io.clone().send(claimed, events.clone()));
        }
        for request in actions.pages {
            tokio::spawn(self.io.clone().read_page(request, events.clone()));
        }
        for school in actions.connections {
            tokio::spawn(self.io.clone().read_connection(school, events.clone()));
        }
        for request in actions.rests {
            tokio::spawn(self.io.clone().rest(request, events.clone()));
        }
    }

    /// Reads the connections of lanes that were taken: one by one where they are few.
    fn read_taken(&self, taken: Vec<SchoolId>, machine: &mut Scheduler, stopping: &CancellationToken, events: &Events) {
        if taken.len() <= FEW {
            return taken.into_iter().for_each(|school| machine.connection_changed(school));
        }
        let (io, stopping, events) = (self.io.clone(), stopping.clone(), events.clone());
        tokio::spawn(async move {
            let all = io.all_connections(&stopping).await.unwrap_or_default();
            let _ = events.send(Event::Connections(all));
        });
    }

    fn take_event(&self, machine: &mut Scheduler, event: Event, now_ms: i64, events: &Events) {
        match event {
            Event::Sent(claimed, outcome) => {
                self.counters.attempt(&outcome);
                machine.settle(*claimed, outcome, now_ms, self.io.store.shared().entropy.unit());
            }
            Event::Recorded(recording, lost) => {
                machine.recorded(&recording, &lost, now_ms);
                self.counters.recorded(machine);
                self.io.store.shared().attempts_recorded();
            }
            Event::Page(request, page) => machine.page_read(request, page, now_ms),
            Event::Connection(_, Ok(Some(stored))) => machine.set_connection(stored, now_ms),
            Event::Connections(all) => all.into_iter().for_each(|stored| machine.set_connection(stored, now_ms)),
            // The school was deleted meanwhile: its lane stays closed.
            Event::Connection(_, Ok(None)) => {}
            Event::Connection(school, Err(error)) => {
                tracing::warn!(%school, %error, "a connection is read again");
                tokio::spawn(self.io.clone().read_connection_later(school, events.clone()));
            }
            Event::Rested(request, next) => machine.rested(request, next),
            // Taken by the loop, which knows this server's lanes.
            Event::Refused(..) | Event::Looked(_) | Event::Unrecordable => {}
        }
    }
}

fn take_committed(machine: &mut Scheduler, committed: Committed, now_ms: i64) {
    match committed {
        Committed::Deliveries(deliveries) => machine.committed(deliveries, now_ms),
        Committed::Connection(school) => machine.connection_changed(school),
        Committed::Reload(school) => machine.reload(school, now_ms),
    }
}

impl Io {
    async fn all_connections(&self, stopping: &CancellationToken) -> Option<Vec<StoredConnection>> {
        loop {
            let read = async { connections::load_all(&mut self.store.reader().await?, self.store.shared()).await };
            match read.await {
                Ok(connections) => return Some(connections),
                Err(StoreError::Stopping) => return None,
                Err(error) => tracing::error!(%error, "the connections could not be read; tried again"),
            }
            tokio::select! {
                () = tokio::time::sleep(PATIENCE) => {}
                () = stopping.cancelled() => return None,
            }
        }
    }

    /// The time up to which this installation got: that of its newest attempt; 0 where none is known.
    async fn latest_ms(&self) -> i64 {
        let read = async { deliveries::latest_ms(&mut self.store.reader().await?).await };
        read.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the newest attempt could not be read");
            0
        })
    }

    async fn send(self: Arc<Self>, claimed: Claimed, events: Events) {
        let clock = &self.store.shared().clock;
        let attempt = async {
            let body = claimed.message.body.clone();
            crash::point("claim");
            let signed = sign(&claimed.connection, claimed.message.event, body, claimed.at_ms);
            let outcome = self.client.send(signed, clock.as_ref()).await;
            crash::point("send");
            outcome
        };
        let outcome = AssertUnwindSafe(attempt).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(message = %claimed.message.event, "an attempt panicked");
            Outcome::failed(Cause::Internal, "panic")
        });
        // Nobody listens once the machine gave up: the next start makes the attempt again.
        let _ = events.send(Event::Sent(Box::new(claimed), outcome));
    }

    async fn read_page(self: Arc<Self>, request: PageRequest, events: Events) {
        let read = async {
            let mut conn = self.store.reader().await?;
            let shared = self.store.shared();
            deliveries::load_open(&mut conn, shared, request.school, request.from, request.limit).await
        };
        let page = match read.await {
            Ok(page) => Some(page),
            Err(StoreError::Stopping) => None,
            Err(error) => {
                tracing::error!(school = %request.school, %error, "open deliveries could not be read; tried again");
                tokio::time::sleep(PATIENCE).await;
                None
            }
        };
        let _ = events.send(Event::Page(request, page));
    }

    async fn read_connection(self: Arc<Self>, school: SchoolId, events: Events) {
        let read = async { connections::load(&mut self.store.reader().await?, self.store.shared(), school).await };
        let _ = events.send(Event::Connection(school, read.await));
    }

    async fn read_connection_later(self: Arc<Self>, school: SchoolId, events: Events) {
        tokio::time::sleep(PATIENCE).await;
        self.read_connection(school, events).await;
    }

    async fn rest(self: Arc<Self>, request: RestRequest, events: Events) {
        let RestRequest { school, rest, from, .. } = request;
        let act = self.store.act(move |tx| Box::pin(deliveries::rest_waiting(tx, school, rest, from)));
        let next = act.await.unwrap_or_else(|error| {
            // Only how rows are shown: what goes out does not depend on it.
            tracing::warn!(%school, %error, "waiting deliveries keep their state for now");
            None
        });
        let _ = events.send(Event::Rested(request, next));
    }

    async fn look(self: Arc<Self>, plan: Plan, events: Events) {
        let looked = membership::look(&self.store, plan).await.inspect_err(|error| {
            if !matches!(error, StoreError::Stopping) {
                tracing::warn!(%error, "the lanes could not be looked at; tried again");
            }
        });
        let _ = events.send(Event::Looked(looked.ok()));
    }

    /// Records until it is durable: an outcome is never dropped while the server runs. On a shared database only what is
    /// of lanes that this server still holds: who took a lane meanwhile makes its attempts anew.
    async fn record(self: Arc<Self>, recording: Recording, events: Events) {
        let is_shared = self.store.database().is_shared();
        let mut recording = Arc::new(recording);
        loop {
            let held = if is_shared { recording.held() } else { Vec::new() };
            let batch = recording.clone();
            let act = self.store.act(move |tx| Box::pin(record_held(tx, batch, held)));
            match act.await {
                Ok(Ok(lost)) => {
                    let _ = events.send(Event::Recorded(recording, lost));
                    return;
                }
                Ok(Err(lanes)) => {
                    tracing::warn!(
                        lanes = lanes.len(),
                        "attempts were refused: another server delivers for their schools"
                    );
                    if let Some(recording) = Arc::get_mut(&mut recording) {
                        let refused = recording.refuse(&lanes);
                        let _ = events.send(Event::Refused(lanes, refused));
                    }
                    continue;
                }
                Err(StoreError::Stopping) => {
                    let _ = events.send(Event::Unrecordable);
                    return;
                }
                Err(error) => tracing::error!(%error, "attempts could not be recorded; tried again"),
            }
            tokio::time::sleep(PATIENCE).await;
        }
    }
}

/// Records, unless lanes were lost: then nothing, and the lanes.
async fn record_held(
    tx: &mut Tx<'_>,
    recording: Arc<Recording>,
    held: Vec<(SchoolId, Token)>,
) -> Result<Result<Vec<Lost>, Vec<(SchoolId, Token)>>, StoreError> {
    tx.lock_schools(held.iter().map(|(school, _)| *school)).await?;
    let refused = nodes::fence(tx, &held).await?;
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    if let Some(set_back) = &recording.set_back {
        let schools = set_back.lanes.iter().map(|(school, _)| *school).collect();
        deliveries::clock_set_back(tx, schools, set_back.now_ms, set_back.by_ms).await?;
    }
    if recording.batch.attempts.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    record::record(tx, &recording.batch).await.map(Ok)
}
