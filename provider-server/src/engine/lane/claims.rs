//! A message on its way: claimed, settled by the answer, recorded; and then its student's next one.

use std::sync::Arc;

use rollcall_proto::id::StudentId;

use super::Lane;
use crate::{
    engine::message::{Claimed, Message},
    model::{
        breaker::Health,
        connection::{Connection, ConnectionState},
        delivery::{Trigger, reason},
        outcome::{FailureKind, Outcome},
        settlement::{Attempted, Fate, Settlement, settle},
    },
};

/// A claim that is not recorded yet.
pub(super) enum Claim {
    InFlight,
    Settled(After),
}

/// What becomes of a settled message in memory, once that is durable.
pub(super) enum After {
    /// Its row is done.
    Done,
    /// It is tried again.
    Again(Message),
    /// A probe that failed: it stays the oldest, for the next probe.
    Probe(Message),
    /// Its row waits, and is read when its turn comes.
    Backlog,
}

impl Lane {
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

    /// The wall clock was set back by so much: whatever waits for a time waits for so much less.
    pub fn clock_set_back(&mut self, now_ms: i64, by_ms: i64) {
        self.breaker.set_back(by_ms);
        let settled = self.claims.values_mut().filter_map(|claim| match claim {
            Claim::Settled(After::Again(message)) => Some(message),
            _ => None,
        });
        let behind = self.students.values_mut().flat_map(|student| student.waiting.values_mut());
        for message in settled.chain(behind).filter(|message| message.due_ms > now_ms) {
            message.due_ms -= by_ms;
        }
        for (_, message) in std::mem::take(&mut self.timers) {
            self.schedule(Message { due_ms: message.due_ms - by_ms, ..message }, now_ms);
        }
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
}
