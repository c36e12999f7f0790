//! `roles.csv` of 1.2: which user is a student where.

use super::{
    check::RowCheck,
    code::Code,
    keys::Seen,
    layout::{ROLE_COLUMNS, ROLES},
    links::{Links, Role},
    orgs::Orgs,
    output::Output,
    read::ReadError,
    table::{Ignored, Table},
    types::{Kind, RoleType},
};

const USER: usize = 3;
const ROLE_TYPE: usize = 4;
const ROLE: usize = 5;
const BEGIN: usize = 6;
const END: usize = 7;
const ORG: usize = 8;

const STUDENT: &str = "student";
const ROLE_NAMES: &[&str] = &[
    STUDENT,
    "teacher",
    "aide",
    "counselor",
    "districtAdministrator",
    "guardian",
    "parent",
    "principal",
    "proctor",
    "relative",
    "siteAdministrator",
    "systemAdministrator",
];

/// Reads the file into the links.
///
/// # Errors
/// Those of the table.
pub fn read(
    mut table: Table<'_>,
    kind: Kind,
    orgs: &mut Orgs,
    links: &mut Links,
    max_users: u64,
    out: &mut Output<'_>,
) -> Result<(), ReadError> {
    let mut ignored = Ignored::all_but(&table.layout, &ROLE_COLUMNS[..9]);
    let mut seen = Seen::default();
    // Whose role a faulty row was cannot be told.
    while table.next_good(out, |_, out| out.summary.hidden_rows += 1)?.is_some() {
        ignored.check(&table, out);
        row(&table, kind, orgs, links, &mut seen, out);
        if links.held() > max_users {
            return Err(table.too_many());
        }
    }
    Ok(())
}

fn row(table: &Table<'_>, kind: Kind, orgs: &mut Orgs, links: &mut Links, seen: &mut Seen, out: &mut Output<'_>) {
    let mut check = RowCheck::new(table, out);
    let line = check.line();
    if let Some(id) = check.sourced_id()
        && !seen.first(links.keys().short(id))
    {
        check.error(0, Code::IdDuplicate);
    }
    let status = check.status(kind);
    check.last_modified(kind);
    let user_id = check.id(USER, true);
    let role_type = check.one_of(ROLE_TYPE, &["primary", "secondary"], false);
    let role = check.one_of(ROLE, ROLE_NAMES, true);
    let (begin, end) = check.dates(BEGIN, END);
    let org = check.id(ORG, true).and_then(|id| match orgs.find(id, check.out) {
        Some(org) => Some(org),
        None => check.none(ORG, Code::RefOrg),
    });
    // A role that cannot be read may be a student's.
    let of_student = role.is_none_or(|role| role == STUDENT);

    let Some(user_id) = user_id else {
        out.summary.hidden_rows += u64::from(of_student);
        return;
    };
    let user = match links.find(user_id) {
        Some(user) => user,
        None if kind == Kind::Delta => links.find_or_add(user_id, line),
        None => {
            check.error(USER, Code::RefUser);
            if of_student {
                out.rejected(ROLES, Some(user_id), line);
            }
            return;
        }
    };
    match (check.good(), org, role_type) {
        (true, Some(org), Some(role_type)) if of_student => {
            let role_type = if role_type == "primary" { RoleType::Primary } else { RoleType::Secondary };
            links.add_role(user, Role { org, role_type, status, begin, end, line });
        }
        _ if of_student => links.taint(user),
        _ => links.mark_staff(user),
    }
}
