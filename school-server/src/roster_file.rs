//! The roster as a file, in the forms that others take: the wire's JSON lines, a CSV for a spreadsheet, a OneRoster 1.2.1
//! zip for another program. Written as a stream: neither a seek nor the whole file is needed.

use std::io::{self, Write};

use rollcall_proto::{
    cell::{neutral, neutral_within},
    oneroster::{
        DEMOGRAPHIC_COLUMNS as DEMOGRAPHICS, FILES, ORG_COLUMNS as ORGS, ROLE_COLUMNS as ROLES,
        USER_COLUMNS_1_2 as USERS,
    },
    webhook::event::{EnrollmentObject, StudentObject},
};
use sha2::{Digest, Sha256};
use zip::{
    ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use crate::store::read::HeldStudent;

const COLUMNS: [&str; 18] = [
    "sourcedId",
    "givenName",
    "familyName",
    "middleName",
    "preferredGivenName",
    "preferredMiddleName",
    "preferredFamilyName",
    "identifier",
    "grades",
    "username",
    "email",
    "enabledUser",
    "primaryOrgSourcedId",
    "beginDate",
    "endDate",
    "birthDate",
    "version",
    "dateLastModified",
];

/// Characters of a value.
const MAX_CHARS: usize = 255;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The wire form, a student a line, sorted by sourcedId: what the two sides are compared by.
    JsonLines,
    /// A header, then a student a line.
    Csv,
    /// A zip with manifest, orgs, users and roles, and demographics where there are birth dates; bulk. Who is at this school on
    /// the side has no primary role in it: that school is not ours to know.
    OneRoster,
}

impl Form {
    /// By its name; empty means JSON lines.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "" | "jsonl" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "oneroster" => Some(Self::OneRoster),
            _ => None,
        }
    }
}

/// The school that the roster is of.
#[derive(Clone, Debug)]
pub struct School {
    /// OneRoster's key.
    pub sourced_id: String,
    /// Its name, as the provider told it.
    pub name: String,
}

/// Writes the roster.
///
/// # Errors
/// Those of `out` and of `students`, and [`io::ErrorKind::InvalidData`] where a stored record is damaged.
pub fn write<W: Write>(
    form: Form,
    mut out: W,
    school: &School,
    students: impl Iterator<Item = io::Result<HeldStudent>>,
) -> io::Result<()> {
    match form {
        Form::JsonLines => {
            for student in students {
                out.write_all(student?.json.as_bytes())?;
                out.write_all(b"\n")?;
            }
        }
        Form::Csv => {
            let mut csv = writer(&mut out);
            csv.write_record(COLUMNS)?;
            for student in students {
                csv.write_record(plain_row(&object(&student?)?))?;
            }
            csv.flush()?;
        }
        Form::OneRoster => out = one_roster(out, school, students)?,
    }
    out.flush()
}

fn object(student: &HeldStudent) -> io::Result<StudentObject> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a stored record is damaged");
    student.object().ok_or_else(damaged)
}

fn writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out)
}

/// Users are gone through once. What other files tell of them is kept until then: some 100 bytes a student.
fn one_roster<W: Write>(
    out: W,
    school: &School,
    students: impl Iterator<Item = io::Result<HeldStudent>>,
) -> io::Result<W> {
    let mut zip = ZipWriter::new_stream(out);
    let (mut roles, mut birth_dates) = (Vec::new(), Vec::new());
    file(&mut zip, "users.csv", USERS, |csv| {
        for student in students {
            let student = object(&student?)?;
            csv.write_record(user_row(&student))?;
            let active = student.school_enrollments.iter().filter(|enrollment| enrollment.status.is_none());
            roles.extend(active.enumerate().map(|(number, active)| role_row(&student.sourced_id, number, active)));
            birth_dates.extend(student.birth_date.map(|date| (student.sourced_id, date.to_string())));
        }
        Ok(())
    })?;
    file(&mut zip, "roles.csv", ROLES, |csv| Ok(roles.iter().try_for_each(|role| csv.write_record(role))?))?;
    if !birth_dates.is_empty() {
        file(&mut zip, "demographics.csv", DEMOGRAPHICS, |csv| {
            for (sourced_id, date) in &birth_dates {
                let mut row = [""; DEMOGRAPHICS.len()];
                (row[0], row[3]) = (sourced_id, date);
                csv.write_record(row)?;
            }
            Ok(())
        })?;
    }
    let name = if school.name.is_empty() { &school.sourced_id } else { &school.name };
    file(&mut zip, "orgs.csv", ORGS, |csv| {
        Ok(csv.write_record([
            school.sourced_id.as_str(),
            "",
            "",
            &*neutral_within(name, MAX_CHARS),
            "school",
            "",
            "",
        ])?)
    })?;
    file(&mut zip, "manifest.csv", &["propertyName", "value"], |csv| {
        csv.write_record(["manifest.version", "1.0"])?;
        csv.write_record(["oneroster.version", "1.2"])?;
        for stem in FILES {
            let is_written = match stem {
                "orgs" | "users" | "roles" => true,
                "demographics" => !birth_dates.is_empty(),
                _ => false,
            };
            csv.write_record([&*format!("file.{stem}"), if is_written { "bulk" } else { "absent" }])?;
        }
        Ok(csv.write_record(["source.systemName", "Rollcall"])?)
    })?;
    Ok(zip.finish()?.into_inner())
}

fn file<W: Write>(
    zip: &mut ZipWriter<StreamWriter<W>>,
    name: &str,
    columns: &[&str],
    rows: impl FnOnce(&mut csv::Writer<&mut ZipWriter<StreamWriter<W>>>) -> io::Result<()>,
) -> io::Result<()> {
    zip.start_file(name, SimpleFileOptions::default())?;
    let mut csv = writer(zip);
    csv.write_record(columns)?;
    rows(&mut csv)?;
    csv.flush()
}

fn text(value: &Option<String>) -> String {
    neutral(value.as_deref().unwrap_or_default()).into_owned()
}

/// The same, never longer than a value of the standard may be.
fn safe(value: &Option<String>) -> String {
    neutral_within(value.as_deref().unwrap_or_default(), MAX_CHARS).into_owned()
}

fn yes_or_no(yes: bool) -> String {
    if yes { "true" } else { "false" }.to_owned()
}

fn day(date: Option<jiff::civil::Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// For people: ids too are neutralised, because a spreadsheet takes them for formulas like any other text.
fn plain_row(student: &StudentObject) -> [String; COLUMNS.len()] {
    let enrollment = student.school_enrollments.iter().find(|enrollment| enrollment.status.is_none());
    [
        neutral(&student.sourced_id).into_owned(),
        neutral(&student.given_name).into_owned(),
        neutral(&student.family_name).into_owned(),
        text(&student.middle_name),
        text(&student.preferred_given_name),
        text(&student.preferred_middle_name),
        text(&student.preferred_family_name),
        text(&student.identifier),
        student.grades.join(","),
        text(&student.username),
        text(&student.email),
        yes_or_no(student.enabled_user),
        text(&student.primary_org_sourced_id),
        day(enrollment.and_then(|enrollment| enrollment.begin_date)),
        day(enrollment.and_then(|enrollment| enrollment.end_date)),
        day(student.birth_date),
        student.version.to_string(),
        format!("{:.3}", student.date_last_modified),
    ]
}

/// For programs: ids stay as they are, because another id would be another student.
fn user_row(student: &StudentObject) -> [String; USERS.len()] {
    let mut row = [const { String::new() }; USERS.len()];
    row[0].clone_from(&student.sourced_id);
    row[3] = yes_or_no(student.enabled_user);
    row[4] = safe(&student.username);
    row[6] = neutral_within(&student.given_name, MAX_CHARS).into_owned();
    row[7] = neutral_within(&student.family_name, MAX_CHARS).into_owned();
    row[8] = safe(&student.middle_name);
    row[9] = safe(&student.identifier);
    row[10] = safe(&student.email);
    row[14] = student.grades.join(",");
    row[17] = safe(&student.preferred_given_name);
    row[18] = safe(&student.preferred_middle_name);
    row[19] = safe(&student.preferred_family_name);
    row[20] = student.primary_org_sourced_id.clone().unwrap_or_default();
    row
}

fn role_row(user: &str, number: usize, enrollment: &EnrollmentObject) -> [String; ROLES.len()] {
    let mut row = [const { String::new() }; ROLES.len()];
    row[0] = role_id(user, &enrollment.school_sourced_id, number);
    row[3] = user.to_owned();
    row[4].clone_from(&enrollment.role_type);
    row[5] = "student".to_owned();
    row[6] = day(enrollment.begin_date);
    row[7] = day(enrollment.end_date);
    row[8].clone_from(&enrollment.school_sourced_id);
    row
}

/// The same role has the same id in every zip; the ids together may be longer than an id can be.
fn role_id(user: &str, org: &str, number: usize) -> String {
    let mut hash = Sha256::new().chain_update(user).chain_update([0]).chain_update(org);
    if number > 0 {
        hash.update((number as u64).to_be_bytes());
    }
    format!("role-{}", hex::encode(&hash.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(json: &str) -> io::Result<HeldStudent> {
        Ok(HeldStudent { sourced_id: String::new(), json: json.into(), received_at_ms: 0 })
    }

    fn file_of(form: Form, students: &[&str]) -> io::Result<Vec<u8>> {
        let school = School { sourced_id: "sch-7".into(), name: "Hill".into() };
        let mut out = Vec::new();
        write(form, &mut out, &school, students.iter().map(|json| held(json)))?;
        Ok(out)
    }

    const ADA: &str = r#"{"sourcedId":"S-1","status":"active","version":3,"dateLastModified":"2026-11-23T16:05:12.001Z",
        "givenName":"=Ada","familyName":"O\"Neil","grades":["07","08"],"enabledUser":true,"birthDate":"2014-02-28",
        "schoolEnrollments":[{"schoolSourcedId":"sch-7","roleType":"primary","beginDate":"2026-08-17"}]}"#;

    #[test]
    fn a_csv_is_for_people_and_holds_no_formula() {
        let text = String::from_utf8(file_of(Form::Csv, &[ADA]).expect("written")).expect("a text");
        let (header, row) = text.trim_end().split_once("\r\n").expect("two lines");
        assert_eq!(header, COLUMNS.join(","));
        assert_eq!(
            row,
            "S-1,'=Ada,\"O\"\"Neil\",,,,,,\"07,08\",,,true,,2026-08-17,,2014-02-28,3,2026-11-23T16:05:12.001Z"
        );
        let empty = file_of(Form::Csv, &[]).expect("written");
        assert_eq!(empty, format!("{}\r\n", COLUMNS.join(",")).as_bytes());
    }

    #[test]
    fn lines_are_as_they_are_stored_and_a_damaged_record_ends_other_forms() {
        assert_eq!(file_of(Form::JsonLines, &["{}", "x"]).expect("written"), b"{}\nx\n");
        for form in [Form::Csv, Form::OneRoster] {
            let error = file_of(form, &[ADA, "x"]).expect_err("damaged");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(!error.to_string().contains('x'), "{error}");
        }
    }

    #[test]
    fn birth_dates_have_a_file_of_their_own_only_where_there_are_any() {
        let names = |students: &[&str]| {
            let bytes = file_of(Form::OneRoster, students).expect("written");
            let zip = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("a zip");
            let mut names: Vec<String> = zip.file_names().map(|name| name.expect("a name").into_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&[ADA]), ["demographics.csv", "manifest.csv", "orgs.csv", "roles.csv", "users.csv"]);
        assert_eq!(names(&[]), ["manifest.csv", "orgs.csv", "roles.csv", "users.csv"]);
    }
}
