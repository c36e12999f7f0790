//! Deliveries: what is sent, what came of it, and what follows from that.

use bytes::Bytes;
use rollcall_proto::{
    id::{EventId, SchoolId, StudentId},
    webhook::event::EventType,
};

/// A delivery that was just committed, as it is handed to the engine in memory.
#[derive(Clone)]
pub struct NewDelivery {
    /// The school concerned.
    pub school: SchoolId,
    /// Its place in the school's gap-free sequence, from 1.
    pub sequence: u64,
    /// The event; also the `webhook-id`.
    pub event: EventId,
    /// The type.
    pub event_type: EventType,
    /// The student concerned.
    pub student: StudentId,
    /// OneRoster's key of the student, for the log.
    pub sourced_id: Box<str>,
    /// The bytes that are signed and sent.
    pub body: Bytes,
}
