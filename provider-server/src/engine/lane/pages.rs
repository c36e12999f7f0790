//! What of a lane is in the database only, and how it comes into memory.

use super::Lane;
use crate::{
    engine::message::Message,
    model::{
        breaker::Health,
        delivery::{NewDelivery, state},
    },
    store::deliveries::OpenPage,
};

/// Commits that may wait for the page that is being read.
const MAX_TAIL: usize = 1_024;

/// Open messages that are in the database only.
pub(super) struct Backlog {
    /// All open ones from this sequence on.
    from: u64,
    /// What was committed while a page is being read: it may be missing there.
    tail: Vec<NewDelivery>,
    /// More was committed than `tail` takes.
    overflowed: bool,
}

impl Backlog {
    pub(super) fn new(from: u64) -> Self {
        Self { from, tail: Vec::new(), overflowed: false }
    }
}

impl Lane {
    /// The school has messages up to this one, which others accepted.
    pub fn grown(&mut self, head: u64) {
        self.told_head = self.told_head.max(head);
        if self.backlog.is_none() && self.told_head > self.known_head {
            self.backlog = Some(Backlog::new(self.known_head + 1));
        }
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

    /// Whether a page is to be read: where at most `low` messages are in memory; or are to be sent, where what waits for its
    /// time leaves room below `most_bytes`. Else a few hundred refused ones would keep all others waiting.
    pub fn wants_page(&self, low: usize, most_bytes: usize, now_ms: i64) -> bool {
        let has_place = self.messages <= low || (self.ready.len() <= low && self.size_bytes < most_bytes);
        self.backlog.is_some() && !self.loading && has_place && self.is_open(now_ms)
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
            self.breaker.hasten(now_ms);
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

    pub(super) fn read_again_from(&mut self, sequence: u64) {
        self.generation += 1;
        let from = self.backlog.as_ref().map_or(sequence, |backlog| backlog.from.min(sequence));
        self.backlog = Some(Backlog::new(from));
    }
}
