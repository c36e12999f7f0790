//! `manifest.csv`: the version, and which files are bulk, delta or absent; and whether the zip agrees.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use super::{
    archive::{Archive, shown, unpack_error},
    code::Code,
    layout::{DEMOGRAPHICS, ENROLLMENTS, FILES, MANIFEST, ORGS, ROLES, USERS},
    output::Output,
    read::ReadError,
    report::{Problem, Severity},
    row::{Next, Row, RowReader},
    types::{Head, Kind, Profile, Version},
};

/// More properties than any manifest has.
const MAX_LINES: usize = 1_000;

/// What the manifest says.
#[derive(Debug)]
pub struct Manifest {
    pub version: Version,
    /// By file name; absent ones are not here.
    kinds: BTreeMap<String, Kind>,
}

impl Manifest {
    /// Reads it.
    ///
    /// # Errors
    /// [`ReadError::Refused`] with the line at fault.
    pub fn read<R: Read + Seek>(archive: &mut Archive<R>, out: &mut Output<'_>) -> Result<Self, ReadError> {
        if !archive.contains(MANIFEST) {
            return Err(refuse(Problem::new(Severity::Error, MANIFEST, Code::ManifestMissing)));
        }
        let mut rows = RowReader::new(archive.file(MANIFEST)?);
        let mut row = Row::default();
        let mut properties: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for count in 0.. {
            let line = rows.line();
            let next = rows.read(&mut row).map_err(|error| unpack_error(MANIFEST, line, error))?;
            let at = |code| Problem::new(Severity::Error, MANIFEST, code).line(line);
            match next {
                Next::End if count == 0 => return Err(refuse(at(Code::FileEmpty))),
                Next::End => break,
                _ if count > MAX_LINES => return Err(refuse(at(Code::TooManyRows))),
                Next::Row if count == 0 => {
                    if row.len() != 2 || row.get(0) != "propertyName" || row.get(1) != "value" {
                        return Err(refuse(at(Code::HeaderMismatch).detail("propertyName,value")));
                    }
                }
                Next::Row if row.len() == 2 => {
                    let property = row.get(0).trim().to_owned();
                    let known = properties.insert(property, (row.get(1).trim().to_owned(), line));
                    if known.is_some() {
                        return Err(refuse(at(Code::ManifestDuplicate).field(shown(row.get(0)))));
                    }
                }
                Next::Blank if count > 0 => {}
                _ => return Err(refuse(at(Code::ManifestRow))),
            }
        }
        let version = version(&properties, out)?;
        Ok(Self { version, kinds: kinds(&properties, out)? })
    }

    /// A file's kind; `None` where it is absent.
    pub fn kind(&self, file: &str) -> Option<Kind> {
        self.kinds.get(file).copied()
    }

    /// Compares with what the zip holds. Files that are not read may differ, to the lenient profile.
    ///
    /// # Errors
    /// [`ReadError::Refused`] where a file that is read is missing or not named.
    pub fn agree<R: Read + Seek>(&self, archive: &Archive<R>, out: &mut Output<'_>) -> Result<(), ReadError> {
        for file in self.kinds.keys().filter(|file| !archive.contains(file)) {
            differ(file, Code::ManifestFileMissing, self.version, out)?;
        }
        for name in archive.names().filter(|name| *name != MANIFEST && !self.kinds.contains_key(*name)) {
            if name.strip_suffix(".csv").is_some_and(|stem| FILES.contains(&stem)) {
                differ(name, Code::ManifestFileUnlisted, self.version, out)?;
            } else {
                out.problem(Problem::new(Severity::Warning, shown(name), Code::ZipExtra));
            }
        }
        Ok(())
    }

    /// What the run is, and whether these files together can be one.
    ///
    /// # Errors
    /// [`ReadError::Refused`] where a file is missing for a bulk roster, or kinds are mixed.
    pub fn head(&self, sha256: [u8; 32]) -> Result<Head, ReadError> {
        let (users, orgs) = (self.kind(USERS), self.kind(ORGS));
        let roles = if self.version == Version::V1_2 { self.kind(ROLES) } else { None };
        let property = |file: &'static str, code| {
            let stem = file.trim_end_matches(".csv");
            refuse(Problem::new(Severity::Error, MANIFEST, code).field(format!("file.{stem}")))
        };
        let students = users.or(roles);
        if students == Some(Kind::Bulk) {
            if users.is_none() {
                return Err(property(USERS, Code::ManifestRequired));
            }
            if self.version == Version::V1_2 && roles.is_none() {
                return Err(property(ROLES, Code::ManifestRequired));
            }
        }
        if users.is_some() && roles.is_some() && users != roles {
            return Err(property(ROLES, Code::ManifestMixed));
        }
        let Some(kind) = students.or(orgs) else { return Err(property(USERS, Code::ManifestRequired)) };
        Ok(Head { version: self.version, kind, orgs, students: students.is_some(), sha256 })
    }
}

fn version(properties: &BTreeMap<String, (String, u64)>, out: &mut Output<'_>) -> Result<Version, ReadError> {
    let property = |name: &'static str| properties.get(name).map_or(("", 0), |(value, line)| (value.as_str(), *line));
    let problem = |name, line, code| Problem::new(Severity::Error, MANIFEST, code).line(line).field(name);
    let (value, line) = property("manifest.version");
    if value != "1.0" {
        return Err(refuse(problem("manifest.version", line, Code::ManifestVersion)));
    }
    let (value, line) = property("oneroster.version");
    let other = problem("oneroster.version", line, Code::OneRosterVersion);
    match value {
        "1.1" => Ok(Version::V1_1),
        "1.2" => Ok(Version::V1_2),
        // An edition of 1.2, not a version of the binding.
        "1.2.1" | "1.2.0" if out.profile == Profile::Lenient => {
            out.repairable(other);
            Ok(Version::V1_2)
        }
        _ => Err(refuse(other)),
    }
}

fn kinds(
    properties: &BTreeMap<String, (String, u64)>,
    out: &mut Output<'_>,
) -> Result<BTreeMap<String, Kind>, ReadError> {
    let mut kinds = BTreeMap::new();
    for (property, (value, line)) in properties {
        let Some(stem) = property.strip_prefix("file.") else { continue };
        let problem = Problem::new(Severity::Error, MANIFEST, Code::ManifestValue).line(*line).field(shown(property));
        let lower = value.to_ascii_lowercase();
        let kind = match lower.as_str() {
            "bulk" => Some(Kind::Bulk),
            "delta" => Some(Kind::Delta),
            "absent" => None,
            _ => return Err(refuse(problem)),
        };
        if lower != *value && !out.repairable(problem.clone()) {
            return Err(refuse(problem));
        }
        if let Some(kind) = kind {
            kinds.insert(format!("{stem}.csv"), kind);
        }
    }
    Ok(kinds)
}

fn differ(file: &str, code: Code, version: Version, out: &mut Output<'_>) -> Result<(), ReadError> {
    let problem = Problem::new(Severity::Error, shown(file), code);
    let read = [ORGS, USERS, DEMOGRAPHICS, ENROLLMENTS].contains(&file) || (file == ROLES && version == Version::V1_2);
    if read {
        return Err(refuse(problem));
    }
    out.repairable(problem);
    Ok(())
}

fn refuse(problem: Problem) -> ReadError {
    ReadError::Refused(Box::new(problem))
}
