//! From a file to staged rows: the reader works on a thread of its own, and what it finds is staged in batches.

use std::{collections::HashSet, fs::File, io::BufReader};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    model::{
        source_row::SourceStudent,
        student::{Enrollment, RoleType, StudentFields},
    },
    oneroster::{
        self, Head, Kind, Options, OrgRow, OrgType, Problem, Profile, ReadError, Rejected, RosterEnrollment, RowStatus,
        Sink, Stop, StudentRow, Summary,
    },
    store::{
        Store, StoreError,
        imports::{
            self, Run,
            plan::{Plan, SourceFacts},
            problems,
            staging::{self, Staged, StagedRow},
            surroundings,
        },
    },
};

/// Rows staged in one transaction.
const BATCH: usize = 1_000;
/// Batches that may wait for the database.
const WAITING: usize = 4;

/// How a reading ended.
pub enum End {
    /// All is staged.
    Read,
    /// The file cannot be used; why, in words.
    Refused(String),
    /// Cancelled, or the server stops.
    Stopped,
}

#[derive(Default)]
struct Batch {
    rows: Vec<StagedRow>,
    problems: Vec<Problem>,
    rows_read: u64,
}

/// Reads a file into the run's staged rows. `tell` is called after each batch.
pub async fn read(
    store: &Store,
    run: &Run,
    file: File,
    profile: Profile,
    cancelled: CancellationToken,
    tell: impl Fn(),
) -> Result<End, StoreError> {
    let (birth_dates, known_schools) = {
        let mut conn = store.reader().await?;
        let birth_dates = surroundings::keeps_birth_dates(&mut conn, run.district).await?;
        (birth_dates, surroundings::known_schools(&mut conn, run.district).await?)
    };
    let options = Options { birth_dates, ..Options::new(profile) };
    let (batches, mut staged) = mpsc::channel(WAITING);
    let mut stager =
        Stager { known_schools, batches, batch: Batch::default(), number: 0, head: None, cancelled: cancelled.clone() };
    let reading = tokio::task::spawn_blocking(move || {
        let read = oneroster::read(BufReader::new(file), &options, &mut stager);
        // What is left of a refused file are its problems.
        let flushed = stager.flush();
        (read, flushed, stager.head)
    });
    while let Some(batch) = staged.recv().await {
        let run = run.clone();
        let goes_on = store.act(move |tx| {
            Box::pin(async move {
                let Batch { rows, problems, rows_read } = batch;
                let goes_on = staging::add(tx, &run, rows, rows_read).await?;
                if goes_on {
                    problems::add(tx, run.id, problems).await?;
                }
                Ok(goes_on)
            })
        });
        if !goes_on.await? {
            cancelled.cancel();
        }
        tell();
    }
    let (read, flushed, head) =
        reading.await.map_err(|_| StoreError::Corrupt("the reader of a roster file panicked"))?;
    match (read, head) {
        (Ok(summary), Some(head)) if flushed.is_ok() && !cancelled.is_cancelled() => {
            keep(store, run, head, summary).await?;
            Ok(End::Read)
        }
        (Err(ReadError::Refused(problem)), _) => {
            let place = if problem.line > 0 { format!(", line {}", problem.line) } else { String::new() };
            Ok(End::Refused(format!("{}{place}: {}; {}", problem.file, problem.message, problem.how_to_fix)))
        }
        (Err(ReadError::Io(error)), _) => Ok(End::Refused(format!("the upload could not be read: {}", error.kind()))),
        _ => Ok(End::Stopped),
    }
}

/// The file is read: from here on a restart can go on.
async fn keep(store: &Store, run: &Run, head: Head, summary: Summary) -> Result<(), StoreError> {
    let plan = Plan {
        rejected: summary.rejected,
        warnings: summary.warnings,
        errors: summary.errors,
        sha256: head.sha256.to_vec(),
        newest_source_ms: summary.newest_source_change.map(|at| at.as_millisecond()),
        source: SourceFacts {
            bulk: head.kind == Kind::Bulk,
            birth_dates_read: summary.birth_dates,
            absence_proves_nothing: summary.hidden_rows > 0,
            students: head.students,
        },
        ..Plan::default()
    };
    let (id, rows) = (run.id, summary.rows);
    let names = (head.version.as_str(), head.kind.as_str());
    store.act(move |tx| Box::pin(async move { imports::read_done(tx, id, names, rows, &plan).await })).await
}

/// Turns what the reader finds into staged rows.
struct Stager {
    known_schools: HashSet<String>,
    batches: mpsc::Sender<Batch>,
    batch: Batch,
    number: u64,
    head: Option<Head>,
    cancelled: CancellationToken,
}

impl Stager {
    fn add(&mut self, sourced_id: String, line: u64, what: Staged) -> Result<(), Stop> {
        self.number += 1;
        self.batch.rows.push(StagedRow { number: self.number, sourced_id, line, what });
        if self.batch.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let rows_read = self.batch.rows_read;
        let batch = std::mem::replace(&mut self.batch, Batch { rows_read, ..Batch::default() });
        let sent = self.batches.blocking_send(batch);
        if sent.is_err() || self.cancelled.is_cancelled() { Err(Stop) } else { Ok(()) }
    }
}

impl Sink for Stager {
    fn head(&mut self, head: &Head) -> Result<(), Stop> {
        self.head = Some(head.clone());
        Ok(())
    }

    fn org(&mut self, org: OrgRow) -> Result<(), Stop> {
        // A school that is gone keeps its students until their own rows say otherwise.
        if org.org_type != OrgType::School || org.status != RowStatus::Active {
            return Ok(());
        }
        self.add(org.sourced_id, org.line, Staged::School(org.name))
    }

    fn student(&mut self, student: StudentRow) -> Result<(), Stop> {
        let (sourced_id, line) = (student.sourced_id.clone(), student.line);
        self.add(sourced_id, line, Staged::Student(Box::new(source_student(student))))
    }

    fn rejected(&mut self, rejected: Rejected) -> Result<(), Stop> {
        match rejected.sourced_id {
            Some(sourced_id) if rejected.file != "orgs.csv" => self.add(sourced_id, rejected.line, Staged::Rejected),
            _ => Ok(()),
        }
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Stop> {
        self.batch.problems.push(problem);
        if self.batch.problems.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn known_org(&self, sourced_id: &str) -> Option<OrgType> {
        self.known_schools.contains(sourced_id).then_some(OrgType::School)
    }

    fn progress(&mut self, rows: u64) -> Result<(), Stop> {
        self.batch.rows_read = rows;
        if self.cancelled.is_cancelled() { Err(Stop) } else { Ok(()) }
    }
}

fn source_student(row: StudentRow) -> SourceStudent {
    let stated = row.fields.is_some();
    let preferred_stated = row.fields.as_ref().is_some_and(|fields| fields.preferred.is_some());
    let enrollments = row.enrollments.into_iter().map(enrollment).collect();
    let empty = StudentFields {
        given_name: String::new(),
        family_name: String::new(),
        middle_name: None,
        preferred_given_name: None,
        preferred_middle_name: None,
        preferred_family_name: None,
        identifier: None,
        grades: Vec::new(),
        username: None,
        email: None,
        enabled_user: true,
        primary_org: None,
        birth_date: row.birth_date,
        enrollments,
    };
    let fields = match row.fields {
        None => empty,
        Some(stated) => {
            let preferred = stated.preferred.unwrap_or_default();
            StudentFields {
                given_name: stated.given_name,
                family_name: stated.family_name,
                middle_name: stated.middle_name,
                preferred_given_name: preferred.given,
                preferred_middle_name: preferred.middle,
                preferred_family_name: preferred.family,
                identifier: stated.identifier,
                grades: stated.grades.into_iter().map(str::to_owned).collect(),
                username: stated.username,
                email: stated.email,
                enabled_user: stated.enabled_user,
                primary_org: stated.primary_org_sourced_id,
                ..empty
            }
        }
    };
    SourceStudent {
        deleted: row.status == RowStatus::ToBeDeleted,
        stated,
        preferred_stated,
        complete: row.enrollments_complete,
        known_only: row.known_only,
        fields,
    }
}

fn enrollment(row: RosterEnrollment) -> Enrollment {
    let role = match row.role_type {
        oneroster::RoleType::Primary => RoleType::Primary,
        oneroster::RoleType::Secondary => RoleType::Secondary,
    };
    Enrollment {
        school: row.school_sourced_id,
        role,
        begin: row.begin_date,
        end: row.end_date,
        exit_reason: None,
        ended: row.status == RowStatus::ToBeDeleted,
    }
}
