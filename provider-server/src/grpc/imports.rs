//! Imports of OneRoster zips: the upload, a run and its findings, and what staff decide about it.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use rollcall_proto::{
    id::RunId,
    provider::v1::{self as pb, import_service_server::ImportService, start_import_request::Part},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{
    auth::caller,
    convert::timestamp,
    status::{refused, to_status},
    students::page_size,
};
use crate::{
    error::Refusal,
    import::{Imports, NewImport},
    model::{access::Caller, holds::Hold},
    oneroster::{
        Profile,
        report::{REPORT_HEADER, neutral},
    },
    store::{
        Store, StoreError,
        imports::{self, Run, RunState, problems, problems::StoredProblem},
        scope::resolve_district,
    },
};

/// Of one message of an upload.
const MAX_PART_BYTES: usize = 1 << 20;
/// An upload that is silent for so long is given up.
const UPLOAD_IDLE: Duration = Duration::from_secs(60);
/// Between two states that a watcher gets.
const WATCH_GAP: Duration = Duration::from_millis(100);
const MAX_NAME_CHARS: usize = 255;
const EXPORT_PAGE: usize = 1_000;

/// See the schema.
pub struct ImportApi {
    pub store: Store,
    pub imports: Imports,
    pub stopping: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;
type Flow<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ImportService for ImportApi {
    async fn start_import(&self, request: Request<Streaming<pb::StartImportRequest>>) -> Answer<pb::ImportRun> {
        let caller = caller(&request)?;
        let mut parts = request.into_inner();
        let Some(Part::Start(start)) = next_part(&mut parts).await? else {
            return Err(refused(Refusal::field("start", "must be the first message of an upload")));
        };
        let profile = match start.profile.as_str() {
            "" => Profile::Lenient,
            name => {
                Profile::parse(name).ok_or_else(|| refused(Refusal::field("profile", "must be strict or lenient")))?
            }
        };
        check_file_name(&start.file_name).map_err(refused)?;
        let district = {
            let mut conn = self.store.reader().await.map_err(to_status)?;
            resolve_district(&mut conn, &caller.scope, &start.district).await.map_err(to_status)?
        };
        let mut upload = self.imports.begin_upload(district, start.size_bytes).await.map_err(to_status)?;
        while let Some(part) = next_part(&mut parts).await? {
            let Part::Data(bytes) = part else {
                return Err(refused(Refusal::field("start", "comes once, before the data")));
            };
            if bytes.len() > MAX_PART_BYTES {
                return Err(refused(Refusal::field("data", "is longer than 1 MiB: send smaller parts")));
            }
            upload.write(&bytes).await.map_err(to_status)?;
        }
        let new = NewImport { district, actor: caller.actor, file_name: start.file_name, profile };
        let run = self.imports.start(upload, new).await.map_err(to_status)?;
        Ok(Response::new(to_run(run)))
    }

    async fn get_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let (_, run) = self.find(&request, |r| &r.run).await?;
        Ok(Response::new(to_run(run)))
    }

    async fn list_imports(&self, request: Request<pb::ListImportsRequest>) -> Answer<pb::ListImportsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse::<RunId>().map_err(|_| refused(super::convert::bad_page_token()))?),
        };
        let page_size = page_size(request.page_size, 500).map_err(refused)?;
        let mut conn = self.store.reader().await.map_err(to_status)?;
        let district = resolve_district(&mut conn, &caller.scope, &request.district).await.map_err(to_status)?;
        let mut runs = imports::list(&mut conn, district, before, page_size + 1).await.map_err(to_status)?;
        let more = runs.len() > page_size;
        runs.truncate(page_size);
        let next_page_token = runs.last().filter(|_| more).map(|run| run.id.to_string()).unwrap_or_default();
        Ok(Response::new(pb::ListImportsResponse { runs: runs.into_iter().map(to_run).collect(), next_page_token }))
    }

    type WatchImportStream = Flow<pb::ImportRun>;

    async fn watch_import(&self, request: Request<pb::GetImportRequest>) -> Answer<Self::WatchImportStream> {
        let (_, run) = self.find(&request, |r| &r.run).await?;
        let (sender, states) = tokio::sync::mpsc::channel(1);
        // Subscribed before the first look below, so that no step is missed.
        let progress = self.imports.progress();
        let (store, stopping, id) = (self.store.clone(), self.stopping.clone(), run.id);
        tokio::spawn(async move {
            let watching = watch(&store, id, progress, &sender);
            let ended = tokio::select! {
                ended = watching => ended,
                () = stopping.cancelled() => Err(StoreError::Stopping),
            };
            if let Err(error) = ended {
                let _ = sender.send(Err(to_status(error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(states))))
    }

    async fn list_problems(&self, request: Request<pb::ListProblemsRequest>) -> Answer<pb::ListProblemsResponse> {
        let (_, run) = self.find(&request, |r| &r.run).await?;
        let request = request.into_inner();
        if !["", "error", "warning"].contains(&request.severity.as_str()) {
            return Err(refused(Refusal::field("severity", "must be error, warning or empty")));
        }
        let after = match request.page_token.as_str() {
            "" => 0,
            token => token.parse::<u32>().map_err(|_| refused(super::convert::bad_page_token()))?.into(),
        };
        let page_size = page_size(request.page_size, 1_000).map_err(refused)?;
        let mut conn = self.store.reader().await.map_err(to_status)?;
        let found = problems::page(&mut conn, run.id, &request.severity, after, page_size + 1).await;
        let mut found = found.map_err(to_status)?;
        let more = found.len() > page_size;
        found.truncate(page_size);
        let next_page_token = found.last().filter(|_| more).map(|last| last.number.to_string()).unwrap_or_default();
        let problems = found.into_iter().map(to_problem).collect();
        Ok(Response::new(pb::ListProblemsResponse { problems, next_page_token }))
    }

    type ExportProblemsStream = Flow<pb::ProblemsCsv>;

    async fn export_problems(&self, request: Request<pb::GetImportRequest>) -> Answer<Self::ExportProblemsStream> {
        let (_, run) = self.find(&request, |r| &r.run).await?;
        let (sender, parts) = tokio::sync::mpsc::channel(2);
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = export(&store, run.id, &sender).await {
                // A reader that went away needs no error.
                let _ = sender.send(Err(to_status(error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(parts))))
    }

    async fn approve_import(&self, request: Request<pb::ApproveImportRequest>) -> Answer<pb::ImportRun> {
        let (caller, run) = self.find(&request, |r| &r.run).await?;
        let without_deletions = request.into_inner().without_deletions;
        let run = self.imports.approve(run.id, caller.actor, without_deletions).await.map_err(to_status)?;
        Ok(Response::new(to_run(run)))
    }

    async fn discard_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let (caller, run) = self.find(&request, |r| &r.run).await?;
        let run = self.imports.discard(run.id, caller.actor).await.map_err(to_status)?;
        Ok(Response::new(to_run(run)))
    }

    async fn cancel_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let (caller, run) = self.find(&request, |r| &r.run).await?;
        let run = self.imports.cancel(run.id, caller.actor).await.map_err(to_status)?;
        Ok(Response::new(to_run(run)))
    }

    async fn undo_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let (caller, run) = self.find(&request, |r| &r.run).await?;
        let run = self.imports.undo(run.id, caller.actor).await.map_err(to_status)?;
        Ok(Response::new(to_run(run)))
    }
}

impl ImportApi {
    /// The run that a request names, where its caller may see it.
    async fn find<T>(&self, request: &Request<T>, run: impl Fn(&T) -> &str) -> Result<(Caller, Run), Status> {
        let caller = caller(request)?;
        let mut conn = self.store.reader().await.map_err(to_status)?;
        let run = imports::find(&mut conn, &caller.scope, run(request.get_ref())).await.map_err(to_status)?;
        Ok((caller, run))
    }
}

async fn next_part(parts: &mut Streaming<pb::StartImportRequest>) -> Result<Option<Part>, Status> {
    let next = tokio::time::timeout(UPLOAD_IDLE, parts.message()).await;
    let next =
        next.map_err(|_| Status::deadline_exceeded("the upload was silent for 60 s: nothing was imported"))??;
    match next {
        None => Ok(None),
        Some(message) => Ok(Some(message.part.ok_or_else(|| refused(Refusal::field("part", "is required")))?)),
    }
}

fn check_file_name(name: &str) -> Result<(), Refusal> {
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Refusal::field("fileName", "must have at most 255 characters, none of them a control character"));
    }
    Ok(())
}

/// Sends the run at each change until it rests, or nobody listens.
async fn watch(
    store: &Store,
    id: RunId,
    mut progress: tokio::sync::watch::Receiver<u64>,
    states: &tokio::sync::mpsc::Sender<Result<pb::ImportRun, Status>>,
) -> Result<(), StoreError> {
    let mut last = None;
    loop {
        progress.mark_unchanged();
        let run = imports::get(&mut store.reader().await?, id).await?;
        let rests = run.state.rests();
        let state = to_run(run);
        if last.as_ref() != Some(&state) {
            if states.send(Ok(state.clone())).await.is_err() {
                return Ok(());
            }
            last = Some(state);
        }
        if rests {
            return Ok(());
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return Err(StoreError::Stopping) },
            () = states.closed() => return Ok(()),
        }
        tokio::time::sleep(WATCH_GAP).await;
    }
}

async fn export(
    store: &Store,
    run: RunId,
    parts: &tokio::sync::mpsc::Sender<Result<pb::ProblemsCsv, Status>>,
) -> Result<(), StoreError> {
    let (mut after, mut head) = (0, true);
    loop {
        let page = problems::page(&mut store.reader().await?, run, "", after, EXPORT_PAGE).await?;
        let Some(last) = page.last().map(|last| last.number) else {
            if !head {
                return Ok(());
            }
            let _ = parts.send(Ok(pb::ProblemsCsv { csv: to_csv(&page, true)?.into() })).await;
            return Ok(());
        };
        let csv = to_csv(&page, head)?;
        (after, head) = (last, false);
        if parts.send(Ok(pb::ProblemsCsv { csv: csv.into() })).await.is_err() {
            return Ok(());
        }
    }
}

/// A spreadsheet must take no value for a formula.
fn to_csv(page: &[StoredProblem], head: bool) -> Result<Vec<u8>, StoreError> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let unwritable = |_: csv::Error| StoreError::Corrupt("a problem cannot be written as CSV");
    if head {
        csv.write_record(REPORT_HEADER).map_err(unwritable)?;
    }
    for problem in page {
        let line = problem.line.to_string();
        let texts = [&problem.severity, &problem.file, &line, &problem.sourced_id, &problem.field, &problem.code];
        let texts = texts.into_iter().chain([&problem.message, &problem.how_to_fix]);
        csv.write_record(texts.map(|text| neutral(text).into_owned())).map_err(unwritable)?;
    }
    csv.into_inner().map_err(|_| StoreError::Corrupt("a problem cannot be written as CSV"))
}

fn to_problem(problem: StoredProblem) -> pb::ImportProblem {
    pb::ImportProblem {
        severity: problem.severity,
        file: problem.file,
        line: problem.line,
        sourced_id: problem.sourced_id,
        field: problem.field,
        code: problem.code,
        message: problem.message,
        how_to_fix: problem.how_to_fix,
    }
}

fn to_state(state: RunState) -> pb::ImportState {
    match state {
        RunState::Checking => pb::ImportState::Checking,
        RunState::Held => pb::ImportState::Held,
        RunState::Applying => pb::ImportState::Applying,
        RunState::Applied => pb::ImportState::Applied,
        RunState::Failed => pb::ImportState::Failed,
        RunState::Discarded => pb::ImportState::Discarded,
        RunState::Cancelled => pb::ImportState::Cancelled,
        RunState::Undoing => pb::ImportState::Undoing,
        RunState::Undone => pb::ImportState::Undone,
    }
}

fn to_run(run: Run) -> pb::ImportRun {
    let hold = |hold: Hold| pb::ImportHold {
        code: hold.code.as_str().into(),
        message: hold.message,
        figure: hold.figure,
        school_sourced_id: hold.school,
    };
    let holds = if run.state == RunState::Held { run.detail.holds() } else { Vec::new() };
    let counts = run.detail.counts;
    let school = |school: imports::SchoolCounts| pb::ImportSchoolCounts {
        school_sourced_id: school.sourced_id,
        school_name: school.name,
        created: school.created,
        updated: school.updated,
        deleted: school.deleted,
        unchanged: school.unchanged,
    };
    pb::ImportRun {
        id: run.id.to_string(),
        district_id: run.district.to_string(),
        state: to_state(run.state).into(),
        file_name: run.file_name,
        version: run.version,
        kind: run.kind,
        profile: run.profile,
        phase: run.phase,
        rows_read: run.rows_read,
        rows_total: run.rows_total,
        counts: Some(pb::ImportCounts {
            created: counts.created,
            updated: counts.updated,
            deleted: counts.deleted,
            unchanged: counts.unchanged,
            rejected: counts.rejected,
            warnings: counts.warnings,
            errors: counts.errors,
            schools_created: counts.schools_created,
        }),
        schools: run.detail.schools.into_iter().map(school).collect(),
        applied: run.applied,
        holds: holds.into_iter().map(hold).collect(),
        error: run.error,
        started_by: run.started_by,
        started_at: Some(timestamp(run.started_ms)),
        finished_at: run.finished_ms.map(timestamp),
        undo_skipped: run.undo_skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_problems_hold_no_formula() {
        let problem = StoredProblem {
            number: 1,
            severity: "error".into(),
            file: "users.csv".into(),
            line: 7,
            sourced_id: "@evil".into(),
            field: "=x".into(),
            code: "row.width".into(),
            message: "-1".into(),
            how_to_fix: "+1".into(),
        };
        let csv = String::from_utf8(to_csv(&[problem], true).expect("CSV")).expect("UTF-8");
        assert_eq!(
            csv,
            "severity,file,line,sourcedId,field,code,message,howToFix\r\nerror,users.csv,7,'@evil,'=x,row.width,'-1,'+1\r\n"
        );
    }
}
