//! A message in memory, and the same on its way.

use std::sync::Arc;

use bytes::Bytes;
use rollcall_proto::{
    id::{EventId, StudentId},
    webhook::event::EventType,
};

use crate::{
    model::{
        connection::Connection,
        delivery::{NewDelivery, Trigger},
    },
    store::{deliveries::OpenDelivery, nodes::Token},
};

/// What a message takes in memory beside its body, in bytes.
const OVERHEAD_BYTES: usize = 320;

/// A message in memory.
pub struct Message {
    /// Its place in the school's sequence.
    pub sequence: u64,
    /// Its id.
    pub event: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Its student.
    pub student: StudentId,
    /// OneRoster's key of the student.
    pub sourced_id: Box<str>,
    /// What is signed and sent.
    pub body: Bytes,
    /// Tries made, over all triggers.
    pub tries: u32,
    /// Of them the automatic ones.
    pub automatic_tries: u32,
    /// Why the next try is made.
    pub trigger: Trigger,
    /// When the next try is due.
    pub due_ms: i64,
    /// When it was first tried; 0 where it never was.
    pub first_try_ms: i64,
    /// Probes of a connection that is down that this message was refused in.
    pub refused_probes: u32,
}

impl Message {
    /// A message that was just committed.
    pub fn new(delivery: NewDelivery) -> Self {
        Self {
            sequence: delivery.sequence,
            event: delivery.event,
            event_type: delivery.event_type,
            student: delivery.student,
            sourced_id: delivery.sourced_id,
            body: delivery.body,
            tries: 0,
            automatic_tries: 0,
            trigger: Trigger::Automatic,
            due_ms: 0,
            first_try_ms: 0,
            refused_probes: 0,
        }
    }

    /// A message that was read back.
    pub fn stored(open: OpenDelivery) -> Self {
        Self {
            tries: open.tries,
            automatic_tries: open.automatic_tries,
            trigger: open.trigger,
            due_ms: open.due_ms,
            first_try_ms: open.first_try_ms,
            ..Self::new(open.delivery)
        }
    }

    /// What it takes in memory.
    pub fn size_bytes(&self) -> usize {
        self.body.len() + OVERHEAD_BYTES
    }
}

/// A message on its way, with the version of the connection that its attempt ends on.
pub struct Claimed {
    /// The token of the lane that it was claimed under.
    pub token: Token,
    /// The lane's index in the scheduler.
    pub lane: usize,
    /// The message.
    pub message: Message,
    /// Where to, signed with what.
    pub connection: Arc<Connection>,
    /// Why this attempt is made.
    pub trigger: Trigger,
    /// The one trial of an open breaker, or a probe.
    pub is_trial: bool,
    /// When it was claimed, Unix ms.
    pub at_ms: i64,
}
