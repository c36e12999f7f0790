//! What goes out next, decided in memory and without IO: schools are served round robin, each within its own limits, so
//! that a slow or dead one costs only its own lane (P7). Driven by `step(now)`: time is passed in.

use std::collections::{BTreeSet, HashMap, VecDeque};

use rollcall_proto::id::{SchoolId, SecretId, StudentId};

use super::{
    lane::{Lane, Rest},
    message::Claimed,
    pace::Pace,
};
use crate::{
    model::{
        breaker::Health,
        connection::StoredConnection,
        delivery::{NewDelivery, reason, state},
        outcome::Outcome,
        settlement::{Fate, Settlement},
    },
    store::{
        deliveries::OpenPage,
        nodes::Token,
        record::{AttemptRow, Lost, MessageUpdate, RecordBatch, SchoolUpdate},
    },
};

/// Messages that a school may always have in memory, however little is left.
const GUARANTEED: usize = 64;
/// `last_verified_ms` is noted at most this often per secret.
const VERIFIED_EVERY_MS: i64 = 60_000;
/// Pages that are read at once.
const PARALLEL_PAGES: usize = 2;
/// Messages in one record transaction.
const BATCH: usize = 1_024;

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
    /// Messages of one page.
    pub page: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 32 << 20, in_flight: 2_048, young: 256, unrecorded: 4_096, page: 512 }
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

/// A message whose outcome waits to be durable.
pub struct Unrecorded {
    lane: usize,
    school: SchoolId,
    token: Token,
    sequence: u64,
    student: StudentId,
}

/// A batch on its way to the database.
#[derive(Default)]
pub struct Recording {
    /// What is recorded.
    pub batch: RecordBatch,
    messages: Vec<Unrecorded>,
}

impl Recording {
    /// The lanes that it is of, each with the token that it was claimed under.
    pub fn held(&self) -> Vec<(SchoolId, Token)> {
        let mut held: Vec<_> = self.messages.iter().map(|message| (message.school, message.token)).collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    /// Takes out what is of these lanes, which are not ours any more.
    pub fn refuse(&mut self, lanes: &[(SchoolId, Token)]) -> Vec<Unrecorded> {
        let mut refused = Vec::new();
        let attempts = std::mem::take(&mut self.batch.attempts);
        for (message, attempt) in std::mem::take(&mut self.messages).into_iter().zip(attempts) {
            if lanes.contains(&(message.school, message.token)) {
                refused.push(message);
            } else {
                self.messages.push(message);
                self.batch.attempts.push(attempt);
            }
        }
        let messages = &self.messages;
        self.batch.schools.retain(|update| messages.iter().any(|message| message.school == update.school));
        refused
    }
}

/// What a batch says of its schools beside their breakers.
#[derive(Default)]
struct SchoolNotes {
    last_delivered_ms: i64,
    gone: bool,
    verified: Option<SecretId>,
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
    unrecorded: usize,
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
            unrecorded: 0,
            pending: Recording::default(),
            notes: HashMap::new(),
            verified_ms: HashMap::new(),
        }
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

    /// Records of lanes that are not ours any more were refused.
    pub fn refused(&mut self, messages: &[Unrecorded], now_ms: i64) {
        self.unrecorded -= messages.len();
        for message in messages {
            self.touch(message.lane, |lane| lane.recorded(message.sequence, message.student, false, now_ms));
        }
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

    /// The wall clock was set back by so much: connections wait for their trial no longer than they were to. Answers the
    /// schools whose messages are due earlier in the database, too, and are then to be read again.
    pub fn clock_set_back(&mut self, by_ms: i64) -> Vec<SchoolId> {
        let held: Vec<usize> = (0..self.lanes.len()).filter(|lane| self.is_held(*lane)).collect();
        for lane in &held {
            self.touch(*lane, |lane| lane.breaker.retry_at_ms = lane.breaker.retry_at_ms.saturating_sub(by_ms));
        }
        held.into_iter().map(|lane| self.lanes[lane].school).collect()
    }

    fn has_room(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        let total = self.limits.memory_bytes;
        let roomy = self.size_bytes < total && lane.size_bytes < total / 2;
        (roomy && lane.breaker.health != Health::Down) || lane.message_count() < GUARANTEED
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

    /// Looks at everything that was touched or is due, and says what is to be done. While `stopping`, nothing new begins.
    pub fn step(&mut self, now_ms: i64, stopping: bool) -> Actions {
        let mut actions = Actions { connections: std::mem::take(&mut self.unknown), ..Actions::default() };
        while let Some(&(due_ms, lane)) = self.dues.first() {
            if due_ms > now_ms {
                break;
            }
            self.dues.pop_first();
            self.lane_dues[lane] = None;
            self.touched.push(lane);
        }
        for lane in std::mem::take(&mut self.touched) {
            self.lanes[lane].wake(now_ms);
            self.refresh(lane, now_ms, &mut actions);
        }
        if !stopping {
            self.claim(now_ms, &mut actions);
            self.ask_for_pages(now_ms, &mut actions);
        }
        actions
    }

    /// Brings a lane's place in the rotation, its due time and its wishes up to date.
    fn refresh(&mut self, index: usize, now_ms: i64, actions: &mut Actions) {
        let most = self.share();
        let limit = self.limits.page as usize;
        let lane = &mut self.lanes[index];
        if !lane.in_rotation && lane.can_claim(most, now_ms) {
            lane.in_rotation = true;
            self.rotation.push_back(index);
        }
        if !lane.in_wanted && lane.wants_page(limit / 2, now_ms) {
            lane.in_wanted = true;
            self.wanted.push_back(index);
        }
        if !lane.resting
            && let Some(rest) = lane.rest()
            && let Some(from) = lane.rest_from.take()
        {
            lane.resting = true;
            actions.rests.push(RestRequest { lane: index, school: lane.school, rest, from });
        }
        // A due time that has come is handled by the rotation; only a later one needs a timer.
        let due = lane.next_due_ms(now_ms).filter(|due_ms| *due_ms > now_ms);
        let known = &mut self.lane_dues[index];
        if *known != due {
            if let Some(old) = known.take() {
                self.dues.remove(&(old, index));
            }
            if let Some(new) = due {
                self.dues.insert((new, index));
            }
            *known = due;
        }
    }

    /// What one school may have under way: less once half of all places are taken, so that hanging schools leave room.
    fn share(&self) -> u32 {
        if self.in_flight * 2 < self.limits.in_flight { u32::MAX } else { 4 }
    }

    fn claim(&mut self, now_ms: i64, actions: &mut Actions) {
        self.pace.age(now_ms);
        while self.in_flight < self.limits.in_flight && self.pace.has_room() && self.unrecorded < self.limits.unrecorded
        {
            let Some(index) = self.rotation.pop_front() else { break };
            let most = self.share();
            let lane = &mut self.lanes[index];
            let before = lane.size_bytes;
            lane.in_rotation = false;
            if lane.can_claim(most, now_ms)
                && let Some(claimed) = lane.claim(index, now_ms)
            {
                self.in_flight += 1;
                self.pace.begin(now_ms);
                self.unrecorded += 1;
                self.size_bytes = self.size_bytes + lane.size_bytes - before;
                actions.claims.push(claimed);
                if lane.can_claim(most, now_ms) {
                    lane.in_rotation = true;
                    self.rotation.push_back(index);
                }
            }
            let lane = &mut self.lanes[index];
            if !lane.in_wanted && lane.wants_page(self.limits.page as usize / 2, now_ms) {
                lane.in_wanted = true;
                self.wanted.push_back(index);
            }
        }
    }

    fn ask_for_pages(&mut self, now_ms: i64, actions: &mut Actions) {
        while self.pages_under_way < PARALLEL_PAGES {
            let Some(index) = self.wanted.pop_front() else { break };
            let room = self.size_bytes < self.limits.memory_bytes;
            let lane = &mut self.lanes[index];
            lane.in_wanted = false;
            let small = !room || lane.breaker.health == Health::Down;
            let low = if small { GUARANTEED / 2 } else { self.limits.page as usize / 2 };
            if !lane.wants_page(low, now_ms) {
                continue;
            }
            let limit = if small { (GUARANTEED as u32).min(self.limits.page) } else { self.limits.page };
            let (from, generation) = lane.begin_page();
            self.pages_under_way += 1;
            actions.pages.push(PageRequest { lane: index, school: lane.school, from, limit, generation });
        }
    }

    /// Settles an attempt; its record waits for [`take_batch`](Self::take_batch).
    pub fn settle(&mut self, claimed: Claimed, outcome: Outcome, now_ms: i64, jitter: f64) {
        let index = claimed.lane;
        self.in_flight -= 1;
        self.pace.end(claimed.at_ms);
        let row = AttemptRow {
            school: claimed.connection.school,
            sequence: claimed.message.sequence,
            event: claimed.message.event,
            event_type: claimed.message.event_type,
            student: Some(claimed.message.student),
            sourced_id: claimed.message.sourced_id.clone(),
            at_ms: claimed.at_ms,
            trigger: claimed.trigger,
            try_number: claimed.message.tries + 1,
            status: "",
            next_ms: None,
            signed_by: signers(&claimed, &outcome),
            outcome: Outcome::default(),
            message: None,
        };
        let note = self.notes.entry(index).or_default();
        if let Some(fingerprint) = &outcome.verified_key {
            let known = claimed.connection.secrets.iter().find(|secret| secret.fingerprint == *fingerprint);
            if let Some(id) = known.map(|secret| secret.id) {
                let noted_ms = self.verified_ms.entry(id).or_insert(i64::MIN);
                if now_ms.saturating_sub(*noted_ms) >= VERIFIED_EVERY_MS {
                    *noted_ms = now_ms;
                    note.verified = Some(id);
                }
            }
        }
        let (sequence, student) = (claimed.message.sequence, claimed.message.student);
        let (school, token) = (row.school, claimed.token);
        let settled = self.touch(index, |lane| lane.settle(claimed, &outcome, now_ms, jitter));
        let note = self.notes.entry(index).or_default();
        match settled.fate {
            Fate::Delivered => note.last_delivered_ms = now_ms,
            Fate::Held => note.gone = true,
            Fate::Retry(_) | Fate::Parked(_) => {}
        }
        self.pending.batch.attempts.push(AttemptRow {
            status: status(settled.fate),
            next_ms: next_ms(&settled, &outcome),
            message: Some(update(&settled)),
            outcome,
            ..row
        });
        self.pending.messages.push(Unrecorded { lane: index, school, token, sequence, student });
    }

    /// What is to be recorded now, at most one batch; empty where nothing is.
    pub fn take_batch(&mut self) -> Recording {
        let mut recording = std::mem::take(&mut self.pending);
        if recording.batch.attempts.len() > BATCH {
            self.pending.batch.attempts = recording.batch.attempts.split_off(BATCH);
            self.pending.messages = recording.messages.split_off(BATCH);
        }
        let mut named = BTreeSet::new();
        named.extend(recording.messages.iter().map(|message| message.lane));
        for index in named {
            let lane = &self.lanes[index];
            let note = self.notes.remove(&index).unwrap_or_default();
            recording.batch.schools.push(SchoolUpdate {
                school: lane.school,
                version: lane.connection.as_ref().map_or(0, |connection| connection.version),
                health: lane.breaker.health,
                retry_at_ms: lane.breaker.retry_at_ms,
                probe_wait_ms: lane.breaker.probe_wait_ms,
                last_delivered_ms: note.last_delivered_ms,
                gone: note.gone,
                supersedes: lane.has_parked_alone,
                verified: note.verified,
            });
        }
        recording
    }

    /// A batch is durable.
    pub fn recorded(&mut self, recording: &Recording, lost: &[Lost], now_ms: i64) {
        self.unrecorded -= recording.messages.len();
        for message in &recording.messages {
            let is_lost = !lost.is_empty() && lost.contains(&(self.lanes[message.lane].school, message.sequence));
            self.touch(message.lane, |lane| lane.recorded(message.sequence, message.student, is_lost, now_ms));
        }
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

    /// Whether outcomes wait to be recorded.
    pub fn has_unrecorded(&self) -> bool {
        !self.pending.messages.is_empty()
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

/// Who signed is kept where it tells something: on failures and while two secrets sign.
fn signers(claimed: &Claimed, outcome: &Outcome) -> Vec<Box<str>> {
    let live = claimed.connection.live_secrets(claimed.at_ms);
    if outcome.is_success() && claimed.connection.secrets.len() < 2 {
        return Vec::new();
    }
    live.map(|secret| secret.fingerprint.clone()).collect()
}

fn status(fate: Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Retry(_) => "retrying",
        Fate::Parked(_) => "parked",
        Fate::Held => "held",
    }
}

fn next_ms(settled: &Settlement, outcome: &Outcome) -> Option<i64> {
    match settled.fate {
        Fate::Retry(at_ms) => Some(at_ms.max(if outcome.is_success() { 0 } else { settled.breaker.retry_at_ms })),
        Fate::Parked(reason::CONNECTION_DOWN) => Some(settled.breaker.retry_at_ms),
        _ => None,
    }
}

fn update(settled: &Settlement) -> MessageUpdate {
    let (state, reason, due_ms) = match settled.fate {
        Fate::Delivered => (state::DELIVERED, "", 0),
        Fate::Retry(at_ms) => (state::PENDING, "", at_ms),
        Fate::Parked(reason) => (state::PARKED, reason, 0),
        Fate::Held => (state::HELD, reason::GONE, 0),
    };
    MessageUpdate { state, reason, automatic_tries: settled.automatic_tries, due_ms }
}
