//! One read of a zip, from its directory to the last check.

use std::io::{self, Read, Seek};

use super::{
    archive::{Archive, Limits, sha256},
    code::Code,
    keys::Keys,
    layout::{DEMOGRAPHICS, ENROLLMENTS, ORGS, ROLES, USERS},
    links::Links,
    manifest::Manifest,
    orgs::{self, Orgs},
    output::Output,
    report::{Problem, Severity},
    roles, side_files,
    table::Table,
    types::{Head, Kind, Profile, Sink, Summary, Version},
    users::{self, Users},
};

/// How to read.
#[derive(Clone, Debug)]
pub struct Options {
    pub profile: Profile,
    /// The district keeps birth dates. Else `demographics.csv` is not even read.
    pub birth_dates: bool,
    pub limits: Limits,
    /// So many problems of one code in one file are listed; the rest is counted.
    pub max_problems_per_code: u64,
}

impl Options {
    /// With a profile, and ordinary limits.
    pub fn new(profile: Profile) -> Self {
        Self { profile, birth_dates: false, limits: Limits::default(), max_problems_per_code: 10_000 }
    }
}

/// Why a read ended early. What the sink got until then must not be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The zip cannot be used. The sink got the same problem.
    #[error("{}: {}", .0.file, .0.message)]
    Refused(Box<Problem>),
    /// The zip could not be read from its place.
    #[error("reading the zip failed")]
    Io(#[source] io::Error),
    /// The sink asked for it.
    #[error("the reading was stopped")]
    Stopped,
}

/// Reads a zip through every check into the sink.
///
/// # Errors
/// [`ReadError`]; errors of single rows are no errors of the read.
pub fn read<R: Read + Seek>(mut zip: R, options: &Options, sink: &mut dyn Sink) -> Result<Summary, ReadError> {
    let mut out = Output::new(sink, options.profile, options.max_problems_per_code);
    match read_all(&mut zip, options, &mut out) {
        Ok(()) => out.finish(),
        Err(ReadError::Refused(problem)) => {
            out.refused(&problem);
            Err(ReadError::Refused(problem))
        }
        Err(other) => Err(other),
    }
}

fn read_all<R: Read + Seek>(zip: &mut R, options: &Options, out: &mut Output<'_>) -> Result<(), ReadError> {
    let limits = &options.limits;
    let hash = sha256(zip)?;
    let mut archive = Archive::open(zip, limits)?;
    let manifest = Manifest::read(&mut archive, out)?;
    manifest.agree(&archive, out)?;
    let head = manifest.head(hash)?;
    out.head(&head);
    out.check_stop()?;

    let mut files = Files { archive, manifest: &manifest, limits };
    let mut orgs = match files.open(ORGS)? {
        Some((table, kind)) => orgs::read(table, kind, out)?,
        None => Orgs::unstated(),
    };
    let links = if head.students { read_students(&mut files, &head, options, &mut orgs, out)? } else { None };
    if let Some((table, kind)) = files.open(ENROLLMENTS)? {
        let users_whole = manifest.kind(USERS) == Some(Kind::Bulk);
        let links = links.unwrap_or_else(|| Links::new(Keys::new(), Vec::new()));
        side_files::check_enrollments(table, kind, head.version, users_whole, &mut orgs, &links, out)?;
    }
    Ok(())
}

/// Reads everything about students, and answers who is a user.
fn read_students<R: Read + Seek>(
    files: &mut Files<'_, R>,
    head: &Head,
    options: &Options,
    orgs: &mut Orgs,
    out: &mut Output<'_>,
) -> Result<Option<Links>, ReadError> {
    let max_users = options.limits.max_users;
    let keys = Keys::new();
    let users = match files.open(USERS)? {
        Some((table, _)) => users::read_keys(table, &keys, max_users)?,
        None => Vec::new(),
    };
    let mut links = Links::new(keys, users);
    if head.version == Version::V1_2
        && let Some((table, kind)) = files.open(ROLES)?
    {
        roles::read(table, kind, orgs, &mut links, max_users, out)?;
    }
    if let Some((table, kind)) = files.open(DEMOGRAPHICS)? {
        if options.birth_dates {
            side_files::read_birth_dates(table, kind, &mut links, max_users, out)?;
            out.summary.birth_dates = true;
        } else {
            out.problem(Problem::new(Severity::Warning, DEMOGRAPHICS, Code::FileIgnored));
        }
    }
    let mut users = Users::new(head.version, head.kind, orgs, &links);
    if let Some((table, _)) = files.open(USERS)? {
        users.read(table, out)?;
    }
    users.finish(out)?;
    links.drop_roles();
    Ok(Some(links))
}

/// The files that the manifest names.
struct Files<'a, R> {
    archive: Archive<R>,
    manifest: &'a Manifest,
    limits: &'a Limits,
}

impl<R: Read + Seek> Files<'_, R> {
    /// Opens one; `None` where it is absent.
    fn open(&mut self, file: &'static str) -> Result<Option<(Table<'_>, Kind)>, ReadError> {
        let Some(kind) = self.manifest.kind(file) else { return Ok(None) };
        let max_rows = if file == ORGS { self.limits.max_orgs } else { self.limits.max_rows };
        let input = self.archive.file(file)?;
        Ok(Some((Table::open(file, self.manifest.version, input, max_rows)?, kind)))
    }
}
