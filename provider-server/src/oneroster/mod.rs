//! OneRoster zips: the CSV binding 1.1, 1.2 and 1.2.1, bulk and delta. A pure library: no database, no clock, no async.
//!
//! [`read`] streams a zip through every check into a [`Sink`]: first the head, then orgs, then students with their
//! school enrollments, and problems as they are met. Memory is bounded by the number of users (about 60 bytes each),
//! never by the size of the files. [`write`](writer::write) makes zips, and [`generator`] makes seeded rosters for it.
//!
//! Errors: what makes the whole zip unusable is [`ReadError::Refused`]; what makes one row unusable is a [`Problem`] of
//! severity error and a [`Sink::rejected`]. No text of either contains a value of the file other than a sourcedId.

mod archive;
mod check;
mod code;
mod compose;
pub mod generator;
mod keys;
mod layout;
mod links;
mod manifest;
mod orgs;
mod output;
mod read;
pub mod report;
mod roles;
mod row;
mod side_files;
mod table;
mod types;
mod users;
mod value;
pub mod writer;

pub use archive::Limits;
pub use code::Code;
pub use read::{Options, ReadError, read};
pub use report::{Problem, Severity};
pub use types::{
    Head, Kind, OrgRow, OrgType, PreferredNames, Profile, Rejected, RoleType, RosterEnrollment, RowStatus, Sink, Stop,
    StudentFields, StudentRow, Summary, Version,
};
pub use value::GRADES;
