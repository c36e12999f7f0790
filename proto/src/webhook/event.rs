//! The envelope and the payloads. Field order here is the order on the wire; both sides derive "canonical" from it.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{ChangeId, EventId, RunId};

/// The only version of the envelope.
pub const API_VERSION: &str = "1";

/// The types of an event. Unknown ones are kept by a receiver and applied after an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventType {
    /// The record first exists and enters this school.
    #[serde(rename = "student.created")]
    StudentCreated,
    /// This school's projection changed, the student stays.
    #[serde(rename = "student.updated")]
    StudentUpdated,
    /// An existing student enters this school, comes back from deletion, or is part of a sync.
    #[serde(rename = "student.enrolled")]
    StudentEnrolled,
    /// The student leaves this school.
    #[serde(rename = "student.withdrawn")]
    StudentWithdrawn,
    /// The record was marked for deletion or erased.
    #[serde(rename = "student.deleted")]
    StudentDeleted,
    /// A test of the connection; outside the sequence.
    #[serde(rename = "connection.test")]
    ConnectionTest,
    /// A statement of completeness; outside the sequence.
    #[serde(rename = "roster.checkpoint")]
    RosterCheckpoint,
}

impl EventType {
    /// Every type.
    pub const ALL: [EventType; 7] = [
        Self::StudentCreated,
        Self::StudentUpdated,
        Self::StudentEnrolled,
        Self::StudentWithdrawn,
        Self::StudentDeleted,
        Self::ConnectionTest,
        Self::RosterCheckpoint,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StudentCreated => "student.created",
            Self::StudentUpdated => "student.updated",
            Self::StudentEnrolled => "student.enrolled",
            Self::StudentWithdrawn => "student.withdrawn",
            Self::StudentDeleted => "student.deleted",
            Self::ConnectionTest => "connection.test",
            Self::RosterCheckpoint => "roster.checkpoint",
        }
    }

    /// The type of this wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Whether the body carries the whole student.
    pub fn carries_student(self) -> bool {
        matches!(self, Self::StudentCreated | Self::StudentUpdated | Self::StudentEnrolled)
    }

    /// Whether the student is no longer at the school after it.
    pub fn ends_access(self) -> bool {
        matches!(self, Self::StudentWithdrawn | Self::StudentDeleted)
    }
}

/// What a webhook's body carries. `D` is the data: one of the payloads below when writing, raw JSON when reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<D> {
    /// The event; equals the header `webhook-id`.
    pub id: EventId,
    /// A wire name; a receiver must accept unknown ones.
    #[serde(rename = "type")]
    pub event_type: String,
    /// [`API_VERSION`].
    pub api_version: String,
    /// When the change was accepted.
    #[serde(with = "ms_timestamp")]
    pub timestamp: Timestamp,
    /// Gap-free per school; absent on system types.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<u64>,
    /// Shared by all events of one change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change_id: Option<ChangeId>,
    /// The district.
    pub district: OrgRef,
    /// The school that this body is for.
    pub school: OrgRef,
    /// Where the change came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    /// The payload.
    pub data: D,
}

/// An envelope as received, its data not yet looked at.
pub type RawEnvelope = Envelope<Box<RawValue>>;

/// A reference to a district or school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrgRef {
    /// OneRoster's key.
    pub sourced_id: String,
}

/// Where a change came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// `staff`, `api`, `import`, `sync` or `undo`.
    pub kind: String,
    /// The import run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<RunId>,
    /// The line in `users.csv`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u64>,
}

/// Data of created, updated and enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StudentData<O = StudentObject> {
    /// The student as this school may see it.
    pub object: O,
    /// On updated: the changed keys with their values before; null = was absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_attributes: Option<BTreeMap<String, serde_json::Value>>,
}

/// A student's projection for one school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StudentObject {
    /// OneRoster's key, unique in the district.
    pub sourced_id: String,
    /// `active`; a student marked for deletion is told by `student.deleted`.
    pub status: String,
    /// The version of the last change that altered this projection.
    pub version: u64,
    /// When that change was accepted.
    #[serde(with = "ms_timestamp")]
    pub date_last_modified: Timestamp,
    /// Legal given name.
    pub given_name: String,
    /// Legal family name.
    pub family_name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preferred_given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preferred_middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preferred_family_name: Option<String>,
    /// Student number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identifier: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub grades: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Whether the student may sign in.
    pub enabled_user: bool,
    /// Only where it is this school.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub primary_org_sourced_id: Option<String>,
    /// Only those at this school.
    pub school_enrollments: Vec<EnrollmentObject>,
    /// Only where the district switched it on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub birth_date: Option<Date>,
}

/// One enrollment on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentObject {
    pub school_sourced_id: String,
    /// `primary` or `secondary`.
    pub role_type: String,
    /// First day.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub begin_date: Option<Date>,
    /// The day after the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_reason: Option<String>,
    /// `ended` for an enrollment that an act ended; absent while active.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<String>,
}

/// Data of withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawnData {
    pub sourced_id: String,
    pub version: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end_date: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_reason: Option<String>,
}

/// Data of deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedData {
    pub sourced_id: String,
    pub version: u64,
    /// `tobedeleted` or `erased`.
    pub reason: String,
}

/// Data of `connection.test`: nothing but a greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestData {
    pub message: String,
}

/// RFC 3339 in UTC with exactly three decimals, so that equal instants are equal bytes.
pub mod ms_timestamp {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `2026-11-23T16:05:12.345Z`.
    pub fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{timestamp:.3}"))
    }

    /// Reads any RFC 3339 timestamp.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
