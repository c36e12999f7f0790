//! Files beside the users: birth dates where a district keeps them, and class enrollments, which are only checked.

use super::{
    check::RowCheck,
    code::Code,
    keys::Seen,
    layout::{DEMOGRAPHIC_COLUMNS, ENROLLMENT_COLUMNS},
    links::Links,
    orgs::Orgs,
    output::Output,
    read::ReadError,
    table::{Ignored, Table},
    types::{Kind, RowStatus, Version},
};

const BIRTH_DATE: usize = 3;

const CLASS: usize = 3;
const SCHOOL: usize = 4;
const USER: usize = 5;
const ROLE: usize = 6;
const PRIMARY: usize = 7;
const BEGIN: usize = 8;
const END: usize = 9;

/// So many ids of class enrollments are remembered for finding duplicates (9 bytes each, twice while it grows).
const MAX_ENROLLMENT_IDS: usize = 1_800_000;

/// Reads `demographics.csv`: birth dates and nothing else.
///
/// # Errors
/// Those of the table.
pub fn read_birth_dates(
    mut table: Table<'_>,
    kind: Kind,
    links: &mut Links,
    max_users: u64,
    out: &mut Output<'_>,
) -> Result<(), ReadError> {
    let mut ignored = Ignored::all_but(&table.layout, &DEMOGRAPHIC_COLUMNS[..=BIRTH_DATE]);
    let mut seen = Seen::default();
    loop {
        // A faulty row's student would lose the birth date, so the student is left as is.
        let next = table.next_good(out, |row, out| match links.find(row.get(0)) {
            Some(user) if !row.spans_lines() => links.taint(user),
            _ => out.summary.hidden_rows += 1,
        })?;
        if next.is_none() {
            return Ok(());
        }
        ignored.check(&table, out);
        let mut check = RowCheck::new(&table, out);
        let (id, status) = (check.sourced_id(), check.status(kind));
        check.last_modified(kind);
        let date = check.date(BIRTH_DATE);
        let Some(id) = id else {
            out.summary.hidden_rows += 1;
            continue;
        };
        if !seen.first(links.keys().short(id)) {
            check.error(0, Code::IdDuplicate);
            continue;
        }
        let user = match links.find(id) {
            Some(user) => user,
            None if kind == Kind::Delta => links.find_or_add(id, check.line()),
            None => {
                check.repair(0, Code::RefUser);
                continue;
            }
        };
        match date {
            _ if !check.good() => links.taint(user),
            Some(date) if status == RowStatus::Active => links.set_birth_date(user, date),
            _ => {}
        }
        if links.held() > max_users {
            return Err(table.too_many());
        }
    }
}

/// Checks `enrollments.csv`. `users_whole`: every user is in the zip.
///
/// # Errors
/// Those of the table.
pub fn check_enrollments(
    mut table: Table<'_>,
    kind: Kind,
    version: Version,
    users_whole: bool,
    orgs: &mut Orgs,
    links: &Links,
    out: &mut Output<'_>,
) -> Result<(), ReadError> {
    let roles: &[&str] = match version {
        Version::V1_1 => &["student", "teacher", "administrator", "aide", "guardian", "parent", "proctor", "relative"],
        Version::V1_2 => &["student", "teacher", "administrator", "aide", "proctor"],
    };
    let mut ignored = Ignored::all_but(&table.layout, ENROLLMENT_COLUMNS);
    let mut seen = Seen::default();
    while table.next_good(out, |_, _| {})?.is_some() {
        ignored.check(&table, out);
        let mut check = RowCheck::new(&table, out);
        if let Some(id) = check.sourced_id()
            && seen.len() < MAX_ENROLLMENT_IDS
            && !seen.first(links.keys().short(id))
        {
            check.error(0, Code::IdDuplicate);
        }
        check.status(kind);
        check.last_modified(kind);
        check.id(CLASS, true);
        if let Some(school) = check.id(SCHOOL, true)
            && orgs.find(school, check.out).is_none()
        {
            check.error(SCHOOL, Code::RefOrg);
        }
        if let Some(user) = check.id(USER, true)
            && users_whole
            && links.find(user).is_none()
        {
            check.error(USER, Code::RefUser);
        }
        check.one_of(ROLE, roles, true);
        check.boolean(PRIMARY);
        check.dates(BEGIN, END);
    }
    Ok(())
}
