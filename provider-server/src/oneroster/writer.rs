//! Writes OneRoster 1.2.1 zips: orgs, users, roles, and birth dates where asked for. What it writes, the reader takes.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
    io::{self, Seek, Write},
};

use jiff::Timestamp;
use rollcall_proto::cell::neutral_within;
use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{
    layout::{DEMOGRAPHIC_COLUMNS, FILES, MANIFEST, ORG_COLUMNS, ORGS, ROLE_COLUMNS, ROLES, USER_COLUMNS_1_2, USERS},
    types::{Kind, OrgRow, OrgType, RosterEnrollment, RowStatus, StudentRow},
    value::MAX_CHARS,
};

/// What to write.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// In bulk, rows marked for deletion are left out.
    pub kind: Kind,
    /// dateLastModified of a delta's rows that have none of their own.
    pub at: Timestamp,
    /// Write `demographics.csv` with the birth dates, and nothing else in it.
    pub birth_dates: bool,
}

/// Writes a zip. The students are gone through once per file, so the iterator must be cheap to clone.
///
/// # Errors
/// Only those of `out`.
pub fn write<W, S>(out: W, options: &WriteOptions, orgs: &[OrgRow], students: S) -> io::Result<W>
where
    W: Write + Seek,
    S: Iterator<Item: Borrow<StudentRow>> + Clone,
{
    let mut zip = ZipWriter::new(out).set_auto_large_file();
    manifest(&mut zip, options)?;
    let taken = |status: RowStatus| options.kind == Kind::Delta || status == RowStatus::Active;

    file(&mut zip, ORGS, ORG_COLUMNS, |csv| {
        orgs.iter().filter(|org| taken(org.status)).try_for_each(|org| csv.write_record(org_row(options, org)))
    })?;
    file(&mut zip, USERS, USER_COLUMNS_1_2, |csv| {
        for student in students.clone() {
            let student = student.borrow();
            if taken(student.status) && (student.fields.is_some() || student.status == RowStatus::ToBeDeleted) {
                csv.write_record(user_row(options, student).iter().map(|value| value.as_bytes()))?;
            }
        }
        Ok(())
    })?;
    file(&mut zip, ROLES, ROLE_COLUMNS, |csv| {
        for student in students.clone() {
            let student = student.borrow();
            for role in student.enrollments.iter().filter(|role| taken(student.status) && taken(role.status)) {
                csv.write_record(role_row(options, student, role).iter().map(|value| value.as_bytes()))?;
            }
        }
        Ok(())
    })?;
    if options.birth_dates {
        file(&mut zip, "demographics.csv", DEMOGRAPHIC_COLUMNS, |csv| {
            for student in students.clone() {
                let student = student.borrow();
                if let Some(date) = student.birth_date.filter(|_| taken(student.status)) {
                    let [status, at] = marks(options, student.status, student.source_last_modified);
                    let mut row = vec![student.sourced_id.clone(), status, at, date.to_string()];
                    row.resize(DEMOGRAPHIC_COLUMNS.len(), String::new());
                    csv.write_record(row)?;
                }
            }
            Ok(())
        })?;
    }
    Ok(zip.finish()?)
}

fn manifest<W: Write + Seek>(zip: &mut ZipWriter<W>, options: &WriteOptions) -> io::Result<()> {
    let kind = options.kind.as_str();
    let written: BTreeMap<&str, bool> =
        [("orgs", true), ("users", true), ("roles", true), ("demographics", options.birth_dates)].into();
    file(zip, MANIFEST, &["propertyName", "value"], |csv| {
        csv.write_record(["manifest.version", "1.0"])?;
        csv.write_record(["oneroster.version", "1.2"])?;
        for stem in FILES {
            let value = if written.get(stem).copied().unwrap_or(false) { kind } else { "absent" };
            csv.write_record([&format!("file.{stem}"), value])?;
        }
        csv.write_record(["source.systemName", "Rollcall"])
    })
}

fn file<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    columns: &[&str],
    rows: impl FnOnce(&mut csv::Writer<&mut ZipWriter<W>>) -> csv::Result<()>,
) -> io::Result<()> {
    zip.start_file(name, SimpleFileOptions::default())?;
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(zip);
    csv.write_record(columns)?;
    rows(&mut csv)?;
    csv.flush()
}

fn org_row(options: &WriteOptions, org: &OrgRow) -> [String; 7] {
    let [status, at] = marks(options, org.status, org.source_last_modified);
    let org_type = match org.org_type {
        OrgType::School => "school",
        OrgType::District => "district",
        OrgType::Other => "department",
    };
    let parent = org.parent_sourced_id.clone().unwrap_or_default();
    [
        org.sourced_id.clone(),
        status,
        at,
        safe(&org.name).into_owned(),
        org_type.into(),
        optional(&org.identifier).into_owned(),
        parent,
    ]
}

fn user_row<'a>(options: &WriteOptions, student: &'a StudentRow) -> [Cow<'a, str>; 22] {
    let mut row = [const { Cow::Borrowed("") }; 22];
    let [status, at] = marks(options, student.status, student.source_last_modified);
    row[0] = Cow::Borrowed(&student.sourced_id);
    row[1] = status.into();
    row[2] = at.into();
    row[3] = "true".into();
    let Some(fields) = &student.fields else { return row };
    row[3] = if fields.enabled_user { "true".into() } else { "false".into() };
    row[4] = optional(&fields.username);
    row[6] = safe(&fields.given_name);
    row[7] = safe(&fields.family_name);
    row[8] = optional(&fields.middle_name);
    row[9] = optional(&fields.identifier);
    row[10] = optional(&fields.email);
    row[14] = fields.grades.join(",").into();
    if let Some(preferred) = &fields.preferred {
        row[17] = optional(&preferred.given);
        row[18] = optional(&preferred.middle);
        row[19] = optional(&preferred.family);
    }
    row[20] = fields.primary_org_sourced_id.as_deref().unwrap_or("").into();
    row
}

fn role_row<'a>(options: &WriteOptions, student: &'a StudentRow, role: &'a RosterEnrollment) -> [Cow<'a, str>; 10] {
    let status = if student.status == RowStatus::ToBeDeleted { student.status } else { role.status };
    let [status, at] = marks(options, status, student.source_last_modified);
    let day = |date: Option<jiff::civil::Date>| Cow::Owned(date.map(|date| date.to_string()).unwrap_or_default());
    [
        role_id(&student.sourced_id, &role.school_sourced_id).into(),
        status.into(),
        at.into(),
        Cow::Borrowed(&student.sourced_id),
        role.role_type.as_str().into(),
        "student".into(),
        day(role.begin_date),
        day(role.end_date),
        Cow::Borrowed(&role.school_sourced_id),
        "".into(),
    ]
}

/// The same role has the same id in every zip; the two ids together may be longer than an id can be.
fn role_id(user: &str, org: &str) -> String {
    let hash = Sha256::new().chain_update(user).chain_update([0]).chain_update(org).finalize();
    format!("role-{}", hex::encode(&hash[..16]))
}

/// status and dateLastModified: blank in bulk.
fn marks(options: &WriteOptions, status: RowStatus, at: Option<Timestamp>) -> [String; 2] {
    match options.kind {
        Kind::Bulk => [String::new(), String::new()],
        Kind::Delta => [status.as_str().to_owned(), format!("{:.3}", at.unwrap_or(options.at))],
    }
}

fn optional(value: &Option<String>) -> Cow<'_, str> {
    value.as_deref().map(safe).unwrap_or_default()
}

/// As in the report, but never longer than a value may be.
/// Ids are not passed through here: their characters make no formula, and another id would be another student.
fn safe(value: &str) -> Cow<'_, str> {
    neutral_within(value, MAX_CHARS)
}
