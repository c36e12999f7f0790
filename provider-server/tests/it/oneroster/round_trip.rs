//! What the writer writes, the reader takes without a problem, and as it was.

use std::io::Cursor;

use jiff::Timestamp;
use proptest::prelude::*;
use provider_server::oneroster::{
    GRADES, Kind, Options, OrgRow, OrgType, PreferredNames, Profile, RoleType, RosterEnrollment, RowStatus,
    StudentFields, StudentRow,
    generator::{Changes, Roster},
    writer::{WriteOptions, write},
};
use rollcall_proto::cell::neutral;

use super::support::{Kept, check_with};

const AT: &str = "2026-11-23T06:00:00.250Z";

fn options(kind: Kind) -> WriteOptions {
    WriteOptions { kind, at: AT.parse().unwrap(), birth_dates: true }
}

fn read_back(zip: &[u8], known: Vec<String>) -> Kept {
    let options = Options { birth_dates: true, ..Options::new(Profile::Strict) };
    let (kept, result) = check_with(zip, &options, Kept { known, ..Kept::default() });
    assert_eq!(kept.problems, []);
    assert_eq!(result.unwrap().rejected, 0);
    kept
}

/// As the reader hands it over: without the lines, which only a file has.
fn bare(mut student: StudentRow) -> StudentRow {
    student.line = 0;
    student.enrollments.iter_mut().for_each(|at| at.line = 0);
    student
}

#[test]
fn a_generated_roster_comes_back_whole() {
    let roster = Roster { seed: 7, schools: 4, students: 1_200, year: 2026 };
    let orgs = roster.orgs();
    let zip = write(Cursor::new(Vec::new()), &options(Kind::Bulk), &orgs, roster.students()).unwrap().into_inner();
    let kept = read_back(&zip, vec![]);
    assert_eq!(kept.orgs, orgs);
    let found: Vec<_> = kept.students.into_iter().map(bare).collect();
    assert_eq!(found, roster.students().collect::<Vec<_>>());
    let again = write(Cursor::new(Vec::new()), &options(Kind::Bulk), &orgs, roster.students()).unwrap().into_inner();
    assert!(zip == again, "the same seed makes the same bytes");
}

#[test]
fn a_generated_delta_comes_back_whole() {
    let roster = Roster { seed: 7, schools: 3, students: 300, year: 2026 };
    let at: Timestamp = AT.parse().unwrap();
    let rows = roster.delta(Changes { round: 1, created: 3, updated: 20, transferred: 6, deleted: 2 }, at);
    let zip = write(Cursor::new(Vec::new()), &options(Kind::Delta), &[], rows.iter()).unwrap().into_inner();
    let kept = read_back(&zip, (0..3).map(|school| roster.school_id(school)).collect());
    assert_eq!(kept.students.len(), rows.len());
    for (found, written) in kept.students.into_iter().map(bare).zip(rows) {
        if written.status == RowStatus::ToBeDeleted {
            assert_eq!((found.sourced_id, found.status), (written.sourced_id, written.status));
        } else {
            assert_eq!(found, written);
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[=+\\-@]?[a-zA-Zéß'\", .;]{0,20}[a-zA-ZéñŁ明]".prop_map(|name| name.trim().to_owned())
}

fn id() -> impl Strategy<Value = String> {
    "[0-9A-Za-z._/@-]{1,40}"
}

prop_compose! {
    fn fields()(
        names in (name(), name(), prop::option::of(name()), prop::option::of(name()), prop::option::of(name())),
        username in name(),
        grades in prop::sample::subsequence(GRADES.to_vec(), 0..3),
        email in prop::option::of("[a-z+=-]{1,9}@[a-z]{2,9}\\.org"),
        enabled_user: bool,
    ) -> StudentFields {
        let (given_name, family_name, middle_name, given, family) = names;
        StudentFields {
            given_name, family_name, middle_name,
            preferred: Some(PreferredNames { given, middle: None, family }),
            identifier: None, grades, username: Some(username), email, enabled_user,
            primary_org_sourced_id: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_students_come_back_neutralised(
        schools in prop::collection::btree_set(id(), 1..4),
        students in prop::collection::btree_map(id(), (fields(), 1usize..4), 0..12),
    ) {
        let schools: Vec<_> = schools.into_iter().collect();
        let orgs: Vec<_> = schools.iter().enumerate().map(|(number, id)| OrgRow {
            line: number as u64 + 2,
            sourced_id: id.clone(),
            name: format!("School {number}"),
            org_type: OrgType::School,
            status: RowStatus::Active,
            identifier: None,
            parent_sourced_id: None,
            source_last_modified: None,
        }).collect();
        let students: Vec<_> = students.into_iter().map(|(sourced_id, (mut fields, count))| {
            fields.primary_org_sourced_id = Some(schools[0].clone());
            let enrollments = schools.iter().take(count).enumerate().map(|(at, school)| RosterEnrollment {
                school_sourced_id: school.clone(),
                role_type: if at == 0 { RoleType::Primary } else { RoleType::Secondary },
                begin_date: (at == 1).then(|| jiff::civil::date(2026, 8, 17)),
                end_date: None,
                status: RowStatus::Active,
                line: 0,
            }).collect();
            StudentRow {
                line: 0, sourced_id, status: RowStatus::Active, fields: Some(fields), birth_date: None, enrollments,
                enrollments_complete: true, known_only: false, source_last_modified: None,
            }
        }).collect();
        let zip = write(Cursor::new(Vec::new()), &options(Kind::Bulk), &orgs, students.iter()).unwrap().into_inner();
        let kept = read_back(&zip, vec![]);
        prop_assert_eq!(kept.orgs, orgs);
        let safe = |value: &mut String| *value = neutral(value).into_owned();
        let expected: Vec<_> = students.into_iter().map(|mut student| {
            let fields = student.fields.as_mut().unwrap();
            let preferred = fields.preferred.as_mut().unwrap();
            [&mut fields.given_name, &mut fields.family_name].into_iter().for_each(safe);
            [&mut fields.middle_name, &mut fields.username, &mut fields.email, &mut preferred.given, &mut preferred.family]
                .into_iter().flatten().for_each(safe);
            student
        }).collect();
        prop_assert_eq!(kept.students.into_iter().map(bare).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_of_full_length_stay_within_it(sign in "[=+@-]") {
        let roster = Roster { seed: 1, schools: 1, students: 1, year: 2026 };
        let mut student = roster.student(0);
        student.fields.as_mut().unwrap().given_name = format!("{sign}{}", "é".repeat(254));
        let zip = write(Cursor::new(Vec::new()), &options(Kind::Bulk), &roster.orgs(), [&student].into_iter()).unwrap();
        let kept = read_back(&zip.into_inner(), vec![]);
        prop_assert_eq!(&kept.students[0].fields.as_ref().unwrap().given_name, &format!("'{}", "é".repeat(254)));
    }
}
