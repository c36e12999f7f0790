//! Each check finds exactly its fault, at its line.

use provider_server::oneroster::{Code, Options, Profile, ReadError, Severity};

use super::support::{Files, Kept, bulk_1_1, bulk_1_2, check, check_with, delta_1_2};

const E: Option<Severity> = Some(Severity::Error);
const W: Option<Severity> = Some(Severity::Warning);

/// What a profile makes of the fault.
type Fault<'a> = (&'a str, &'a str, u64, Option<Severity>, Option<Severity>);

/// The first fault is the one meant, the others follow from it. Severities: strict, lenient; `None`: not found.
#[track_caller]
fn finds(files: &Files, faults: &[Fault<'_>]) {
    for (profile, of) in [(Profile::Strict, 0), (Profile::Lenient, 1)] {
        let known = Kept { known: vec!["A".into(), "B".into()], ..Kept::default() };
        let (kept, result) = check_with(&files.zip(), &Options::new(profile), known);
        let mut found: Vec<_> =
            kept.problems.iter().map(|p| (p.code.as_str(), p.file.as_ref(), p.line, p.severity)).collect();
        let mut expected: Vec<_> = faults
            .iter()
            .filter_map(|(code, file, line, strict, lenient)| {
                Some((*code, *file, *line, if of == 0 { (*strict)? } else { (*lenient)? }))
            })
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{profile:?}");
        for problem in &kept.problems {
            let text = format!("{} {} {}", problem.message, problem.field, problem.sourced_id).to_lowercase();
            assert!(!text.contains("canary"), "{profile:?}: a report names nobody: {text}");
        }
        if let Ok(summary) = result {
            let count = |severity| found.iter().filter(|(.., s)| *s == severity).count() as u64;
            assert_eq!((summary.errors, summary.warnings), (count(Severity::Error), count(Severity::Warning)));
        }
    }
}

fn refused(files: &Files, code: Code, file: &str, line: u64) {
    for profile in [Profile::Strict, Profile::Lenient] {
        let (kept, result) = check(&files.zip(), profile);
        let Err(ReadError::Refused(problem)) = result else { panic!("{code:?} refuses the zip") };
        assert_eq!((problem.code, problem.file.as_ref(), problem.line), (code, file, line), "{profile:?}");
        assert_eq!(kept.problems.last(), Some(&*problem), "the report has it too");
    }
}

#[test]
fn rows_of_users() {
    let base = bulk_1_2;
    let in_users = |from: &str, to: &str| base().replace("users.csv", from, to);
    let one = |from: &str, to: &str, code: &str, line: u64, strict, lenient| {
        finds(&in_users(from, to), &[(code, "users.csv", line, strict, lenient)]);
    };
    one("S1,,,true", "S1,,,TRUE", "value.boolean", 2, E, W);
    one("S1,,,true", "S1,,,ja", "value.boolean", 2, E, E);
    one("S1,,,true", "S1,,,", "value.required", 2, E, W);
    one(",07,", ",7,", "value.not_in_list", 2, E, W);
    one(",07,", ",14,", "value.not_in_list", 2, E, E);
    one("\"08,09\"", "\"08, 09\"", "value.spaces", 3, E, W);
    one("Canarygiven", "", "value.required", 2, E, E);
    one("Canaryfamily", "   ", "value.required", 2, E, E);
    one("Canarygiven", " Canarygiven", "value.spaces", 2, E, W);
    one("Canarygiven", "Canary\tgiven", "value.control", 2, E, E);
    one("Canarygiven", &"Canary".repeat(43), "value.too_long", 2, E, E);
    one("canary1", "", "value.required", 2, E, None);
    one("canary@x.org", "canary@x", "value.email", 2, W, W);
    one(",102,", ",101,", "identifier.duplicate", 3, W, W);
    one("S1,,,true", "S1,active,,true", "value.bulk_filled", 2, E, W);
    one("S1,,,true", "S1,,2026-11-23T06:00:00Z,true", "value.bulk_filled", 2, E, W);
    one(",,,A,\nS2", ",,,B,\nS2", "role.primary_org", 2, W, W);
    one(",,,A,\nS2", ",,,X,\nS2", "ref.org", 2, E, E);
    one("canary@x.org,,", "canary@x.org,555,", "column.ignored", 2, W, W);
    one("S1,,,true", "S1,,true", "row.width", 2, E, E);
    one("Canarygiven", "Cana\"rygiven", "row.quote", 2, E, E);
    one("Canarygiven", "\"Canary\"given", "row.quote", 2, E, E);
    one("\nS2", "\n\nS2", "row.blank", 3, W, W);
}

#[test]
fn ids() {
    let twice = bulk_1_2().append("users.csv", b"S1,,,true,canary9,,Canarya,Canaryb,,109,,,,,07,,,,,,A,\n");
    finds(&twice, &[("id.duplicate", "users.csv", 5, E, E)]);
    let bad = bulk_1_2().replace("users.csv", "\nS1,", "\nS 1,");
    finds(
        &bad,
        &[
            ("value.sourced_id", "users.csv", 2, E, E),
            ("ref.user", "roles.csv", 2, E, E),
            ("ref.user", "enrollments.csv", 2, E, W),
        ],
    );
    let (kept, result) = check(&bad.zip(), Profile::Lenient);
    assert_eq!(result.unwrap().hidden_rows, 1, "whose row it was is not known");
    assert!(kept.rejected.iter().any(|r| r.sourced_id.as_deref() == Some("S1") && r.file == "roles.csv"));
    finds(&bulk_1_2().replace("users.csv", "\nS1,", "\n S1,"), &[("value.spaces", "users.csv", 2, E, W)]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let mut files = bulk_1_2();
    let users = files.get("users.csv");
    let at = users.windows(11).position(|window| window == b"Canarygiven").unwrap();
    users[at] = 0xE9;
    finds(&files, &[("row.utf8", "users.csv", 2, E, E)]);
    let (kept, result) = check(&files.zip(), Profile::Lenient);
    assert_eq!(kept.rejected[0].sourced_id.as_deref(), Some("S1"), "the id before the fault is still known");
    assert_eq!(result.unwrap().hidden_rows, 0);
}

#[test]
fn a_quotation_mark_that_swallows_rows_is_told_as_hiding_them() {
    let files = bulk_1_2().replace("users.csv", "Canarygiven", "\"Canarygiven").replace(
        "users.csv",
        "\"O'Canary, Jr.\"",
        "OCanary",
    );
    let (kept, result) = check(&files.zip(), Profile::Lenient);
    let summary = result.unwrap();
    assert_eq!(kept.found()[0], ("ref.user", "roles.csv".to_owned(), 3));
    assert!(kept.found().contains(&("row.quote", "users.csv".to_owned(), 2)));
    assert!(summary.hidden_rows > 0, "absence must not be believed");
}

#[test]
fn rows_of_roles() {
    let rejected = |line| ("student.row_rejected", "users.csv", line, E, E);
    let strictly = |line| ("student.row_rejected", "users.csv", line, E, None);
    let in_roles = |from: &str, to: &str| bulk_1_2().replace("roles.csv", from, to);
    let at = |code, line, strict, lenient| (code, "roles.csv", line, strict, lenient);

    finds(&in_roles("R1,,,S1,primary", "R1,,,S1,main"), &[at("value.not_in_list", 2, E, E), rejected(2)]);
    finds(&in_roles("R1,,,S1,primary", "R1,,,S1,Primary"), &[at("value.not_in_list", 2, E, W), strictly(2)]);
    finds(&in_roles("S1,primary,student", "S1,primary,pupil"), &[at("value.not_in_list", 2, E, E), rejected(2)]);
    finds(
        &in_roles("T1,primary,teacher", "T1,primary,coach"),
        &[at("value.not_in_list", 5, E, E), ("student.row_rejected", "users.csv", 4, E, E)],
    );
    finds(&in_roles("T1,primary,teacher", "T1,primary,ext:coach"), &[]);
    finds(&in_roles("2026-08-17,", "17.08.2026,"), &[at("value.date", 2, E, E), rejected(2)]);
    finds(&in_roles("2026-08-17,", "2026-8-17,"), &[at("value.date", 2, E, W), strictly(2)]);
    finds(&in_roles("2027-06-10", "2026-08-17"), &[at("date.order", 2, E, E), rejected(2)]);
    finds(&in_roles("2027-06-10,A", "2027-06-10,X"), &[at("ref.org", 2, E, E), rejected(2)]);
    finds(&in_roles("R4,,,T1", "R4,,,T9"), &[at("ref.user", 5, E, E)]);
    finds(&in_roles("R2,", "R1,"), &[at("id.duplicate", 3, E, E), rejected(3)]);
    finds(&in_roles("S2,secondary,student,,,A", "S2,primary,student,,,B"), &[at("role.primary_twice", 4, E, W)]);
    finds(&in_roles("S2,secondary,student,,,A", "S2,secondary,student,,,B"), &[at("role.repeated", 4, W, W)]);
    finds(&in_roles("S2,secondary,student,,,A", "S2,primary,student,,,A"), &[at("role.primary_several", 4, E, W)]);
    finds(&in_roles("S2,secondary,student,,,A", "S2,secondary,student,,,D1"), &[at("role.not_school", 4, W, W)]);
    finds(&in_roles("S2,primary,student,,,B", "S2,secondary,student,,,B"), &[at("role.primary_missing", 3, W, W)]);
    finds(
        &in_roles("2027-06-10,A", "2027-06-10,D1"),
        &[
            at("role.not_school", 2, W, W),
            ("student.no_school", "users.csv", 2, E, E),
            ("role.primary_org", "users.csv", 2, W, W),
        ],
    );
    finds(&in_roles("R1,,,S1", "R1,,S1"), &[at("row.width", 2, E, E)]);
    let (kept, result) = check(&in_roles("R1,,,S1", "R1,,S1").zip(), Profile::Strict);
    assert_eq!((result.unwrap().hidden_rows, kept.students.len()), (1, 1));
}

#[test]
fn rows_of_orgs() {
    let in_orgs = |from: &str, to: &str| bulk_1_2().replace("orgs.csv", from, to);
    let at = |code, line, strict, lenient| (code, "orgs.csv", line, strict, lenient);
    finds(&in_orgs("school,2,D1", "school,2,X"), &[at("ref.parent", 3, W, W)]);
    finds(
        &in_orgs("Maple District,district", "Maple District,District"),
        &[
            at("value.not_in_list", 2, E, W),
            ("ref.parent", "orgs.csv", 3, W, None),
            ("ref.parent", "orgs.csv", 4, W, None),
        ],
    );
    finds(
        &in_orgs("Birch School", "Birch\u{7f}School"),
        &[
            at("value.control", 4, E, E),
            ("ref.org", "roles.csv", 3, E, E),
            ("student.row_rejected", "users.csv", 3, E, E),
        ],
    );
    let twice = bulk_1_2().append("orgs.csv", b"A,,,Alder again,school,9,D1\n");
    finds(&twice, &[at("id.duplicate", 5, E, E)]);
    let (kept, _) = check(&in_orgs("Birch School", "").zip(), Profile::Lenient);
    let rejected: Vec<_> = kept.rejected.iter().map(|r| (r.file, r.sourced_id.as_deref(), r.line)).collect();
    assert_eq!(rejected, [("orgs.csv", Some("B"), 4), ("users.csv", Some("S2"), 3)]);
}

#[test]
fn rows_of_class_enrollments_are_only_checked() {
    let one = |from: &str, to: &str, code: &str, line: u64| {
        finds(&bulk_1_2().replace("enrollments.csv", from, to), &[(code, "enrollments.csv", line, E, W)]);
    };
    one("C1,A,S1", "C1,X,S1", "ref.org", 2);
    one("C1,A,S1", "C1,A,S8", "ref.user", 2);
    one("C1,A,S1", ",A,S1", "value.required", 2);
    one("T1,teacher", "T1,parent", "value.not_in_list", 3);
    one("teacher,true", "teacher,yes", "value.boolean", 3);
    one("2027-06-10", "2025-06-10", "date.order", 2);
    one("E2,", "E1,", "id.duplicate", 3);
    one("E2,,,", "E2,,", "row.width", 3);
}

#[test]
fn rows_of_1_1() {
    let in_users = |from: &str, to: &str| bulk_1_1().replace("users.csv", from, to);
    let one = |from: &str, to: &str, code: &str, line: u64, strict, lenient| {
        finds(&in_users(from, to), &[(code, "users.csv", line, strict, lenient)]);
    };
    one("true,A,student", "true,X,student", "ref.org", 2, E, E);
    one("true,A,student", "true,A,pupil", "value.not_in_list", 2, E, E);
    one("true,A,student", "true,A,Student", "value.not_in_list", 2, E, W);
    one("true,A,student", "true,D1,student", "student.no_school", 2, E, E);
    one("true,A,student", "true,,student", "value.required", 2, E, E);
}

#[test]
fn rows_of_a_delta() {
    let one = |file: &str, from: &str, to: &str, code: &str, line: u64| {
        finds(&delta_1_2().replace(file, from, to), &[(code, file, line, E, W)]);
    };
    one("users.csv", "S1,active", "S1,", "value.delta_blank", 2);
    one("users.csv", "S1,active,2026-11-23T06:00:00.000Z", "S1,active,", "value.delta_blank", 2);
    one("users.csv", "S1,active,2026-11-23T06:00:00.000Z", "S1,active,2026-11-23", "value.datetime", 2);
    one("users.csv", "S1,active,2026-11-23T06:00:00.000Z", "S1,active,soon", "value.datetime", 2);
    one("users.csv", "S1,active", "S1,Active", "value.not_in_list", 2);
    finds(
        &delta_1_2().replace("users.csv", "S1,active", "S1,inactive"),
        &[("value.not_in_list", "users.csv", 2, E, E)],
    );
}

#[test]
fn the_manifest() {
    let in_manifest = |from: &str, to: &str| bulk_1_2().replace("manifest.csv", from, to);
    refused(&bulk_1_2().without("manifest.csv"), Code::ManifestMissing, "manifest.csv", 0);
    refused(&in_manifest("propertyName,value", "property,value"), Code::HeaderMismatch, "manifest.csv", 1);
    refused(&in_manifest("file.orgs,bulk", "file.orgs,bulk,x"), Code::ManifestRow, "manifest.csv", 4);
    refused(&in_manifest("file.orgs,bulk", "file.users,bulk"), Code::ManifestDuplicate, "manifest.csv", 5);
    refused(&in_manifest("manifest.version,1.0", "manifest.version,2.0"), Code::ManifestVersion, "manifest.csv", 2);
    refused(&in_manifest("manifest.version,1.0\n", ""), Code::ManifestVersion, "manifest.csv", 0);
    refused(&in_manifest("oneroster.version,1.2", "oneroster.version,1.3"), Code::OneRosterVersion, "manifest.csv", 3);
    refused(&in_manifest("file.orgs,bulk", "file.orgs,all"), Code::ManifestValue, "manifest.csv", 4);
    refused(&bulk_1_2().without("users.csv"), Code::ManifestFileMissing, "users.csv", 0);
    refused(&in_manifest("file.roles,bulk", "file.roles,absent"), Code::ManifestFileUnlisted, "roles.csv", 0);
    refused(&in_manifest("file.roles,bulk\n", "").without("roles.csv"), Code::ManifestRequired, "manifest.csv", 0);
    refused(&in_manifest("file.users,bulk\n", "").without("users.csv"), Code::ManifestRequired, "manifest.csv", 0);
    refused(&in_manifest("file.roles,bulk", "file.roles,delta"), Code::ManifestMixed, "manifest.csv", 0);
    finds(
        &in_manifest("oneroster.version,1.2", "oneroster.version,1.2").without("classes.csv"),
        &[("manifest.file_missing", "classes.csv", 0, E, W)],
    );
    finds(
        &in_manifest("file.classes,bulk", "file.classes,absent"),
        &[("manifest.file_unlisted", "classes.csv", 0, E, W)],
    );
    finds(&bulk_1_2().with("read me.txt", b"hello"), &[("zip.extra_file", "read me.txt", 0, W, W)]);
    let (_, result) = check(&in_manifest("oneroster.version,1.2", "oneroster.version,1.2.1").zip(), Profile::Lenient);
    assert_eq!(result.unwrap().warnings, 1);
}

#[test]
fn headers() {
    for (file, from, to) in [
        ("users.csv", "enabledUser,", "enableduser,"),
        ("users.csv", "givenName,familyName", "familyName,givenName"),
        ("users.csv", ",pronouns", ""),
        ("users.csv", ",pronouns", ",pronouns,shoeSize"),
        ("roles.csv", "roleType", "role_type"),
        ("orgs.csv", "parentSourcedId", "metadata.x,parentSourcedId"),
        ("enrollments.csv", "endDate", "end"),
    ] {
        refused(&bulk_1_2().replace(file, from, to), Code::HeaderMismatch, file, 1);
    }
    let mut empty = bulk_1_2();
    empty.get("users.csv").clear();
    refused(&empty, Code::FileEmpty, "users.csv", 1);
    let mut headless = bulk_1_2();
    headless.get("users.csv").drain(..0);
    *headless.get("users.csv") = b"S1,,,true,canary1,,Canarygiven,Canaryfamily\n".to_vec();
    refused(&headless, Code::HeaderMismatch, "users.csv", 1);

    let with_bom = bulk_1_2().replace("users.csv", "sourcedId,status", "\u{feff}sourcedId,status");
    finds(&with_bom, &[]);
    let metadata = bulk_1_2()
        .replace("orgs.csv", "parentSourcedId", "parentSourcedId,metadata.a,metadata.b")
        .replace("orgs.csv", "district,1,", "district,1,,,")
        .replace("orgs.csv", "school,2,D1", "school,2,D1,,x")
        .replace("orgs.csv", "school,3,D1", "school,3,D1,,");
    finds(&metadata, &[("column.ignored", "orgs.csv", 3, W, W)]);
}

#[test]
fn only_so_many_problems_of_a_kind_are_listed() {
    let mut files = bulk_1_2();
    for number in 0..50 {
        files = files.append("orgs.csv", format!("O{number},,,,school,,\n").as_bytes());
    }
    let options = Options { max_problems_per_code: 10, ..Options::new(Profile::Lenient) };
    let (kept, result) = check_with(&files.zip(), &options, Kept::default());
    assert_eq!(kept.problems.len(), 11);
    assert_eq!((kept.problems[10].code, result.unwrap().errors), (Code::More, 50));
    assert!(kept.problems[10].message.contains("40 more of value.required"));
    assert_eq!(kept.rejected.len(), 50);
}
