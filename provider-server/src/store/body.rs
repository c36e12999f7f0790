//! The stored body of a message: packed, then sealed. Bodies are alike in all but their values, so that a dictionary of what
//! they have in common leaves little more than these: half of the bytes to keep, to write and to log.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use rollcall_proto::id::EventId;
use zeroize::Zeroizing;

use crate::{
    clock::Entropy,
    sealing::{Place, SealError, SealingKey},
};

/// The first byte of a packed body. One of JSON, `{`, begins a body that was kept before there was packing.
const PACKED: u8 = 1;
/// What bodies have in common. Every packed body needs these very bytes: a better dictionary is one more, with a first byte
/// of its own.
const DICTIONARY: &[u8] = br#"{"data":{"sourcedId":","version":,"reason":"tobedeleted"}},"endDate":"2026-","exitReason":"transfer"}}
"status":"ended"},"previousAttributes":{"birthDate":"20"email":null,"grades":["12"],"09"],"08"],"enabledUser":false,
"middleName":"preferredGivenName":"preferredMiddleName":"preferredFamilyName":"username":"roleType":"secondary"
"source":{"kind":"import","runId":"run_01","line":"source":{"kind":"sync"},"source":{"kind":"staff"},"kind":"undo"
"type":"student.deleted","type":"student.withdrawn","type":"student.enrolled","type":"student.updated",
{"id":"evt_01","type":"student.created","apiVersion":"1","timestamp":"2026-11-01T00:00:00.000Z","sequence":1,
"changeId":"chg_01","district":{"sourcedId":""},"school":{"sourcedId":""},"source":{"kind":"api"},"data":{"object":{
"sourcedId":"","status":"active","version":1,"dateLastModified":"2026-11-01T00:00:00.000Z","givenName":"","familyName":"",
"identifier":"","grades":["07"],"email":"@students.","enabledUser":true,"primaryOrgSourcedId":"","schoolEnrollments":[{
"schoolSourcedId":"","roleType":"primary","beginDate":"2026-08-"}]}}}"#;

/// Packs and seals.
pub fn seal(key: &SealingKey, event: &EventId, body: &[u8], entropy: &Entropy) -> Vec<u8> {
    let packed = Zeroizing::new(compress_prepend_size_with_dict(body, DICTIONARY));
    let mut plain = Zeroizing::new(Vec::with_capacity(1 + packed.len()));
    plain.push(PACKED);
    plain.extend_from_slice(&packed);
    key.seal(place(event), &plain, entropy)
}

/// The bytes that are signed and sent, as they were.
pub fn open(key: &SealingKey, event: &EventId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let plain = key.open(place(event), sealed)?;
    match plain.split_first() {
        Some((&PACKED, packed)) => {
            decompress_size_prepended_with_dict(packed, DICTIONARY).map(Zeroizing::new).map_err(|_| SealError::Format)
        }
        _ => Ok(plain),
    }
}

fn place(event: &EventId) -> Place<'_> {
    Place { column: "event_bodies.sealed", row: event.as_bytes() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDEN: [&str; 4] = [
        include_str!("../../../proto/tests/golden/student.created.json"),
        include_str!("../../../proto/tests/golden/student.enrolled.json"),
        include_str!("../../../proto/tests/golden/student.updated.json"),
        include_str!("../../../proto/tests/golden/student.withdrawn.json"),
    ];

    fn fixture() -> (SealingKey, EventId, Entropy) {
        let entropy = Entropy::seeded(1);
        (SealingKey::generate(1, &entropy), EventId::new(1, entropy.bytes()), entropy)
    }

    #[test]
    fn a_body_takes_much_less_than_its_bytes() {
        let (key, event, entropy) = fixture();
        for body in GOLDEN {
            let sealed = seal(&key, &event, body.as_bytes(), &entropy);
            assert!(sealed.len() * 10 < body.len() * 7, "{} of {}: {body}", sealed.len(), body.len());
        }
    }

    #[test]
    fn a_body_that_was_kept_before_there_was_packing_opens() {
        let (key, event, entropy) = fixture();
        let sealed = key.seal(place(&event), GOLDEN[0].as_bytes(), &entropy);
        assert_eq!(open(&key, &event, &sealed).unwrap().as_slice(), GOLDEN[0].as_bytes());
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_as_it_was_and_in_its_place_alone(
            before in 0..200usize,
            after in 0..200usize,
            values in "\\PC{0,300}",
            golden in 0..GOLDEN.len(),
        ) {
            let (key, event, entropy) = fixture();
            let cut = |text: &str, at: usize| text.char_indices().nth(at).map_or(text.len(), |(index, _)| index);
            let golden = GOLDEN[golden];
            let body = [&golden[..cut(golden, before)], &values, &golden[cut(golden, before + after)..]].concat();
            let sealed = seal(&key, &event, body.as_bytes(), &entropy);
            let opened = open(&key, &event, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), body.as_bytes());
            let other = EventId::new(2, entropy.bytes());
            prop_assert!(open(&key, &other, &sealed).is_err());
        }
    }
}
