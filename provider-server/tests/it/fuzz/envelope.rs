//! A body → what a school's receiver takes from it.

use bytes::Bytes;
use rollcall_proto::webhook::event::RawEnvelope;
use school_server::{receive::message::parse, secrets::Identity};

/// A name in the kept body of that name: no refusal may repeat it.
const CANARY: &str = "Quillonbrax";

#[test]
fn bodies_are_taken_or_refused_without_a_word_of_the_student() {
    super::feed::Feed::of("envelope").and("../proto/tests/golden").run(40_000, check);
}

pub fn check(input: &[u8]) {
    let ours = Identity::default();
    let envelope = serde_json::from_slice::<RawEnvelope>(input).ok();
    let id = envelope.as_ref().map(|envelope| envelope.id.to_string()).unwrap_or_default();
    let body = Bytes::copy_from_slice(input);
    match parse(&body, &id, &ours) {
        Ok(message) => {
            let envelope = envelope.expect("what a receiver takes is an envelope");
            assert_eq!((message.id, message.sequence), (envelope.id, envelope.sequence));
            assert_eq!(message.event_type, envelope.event_type);
            assert!(message.content.student().is_none_or(
                |(sourced_id, _)| envelope.data.get().contains(sourced_id) || envelope.data.get().contains('\\')
            ));
            // Written once more it says the same.
            let written = serde_json::to_vec(&envelope).expect("written");
            let again = parse(&written.into(), &id, &ours).expect("taken again");
            assert!(again.content == message.content || message.content.student().is_none());
        }
        Err(refusal) => {
            assert!(!refusal.words.contains(CANARY), "{}", refusal.words);
            assert!(refusal.code.is_client_error(), "{}", refusal.words);
        }
    }
}
