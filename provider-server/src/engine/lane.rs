//! One school's messages in memory. Each student has a head, which is ready, in flight, unrecorded or waiting for its
//! time; the student's later messages wait behind it (P3).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rollcall_proto::id::{SchoolId, StudentId};

use super::message::{Claimed, Message};
use crate::{
    model::{
        breaker::{Breaker, Health},
        connection::{Connection, ConnectionState, StoredConnection},
        delivery::{NewDelivery, Trigger, reason, state},
        outcome::{FailureKind, Outcome},
        settlement::{Attempted, Fate, Settlement, settle},
    },
    store::{deliveries::OpenPage, nodes::Token},
};

/// Commits that may wait for the page that is being read.
const MAX_TAIL: usize = 1_024;

/// A claim that is not recorded yet.
enum Claim {
    InFlight,
    Settled(After),
}

/// What becomes of a settled message in memory, once that is durable.
enum After {
    /// Its row is done.
    Done,
    /// It is tried again.
    Again(Message),
    /// A probe that failed: it stays the oldest, for the next probe.
    Probe(Message),
    /// Its row waits, and is read when its turn comes.
    Backlog,
}

struct Student {
    head: u64,
    waiting: BTreeMap<u64, Message>,
}

/// Open messages that are in the database only.
struct Backlog {
    /// All open ones from this sequence on.
    from: u64,
    /// What was committed while a page is being read: it may be missing there.
    tail: Vec<NewDelivery>,
    /// More was committed than `tail` takes.
    overflowed: bool,
}

impl Backlog {
    fn new(from: u64) -> Self {
        Self { from, tail: Vec::new(), overflowed: false }
    }
}

/// How waiting rows are shown in the database: their state and reason.
pub type Rest = (&'static str, &'static str);

/// One school's lane.
pub struct Lane {
    /// The school.
    pub school: SchoolId,
    /// Shown with every record; `None` while another server may work on this school.
    pub token: Option<Token>,
    /// How to reach it; `None` until it was read.
    pub connection: Option<Arc<Connection>>,
    /// How that goes.
    pub breaker: Breaker,
    /// Whether a delivery may supersede a message that is parked alone.
    pub has_parked_alone: bool,
    /// Whether it has its place in the rotation.
    pub in_rotation: bool,
    /// Whether it waits for a page to be read.
    pub in_wanted: bool,
    /// Memory taken by what waits.
    pub size_bytes: usize,
    /// A page is being read.
    pub loading: bool,
    /// Rows are being put to rest.
    pub resting: bool,
    /// Rows from this sequence on are to be put to rest.
    pub rest_from: Option<u64>,
    in_flight: u32,
    trial_under_way: bool,
    messages: usize,
    backlog: Option<Backlog>,
    /// Grows with every reload: a page that was asked for before says nothing of how far the backlog was read.
    generation: u64,
    /// Every message up to this sequence is accounted for: done, in memory, or in the backlog.
    known_head: u64,
    /// The school's newest message that we heard of.
    told_head: u64,
    /// Pages showed everything before this sequence: what is handed over of it comes late and was seen.
    seen_below: u64,
    ready: BTreeMap<u64, Message>,
    timers: BTreeMap<(i64, u64), Message>,
    /// Refused in every probe that they had: the student's later ones have their turn before them.
    passed: BTreeMap<u64, Message>,
    students: HashMap<StudentId, Student>,
    claims: HashMap<u64, Claim>,
    /// Claims that a reload met: their rows are read again once they are recorded.
    suspects: Vec<u64>,
    /// Recorded while a page was being read, which may still show them as they were.
    recorded_meanwhile: Vec<u64>,
}

impl Lane {
    /// A lane of which nothing is known yet.
    pub fn new(school: SchoolId, token: Option<Token>) -> Self {
        Self {
            school,
            token,
            connection: None,
            breaker: Breaker::default(),
            has_parked_alone: false,
            in_rotation: false,
            in_wanted: false,
            size_bytes: 0,
            loading: false,
            resting: false,
            rest_from: None,
            in_flight: 0,
            trial_under_way: false,
            messages: 0,
            backlog: Some(Backlog::new(0)),
            generation: 0,
            known_head: 0,
            told_head: 0,
            seen_below: 0,
            ready: BTreeMap::new(),
            timers: BTreeMap::new(),
            passed: BTreeMap::new(),
            students: HashMap::new(),
            claims: HashMap::new(),
            suspects: Vec::new(),
            recorded_meanwhile: Vec::new(),
        }
    }

    /// Takes the lane from another server, or again: everything is read anew.
    pub fn take(&mut self, token: Token, now_ms: i64) {
        self.token = Some(token);
        (self.connection, self.breaker, self.has_parked_alone) = (None, Breaker::default(), false);
        (self.known_head, self.told_head) = (0, 0);
        self.reload(now_ms);
    }

    /// Another server may work on it from now on. What is under way ends, and its record is refused.
    pub fn lose(&mut self, now_ms: i64) {
        self.reload(now_ms);
        (self.token, self.connection, self.rest_from) = (None, None, None);
    }

    /// The school has messages up to this one, which others accepted.
    pub fn grown(&mut self, head: u64) {
        self.told_head = self.told_head.max(head);
        if self.backlog.is_none() && self.told_head > self.known_head {
            self.backlog = Some(Backlog::new(self.known_head + 1));
        }
    }

    /// Takes another version of the connection; an older one, read meanwhile, is ignored. Whatever staff changed is a
    /// reason to try afresh.
    pub fn set_connection(&mut self, stored: StoredConnection, now_ms: i64) {
        let known = self.connection.as_ref().map(|connection| connection.version);
        if known.is_some_and(|version| version >= stored.connection.version) {
            return;
        }
        self.has_parked_alone |= stored.has_parked_alone;
        self.breaker = match known {
            None => stored.breaker,
            Some(_) => Breaker::fresh(self.breaker.last_success_ms),
        };
        self.connection = Some(stored.connection);
        if self.is_open(now_ms) {
            // Their rows are no longer parked, so a later message would not supersede them.
            for (_, passed) in std::mem::take(&mut self.passed) {
                self.place(passed, now_ms);
            }
        } else {
            self.forget_waiting();
        }
        self.rest_from = None;
        if self.is_resting() {
            self.rest_from_on(0);
        }
    }

    /// Whether messages may go out, apart from the breaker's timing.
    pub fn is_open(&self, now_ms: i64) -> bool {
        self.token.is_some() && self.connection.as_ref().is_some_and(|connection| connection.can_send(now_ms))
    }

    /// How waiting rows are to be shown; `None` where staff stopped the connection, and rows stay as they are.
    pub fn rest(&self) -> Option<Rest> {
        match self.connection.as_ref()?.state {
            ConnectionState::Held => Some((state::HELD, reason::GONE)),
            ConnectionState::Active if self.breaker.health == Health::Down => {
                Some((state::PARKED, reason::CONNECTION_DOWN))
            }
            ConnectionState::Active => Some((state::PENDING, "")),
            _ => None,
        }
    }

    fn is_resting(&self) -> bool {
        self.rest().is_some_and(|(state, _)| state != state::PENDING)
    }

    fn rest_from_on(&mut self, sequence: u64) {
        self.rest_from = Some(self.rest_from.map_or(sequence, |from| from.min(sequence)));
    }

    /// Messages that wait in memory.
    pub fn message_count(&self) -> usize {
        self.messages
    }

    /// Whether everything open is in memory.
    pub fn is_complete(&self) -> bool {
        self.backlog.is_none()
    }

    /// Whether nothing is claimed that is not recorded.
    pub fn is_settled(&self) -> bool {
        self.claims.is_empty()
    }

    /// A delivery was committed. It is kept where `room` is left and nothing before it is in the database only.
    pub fn committed(&mut self, delivery: NewDelivery, room: bool, now_ms: i64) {
        if self.is_resting() {
            self.rest_from_on(delivery.sequence);
        }
        if delivery.sequence < self.seen_below {
            return;
        }
        if let Some(backlog) = &mut self.backlog {
            if self.loading && room && backlog.tail.len() < MAX_TAIL {
                backlog.tail.push(delivery);
            } else {
                backlog.overflowed = true;
            }
        } else if delivery.sequence > self.known_head + 1 {
            // What is between was accepted elsewhere, or comes late.
            self.backlog = Some(Backlog::new(self.known_head + 1));
        } else if delivery.sequence <= self.known_head {
            // It was read before it was handed over.
        } else if room && self.is_open(now_ms) {
            self.known_head = delivery.sequence;
            self.admit(Message::new(delivery), now_ms);
        } else {
            self.backlog = Some(Backlog::new(delivery.sequence));
        }
    }

    fn admit(&mut self, message: Message, now_ms: i64) {
        self.size_bytes += message.size_bytes();
        self.messages += 1;
        self.place(message, now_ms);
    }

    fn place(&mut self, message: Message, now_ms: i64) {
        let Some(student) = self.students.get_mut(&message.student) else {
            self.students.insert(message.student, Student { head: message.sequence, waiting: BTreeMap::new() });
            return self.schedule(message, now_ms);
        };
        if message.sequence < student.head
            && let Some(later) = self.ready.remove(&student.head)
        {
            // An earlier message came back: it goes first.
            student.waiting.insert(later.sequence, later);
            student.head = message.sequence;
            return self.schedule(message, now_ms);
        }
        student.waiting.insert(message.sequence, message);
    }

    fn schedule(&mut self, message: Message, now_ms: i64) {
        if message.due_ms > now_ms {
            self.timers.insert((message.due_ms, message.sequence), message);
        } else {
            self.ready.insert(message.sequence, message);
        }
    }

    /// From which sequence on a page is to be read, where there is one and memory is `low` enough.
    pub fn wants_page(&self, low: usize, now_ms: i64) -> bool {
        self.backlog.is_some() && !self.loading && self.messages <= low && self.is_open(now_ms)
    }

    /// Begins to read a page: from where, and the generation to hand back.
    pub fn begin_page(&mut self) -> (u64, u64) {
        self.loading = true;
        self.recorded_meanwhile.clear();
        let from = self.backlog.as_mut().map_or(0, |backlog| {
            backlog.tail.clear();
            backlog.overflowed = false;
            backlog.from
        });
        (from, self.generation)
    }

    /// Takes a page. `None` says that it could not be read: it is asked for again.
    pub fn end_page(&mut self, generation: u64, page: Option<OpenPage>, now_ms: i64) {
        self.loading = false;
        let recorded = std::mem::take(&mut self.recorded_meanwhile);
        let Some(page) = page else { return };
        if generation != self.generation || !self.is_open(now_ms) {
            return;
        }
        let Some(backlog) = &mut self.backlog else { return };
        backlog.from = page.reached;
        self.seen_below = self.seen_below.max(page.reached);
        let is_whole = page.at_end && !backlog.overflowed;
        let mut tail = std::mem::take(&mut backlog.tail);
        let shown = self.rest().map_or(state::PENDING, |(state, _)| state);
        for open in page.deliveries {
            if open.state != shown {
                self.rest_from_on(open.delivery.sequence);
            }
            let message = Message::stored(open);
            if !self.holds(&message) && !recorded.contains(&message.sequence) {
                self.admit(message, now_ms);
            }
        }
        if is_whole {
            self.backlog = None;
            self.known_head = page.head.max(page.reached.saturating_sub(1));
            // What the page saw of them is there already; all else was committed after it was read.
            tail.sort_unstable_by_key(|delivery| delivery.sequence);
            for delivery in tail.into_iter().filter(|delivery| delivery.sequence >= page.reached) {
                self.committed(delivery, true, now_ms);
            }
            self.grown(0);
        }
    }

    fn holds(&self, message: &Message) -> bool {
        self.claims.contains_key(&message.sequence)
            || self.passed.contains_key(&message.sequence)
            || self.students.get(&message.student).is_some_and(|student| {
                student.head == message.sequence || student.waiting.contains_key(&message.sequence)
            })
    }

    /// Rows changed by other hands: what waits is read again. What is claimed ends first.
    pub fn reload(&mut self, now_ms: i64) {
        self.suspects = self.claims.keys().copied().collect();
        self.forget_waiting();
        if self.breaker.health == Health::Down {
            // Staff ask for something to be sent: the probe is not put off.
            self.breaker.retry_at_ms = self.breaker.retry_at_ms.min(now_ms);
        }
    }

    /// Leaves what waits to the database.
    pub fn forget_waiting(&mut self) {
        self.ready.clear();
        self.timers.clear();
        self.passed.clear();
        let claims = &self.claims;
        self.students.retain(|_, student| {
            student.waiting.clear();
            claims.contains_key(&student.head)
        });
        (self.messages, self.size_bytes) = (0, 0);
        self.read_again_from(0);
    }

    fn read_again_from(&mut self, sequence: u64) {
        self.generation += 1;
        let from = self.backlog.as_ref().map_or(sequence, |backlog| backlog.from.min(sequence));
        self.backlog = Some(Backlog::new(from));
    }

    /// Makes ready what is due.
    pub fn wake(&mut self, now_ms: i64) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now_ms {
                break;
            }
            let message = entry.remove();
            self.ready.insert(message.sequence, message);
        }
    }

    /// Whether a message may go out now, at most `most` at once.
    pub fn can_claim(&self, most: u32, now_ms: i64) -> bool {
        if self.ready.is_empty() || !self.is_open(now_ms) {
            return false;
        }
        match self.breaker.health {
            Health::Ok => {
                let limit = self.connection.as_ref().map_or(0, |connection| connection.max_in_flight);
                self.in_flight < limit.min(most)
            }
            Health::Failing | Health::Down => !self.trial_under_way && now_ms >= self.breaker.retry_at_ms,
        }
    }

    /// Takes the next message, where [`can_claim`](Self::can_claim).
    pub fn claim(&mut self, lane: usize, now_ms: i64) -> Option<Claimed> {
        let is_trial = self.breaker.health != Health::Ok;
        let first = self.ready.range(if is_trial { self.breaker.next_from } else { 0 }..).next();
        let sequence = *first.or_else(|| self.ready.first_key_value())?.0;
        let (connection, token) = (self.connection.clone()?, self.token?);
        let mut message = self.ready.remove(&sequence)?;
        self.messages -= 1;
        self.size_bytes -= message.size_bytes();
        self.in_flight += 1;
        self.trial_under_way |= is_trial;
        self.claims.insert(sequence, Claim::InFlight);
        if message.first_try_ms == 0 {
            message.first_try_ms = now_ms;
        }
        let trigger = match message.trigger {
            Trigger::Automatic if self.breaker.health == Health::Down => Trigger::Probe,
            other => other,
        };
        Some(Claimed { token, lane, message, connection, trigger, is_trial, at_ms: now_ms })
    }

    /// Settles a claim. Answers what follows, and the message's own record.
    pub fn settle(&mut self, claimed: Claimed, outcome: &Outcome, now_ms: i64, jitter: f64) -> Settlement {
        let mut message = claimed.message;
        let attempted = Attempted {
            sequence: message.sequence,
            trigger: claimed.trigger,
            try_number: message.tries + 1,
            automatic_tries: message.automatic_tries,
            first_try_ms: message.first_try_ms,
            is_trial: claimed.is_trial,
        };
        let mut settled = settle(&attempted, outcome, &claimed.connection.retry, &self.breaker, now_ms, jitter);
        self.in_flight -= 1;
        self.trial_under_way &= !claimed.is_trial;
        let went_down = settled.breaker.health == Health::Down && self.breaker.health != Health::Down;
        let is_current = self.connection.as_ref().is_some_and(|known| known.version == claimed.connection.version);
        if !is_current {
            // An attempt on an earlier version of the connection says nothing of this one.
            settled.breaker = self.breaker.clone();
            if matches!(settled.fate, Fate::Held | Fate::Parked(reason::CONNECTION_DOWN)) {
                settled.fate = Fate::Retry(now_ms);
            }
        } else {
            self.breaker = settled.breaker.clone();
            if went_down {
                self.forget_waiting();
                self.rest_from_on(0);
            }
            if settled.fate == Fate::Held {
                self.hold();
            }
        }
        message.tries += 1;
        message.automatic_tries = settled.automatic_tries;
        message.trigger = Trigger::Automatic;
        let (sequence, student) = (message.sequence, message.student);
        let after = match settled.fate {
            Fate::Delivered => {
                self.return_passed(student, sequence, now_ms);
                After::Done
            }
            Fate::Retry(at_ms) => {
                message.due_ms = at_ms;
                After::Again(message)
            }
            Fate::Parked(reason::CONNECTION_DOWN) if claimed.is_trial && !went_down => {
                message.due_ms = 0;
                message.refused_probes += u32::from(outcome.kind() == Some(FailureKind::Message));
                After::Probe(message)
            }
            Fate::Parked(reason::CONNECTION_DOWN) | Fate::Held => After::Backlog,
            Fate::Parked(_) => {
                self.has_parked_alone = true;
                After::Done
            }
        };
        if matches!(after, After::Done) {
            self.release(student, now_ms);
        }
        self.claims.insert(sequence, Claim::Settled(after));
        settled
    }

    /// Nothing more goes out until staff resume it; the row follows with the record.
    fn hold(&mut self) {
        if let Some(connection) = &self.connection {
            let held = Connection { state: ConnectionState::Held, ..Connection::clone(connection) };
            self.connection = Some(Arc::new(held));
        }
        self.forget_waiting();
        self.rest_from_on(0);
    }

    /// The student's next message has its turn.
    fn release(&mut self, student: StudentId, now_ms: i64) {
        let Some(entry) = self.students.get_mut(&student) else { return };
        match entry.waiting.pop_first() {
            Some((sequence, message)) => {
                entry.head = sequence;
                self.schedule(message, now_ms);
            }
            None => {
                self.students.remove(&student);
            }
        }
    }

    /// A settled claim is durable. `lost` says that its row was no longer ours.
    pub fn recorded(&mut self, sequence: u64, student: StudentId, lost: bool, now_ms: i64) {
        let Some(Claim::Settled(after)) = self.claims.remove(&sequence) else { return };
        if self.loading {
            self.recorded_meanwhile.push(sequence);
        }
        let suspect = self.suspects.iter().position(|suspect| *suspect == sequence);
        if let Some(index) = suspect {
            self.suspects.swap_remove(index);
        }
        let down = self.breaker.health == Health::Down;
        let message = match after {
            After::Done => {
                if suspect.is_some() {
                    // It may have been asked for once more.
                    self.read_again_from(sequence);
                }
                return;
            }
            After::Again(_) if lost => return self.release(student, now_ms),
            After::Again(message) if !down => Some(message),
            After::Probe(message) => Some(message),
            After::Again(_) | After::Backlog => None,
        };
        match message {
            Some(message) if suspect.is_none() && self.is_open(now_ms) => {
                self.size_bytes += message.size_bytes();
                self.messages += 1;
                if down { self.schedule_probe(message, now_ms) } else { self.schedule(message, now_ms) }
            }
            _ => {
                // Its row is open, and not in memory: all of the student are read again in their order. One that was
                // asked for again may be earlier than this.
                let first = self.forget_student(student).map_or(sequence, |waiting| waiting.min(sequence));
                if self.is_resting() {
                    self.rest_from_on(first);
                }
                self.read_again_from(first);
            }
        }
    }

    /// A message that is always refused must not keep its student's later ones from proving that the connection works.
    fn schedule_probe(&mut self, message: Message, now_ms: i64) {
        let most = self.connection.as_ref().map_or(0, |connection| connection.retry.max_tries);
        let student = message.student;
        let has_later = self.students.get(&student).is_some_and(|entry| !entry.waiting.is_empty());
        if message.refused_probes >= most && has_later {
            self.passed.insert(message.sequence, message);
            return self.release(student, now_ms);
        }
        self.schedule(message, now_ms);
        if !has_later {
            let again = self.passed.extract_if(.., |_, passed| passed.student == student);
            for (_, passed) in again.collect::<Vec<_>>() {
                self.place(passed, now_ms);
            }
        }
    }

    /// The connection works: what was passed has its turn again, unless a later one of its student just arrived, which
    /// supersedes it.
    fn return_passed(&mut self, student: StudentId, delivered: u64, now_ms: i64) {
        for (sequence, passed) in std::mem::take(&mut self.passed) {
            if passed.student == student && sequence < delivered {
                self.messages -= 1;
                self.size_bytes -= passed.size_bytes();
                self.has_parked_alone = true;
            } else {
                self.place(passed, now_ms);
            }
        }
    }

    /// Leaves a student's waiting messages to the database; answers the first of them.
    fn forget_student(&mut self, student: StudentId) -> Option<u64> {
        let entry = self.students.remove(&student)?;
        for message in entry.waiting.values() {
            self.messages -= 1;
            self.size_bytes -= message.size_bytes();
        }
        entry.waiting.first_key_value().map(|(sequence, _)| *sequence)
    }

    /// When something is due next, Unix ms; `None` where only an event from outside moves it.
    pub fn next_due_ms(&self, now_ms: i64) -> Option<i64> {
        match self.connection.as_ref()?.state {
            ConnectionState::Paused | ConnectionState::Closed | ConnectionState::Held => return None,
            ConnectionState::Active => {}
        }
        let timer = self.timers.first_key_value().map(|((due_ms, _), _)| *due_ms);
        if self.breaker.health == Health::Ok || self.trial_under_way {
            return timer;
        }
        let first = if self.ready.is_empty() { timer? } else { now_ms };
        Some(first.max(self.breaker.retry_at_ms))
    }
}
