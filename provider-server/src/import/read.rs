//! Reading a zip through every check, on a thread of its own, while its rows are staged beside it.

use std::{collections::HashMap, fs::File, io::Seek};

use rollcall_proto::id::{DistrictId, RunId};
use tokio::sync::mpsc;

use super::{Imports, worker};
use crate::{
    model::{
        source_row::SourceStudent,
        student::{Enrollment, RoleType, StudentFields},
    },
    oneroster::{
        self, Head, Options, OrgRow, OrgType, Problem, Profile, ReadError, Rejected, RowStatus, Sink, Stop, StudentRow,
        Summary,
    },
    store::{
        StoreError,
        imports::{
            self, Counts, Detail, problems,
            staging::{self, ReadFile, Sealer, StagedRow},
        },
    },
};

/// Staged rows and problems in one transaction.
const BATCH: usize = 1_024;
/// Batches between the thread and the database.
const BATCHES: usize = 4;
/// Progress is told at least every so many rows of the files.
const PROGRESS_ROWS: u64 = 32_768;
/// Problems of one code in one file that are listed, and of the whole run.
const MAX_PROBLEMS_PER_CODE: u64 = 1_000;
const MAX_PROBLEMS: u64 = 20_000;

/// What the thread hands over.
#[derive(Default)]
struct Batch {
    rows: Vec<StagedRow>,
    problems: Vec<Problem>,
    rows_read: u64,
}

/// Reads and stages a file; the run is then ready to be planned, or failed with its reason.
pub async fn read(
    imports: &Imports,
    run: RunId,
    district: DistrictId,
    profile: Profile,
    file: File,
) -> Result<(), StoreError> {
    let inner = &imports.0;
    let _permit = inner.reading.acquire().await.map_err(|_| StoreError::Stopping)?;
    let store = &inner.store;
    let sealer = store.act(move |tx| Box::pin(Sealer::open(tx, run, district))).await?;
    let (known_orgs, birth_dates) = {
        let mut conn = store.reader().await?;
        (staging::known_orgs(&mut conn, district).await?, imports::birth_date_allowed(&mut conn, district).await?)
    };
    let (batches, mut staged) = mpsc::channel(BATCHES);
    let reading = tokio::task::spawn_blocking(move || {
        let mut sink = Stager { sealer, known_orgs, head: None, batch: Batch::default(), batches, listed: 0 };
        let options = Options { birth_dates, max_problems_per_code: MAX_PROBLEMS_PER_CODE, ..Options::new(profile) };
        let result = read_file(file, &options, &mut sink);
        (result, sink.head, sink.sealer.rows())
    });
    let mut problem_number = 1;
    loop {
        let batch: Batch = tokio::select! {
            batch = staged.recv() => match batch { Some(batch) => batch, None => break },
            // The thread stops at its next row; the run is failed at the next start.
            () = inner.stopping.cancelled() => return Err(StoreError::Stopping),
        };
        let first = problem_number;
        problem_number += batch.problems.len() as u64;
        let wanted = store.act(move |tx| {
            Box::pin(async move {
                let wanted = staging::stage(tx, run, batch.rows, batch.rows_read).await?;
                if wanted {
                    problems::add(tx, run, first, batch.problems).await?;
                }
                Ok(wanted)
            })
        });
        if !wanted.await? {
            // Cancelled: what was staged is cleaned up by the worker.
            return Ok(());
        }
        imports.moved();
    }
    let (result, head, rows) = reading.await.map_err(|_| StoreError::Corrupt("the reader panicked"))?;
    match (result, head) {
        (Ok(summary), Some(head)) => {
            let read = read_file_of(&head, &summary, rows);
            store.act(move |tx| Box::pin(staging::finish_reading(tx, run, read))).await
        }
        (Err(ReadError::Refused(problem)), _) => {
            let error = format!("{}: {}. To correct it: {}", problem.file, problem.message, problem.how_to_fix);
            worker::fail(imports, run, error).await;
            Ok(())
        }
        (Err(ReadError::Stopped), _) => Ok(()),
        (Err(ReadError::Io(_)) | Ok(_), _) => Err(StoreError::Corrupt("an upload could not be read back")),
    }
}

fn read_file(mut file: File, options: &Options, sink: &mut Stager) -> Result<Summary, ReadError> {
    file.rewind().map_err(ReadError::Io)?;
    let result = oneroster::read(std::io::BufReader::new(file), options, sink);
    // A file that is refused as a whole still has its problems listed.
    match sink.flush() {
        Ok(()) => result,
        Err(Stop) => result.and(Err(ReadError::Stopped)),
    }
}

fn read_file_of(head: &Head, summary: &Summary, staged: u64) -> ReadFile {
    let counts =
        Counts { rejected: summary.rejected, warnings: summary.warnings, errors: summary.errors, ..Counts::default() };
    let mut detail = Detail::default();
    detail.counts = counts;
    detail.staged = staged;
    // Without users there is nobody to miss.
    detail.hidden_rows = summary.hidden_rows + u64::from(!head.students);
    detail.birth_dates = summary.birth_dates;
    detail.student_rows = summary.students + summary.rejected;
    ReadFile {
        version: head.version.as_str(),
        kind: head.kind.as_str(),
        zip_sha256: head.sha256,
        newest_source_ms: summary.newest_source_change.map(|at| at.as_millisecond()),
        rows: summary.rows,
        detail,
    }
}

/// Turns what is read into sealed rows, batch by batch.
struct Stager {
    sealer: Sealer,
    /// True for schools.
    known_orgs: HashMap<String, bool>,
    head: Option<Head>,
    batch: Batch,
    batches: mpsc::Sender<Batch>,
    listed: u64,
}

impl Stager {
    fn row(&mut self, row: StagedRow) -> Result<(), Stop> {
        self.batch.rows.push(row);
        if self.batch.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let rows_read = self.batch.rows_read;
        let batch = std::mem::replace(&mut self.batch, Batch { rows_read, ..Batch::default() });
        self.batches.blocking_send(batch).map_err(|_| Stop)
    }
}

impl Sink for Stager {
    fn head(&mut self, head: &Head) -> Result<(), Stop> {
        self.head = Some(head.clone());
        Ok(())
    }

    fn org(&mut self, org: OrgRow) -> Result<(), Stop> {
        if org.org_type != OrgType::School || org.status == RowStatus::ToBeDeleted {
            return Ok(());
        }
        let row = self.sealer.school(org.sourced_id, org.line, &org.name);
        self.row(row)
    }

    fn student(&mut self, student: StudentRow) -> Result<(), Stop> {
        let (sourced_id, line) = (student.sourced_id.clone(), student.line);
        let row = self.sealer.student(sourced_id, line, &source(student));
        self.row(row)
    }

    fn rejected(&mut self, rejected: Rejected) -> Result<(), Stop> {
        match rejected.sourced_id {
            Some(sourced_id) if rejected.file != "orgs.csv" => {
                let row = self.sealer.rejected(sourced_id, rejected.line);
                self.row(row)
            }
            _ => Ok(()),
        }
    }

    fn problem(&mut self, problem: Problem) -> Result<(), Stop> {
        self.listed += 1;
        if self.listed > MAX_PROBLEMS {
            return Ok(());
        }
        self.batch.problems.push(problem);
        if self.batch.problems.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn known_org(&self, sourced_id: &str) -> Option<OrgType> {
        let is_school = *self.known_orgs.get(sourced_id)?;
        Some(if is_school { OrgType::School } else { OrgType::District })
    }

    fn progress(&mut self, rows: u64) -> Result<(), Stop> {
        let due = rows.is_multiple_of(PROGRESS_ROWS);
        self.batch.rows_read = rows;
        if due || self.batches.is_closed() { self.flush() } else { Ok(()) }
    }
}

/// A row of the reader as the model takes it.
fn source(row: StudentRow) -> SourceStudent {
    let enrollment = |at: oneroster::RosterEnrollment| Enrollment {
        school: at.school_sourced_id,
        role: match at.role_type {
            oneroster::RoleType::Primary => RoleType::Primary,
            oneroster::RoleType::Secondary => RoleType::Secondary,
        },
        begin: at.begin_date,
        end: at.end_date,
        exit_reason: None,
        ended: at.status == RowStatus::ToBeDeleted,
    };
    let stated = row.fields.is_some();
    let mut fields = StudentFields {
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
        enrollments: row.enrollments.into_iter().map(enrollment).collect(),
    };
    let mut preferred_stated = false;
    if let Some(told) = row.fields {
        preferred_stated = told.preferred.is_some();
        let preferred = told.preferred.unwrap_or_default();
        fields.preferred_given_name = preferred.given;
        fields.preferred_middle_name = preferred.middle;
        fields.preferred_family_name = preferred.family;
        fields.given_name = told.given_name;
        fields.family_name = told.family_name;
        fields.middle_name = told.middle_name;
        fields.identifier = told.identifier;
        fields.grades = told.grades.into_iter().map(str::to_owned).collect();
        fields.username = told.username;
        fields.email = told.email;
        fields.enabled_user = told.enabled_user;
        fields.primary_org = told.primary_org_sourced_id;
    }
    SourceStudent {
        deleted: row.status == RowStatus::ToBeDeleted,
        stated,
        preferred_stated,
        complete: row.enrollments_complete,
        known_only: row.known_only,
        fields,
    }
}
