//! A OneRoster zip.

use std::collections::HashSet;

use provider_server::oneroster::Profile;

use super::feed::Feed;
use crate::oneroster::support::check;

const TOKENS: &[&str] = &[
    "PK\u{3}\u{4}",
    "PK\u{1}\u{2}",
    "PK\u{5}\u{6}",
    "PK\u{6}\u{6}",
    "\0\0\0\0",
    "users.csv",
    "../users.csv",
    "users.csv\0",
    "sourcedId",
    "\"",
    "\"\"",
    ",",
    "\r\n",
    "\n",
    "tobedeleted",
    "S1",
    "student",
    "\u{feff}",
    "delta",
];

#[test]
fn zips_are_read_to_their_end_or_refused() {
    Feed::of("roster", TOKENS).run(3_000, |input| {
        for profile in [Profile::Lenient, Profile::Strict] {
            let (kept, result) = check(input, profile);
            let mut seen = HashSet::new();
            for student in &kept.students {
                assert!(!student.sourced_id.is_empty() && seen.insert(&student.sourced_id), "a student twice");
            }
            assert!(kept.students.is_empty() || kept.head.is_some());
            match result {
                Ok(summary) => assert_eq!(summary.students as usize, kept.students.len()),
                Err(error) => assert!(!format!("{error:?}").contains("Canary"), "{error:?}"),
            }
        }
    });
}
