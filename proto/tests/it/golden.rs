//! One body for each event type, as it stands on the wire. The provider's, the school's and the UI's tests read them too.

use rollcall_proto::webhook::event::{
    DeletedData, Envelope, EventType, RawEnvelope, StudentData, TestData, WithdrawnData,
};
use serde::{Serialize, de::DeserializeOwned};

fn read(event_type: EventType) -> String {
    let path = format!("{}/tests/golden/{}.json", env!("CARGO_MANIFEST_DIR"), event_type.as_str());
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn again<D: Serialize + DeserializeOwned>(text: &str) -> String {
    let envelope: Envelope<D> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_string(&envelope).expect("an envelope is plain data")
}

#[test]
fn every_type_has_a_golden_file_that_is_written_again_byte_by_byte() {
    for event_type in EventType::ALL {
        let text = read(event_type);
        let written = match event_type {
            EventType::StudentCreated | EventType::StudentUpdated | EventType::StudentEnrolled => {
                again::<StudentData>(&text)
            }
            EventType::StudentWithdrawn => again::<WithdrawnData>(&text),
            EventType::StudentDeleted => again::<DeletedData>(&text),
            EventType::ConnectionTest => again::<TestData>(&text),
            EventType::RosterCheckpoint => again::<Box<serde_json::value::RawValue>>(&text),
        };
        assert_eq!(written, text);
        let envelope: RawEnvelope = serde_json::from_str(&text).expect("read before");
        assert_eq!(EventType::parse(&envelope.event_type), Some(event_type));
        let system = matches!(event_type, EventType::ConnectionTest | EventType::RosterCheckpoint);
        assert_eq!(envelope.sequence.is_none(), system, "system types take no sequence");
    }
}
