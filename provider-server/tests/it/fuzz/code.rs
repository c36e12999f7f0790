//! An enrollment code as it was typed, pasted or followed.

use rollcall_proto::enrollment::{DEEP_LINK, EnrollmentCode, InvalidCode};

use super::feed::Feed;

const TOKENS: &[&str] = &[
    "RC1-",
    "RC2-",
    "rc1",
    "-",
    " ",
    "\n",
    "O",
    "I",
    "L",
    "U",
    "0",
    "1",
    "Z",
    "rollcall-school://enroll?code=",
    "é",
    "\u{0}",
];
const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[test]
fn codes_are_read_back_as_they_are_written() {
    Feed::of("code", TOKENS).run(60_000, |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(code) = EnrollmentCode::parse(&text) else { return };
        let written = code.encode();
        let same = |text: &str| EnrollmentCode::parse(text).is_ok_and(|again| again == code);
        assert!(same(&written) && same(&written.to_lowercase()) && same(&format!("{DEEP_LINK}{}", *written)));
        assert!(same(&written.replace('-', " ").replacen("RC1 ", "RC1", 1)));
        assert!(code.server.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty()));
    });
}

#[test]
fn one_wrong_character_is_always_found() {
    let code = Feed::of("code", TOKENS);
    code.run(0, |input| {
        let Ok(code) = EnrollmentCode::parse(&String::from_utf8_lossy(input)) else { return };
        let written = code.encode().to_string();
        for (at, right) in written.char_indices().skip(4).filter(|(_, right)| *right != '-') {
            for wrong in ALPHABET.chars().filter(|wrong| *wrong != right) {
                let typed = format!("{}{wrong}{}", &written[..at], &written[at + 1..]);
                match EnrollmentCode::parse(&typed) {
                    Err(InvalidCode::Check) => {}
                    // The bits that only fill the last character say nothing.
                    Ok(same) => assert!(same == code, "{wrong} at {at} makes another code"),
                    Err(other) => panic!("{wrong} at {at}: {other}"),
                }
            }
        }
    });
}
