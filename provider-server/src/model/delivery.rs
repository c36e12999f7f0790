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

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// By the schedule; only these spend the message's tries.
    Automatic,
    /// Staff sent this message again.
    Resend,
    /// Staff sent many messages again.
    Replay,
    /// The oldest message of a connection that is down.
    Probe,
    /// A `connection.test`.
    Test,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Trigger; 5] = [Self::Automatic, Self::Resend, Self::Replay, Self::Probe, Self::Test];

    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Resend => "resend",
            Self::Replay => "replay",
            Self::Probe => "probe",
            Self::Test => "test",
        }
    }

    /// The trigger of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == name)
    }
}

/// The states of a delivery, as rows hold them. In flight is known to the engine alone.
pub mod state {
    /// Waits for its first or next try.
    pub const PENDING: &str = "pending";
    /// Arrived.
    pub const DELIVERED: &str = "delivered";
    /// Rests: its tries are spent, or its connection is down.
    pub const PARKED: &str = "parked";
    /// Kept while the endpoint says 410.
    pub const HELD: &str = "held";
    /// A later event of the student made it needless.
    pub const SUPERSEDED: &str = "superseded";
    /// Staff gave it up, or it expired.
    pub const DISCARDED: &str = "discarded";
    /// Its student was erased.
    pub const ERASED: &str = "erased";

    /// Every state.
    pub const ALL: [&str; 7] = [PENDING, DELIVERED, PARKED, HELD, SUPERSEDED, DISCARDED, ERASED];
}

/// Why a delivery rests; the `reason` of its row.
pub mod reason {
    /// Parked with its whole connection: goes out again by itself, in order, once a probe is answered.
    pub const CONNECTION_DOWN: &str = "connection_down";
    /// Parked alone: the receiver takes other messages, but not this one.
    pub const EXHAUSTED: &str = "exhausted";
    /// Held: the endpoint answered 410 Gone.
    pub const GONE: &str = "gone";
    /// Discarded: it could not be delivered for as long as messages are kept.
    pub const EXPIRED: &str = "expired";
    /// Superseded by a later version that was delivered.
    pub const LATER_DELIVERED: &str = "later_version_delivered";
}
