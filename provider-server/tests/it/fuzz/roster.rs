//! A OneRoster zip.

use std::collections::HashSet;

use provider_server::oneroster::Profile;

use crate::oneroster::support;

#[test]
fn zips_are_read_to_their_end_or_refused() {
    super::feed::Feed::of("roster").run(3_000, check);
}

pub fn check(input: &[u8]) {
    for profile in [Profile::Lenient, Profile::Strict] {
        let (kept, result) = support::check(input, profile);
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
}
