//! An enrollment code as it was typed, pasted or followed.

use rollcall_proto::enrollment::{DEEP_LINK, EnrollmentCode};

#[test]
fn codes_are_read_back_as_they_are_written() {
    super::feed::Feed::of("code").run(60_000, check);
}

pub fn check(input: &[u8]) {
    let Ok(code) = EnrollmentCode::parse(&String::from_utf8_lossy(input)) else { return };
    let written = code.encode();
    let same = |text: &str| EnrollmentCode::parse(text).is_ok_and(|again| again == code);
    assert!(same(&written) && same(&written.to_lowercase()) && same(&format!("{DEEP_LINK}{}", *written)));
    assert!(same(&written.replace('-', " ").replacen("RC1 ", "RC1", 1)));
    assert!(code.server.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty()));
}

#[test]
fn one_wrong_character_is_always_found() {
    const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    super::feed::Feed::of("code").run(0, |input| {
        let Ok(code) = EnrollmentCode::parse(&String::from_utf8_lossy(input)) else { return };
        let written = code.encode().to_string();
        for (at, right) in written.char_indices().skip(4).filter(|(_, right)| *right != '-') {
            for wrong in ALPHABET.chars().filter(|wrong| *wrong != right) {
                let typed = format!("{}{wrong}{}", &written[..at], &written[at + 1..]);
                match EnrollmentCode::parse(&typed) {
                    Err(rollcall_proto::enrollment::InvalidCode::Check) => {}
                    // The bits that only fill the last character say nothing.
                    Ok(same) => assert!(same == code, "{wrong} at {at} makes another code"),
                    Err(other) => panic!("{wrong} at {at}: {other}"),
                }
            }
        }
    });
}
