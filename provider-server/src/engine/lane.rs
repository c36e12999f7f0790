//! One school's messages in memory: `pages` brings them there, `claims` sends them on their way. Each student has a head,
//! which is ready, in flight, unrecorded or waiting for its time; the student's later messages wait behind it (P3).

mod claims;
mod pages;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rollcall_proto::id::{SchoolId, StudentId};

use super::message::Message;
use crate::{
    model::{
        breaker::{Breaker, Health},
        connection::{Connection, ConnectionState, StoredConnection},
        delivery::{reason, state},
    },
    store::nodes::Token,
};
use claims::Claim;
use pages::Backlog;

struct Student {
    head: u64,
    waiting: BTreeMap<u64, Message>,
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
