//! What was sent: each outcome is settled at once, and recorded in batches.

use std::collections::BTreeSet;

use rollcall_proto::id::{SchoolId, SecretId, StudentId};

use super::Scheduler;
use crate::{
    engine::message::Claimed,
    model::{
        delivery::{reason, state},
        outcome::Outcome,
        settlement::{Fate, Settlement},
    },
    store::{
        nodes::Token,
        record::{AttemptRow, Lost, MessageUpdate, RecordBatch, SchoolUpdate},
    },
};

/// `last_verified_ms` is noted at most this often per secret.
const VERIFIED_EVERY_MS: i64 = 60_000;
/// Messages in one record transaction.
const BATCH: usize = 1_024;
/// Answers of failures in one record transaction, in bytes, but for the one that goes beyond: they are copied to be sealed.
const BATCH_BYTES: usize = 4 << 20;

/// A message whose outcome waits to be durable.
pub struct Unrecorded {
    lane: usize,
    school: SchoolId,
    token: Token,
    sequence: u64,
    student: StudentId,
    answer_bytes: usize,
}

/// A batch on its way to the database.
#[derive(Default)]
pub struct Recording {
    /// What is recorded.
    pub batch: RecordBatch,
    /// What is done in the database before it.
    pub set_back: Option<SetBack>,
    messages: Vec<Unrecorded>,
}

/// The wall clock was set back: what was put off by it in the database is due earlier by that.
pub struct SetBack {
    /// The lanes whose rows it is done for.
    pub lanes: Vec<(SchoolId, Token)>,
    /// The time after it, Unix ms.
    pub now_ms: i64,
    /// By so much, ms.
    pub by_ms: i64,
}

impl Recording {
    /// The lanes that it is of, each with the token that it was claimed under.
    pub fn held(&self) -> Vec<(SchoolId, Token)> {
        let mut held: Vec<_> = self.messages.iter().map(|message| (message.school, message.token)).collect();
        held.extend(self.set_back.iter().flat_map(|set_back| &set_back.lanes));
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
        if let Some(set_back) = &mut self.set_back {
            set_back.lanes.retain(|lane| !lanes.contains(lane));
        }
        let messages = &self.messages;
        self.batch.schools.retain(|update| messages.iter().any(|message| message.school == update.school));
        refused
    }

    /// Notes that the clock was set back, for what is here already, too. Answers whether that was not noted yet.
    pub(super) fn set_back(&mut self, now_ms: i64, by_ms: i64) -> bool {
        for attempt in &mut self.batch.attempts {
            let due = attempt.message.as_mut().map(|message| &mut message.due_ms);
            for due_ms in due.into_iter().chain(&mut attempt.next_ms).filter(|due_ms| **due_ms > now_ms) {
                *due_ms -= by_ms;
            }
        }
        let noted_ms = self.set_back.as_ref().map_or(0, |noted| noted.by_ms);
        let noted = self.set_back.replace(SetBack { lanes: Vec::new(), now_ms, by_ms: noted_ms + by_ms });
        noted.is_none()
    }
}

/// What a batch says of its schools beside their breakers.
#[derive(Default)]
pub(super) struct SchoolNotes {
    last_delivered_ms: i64,
    /// The version of the connection that was answered 410.
    gone: Option<u64>,
    verified: Option<SecretId>,
}

impl Scheduler {
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
        let (school, token, version) = (row.school, claimed.token, claimed.connection.version);
        let answer_bytes = outcome.answer.as_ref().map_or(0, |answer| answer.size_bytes());
        self.answers_bytes += answer_bytes;
        let settled = self.touch(index, |lane| lane.settle(claimed, &outcome, now_ms, jitter));
        let note = self.notes.entry(index).or_default();
        match settled.fate {
            Fate::Delivered => note.last_delivered_ms = now_ms,
            Fate::Held => note.gone = Some(version),
            Fate::Retry(_) | Fate::Parked(_) => {}
        }
        self.pending.batch.attempts.push(AttemptRow {
            status: status(settled.fate),
            next_ms: next_ms(&settled, &outcome),
            message: Some(update(&settled)),
            outcome,
            ..row
        });
        self.pending.messages.push(Unrecorded { lane: index, school, token, sequence, student, answer_bytes });
    }

    /// What is to be recorded now, at most one batch; empty where nothing is.
    pub fn take_batch(&mut self) -> Recording {
        let mut recording = std::mem::take(&mut self.pending);
        let mut bytes = 0;
        let fits = |message: &&Unrecorded| {
            let goes = bytes < BATCH_BYTES;
            bytes += message.answer_bytes;
            goes
        };
        let count = recording.messages.iter().take(BATCH).take_while(fits).count();
        if count < recording.messages.len() {
            self.pending.batch.attempts = recording.batch.attempts.split_off(count);
            self.pending.messages = recording.messages.split_off(count);
        }
        if let Some(set_back) = &mut recording.set_back {
            let held = self.lanes.iter().filter_map(|lane| Some((lane.school, lane.token?)));
            set_back.lanes = held.collect();
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
        self.unrecorded -= recording.messages.len() + usize::from(recording.set_back.is_some());
        self.answers_bytes -= recording.messages.iter().map(|message| message.answer_bytes).sum::<usize>();
        for message in &recording.messages {
            let is_lost = !lost.is_empty() && lost.contains(&(self.lanes[message.lane].school, message.sequence));
            self.touch(message.lane, |lane| lane.recorded(message.sequence, message.student, is_lost, now_ms));
        }
    }

    /// Records of lanes that are not ours any more were refused.
    pub fn refused(&mut self, messages: &[Unrecorded], now_ms: i64) {
        self.unrecorded -= messages.len();
        self.answers_bytes -= messages.iter().map(|message| message.answer_bytes).sum::<usize>();
        for message in messages {
            self.touch(message.lane, |lane| lane.recorded(message.sequence, message.student, false, now_ms));
        }
    }

    /// Whether outcomes wait to be recorded.
    pub fn has_unrecorded(&self) -> bool {
        !self.pending.messages.is_empty() || self.pending.set_back.is_some()
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
