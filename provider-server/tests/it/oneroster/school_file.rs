//! The zip that a school writes of its roster is one that this reader takes, strictly.

use provider_server::oneroster::{Kind, Options, Profile, RowStatus};
use rollcall_proto::webhook::event::{EnrollmentObject, StudentObject};
use school_server::{
    roster_file::{Form, School, write},
    store::read::HeldStudent,
};

use super::support::{Kept, check_with};

fn student(number: usize) -> StudentObject {
    let text = |what: &str| Some(format!("{what}{number}"));
    let enrollment = EnrollmentObject {
        school_sourced_id: "sch-7".into(),
        role_type: if number.is_multiple_of(5) { "secondary" } else { "primary" }.into(),
        begin_date: Some("2026-08-17".parse().expect("a date")),
        end_date: number.is_multiple_of(3).then(|| "2027-06-30".parse().expect("a date")),
        exit_reason: None,
        status: None,
    };
    let ended = EnrollmentObject {
        end_date: Some("2025-06-30".parse().expect("a date")),
        begin_date: None,
        status: Some("ended".into()),
        ..enrollment.clone()
    };
    StudentObject {
        sourced_id: format!("S-{number:05}"),
        status: "active".into(),
        version: 3,
        date_last_modified: "2026-11-23T16:05:12.001Z".parse().expect("a time"),
        given_name: "José \"Pepe\", Jr.".into(),
        family_name: if number.is_multiple_of(7) { "=cmd".into() } else { "Nguyễn".into() },
        middle_name: number.is_multiple_of(2).then(|| "M".into()),
        preferred_given_name: text("Pref"),
        preferred_middle_name: None,
        preferred_family_name: None,
        identifier: text("4"),
        grades: vec!["07".into(), "08".into()],
        username: text("u"),
        email: Some(format!("s{number}@students.example")),
        enabled_user: !number.is_multiple_of(11),
        primary_org_sourced_id: (!number.is_multiple_of(5)).then(|| "sch-7".into()),
        school_enrollments: if number.is_multiple_of(4) { vec![ended, enrollment] } else { vec![enrollment] },
        birth_date: Some("2014-02-28".parse().expect("a date")),
    }
}

#[test]
fn a_schools_zip_passes_every_check_and_holds_the_roster() {
    const STUDENTS: usize = 3_000;
    let given: Vec<StudentObject> = (0..STUDENTS).map(student).collect();
    let held = given.iter().map(|student| {
        let json = serde_json::to_string(student).expect("a JSON form");
        Ok(HeldStudent { sourced_id: student.sourced_id.clone(), json, received_at_ms: 0 })
    });
    let school = School { sourced_id: "sch-7".into(), name: "Hill, \"North\"".into() };
    let mut zip = Vec::new();
    write(Form::OneRoster, &mut zip, &school, held).expect("written");

    let options = Options { birth_dates: true, ..Options::new(Profile::Strict) };
    let (kept, read) = check_with(&zip, &options, Kept::default());
    read.expect("taken");
    // A school does not know the primary school of who is there on the side, and nothing else is missed.
    let elsewhere: Vec<_> = (0..STUDENTS)
        .filter(|number| number.is_multiple_of(5))
        .map(|number| ("role.primary_missing", "roles.csv".to_owned(), number as u64 + 2))
        .collect();
    assert_eq!(kept.found(), elsewhere);
    assert!(kept.errors().is_empty(), "they are warnings");
    assert_eq!(kept.head.as_ref().map(|head| head.kind), Some(Kind::Bulk));
    assert_eq!((kept.orgs.len(), kept.orgs[0].name.as_str()), (1, "Hill, \"North\""));
    assert_eq!(kept.students.len(), STUDENTS);
    for given in &given {
        let found = kept.student(&given.sourced_id);
        let fields = found.fields.as_ref().expect("fields");
        let family = if given.family_name == "=cmd" { "'=cmd" } else { "Nguyễn" };
        assert_eq!((fields.given_name.as_str(), fields.family_name.as_str()), (given.given_name.as_str(), family));
        assert_eq!((&fields.middle_name, &fields.identifier), (&given.middle_name, &given.identifier));
        assert_eq!((&fields.username, &fields.email), (&given.username, &given.email));
        assert_eq!((fields.enabled_user, &fields.grades[..]), (given.enabled_user, &["07", "08"][..]));
        // Where none is told, the reader takes the first.
        assert_eq!(fields.primary_org_sourced_id.as_deref(), Some("sch-7"));
        assert_eq!(fields.preferred.as_ref().and_then(|names| names.given.clone()), given.preferred_given_name);
        assert_eq!(found.birth_date, given.birth_date);
        let active = given.school_enrollments.last().expect("one");
        assert_eq!(found.enrollments.len(), 1, "what has ended is not in a bulk zip");
        let role = &found.enrollments[0];
        assert_eq!((role.role_type.as_str(), role.status), (active.role_type.as_str(), RowStatus::Active));
        assert_eq!((role.begin_date, role.end_date), (active.begin_date, active.end_date));
    }
}
