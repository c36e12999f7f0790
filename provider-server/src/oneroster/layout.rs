//! The files' columns. Names, case and order are the standard's.

pub use rollcall_proto::oneroster::{DEMOGRAPHIC_COLUMNS, FILES, ORG_COLUMNS, ROLE_COLUMNS, USER_COLUMNS_1_2};

use super::{
    code::Code,
    report::{Problem, Severity},
    row::Row,
    types::Version,
};

pub const MANIFEST: &str = "manifest.csv";
pub const ORGS: &str = "orgs.csv";
pub const USERS: &str = "users.csv";
pub const ROLES: &str = "roles.csv";
pub const ENROLLMENTS: &str = "enrollments.csv";
pub const DEMOGRAPHICS: &str = "demographics.csv";

/// The columns that every file starts with.
pub const SOURCED_ID: usize = 0;
pub const STATUS: usize = 1;
pub const DATE_LAST_MODIFIED: usize = 2;

pub const ENROLLMENT_COLUMNS: &[&str] = &[
    "sourcedId",
    "status",
    "dateLastModified",
    "classSourcedId",
    "schoolSourcedId",
    "userSourcedId",
    "role",
    "primary",
    "beginDate",
    "endDate",
];

pub const USER_COLUMNS_1_1: &[&str] = &[
    "sourcedId",
    "status",
    "dateLastModified",
    "enabledUser",
    "orgSourcedIds",
    "role",
    "username",
    "userIds",
    "givenName",
    "familyName",
    "middleName",
    "identifier",
    "email",
    "sms",
    "phone",
    "agentSourcedIds",
    "grades",
    "password",
];

/// The text of 1.2 from 2022 has one column more.
const USER_COLUMNS_1_2_OF_2022: &[&str] = &[
    "sourcedId",
    "status",
    "dateLastModified",
    "enabledUser",
    "username",
    "userIds",
    "givenName",
    "familyName",
    "middleName",
    "identifier",
    "email",
    "sms",
    "phone",
    "agentSourcedIds",
    "grades",
    "password",
    "userMasterIdentifier",
    "resourceSourcedIds",
    "preferredGivenName",
    "preferredMiddleName",
    "preferredFamilyName",
    "primaryOrgSourcedId",
    "pronouns",
];

/// The headers that a file may have.
pub fn headers(file: &str, version: Version) -> &'static [&'static [&'static str]] {
    match (file, version) {
        (ORGS, _) => &[ORG_COLUMNS],
        (USERS, Version::V1_1) => &[USER_COLUMNS_1_1],
        (USERS, Version::V1_2) => &[USER_COLUMNS_1_2, USER_COLUMNS_1_2_OF_2022],
        (ROLES, _) => &[ROLE_COLUMNS],
        (ENROLLMENTS, _) => &[ENROLLMENT_COLUMNS],
        (DEMOGRAPHICS, _) => &[DEMOGRAPHIC_COLUMNS],
        _ => &[],
    }
}

/// The columns of an open file.
pub struct Layout {
    columns: &'static [&'static str],
    width: usize,
}

impl Layout {
    /// Finds the header that this row is.
    ///
    /// # Errors
    /// The first column that differs from the header that fits best.
    pub fn of(file: &'static str, headers: &[&'static [&'static str]], row: &Row) -> Result<Self, Box<Problem>> {
        let mut furthest: Option<(usize, &'static [&'static str])> = None;
        for &columns in headers {
            let wrong = (0..columns.len().max(row.len())).find(|&at| match columns.get(at) {
                Some(column) => row.get(at) != *column,
                None => !row.get(at).starts_with("metadata."),
            });
            match wrong {
                None => return Ok(Self { columns, width: row.len() }),
                Some(at) if furthest.is_none_or(|(best, _)| at > best) => furthest = Some((at, columns)),
                Some(_) => {}
            }
        }
        let (at, columns) = furthest.unwrap_or((0, &[]));
        let problem = Problem::new(Severity::Error, file, Code::HeaderMismatch).line(1);
        // What stands there instead is not repeated: a file without a header starts with a person.
        Err(Box::new(match columns.get(at) {
            Some(column) => problem.field(*column).detail(format_args!("column {} must be {column}", at + 1)),
            None => problem.detail(format_args!("column {} is one too many", at + 1)),
        }))
    }

    /// The number of columns, with metadata.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Where a column is, if this version has it.
    pub fn find(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| *name == column)
    }

    /// The column's name; metadata columns share one.
    pub fn name(&self, index: usize) -> &'static str {
        self.columns.get(index).copied().unwrap_or("metadata")
    }

    /// Where the columns are that are not named here.
    pub fn others(&self, used: &[&str]) -> Vec<usize> {
        (0..self.width).filter(|&at| self.columns.get(at).is_none_or(|name| !used.contains(name))).collect()
    }
}
