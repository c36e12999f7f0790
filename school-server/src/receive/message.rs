//! A verified body becomes a [`Message`], or a refusal that names what is wrong without any student data.

use bytes::Bytes;
use http::StatusCode;
use rollcall_proto::{
    id::EventId,
    webhook::event::{
        API_VERSION, DeletedData, EventType, RawEnvelope, StudentData, StudentObject, TestData, WithdrawnData,
    },
};
use sha2::{Digest, Sha256};

use super::strict;
use crate::secrets::Identity;

/// The largest sequence or version: JSON numbers stay exact up to here.
const MAX_NUMBER: u64 = 1 << 53;

/// What a body asks for.
pub struct Message {
    pub id: EventId,
    pub body_sha256: [u8; 32],
    /// The wire name; unknown ones too.
    pub event_type: String,
    pub sequence: Option<u64>,
    pub content: Content,
}

/// The part that differs by type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The student as it is from now on.
    Student { sourced_id: String, version: u64, json: String, search: String },
    /// The student is no longer here.
    Gone { sourced_id: String, version: u64 },
    /// A greeting.
    Test,
    /// Nothing that this version applies; kept as it came.
    Unknown(Bytes),
}

impl Content {
    /// The student it is about.
    pub fn student(&self) -> Option<(&str, u64)> {
        match self {
            Self::Student { sourced_id, version, .. } | Self::Gone { sourced_id, version } => {
                Some((sourced_id, *version))
            }
            Self::Test | Self::Unknown(_) => None,
        }
    }
}

/// Why a verified body is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: StatusCode,
    /// For people and logs: names fields and places, never values of a student.
    pub words: String,
}

impl Refusal {
    fn bad(words: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, words: words.into() }
    }

    fn conflict(words: impl Into<String>) -> Self {
        Self { code: StatusCode::CONFLICT, words: words.into() }
    }
}

/// Reads a verified body.
pub fn parse(body: &Bytes, webhook_id: &str, identity: &Identity) -> Result<Message, Refusal> {
    strict::check(body).map_err(|error| Refusal::bad(format!("the body is refused: {error}")))?;
    let envelope: RawEnvelope = serde_json::from_slice(body).map_err(|error| form("the envelope", &error))?;
    if envelope.id.to_string() != webhook_id {
        return Err(Refusal::bad("`id` in the body differs from the header webhook-id"));
    }
    let named = |name, given: &str, ours: &str| {
        let wrong = !ours.is_empty() && given != ours;
        if wrong {
            Err(Refusal::conflict(format!("`{name}` is not the one that this receiver serves")))
        } else {
            Ok(())
        }
    };
    named("district.sourcedId", &envelope.district.sourced_id, &identity.district_sourced_id)?;
    named("school.sourcedId", &envelope.school.sourced_id, &identity.school_sourced_id)?;
    if envelope.sequence.is_some_and(|s| s == 0 || s > MAX_NUMBER) {
        return Err(Refusal::bad("`sequence` must be between 1 and 2^53"));
    }
    if envelope.event_type.is_empty() || envelope.event_type.len() > 64 {
        return Err(Refusal::bad("`type` must have 1 to 64 characters"));
    }
    let known = EventType::parse(&envelope.event_type).filter(|_| envelope.api_version == API_VERSION);
    let content = match known {
        Some(event_type) => content(event_type, envelope.data.get(), body)?,
        None => Content::Unknown(body.clone()),
    };
    if content.student().is_some() && envelope.sequence.is_none() {
        return Err(Refusal::bad("`sequence` is missing"));
    }
    Ok(Message {
        id: envelope.id,
        body_sha256: Sha256::digest(body).into(),
        event_type: envelope.event_type,
        sequence: envelope.sequence,
        content,
    })
}

fn content(event_type: EventType, data: &str, body: &Bytes) -> Result<Content, Refusal> {
    let content = match event_type {
        EventType::StudentCreated | EventType::StudentUpdated | EventType::StudentEnrolled => {
            let data: StudentData = read(data)?;
            let json = serde_json::to_string(&data.object).expect("a projection is plain data");
            let search = search_text(&data.object);
            Content::Student { sourced_id: data.object.sourced_id, version: data.object.version, json, search }
        }
        EventType::StudentWithdrawn => {
            let data: WithdrawnData = read(data)?;
            Content::Gone { sourced_id: data.sourced_id, version: data.version }
        }
        EventType::StudentDeleted => {
            let data: DeletedData = read(data)?;
            Content::Gone { sourced_id: data.sourced_id, version: data.version }
        }
        EventType::ConnectionTest => {
            read::<TestData>(data)?;
            Content::Test
        }
        EventType::RosterCheckpoint => Content::Unknown(body.clone()),
    };
    if let Some((sourced_id, version)) = content.student() {
        if !is_sourced_id(sourced_id) {
            return Err(Refusal::bad("`sourcedId` in `data` must be 1 to 255 of 0-9 A-Z a-z . - _ / @"));
        }
        if version == 0 || version > MAX_NUMBER {
            return Err(Refusal::bad("`version` in `data` must be between 1 and 2^53"));
        }
    }
    Ok(content)
}

fn read<'a, T: serde::Deserialize<'a>>(data: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(data).map_err(|error| form("`data`", &error))
}

/// serde's own words may hold a value, so only the place and a missing field's name are told.
fn form(part: &str, error: &serde_json::Error) -> Refusal {
    let words = error.to_string();
    let missing = words.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    Refusal::bad(match missing {
        Some(field) => format!("{part} lacks the field `{field}`"),
        None => format!("{part} has another form than expected at line {}, column {}", error.line(), error.column()),
    })
}

fn is_sourced_id(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'@'))
}

fn search_text(student: &StudentObject) -> String {
    let names = [
        Some(&student.given_name),
        student.middle_name.as_ref(),
        Some(&student.family_name),
        student.preferred_given_name.as_ref(),
        student.preferred_family_name.as_ref(),
        student.identifier.as_ref(),
        Some(&student.sourced_id),
    ];
    let mut text = String::with_capacity(64);
    for name in names.into_iter().flatten() {
        text.extend(name.chars().flat_map(char::to_lowercase));
        text.push(' ');
    }
    text
}
