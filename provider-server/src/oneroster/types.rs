//! What the reader hands over and the writer takes.

use jiff::{Timestamp, civil::Date};

use super::report::Problem;

/// How much the reader puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What the standard does not allow is an error.
    Strict,
    /// What can be read in one way only is read so, with a warning.
    Lenient,
}

impl Profile {
    /// `strict` or `lenient`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "lenient" => Some(Self::Lenient),
            _ => None,
        }
    }

    /// The name that [`Profile::parse`] takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
        }
    }
}

/// The version of the binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.1: a user's schools are in `users.csv`.
    V1_1,
    /// 1.2 and 1.2.1: they are in `roles.csv`.
    V1_2,
}

impl Version {
    /// `1.1` or `1.2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }
}

/// Whether a file holds everything or the changes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything: what is absent is gone.
    Bulk,
    /// Changes: what is absent stays.
    Delta,
}

impl Kind {
    /// `bulk` or `delta`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Delta => "delta",
        }
    }
}

/// A row's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    Active,
    /// Marked for deletion.
    ToBeDeleted,
}

impl RowStatus {
    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ToBeDeleted => "tobedeleted",
        }
    }
}

/// Whether a school is the student's main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleType {
    Primary,
    Secondary,
}

impl RoleType {
    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// What an org is. Only a school can have students.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrgType {
    School,
    District,
    /// department, local, state, national or an extension
    Other,
}

/// An accepted row of `orgs.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgRow {
    /// Line in `orgs.csv`; the header is 1.
    pub line: u64,
    pub sourced_id: String,
    pub name: String,
    pub org_type: OrgType,
    pub status: RowStatus,
    pub identifier: Option<String>,
    pub parent_sourced_id: Option<String>,
    pub source_last_modified: Option<Timestamp>,
}

/// A student as the zip states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudentRow {
    /// Line in `users.csv`; of the first row in `roles.csv` or `demographics.csv` where [`fields`](Self::fields) is `None`.
    pub line: u64,
    pub sourced_id: String,
    pub status: RowStatus,
    /// `None`: a delta that says something of this student in other files than `users.csv` only.
    pub fields: Option<StudentFields>,
    /// `YYYY-MM-DD` of `demographics.csv`; `None` says nothing unless [`Summary::birth_dates`].
    pub birth_date: Option<Date>,
    /// One per school at most.
    pub enrollments: Vec<RosterEnrollment>,
    /// The list is whole: an enrollment that is not in it has ended. Else the list is changes.
    pub enrollments_complete: bool,
    /// The zip does not say that this is a student: take it only where the district already has the student.
    pub known_only: bool,
    pub source_last_modified: Option<Timestamp>,
}

/// The columns of `users.csv` that are kept, normalised: trimmed where lenient, NFC, blank is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudentFields {
    pub given_name: String,
    pub family_name: String,
    pub middle_name: Option<String>,
    /// `None` in 1.1, which has no such columns and so says nothing of them.
    pub preferred: Option<PreferredNames>,
    pub identifier: Option<String>,
    /// Of [`GRADES`](super::GRADES).
    pub grades: Vec<&'static str>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub enabled_user: bool,
    /// In a whole list one of the active enrollments; else only known to be an org.
    pub primary_org_sourced_id: Option<String>,
}

/// Names that the student goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferredNames {
    pub given: Option<String>,
    pub middle: Option<String>,
    pub family: Option<String>,
}

/// One student at one school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEnrollment {
    pub school_sourced_id: String,
    pub role_type: RoleType,
    /// First day.
    pub begin_date: Option<Date>,
    /// The day after the last.
    pub end_date: Option<Date>,
    /// `ToBeDeleted` only in a delta.
    pub status: RowStatus,
    /// Line in `roles.csv` (1.2) or `users.csv` (1.1).
    pub line: u64,
}

/// A row that was skipped for an error. It must never count as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// `orgs.csv`, `users.csv`, or `roles.csv` where its user is in no other row.
    pub file: &'static str,
    /// The org or student meant; `None` where it could not be read ([`Summary::hidden_rows`] counts those).
    pub sourced_id: Option<String>,
    pub line: u64,
}

/// What is known before the first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: Version,
    /// Of students: `users.csv`, else `roles.csv`, else `orgs.csv`.
    pub kind: Kind,
    /// `None`: there is no `orgs.csv`.
    pub orgs: Option<Kind>,
    /// The zip says something of students.
    pub students: bool,
    /// SHA-256 of the zip's bytes.
    pub sha256: [u8; 32],
}

/// What was read. Counts are rows unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All data rows of all files read.
    pub rows: u64,
    pub orgs: u64,
    pub schools: u64,
    /// Students handed over.
    pub students: u64,
    /// Students skipped for an error in one of their rows.
    pub rejected: u64,
    /// Users who are not students.
    pub ignored_users: u64,
    pub errors: u64,
    pub warnings: u64,
    /// Faulty rows that may have hidden whose they were, or other rows. Unless 0, absence proves nothing: no student
    /// may be deleted and no enrollment ended for being absent.
    pub hidden_rows: u64,
    /// `demographics.csv` was read for birth dates.
    pub birth_dates: bool,
    /// The newest dateLastModified of all rows; blank ones do not count.
    pub newest_source_change: Option<Timestamp>,
}

/// The receiver asks the reader to stop: cancelled, or it failed and keeps its own reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// Takes what the reader finds, in this order: head, orgs, students; problems and rejections between them.
pub trait Sink {
    /// Once, before any row.
    fn head(&mut self, _head: &Head) -> Result<(), Stop> {
        Ok(())
    }

    /// An accepted org.
    fn org(&mut self, org: OrgRow) -> Result<(), Stop>;

    /// An accepted student. Each sourcedId comes once.
    fn student(&mut self, student: StudentRow) -> Result<(), Stop>;

    /// A skipped row. A sourcedId may come here too after it was accepted, for a second row of the same id.
    fn rejected(&mut self, rejected: Rejected) -> Result<(), Stop>;

    /// A problem. At most [`Options::max_problems_per_code`](super::Options) of one code in one file, then one that counts the rest.
    fn problem(&mut self, problem: Problem) -> Result<(), Stop>;

    /// Whether the district already has this org, for files that name orgs they do not contain.
    fn known_org(&self, _sourced_id: &str) -> Option<OrgType> {
        None
    }

    /// Every few thousand rows: data rows read so far, of all files.
    fn progress(&mut self, _rows: u64) -> Result<(), Stop> {
        Ok(())
    }
}
