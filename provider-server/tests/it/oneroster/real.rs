//! Zips that other programs made, and the plain cases of every version.

use std::path::PathBuf;

use provider_server::oneroster::{Kind, Options, Profile, ReadError, RoleType, RowStatus, Severity, Version};

use super::support::{Kept, bulk_1_1, bulk_1_2, check, check_with, delta_1_2};

/// The rosters beside the repository, or where ROLLCALL_ROSTERS says. `None`, said aloud, where there are none.
pub fn roster(name: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/rosters");
    let folder = std::env::var_os("ROLLCALL_ROSTERS").map_or(root, PathBuf::from);
    // A worktree lies one folder deeper than the repository.
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/rosters");
    let found = [folder, beside].into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: no {name}; set ROLLCALL_ROSTERS to the folder that holds it");
    }
    found.map(|path| std::fs::read(path).expect("the roster is readable"))
}

#[test]
fn rosters_of_other_programs_are_read_without_an_error() {
    for (name, students, schools, kind) in [
        ("school-small-bulk-1.2.zip", 72, 1, Kind::Bulk),
        ("district-small-bulk-1.2.zip", 248, 3, Kind::Bulk),
        ("district-large-bulk-1.2.zip", 4225, 20, Kind::Bulk),
        ("district-small-delta-1.2.zip", 10, 3, Kind::Delta),
    ] {
        let Some(zip) = roster(name) else { continue };
        for profile in [Profile::Strict, Profile::Lenient] {
            let (kept, result) = check(&zip, profile);
            let summary = result.unwrap();
            assert_eq!(kept.errors(), Vec::<&_>::new(), "{name}");
            assert_eq!((summary.students, summary.schools, summary.rejected), (students, schools, 0), "{name}");
            assert_eq!(kept.head.unwrap().kind, kind);
            let active = kept.students.iter().filter(|student| student.status == RowStatus::Active);
            assert!(active.clone().all(|student| student.enrollments.len() == 1 && student.fields.is_some()));
        }
    }
}

#[test]
fn the_small_district_has_its_students_by_school() {
    let Some(zip) = roster("district-small-bulk-1.2.zip") else { return };
    let (kept, _) = check(&zip, Profile::Strict);
    let mut counts = std::collections::BTreeMap::<_, u32>::new();
    kept.students.iter().for_each(|student| *counts.entry(&student.enrollments[0].school_sourced_id).or_default() += 1);
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [36, 72, 140]);
}

#[test]
fn a_delta_says_what_changed() {
    let Some(zip) = roster("district-small-delta-1.2.zip") else { return };
    let (kept, result) = check(&zip, Profile::Strict);
    let deleted = kept.students.iter().filter(|student| student.status == RowStatus::ToBeDeleted).count();
    assert_eq!(deleted, 2);
    let given = |id: &str| kept.student(id).fields.as_ref().unwrap().given_name.clone();
    assert_eq!(["new-student-0", "new-student-1", "new-student-2"].map(given), ["José", "Nguyễn", "O'Brien, Jr."]);
    assert_eq!(result.unwrap().newest_source_change, Some("2026-11-23T06:00:00Z".parse().unwrap()));
}

#[test]
fn bulk_by_1_2() {
    let zip = bulk_1_2().zip();
    let (kept, result) = check(&zip, Profile::Strict);
    let summary = result.unwrap();
    assert_eq!(kept.problems, []);
    assert_eq!(
        (summary.rows, summary.orgs, summary.schools, summary.students, summary.ignored_users),
        (12, 3, 2, 2, 1)
    );
    let head = kept.head.as_ref().unwrap();
    assert_eq!((head.version, head.kind, head.orgs), (Version::V1_2, Kind::Bulk, Some(Kind::Bulk)));
    assert_eq!(head.sha256[..], <sha2::Sha256 as sha2::Digest>::digest(&zip)[..]);

    let second = kept.student("S2");
    let fields = second.fields.as_ref().unwrap();
    assert_eq!((second.line, fields.enabled_user, fields.grades.as_slice()), (3, false, &["08", "09"][..]));
    assert_eq!(fields.given_name, "O'Canary, Jr.");
    assert_eq!(fields.preferred.as_ref().unwrap().given.as_deref(), Some("Canarypref"));
    assert_eq!(fields.primary_org_sourced_id.as_deref(), Some("B"));
    let at: Vec<_> =
        second.enrollments.iter().map(|at| (at.school_sourced_id.as_str(), at.role_type, at.line)).collect();
    assert_eq!(at, [("B", RoleType::Primary, 3), ("A", RoleType::Secondary, 4)]);
    let first = &kept.student("S1").enrollments[0];
    assert_eq!(
        (first.begin_date.unwrap().to_string(), first.end_date.unwrap().to_string()),
        ("2026-08-17".into(), "2027-06-10".into())
    );
}

#[test]
fn the_header_of_2022_is_taken_too() {
    let mut files = bulk_1_2();
    let users = String::from_utf8(files.get("users.csv").clone()).unwrap();
    let wider = users
        .replace("userMasterIdentifier,", "userMasterIdentifier,resourceSourcedIds,")
        .replace("07,,,,", "07,,,,,")
        .replace("\"08,09\",,,", "\"08,09\",,,,")
        .replace("103,,,,,,,,,,,A,", "103,,,,,,,,,,,,A,");
    *files.get("users.csv") = wider.into();
    let (kept, result) = check(&files.zip(), Profile::Strict);
    assert_eq!(kept.problems, []);
    assert_eq!(result.unwrap().students, 2);
    assert_eq!(
        kept.student("S2").fields.as_ref().unwrap().preferred.as_ref().unwrap().given.as_deref(),
        Some("Canarypref")
    );
}

#[test]
fn bulk_by_1_1() {
    let (kept, result) = check(&bulk_1_1().zip(), Profile::Strict);
    let summary = result.unwrap();
    assert_eq!(kept.problems, []);
    assert_eq!((summary.students, summary.ignored_users), (2, 1));
    let student = kept.student("S1");
    assert!(student.enrollments_complete && student.fields.as_ref().unwrap().preferred.is_none());
    assert_eq!(student.enrollments[0].school_sourced_id, "A");
}

#[test]
fn of_several_orgs_in_1_1_the_first_school_is_primary() {
    let zip = bulk_1_1().replace("users.csv", "true,A,student", "true,\"D1,B,A\",student").zip();
    let (kept, _) = check(&zip, Profile::Strict);
    assert_eq!(kept.found(), [("role.several_orgs", "users.csv".to_owned(), 2)]);
    assert_eq!(kept.problems[0].severity, Severity::Warning);
    let student = kept.student("S1");
    let at: Vec<_> = student.enrollments.iter().map(|at| (at.school_sourced_id.as_str(), at.role_type)).collect();
    assert_eq!(at, [("B", RoleType::Primary), ("A", RoleType::Secondary)]);
    assert_eq!(student.fields.as_ref().unwrap().primary_org_sourced_id.as_deref(), Some("B"));
}

#[test]
fn a_delta_without_orgs_asks_for_the_known_ones() {
    let zip = delta_1_2().zip();
    let known = Kept { known: vec!["A".into(), "B".into()], ..Kept::default() };
    let (kept, result) = check_with(&zip, &Options::new(Profile::Strict), known);
    let summary = result.unwrap();
    assert_eq!(kept.problems, []);
    assert_eq!((summary.students, summary.hidden_rows), (3, 0));
    assert_eq!(summary.newest_source_change, Some("2026-11-23T07:00:00Z".parse().unwrap()));

    let changed = kept.student("S1");
    assert!(changed.known_only && changed.enrollments.is_empty() && !changed.enrollments_complete);
    assert_eq!(changed.fields.as_ref().unwrap().primary_org_sourced_id.as_deref(), Some("A"));
    assert_eq!(kept.student("S2").status, RowStatus::ToBeDeleted);
    let moved = kept.student("S9");
    assert!(moved.fields.is_none() && moved.known_only && !moved.enrollments_complete);
    let at: Vec<_> = moved.enrollments.iter().map(|at| (at.school_sourced_id.as_str(), at.status)).collect();
    assert_eq!(at, [("A", RowStatus::ToBeDeleted), ("B", RowStatus::Active)]);

    let (kept, _) = check(&zip, Profile::Strict);
    assert!(kept.found().contains(&("ref.org", "roles.csv".to_owned(), 2)));
    assert!(
        kept.students.iter().all(|student| student.sourced_id != "S9"),
        "a student with a rejected role stays as is"
    );
}

#[test]
fn birth_dates_come_only_where_they_are_switched_on() {
    let header = "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,\
                  nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,\
                  countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus";
    let rows = format!("{header}\nS1,,,2014-03-05,female,,,,,,,,,,,\nT1,,,1980-01-01,male,,,,,,,,,,,\n");
    let files = bulk_1_2()
        .replace("manifest.csv", "demographics,absent", "demographics,bulk")
        .with("demographics.csv", rows.as_bytes());
    let (kept, result) = check(&files.zip(), Profile::Strict);
    assert_eq!(kept.found(), [("file.ignored", "demographics.csv".to_owned(), 0)]);
    assert!(!result.unwrap().birth_dates && kept.student("S1").birth_date.is_none());

    let on = Options { birth_dates: true, ..Options::new(Profile::Strict) };
    let (kept, result) = check_with(&files.zip(), &on, Kept::default());
    assert_eq!(kept.found(), [("column.ignored", "demographics.csv".to_owned(), 2)]);
    assert!(result.unwrap().birth_dates);
    assert_eq!(kept.student("S1").birth_date.unwrap().to_string(), "2014-03-05");
    assert_eq!(kept.student("S2").birth_date, None);

    let wrong = files.replace("demographics.csv", "2014-03-05", "05.03.2014").zip();
    let (kept, _) = check_with(&wrong, &on, Kept::default());
    assert_eq!(kept.rejected.len(), 1, "the student keeps the birth date it has");
}

#[test]
fn the_sink_can_stop_a_read() {
    let stopping = Kept { stop_after: Some(1), ..Kept::default() };
    let (kept, result) = check_with(&bulk_1_2().zip(), &Options::new(Profile::Strict), stopping);
    assert!(matches!(result, Err(ReadError::Stopped)));
    assert_eq!(kept.students.len(), 1);
}
