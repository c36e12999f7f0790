//! What goes out next, decided in memory and without IO: schools are served round robin, each within its own limits, so
//! that a slow or dead one costs only its own lane (P7). Driven by `step(now)`: time is passed in.

mod recording;
mod rotation;

use std::collections::{BTreeSet, HashMap, VecDeque};

use rollcall_proto::id::{SchoolId, SecretId};

use super::{
    lane::{Lane, Rest},
    message::Claimed,
    pace::Pace,
};
use crate::{
    model::{connection::StoredConnection, delivery::NewDelivery},
    store::{deliveries::OpenPage, nodes::Token},
};

use self::recording::SchoolNotes;
pub use self::recording::{Recording, SetBack, Unrecorded};

/// Messages that a school may always have in memory, however little is left.
const GUARANTEED: usize = 64;
/// A clock that is set back by less is not worth a word, ms; clocks are kept in step by such small steps.
const CLOCK_DOUBT_MS: i64 = 2_000;

/// The bounds of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bodies and their bookkeeping in memory; more stays in the database and is read back in order.
    pub memory_bytes: usize,
    /// Requests under way over all schools.
    pub in_flight: u32,
    /// Of them those that were begun a moment ago: see [`Pace`].
    pub young: u32,
    /// Outcomes that are not durable yet; more than this, and nothing new is sent.
    pub unrecorded: usize,
    /// What receivers answered with them, of failures.
    pub answers_bytes: usize,
    /// Messages of one page.
    pub page: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 32 << 20,
            in_flight: 2_048,
            young: 256,
            unrecorded: 4_096,
            answers_bytes: 16 << 20,
            page: 512,
        }
    }
}

/// A page of a school's open messages that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The lane's index.
    pub lane: usize,
    /// The school.
    pub school: SchoolId,
    /// From this sequence on.
    pub from: u64,
    /// At most so many.
    pub limit: u32,
    /// To be handed back.
    pub generation: u64,
}

/// Rows that are to be put to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestRequest {
    /// The lane's index.
    pub lane: usize,
    /// The school.
    pub school: SchoolId,
    /// State and reason.
    pub rest: Rest,
    /// From this sequence on.
    pub from: u64,
}

/// What is to be done outside.
#[derive(Default)]
pub struct Actions {
    /// To be signed and sent.
    pub claims: Vec<Claimed>,
    /// To be read.
    pub pages: Vec<PageRequest>,
    /// Connections to be read.
    pub connections: Vec<SchoolId>,
    /// Rows to be put to rest.
    pub rests: Vec<RestRequest>,
}

/// The machine.
pub struct Scheduler {
    limits: Limits,
    /// Lanes are shared with other servers: each is closed until it is taken.
    is_shared: bool,
    lanes: Vec<Lane>,
    index: HashMap<SchoolId, usize>,
    /// Lanes that have something to send, each at most once.
    rotation: VecDeque<usize>,
    /// When each lane has something due.
    dues: BTreeSet<(i64, usize)>,
    lane_dues: Vec<Option<i64>>,
    /// Lanes that were touched since the last step.
    touched: Vec<usize>,
    /// Lanes that want a page, each at most once.
    wanted: VecDeque<usize>,
    pages_under_way: usize,
    unknown: Vec<SchoolId>,
    size_bytes: usize,
    in_flight: u32,
    pace: Pace,
    /// The wall clock at the last look, Unix ms.
    latest_ms: i64,
    unrecorded: usize,
    answers_bytes: usize,
    pending: Recording,
    notes: HashMap<usize, SchoolNotes>,
    verified_ms: HashMap<SecretId, i64>,
}

impl Scheduler {
    /// A machine that knows no school yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            is_shared: false,
            lanes: Vec::new(),
            index: HashMap::new(),
            rotation: VecDeque::new(),
            dues: BTreeSet::new(),
            lane_dues: Vec::new(),
            touched: Vec::new(),
            wanted: VecDeque::new(),
            pages_under_way: 0,
            unknown: Vec::new(),
            size_bytes: 0,
            in_flight: 0,
            pace: Pace::new(limits.young),
            latest_ms: 0,
            unrecorded: 0,
            answers_bytes: 0,
            pending: Recording::default(),
            notes: HashMap::new(),
            verified_ms: HashMap::new(),
        }
    }

    /// A machine that knows up to what time its installation got, Unix ms.
    pub fn since(limits: Limits, latest_ms: i64) -> Self {
        Self { latest_ms, ..Self::new(limits) }
    }

    /// A machine beside others: it works on the lanes that it takes.
    pub fn beside_others(limits: Limits) -> Self {
        Self { is_shared: true, ..Self::new(limits) }
    }

    fn lane_of(&mut self, school: SchoolId) -> usize {
        *self.index.entry(school).or_insert_with(|| {
            self.lanes.push(Lane::new(school, (!self.is_shared).then_some(0)));
            self.lane_dues.push(None);
            if !self.is_shared {
                self.unknown.push(school);
            }
            self.lanes.len() - 1
        })
    }

    fn is_held(&self, lane: usize) -> bool {
        self.lanes[lane].token.is_some()
    }

    /// Takes a lane. Its connection is to be read by the caller.
    pub fn take_lane(&mut self, school: SchoolId, token: Token, now_ms: i64) {
        let lane = self.lane_of(school);
        self.touch(lane, |lane| lane.take(token, now_ms));
    }

    /// A lane is another server's, or nobody's.
    pub fn lose_lane(&mut self, school: SchoolId, now_ms: i64) {
        let lane = self.lane_of(school);
        self.touch(lane, |lane| lane.lose(now_ms));
    }

    /// Others accepted messages of a school up to this one.
    pub fn grown(&mut self, school: SchoolId, head: u64) {
        let lane = self.lane_of(school);
        self.touch(lane, |lane| lane.grown(head));
    }

    /// Gives up so many lanes that nothing is under way in. Answers which.
    pub fn give_up_idle(&mut self, count: usize, now_ms: i64) -> Vec<SchoolId> {
        let idle = self.lanes.iter().filter(|lane| lane.token.is_some() && lane.is_settled());
        let schools: Vec<SchoolId> = idle.take(count).map(|lane| lane.school).collect();
        schools.iter().for_each(|school| self.lose_lane(*school, now_ms));
        schools
    }

    fn touch<R>(&mut self, lane: usize, act: impl FnOnce(&mut Lane) -> R) -> R {
        let entry = &mut self.lanes[lane];
        let before = entry.size_bytes;
        let result = act(entry);
        self.size_bytes = self.size_bytes + entry.size_bytes - before;
        if self.touched.last() != Some(&lane) {
            self.touched.push(lane);
        }
        result
    }

    /// Takes a connection as it was read.
    pub fn set_connection(&mut self, stored: StoredConnection, now_ms: i64) {
        let lane = self.lane_of(stored.connection.school);
        if !self.is_held(lane) {
            return;
        }
        self.unknown.retain(|school| *school != stored.connection.school);
        self.touch(lane, |lane| lane.set_connection(stored, now_ms));
    }

    /// A connection changed: it is to be read.
    pub fn connection_changed(&mut self, school: SchoolId) {
        let lane = self.lane_of(school);
        if self.is_held(lane) && !self.unknown.contains(&school) {
            self.unknown.push(school);
        }
    }

    /// Takes what was just committed, in the order of the commits.
    pub fn committed(&mut self, deliveries: Vec<NewDelivery>, now_ms: i64) {
        for delivery in deliveries {
            let lane = self.lane_of(delivery.school);
            if !self.is_held(lane) {
                continue;
            }
            let room = self.has_room(lane);
            self.touch(lane, |lane| lane.committed(delivery, room, now_ms));
        }
    }

    /// Rows of a school were changed by others.
    pub fn reload(&mut self, school: SchoolId, now_ms: i64) {
        let lane = self.lane_of(school);
        if !self.is_held(lane) {
            return;
        }
        self.touch(lane, |lane| lane.reload(now_ms));
    }

    /// Looks at the wall clock, before anything is done by it. Where it was set back, what waits is due earlier by that:
    /// at once what is in memory only, and with the next batch what the database has.
    pub fn look_at_clock(&mut self, now_ms: i64) {
        let by_ms = self.latest_ms - now_ms;
        self.latest_ms = now_ms;
        if by_ms <= CLOCK_DOUBT_MS {
            return;
        }
        tracing::warn!(by_s = by_ms / 1_000, "the clock was set back: what waits is due earlier by that");
        for lane in 0..self.lanes.len() {
            self.touch(lane, |lane| lane.clock_set_back(now_ms, by_ms));
        }
        self.verified_ms.clear();
        self.unrecorded += usize::from(self.pending.set_back(now_ms, by_ms));
    }

    /// Takes a page that was read; `None` where that failed.
    pub fn page_read(&mut self, request: PageRequest, page: Option<OpenPage>, now_ms: i64) {
        self.pages_under_way -= 1;
        self.touch(request.lane, |lane| lane.end_page(request.generation, page, now_ms));
    }

    /// Rows were put to rest; `next` says where to go on.
    pub fn rested(&mut self, request: RestRequest, next: Option<u64>) {
        self.touch(request.lane, |lane| {
            lane.resting = false;
            if let Some(next) = next {
                lane.rest_from = Some(lane.rest_from.map_or(next, |from| from.min(next)));
            }
        });
    }

    /// When `step` has something to do next without an event from outside.
    pub fn next_due_ms(&self) -> Option<i64> {
        let due_ms = self.dues.first().map(|(due_ms, _)| *due_ms);
        let room_ms = self.pace.next_room_ms().filter(|_| !self.rotation.is_empty());
        [due_ms, room_ms].into_iter().flatten().min()
    }

    /// Whether nothing is under way or waits to be durable.
    pub fn is_settled(&self) -> bool {
        self.in_flight == 0 && self.unrecorded == 0
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Messages that wait in memory, and what they take.
    pub fn waiting(&self) -> (usize, usize) {
        (self.lanes.iter().map(Lane::message_count).sum(), self.size_bytes)
    }

    /// The version of a school's connection that is in force.
    pub fn connection(&self, school: SchoolId) -> Option<std::sync::Arc<crate::model::connection::Connection>> {
        self.lanes.get(*self.index.get(&school)?)?.connection.clone()
    }
}
