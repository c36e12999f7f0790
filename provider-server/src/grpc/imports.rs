//! Imports of rosters.

mod answers;

use std::{pin::Pin, time::Duration};

use futures::{Stream, stream};
use rollcall_proto::{
    id::RunId,
    provider::v1::{self as pb, import_service_server::ImportService, start_import_request::Part},
};
use tonic::{Request, Response, Status, Streaming};

use self::answers::{to_csv, to_planned, to_problem, to_run};
use super::{
    Services,
    auth::caller,
    convert::{bad_page_token, page_size, page_token, read_page_token},
    status::{refused, to_status},
};
use crate::{
    error::{Refusal, RefusalKind},
    import::{MAX_UPLOAD_BYTES, Upload, preview},
    model::{
        access::{Caller, Scope},
        planned_change::ChangeKind,
    },
    oneroster::Profile,
    store::{
        StoreError,
        imports::{self, Run, problems, undoing},
        scope::resolve_district,
    },
};

/// Between two looks at a run that is watched.
const WATCH_PACE: Duration = Duration::from_millis(100);
/// Problems of one part of the CSV.
const CSV_PART: i64 = 1_000;
const MAX_PROBLEMS_PAGE: u32 = 1_000;
const MAX_FILE_NAME: usize = 255;
const MAX_PART_BYTES: usize = 1 << 20;
/// An upload that is silent for so long is given up.
const UPLOAD_SILENCE: Duration = Duration::from_secs(60);

type Answer<T> = Result<Response<T>, Status>;
type Flow<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// See the schema.
pub struct ImportApi {
    services: Services,
}

impl ImportApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    async fn run(&self, scope: &Scope, text: &str) -> Result<Run, Status> {
        let id = text.parse::<RunId>().map_err(|_| refused(Refusal::field("run", "is not the id of a run")))?;
        self.current(scope, id).await
    }

    async fn current(&self, scope: &Scope, id: RunId) -> Result<Run, Status> {
        let read = async { imports::get(&mut self.services.store.reader().await?, scope, id).await };
        read.await.map_err(to_status)
    }

    async fn answer(&self, scope: &Scope, id: RunId) -> Answer<pb::ImportRun> {
        Ok(Response::new(to_run(self.current(scope, id).await?)))
    }
}

/// The head of an upload.
struct Start {
    district: String,
    file_name: String,
    profile: Profile,
    size_bytes: u64,
    review: bool,
}

fn read_start(part: Option<Part>) -> Result<Start, Refusal> {
    let Some(Part::Start(start)) = part else {
        return Err(Refusal::field("start", "must be the first message of the upload"));
    };
    let profile = match start.profile.as_str() {
        "" => Profile::Lenient,
        name => Profile::parse(name).ok_or_else(|| Refusal::field("profile", "must be strict or lenient"))?,
    };
    let is_name = start.file_name.chars().count() <= MAX_FILE_NAME && !start.file_name.chars().any(char::is_control);
    if !is_name {
        return Err(Refusal::field("fileName", "must have at most 255 characters and no control characters"));
    }
    if start.size_bytes == 0 || start.size_bytes > MAX_UPLOAD_BYTES {
        return Err(Refusal::field("sizeBytes", "must be the zip's length, at most 4 GiB"));
    }
    let pb::ImportStart { district, file_name, size_bytes, hold_for_review: review, .. } = start;
    Ok(Start { district, file_name, profile, size_bytes, review })
}

async fn next_part(parts: &mut Streaming<pb::StartImportRequest>) -> Result<Option<pb::StartImportRequest>, Status> {
    let next = tokio::time::timeout(UPLOAD_SILENCE, parts.message()).await;
    next.unwrap_or_else(|_| Err(Status::deadline_exceeded("the upload was silent for 60 s: nothing was kept")))
}

/// Writing to the disk may block; the thread's other tasks move away meanwhile.
async fn receive(mut upload: Upload, mut parts: Streaming<pb::StartImportRequest>) -> Result<std::fs::File, Status> {
    while let Some(message) = next_part(&mut parts).await? {
        let Some(Part::Data(data)) = message.part else {
            return Err(refused(Refusal::field("data", "is all that may follow the start")));
        };
        if data.len() > MAX_PART_BYTES {
            return Err(refused(Refusal::field("data", "is longer than 1 MiB: send smaller parts")));
        }
        let written = tokio::task::spawn_blocking(move || upload.write(&data).map(|()| upload)).await;
        upload = written.map_err(|_| Status::internal("the upload broke"))?.map_err(refused)?;
    }
    upload.finish().map_err(refused)
}

#[tonic::async_trait]
impl ImportService for ImportApi {
    async fn start_import(&self, request: Request<Streaming<pb::StartImportRequest>>) -> Answer<pb::ImportRun> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let mut parts = request.into_inner();
        let first = next_part(&mut parts).await?.and_then(|message| message.part);
        let start = read_start(first).map_err(refused)?;
        let store = &self.services.store;
        let district = async {
            let mut conn = store.reader().await?;
            let district = resolve_district(&mut conn, &scope, &start.district).await?;
            // Said before the upload, and again in the act that registers the run.
            imports::check_free(&mut conn, district).await?;
            Ok::<_, StoreError>(district)
        };
        let district = district.await.map_err(to_status)?;
        let upload = self.services.imports.upload(start.size_bytes).map_err(|error| {
            let message = format!("the upload has no place in the data folder ({})", error.kind());
            refused(Refusal::new(RefusalKind::Exhausted, message))
        })?;
        let file = receive(upload, parts).await?;
        let (file_name, profile, review) = (start.file_name, start.profile, start.review);
        let created = store.act(move |tx| {
            Box::pin(async move { imports::create(tx, district, &actor, &file_name, profile.as_str(), review).await })
        });
        let id = created.await.map_err(to_status)?;
        let run = self.current(&scope, id).await?;
        self.services.imports.read(run.clone(), file, profile);
        Ok(Response::new(to_run(run)))
    }

    async fn get_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let scope = caller(&request)?.scope;
        Ok(Response::new(to_run(self.run(&scope, &request.get_ref().run).await?)))
    }

    async fn list_imports(&self, request: Request<pb::ListImportsRequest>) -> Answer<pb::ListImportsResponse> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        let limit = page_size(request.page_size).map_err(refused)?;
        let before = match request.page_token.as_str() {
            "" => None,
            text => Some(text.parse::<RunId>().map_err(|_| refused(bad_page_token()))?),
        };
        let listed = async {
            let mut conn = self.services.store.reader().await?;
            let district = resolve_district(&mut conn, &scope, &request.district).await?;
            imports::list(&mut conn, district, before, limit).await
        };
        let runs = listed.await.map_err(to_status)?;
        let last = runs.last().filter(|_| runs.len() as i64 == limit);
        let next_page_token = last.map(|run| run.id.to_string()).unwrap_or_default();
        Ok(Response::new(pb::ListImportsResponse { runs: runs.into_iter().map(to_run).collect(), next_page_token }))
    }

    type WatchImportStream = Flow<pb::ImportRun>;

    async fn watch_import(&self, request: Request<pb::GetImportRequest>) -> Answer<Self::WatchImportStream> {
        let scope = caller(&request)?.scope;
        // Listening begins before the first look, so that nothing in between is missed.
        let changed = self.services.imports.changed();
        let id = self.run(&scope, &request.get_ref().run).await?.id;
        let watch = Watch { services: self.services.clone(), scope, id, changed, told: None };
        Ok(Response::new(Box::pin(stream::unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(Some((run, rests))) => Some((Ok(run), Some(watch).filter(|_| !rests))),
                Ok(None) => None,
                Err(error) => Some((Err(to_status(error)), None)),
            }
        }))))
    }

    async fn list_problems(&self, request: Request<pb::ListProblemsRequest>) -> Answer<pb::ListProblemsResponse> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        if !["", "error", "warning"].contains(&request.severity.as_str()) {
            return Err(refused(Refusal::field("severity", "must be error or warning, or be left out")));
        }
        let limit = match request.page_size {
            0 => 100,
            size @ 1..=MAX_PROBLEMS_PAGE => i64::from(size),
            _ => return Err(refused(Refusal::field("page_size", "use 1 to 1,000"))),
        };
        let after = read_page_token(&request.page_token).map_err(refused)?.unwrap_or(0);
        let run = self.run(&scope, &request.run).await?;
        let listed = async {
            problems::list(&mut self.services.store.reader().await?, run.id, &request.severity, after, limit).await
        };
        let listed = listed.await.map_err(to_status)?;
        let next = listed.last().filter(|_| listed.len() as i64 == limit).map(|last| last.number);
        let problems = listed.into_iter().map(to_problem).collect();
        Ok(Response::new(pb::ListProblemsResponse { problems, next_page_token: page_token(next) }))
    }

    type ExportProblemsStream = Flow<pb::ProblemsCsv>;

    async fn export_problems(&self, request: Request<pb::GetImportRequest>) -> Answer<Self::ExportProblemsStream> {
        let scope = caller(&request)?.scope;
        let run = self.run(&scope, &request.get_ref().run).await?.id;
        let store = self.services.store.clone();
        let parts = stream::unfold(Some(0), move |after| {
            let store = store.clone();
            async move {
                let after = after?;
                let read = async { problems::list(&mut store.reader().await?, run, "", after, CSV_PART).await };
                match read.await {
                    Err(error) => Some((Err(to_status(error)), None)),
                    Ok(page) => {
                        let next = page.last().filter(|_| page.len() as i64 == CSV_PART).map(|last| last.number);
                        Some((to_csv(&page, after == 0).map(|csv| pb::ProblemsCsv { csv }), next))
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(parts)))
    }

    async fn list_planned_changes(
        &self,
        request: Request<pb::ListPlannedChangesRequest>,
    ) -> Answer<pb::ListPlannedChangesResponse> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let request = request.into_inner();
        let kind = match request.kind.as_str() {
            "" => None,
            name => {
                let known = ChangeKind::parse(name);
                let message = "must be created, updated or deleted, or be left out";
                Some(known.ok_or_else(|| refused(Refusal::field("kind", message)))?)
            }
        };
        let limit = page_size(request.page_size).map_err(refused)? as usize;
        let after = read_page_token(&request.page_token).map_err(refused)?;
        let run = self.run(&scope, &request.run).await?;
        let store = &self.services.store;
        let asked = preview::Asked { kind, school: request.school_sourced_id, after, limit };
        let page = preview::page(store, &run, asked).await.map_err(to_status)?;
        if after.is_none() {
            let kept = store.act(move |tx| Box::pin(imports::log_preview(tx, run, actor)));
            kept.await.map_err(to_status)?;
        }
        Ok(Response::new(pb::ListPlannedChangesResponse {
            changes: page.changes.into_iter().map(to_planned).collect(),
            next_page_token: page_token(page.next),
        }))
    }

    async fn approve_import(&self, request: Request<pb::ApproveImportRequest>) -> Answer<pb::ImportRun> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let request = request.into_inner();
        let run = self.run(&scope, &request.run).await?;
        let (id, held) = (run.id, run.clone());
        let without = request.without_deletions;
        let act = self
            .services
            .store
            .act(move |tx| Box::pin(async move { imports::approve(tx, &held, &actor, without).await }));
        act.await.map_err(to_status)?;
        self.services.imports.go_on(run);
        self.answer(&scope, id).await
    }

    async fn discard_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let run = self.run(&scope, &request.get_ref().run).await?;
        let id = run.id;
        let act = self.services.store.act(move |tx| Box::pin(async move { imports::discard(tx, &run, &actor).await }));
        act.await.map_err(to_status)?;
        self.services.imports.ended(id);
        self.answer(&scope, id).await
    }

    async fn cancel_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let run = self.run(&scope, &request.get_ref().run).await?;
        let id = run.id;
        let act = self.services.store.act(move |tx| Box::pin(async move { imports::cancel(tx, &run, &actor).await }));
        act.await.map_err(to_status)?;
        self.services.imports.ended(id);
        self.answer(&scope, id).await
    }

    async fn undo_import(&self, request: Request<pb::GetImportRequest>) -> Answer<pb::ImportRun> {
        let Caller { scope, actor, .. } = caller(&request)?;
        let run = self.run(&scope, &request.get_ref().run).await?;
        let (id, applied) = (run.id, run.clone());
        let act =
            self.services.store.act(move |tx| Box::pin(async move { undoing::begin(tx, &applied, &actor).await }));
        act.await.map_err(to_status)?;
        self.services.imports.go_on(run);
        self.answer(&scope, id).await
    }
}

struct Watch {
    services: Services,
    scope: Scope,
    id: RunId,
    changed: tokio::sync::watch::Receiver<u64>,
    told: Option<pb::ImportRun>,
}

impl Watch {
    /// The run once it differs from what was told, and whether it rests.
    async fn next(&mut self) -> Result<Option<(pb::ImportRun, bool)>, StoreError> {
        loop {
            if self.services.stopping.is_cancelled() {
                return Ok(None);
            }
            self.changed.mark_unchanged();
            let run = imports::get(&mut self.services.store.reader().await?, &self.scope, self.id).await?;
            let rests = !run.state.is_at_work();
            let run = to_run(run);
            if self.told.as_ref() != Some(&run) {
                self.told = Some(run.clone());
                return Ok(Some((run, rests)));
            }
            tokio::select! {
                () = self.services.stopping.cancelled() => return Ok(None),
                changed = self.changed.changed() => if changed.is_err() { return Ok(None) },
            }
            tokio::time::sleep(WATCH_PACE).await;
        }
    }
}
