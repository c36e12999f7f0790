//! This server among those that share the database: its lease, the lanes that it holds, and what it has yet to hear of
//! them.

use std::{collections::HashMap, time::Duration};

use rollcall_proto::id::SchoolId;
use tokio::time::Instant;

use super::scheduler::Scheduler;
use crate::store::{
    Store, StoreError,
    nodes::{self, HeldLane, Look},
};

/// How often the database is looked at, where nobody tells of something new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// However much is told: looks are at least this far apart.
const LOOK_GAP: Duration = Duration::from_millis(20);

/// See the module.
pub struct Membership {
    lease: Duration,
    /// When the lease that is in force was asked for; `None` before the first.
    renewed: Option<Instant>,
    /// What was known of each lane at the last look.
    known: HashMap<SchoolId, HeldLane>,
    /// Given up here, not yet in the database.
    leaving: Vec<SchoolId>,
    next: Instant,
    is_looking: bool,
}

/// What the next look does beside looking.
pub struct Plan {
    lease: Duration,
    /// The first one: whoever had this server's name before is dead.
    join: bool,
    renew: bool,
    claim: bool,
    release: Vec<SchoolId>,
}

/// What a look found.
pub struct Looked {
    /// When it began, where the lease was renewed.
    renewed: Option<Instant>,
    look: Look,
}

impl Membership {
    /// A server that does not take part yet.
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            renewed: None,
            known: HashMap::new(),
            leaving: Vec::new(),
            next: Instant::now(),
            is_looking: false,
        }
    }

    /// Whether what this server holds is its own beyond doubt. The database's clock may run a little faster than ours.
    pub fn is_valid(&self) -> bool {
        self.renewed.is_some_and(|renewed| renewed.elapsed() < self.lease.mul_f64(0.8))
    }

    /// Whether a look is under way.
    pub fn is_looking(&self) -> bool {
        self.is_looking
    }

    /// When it is time to look.
    pub fn next(&self) -> Instant {
        if self.is_looking { Instant::now() + LOOK_EVERY } else { self.next }
    }

    /// Looks soon: somebody did something.
    pub fn hasten(&mut self) {
        self.next = self.next.min(Instant::now() + LOOK_GAP);
    }

    /// The next look, where it is time for one. While `stopping`, nothing new is taken.
    pub fn plan(&mut self, stopping: bool) -> Option<Plan> {
        if self.is_looking || Instant::now() < self.next {
            return None;
        }
        self.is_looking = true;
        Some(Plan {
            lease: self.lease,
            join: self.renewed.is_none(),
            renew: self.renewed.is_none_or(|renewed| renewed.elapsed() > self.lease / 4),
            claim: !stopping,
            release: std::mem::take(&mut self.leaving),
        })
    }

    /// Brings the machine up to what a look found; `None` where it failed. Answers the schools whose connections are to
    /// be read.
    pub fn looked(
        &mut self,
        looked: Option<Looked>,
        machine: &mut Scheduler,
        store: &Store,
        now_ms: i64,
    ) -> Vec<SchoolId> {
        self.is_looking = false;
        self.next = Instant::now() + LOOK_EVERY;
        let mut taken = Vec::new();
        let Some(Looked { renewed, look }) = looked else { return taken };
        self.renewed = renewed.or(self.renewed);
        store.shared().news.set_company(look.nodes > 1);
        let surplus = (look.lanes.len() as u64).saturating_sub(look.share()) as usize;
        let mut known = HashMap::with_capacity(look.lanes.len());
        for lane in look.lanes {
            match self.known.remove(&lane.school) {
                Some(before) if before.token == lane.token => follow(machine, before, lane, now_ms),
                _ => {
                    machine.take_lane(lane.school, lane.token, now_ms);
                    taken.push(lane.school);
                }
            }
            known.insert(lane.school, lane);
        }
        for school in std::mem::replace(&mut self.known, known).into_keys() {
            tracing::info!(%school, "another server delivers for this school now");
            machine.lose_lane(school, now_ms);
        }
        if surplus > 0 && look.nodes > 1 {
            self.leaving = machine.give_up_idle(surplus, now_ms);
            self.known.retain(|school, _| !self.leaving.contains(school));
            self.hasten();
        }
        taken
    }

    /// Records of these lanes were refused: they are another server's.
    pub fn lost(&mut self, schools: impl IntoIterator<Item = SchoolId>, machine: &mut Scheduler, now_ms: i64) {
        for school in schools {
            self.known.remove(&school);
            machine.lose_lane(school, now_ms);
        }
        self.hasten();
    }
}

fn follow(machine: &mut Scheduler, before: HeldLane, lane: HeldLane, now_ms: i64) {
    if lane.connection_version != before.connection_version {
        machine.connection_changed(lane.school);
    }
    if lane.wakes != before.wakes {
        machine.reload(lane.school, now_ms);
    }
    if lane.head_sequence != before.head_sequence {
        machine.grown(lane.school, lane.head_sequence);
    }
}

/// Renews, gives back, looks, and takes what is free up to a fair share.
pub async fn look(store: &Store, plan: Plan) -> Result<Looked, StoreError> {
    let node = store.shared().node;
    let began = Instant::now();
    let Plan { lease, join, renew, claim, release } = plan;
    if renew {
        let lease_ms = lease.as_millis() as u64;
        store
            .act(move |tx| {
                Box::pin(async move {
                    if join {
                        nodes::leave(tx, node).await?;
                    }
                    nodes::renew(tx, node, lease_ms).await
                })
            })
            .await?;
    }
    if !release.is_empty() {
        store.act(move |tx| Box::pin(nodes::release(tx, node, release))).await?;
        store.shared().news.tell();
    }
    let mut look = nodes::look(&mut store.reader().await?, node).await?;
    let room = look.share().saturating_sub(look.lanes.len() as u64);
    if claim && room > 0 && look.free > 0 {
        let taken = store.act(move |tx| Box::pin(nodes::claim(tx, node, room))).await?;
        tracing::info!(lanes = taken, "took lanes of schools");
        look = nodes::look(&mut store.reader().await?, node).await?;
    }
    Ok(Looked { renewed: renew.then_some(began), look })
}

/// Gives everything back at once.
pub async fn leave(store: &Store) {
    let node = store.shared().node;
    if let Err(error) = store.act(move |tx| Box::pin(nodes::leave(tx, node))).await {
        tracing::warn!(%error, "the lanes of this server are free once its lease is over");
    }
    store.shared().news.tell();
}
