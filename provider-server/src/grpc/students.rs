//! Students: unary acts, the stream of changes, lists, export and digest.

mod listing;

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use rollcall_proto::{
    id::{DistrictId, SchoolId},
    oversize,
    provider::v1::{self as pb, change::Act, student_service_server::StudentService},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use listing::{read_cursor, student_filter, write_cursor};

use super::{auth::caller, convert, status::to_status};
use crate::{
    error::Refusal,
    model::{
        access::{Caller, Scope},
        change::{ChangeAct, ChangeRequest, Idempotency, Origin},
    },
    store::{
        Conn, Store, StoreError,
        changes::{ChangeQueue, Outcomes, preview},
        erasure, roster,
        scope::{known_district, resolve_district, resolve_school},
        students,
    },
};

/// Changes of a stream that are taken in one go, and how many such goes are under way at once: while a batch of four commits,
/// the next one is read.
const CHUNK: usize = 256;
const CHUNKS_UNDER_WAY: usize = 8;
const MAX_KEY_CHARS: usize = 128;
const EXPORT_BUFFER: usize = 4;
const MAX_REASON_CHARS: usize = 500;

/// See the schema.
pub struct Students {
    pub store: Store,
    pub changes: ChangeQueue,
}

type Answer<T> = Result<Response<T>, Status>;
type Flow<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl StudentService for Students {
    async fn put_student(&self, request: Request<pb::PutStudentRequest>) -> Answer<pb::ChangeResult> {
        let caller = caller(&request)?;
        let mut request = request.into_inner();
        let idempotency = idempotency(&request.idempotency_key, &request).map_err(refused)?;
        let student = request.student.take().ok_or_else(|| refused(Refusal::field("student", "is required")))?;
        self.change(caller, &request.district, idempotency, Act::Put(student), request.dry_run).await
    }

    async fn enroll_student(&self, request: Request<pb::EnrollStudentRequest>) -> Answer<pb::ChangeResult> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let idempotency = idempotency(&request.idempotency_key, &request).map_err(refused)?;
        let (district, dry_run) = (request.district.clone(), request.dry_run);
        self.change(caller, &district, idempotency, Act::Enroll(request), dry_run).await
    }

    async fn withdraw_student(&self, request: Request<pb::WithdrawStudentRequest>) -> Answer<pb::ChangeResult> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let idempotency = idempotency(&request.idempotency_key, &request).map_err(refused)?;
        let (district, dry_run) = (request.district.clone(), request.dry_run);
        self.change(caller, &district, idempotency, Act::Withdraw(request), dry_run).await
    }

    async fn transfer_student(&self, request: Request<pb::TransferStudentRequest>) -> Answer<pb::ChangeResult> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let idempotency = idempotency(&request.idempotency_key, &request).map_err(refused)?;
        let (district, dry_run) = (request.district.clone(), request.dry_run);
        self.change(caller, &district, idempotency, Act::Transfer(request), dry_run).await
    }

    async fn delete_student(&self, request: Request<pb::DeleteStudentRequest>) -> Answer<pb::ChangeResult> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let idempotency = idempotency(&request.idempotency_key, &request).map_err(refused)?;
        let (district, dry_run) = (request.district.clone(), request.dry_run);
        self.change(caller, &district, idempotency, Act::Delete(request), dry_run).await
    }

    async fn erase_student(&self, request: Request<pb::EraseStudentRequest>) -> Answer<pb::EraseStudentResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        if request.confirm_sourced_id != request.sourced_id {
            return Err(refused(Refusal::field("confirmSourcedId", "must be the sourcedId once more")));
        }
        let reason = read_reason(&request.reason).map_err(refused)?;
        let mut conn = self.store.reader().await.map_err(to_status)?;
        let district = resolve_district(&mut conn, &caller.scope, &request.district).await.map_err(to_status)?;
        drop(conn);
        let erased = self.store.act(move |tx| {
            Box::pin(async move { erasure::erase(tx, district, &request.sourced_id, &caller.actor, &reason).await })
        });
        let erased = erased.await.map_err(to_status)?;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(pb::EraseStudentResponse {
            student_id: erased.student.to_string(),
            version: erased.version,
            events: erased.events,
            versions_deleted: count(erased.versions),
            bodies_deleted: count(erased.bodies),
        }))
    }

    async fn get_student(&self, request: Request<pb::GetStudentRequest>) -> Answer<pb::Student> {
        let (mut conn, district, request) = self.open(request, |r| &r.district).await?;
        let found = students::get(&mut conn, district, &request.sourced_id).await.map_err(to_status)?;
        Ok(Response::new(convert::student(found.student)))
    }

    async fn list_students(&self, request: Request<pb::ListStudentsRequest>) -> Answer<pb::ListStudentsResponse> {
        let scope = caller(&request)?.scope;
        let (mut conn, district, request) = self.open(request, |r| &r.district).await?;
        let school = match request.school.as_str() {
            "" => None,
            text => Some(resolve_school(&mut conn, &scope, text, Some(district)).await.map_err(to_status)?.0),
        };
        if request.search.chars().count() == 1 {
            return Err(refused(Refusal::field("search", "needs at least 2 characters")));
        }
        let page_size = page_size(request.page_size, 1_000).map_err(refused)?;
        let filter = student_filter(&request, school).map_err(refused)?;
        let after = read_cursor(filter.order, &request.page_token).map_err(refused)?;
        let page = students::list(&mut conn, district, &filter, after.as_ref(), page_size).await;
        let page = page.map_err(to_status)?;
        Ok(Response::new(pb::ListStudentsResponse {
            students: page.students.into_iter().map(convert::student).collect(),
            next_page_token: page.next_after.map(|cursor| write_cursor(filter.order, &cursor)).unwrap_or_default(),
        }))
    }

    async fn list_student_versions(
        &self,
        request: Request<pb::ListStudentVersionsRequest>,
    ) -> Answer<pb::ListStudentVersionsResponse> {
        let (mut conn, district, request) = self.open(request, |r| &r.district).await?;
        let versions = students::versions(&mut conn, district, &request.sourced_id).await.map_err(to_status)?;
        let version = |version: students::StudentVersion| pb::StudentVersion {
            actor: version.actor,
            at: Some(convert::timestamp(version.student.modified_ms)),
            student: Some(convert::student(version.student)),
        };
        Ok(Response::new(pb::ListStudentVersionsResponse { versions: versions.into_iter().map(version).collect() }))
    }

    type ApplyStream = Flow<pb::Ack>;

    async fn apply(&self, request: Request<Streaming<pb::Change>>) -> Answer<Self::ApplyStream> {
        let caller = caller(&request)?;
        let mut changes = request.into_inner();
        let Some(first) = changes.message().await.map_err(oversize::status)? else {
            return Ok(Response::new(Box::pin(stream::empty())));
        };
        let district = known_district(&self.store, &caller.scope, &first.district).await.map_err(to_status)?;
        let door = StreamDoor {
            store: self.store.clone(),
            changes: self.changes.clone(),
            scope: caller.scope,
            origin: Origin { actor: caller.actor, kind: "api", run: None },
            district,
            named: first.district.clone(),
        };
        let acks = stream::once(async { Ok(first) })
            .chain(changes.map(|change| change.map_err(oversize::status)))
            .ready_chunks(CHUNK)
            .map(move |chunk| door.clone().take(chunk))
            .buffered(CHUNKS_UNDER_WAY)
            .flat_map(stream::iter);
        Ok(Response::new(Box::pin(acks)))
    }

    type ExportRosterStream = Flow<pb::RosterChunk>;

    async fn export_roster(&self, request: Request<pb::ExportRosterRequest>) -> Answer<Self::ExportRosterStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        if request.reason.trim().is_empty() {
            return Err(refused(Refusal::field("reason", "is required: it is kept with the disclosure")));
        }
        let (school, district) = self.school(&caller, &request.school).await?;
        let (actor, reason) = (caller.actor, request.reason);
        self.store
            .act(move |tx| Box::pin(roster::log_export(tx, district, school, actor, reason)))
            .await
            .map_err(to_status)?;
        let (sender, chunks) = tokio::sync::mpsc::channel(EXPORT_BUFFER);
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = export(&store, school, &sender).await {
                // A reader that went away needs no error.
                let _ = sender.send(Err(to_status(error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(chunks))))
    }

    async fn get_roster_digest(&self, request: Request<pb::GetRosterDigestRequest>) -> Answer<pb::RosterDigest> {
        let caller = caller(&request)?;
        let (school, _) = self.school(&caller, &request.into_inner().school).await?;
        let (digest, head_sequence) = roster::digest(&self.store, school).await.map_err(to_status)?;
        Ok(Response::new(pb::RosterDigest {
            digest: digest.total().to_hex(),
            students: digest.students(),
            head_sequence,
            buckets: digest.non_empty().map(|(bucket, sum)| (bucket.into(), sum.to_hex())).collect(),
        }))
    }
}

impl Students {
    async fn open<T>(
        &self,
        request: Request<T>,
        district: impl Fn(&T) -> &str,
    ) -> Result<(Conn, DistrictId, T), Status> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        let mut conn = self.store.reader().await.map_err(to_status)?;
        let district = resolve_district(&mut conn, &scope, district(&request)).await.map_err(to_status)?;
        Ok((conn, district, request))
    }

    async fn school(&self, caller: &Caller, text: &str) -> Result<(SchoolId, DistrictId), Status> {
        let mut conn = self.store.reader().await.map_err(to_status)?;
        resolve_school(&mut conn, &caller.scope, text, None).await.map_err(to_status)
    }

    async fn change(
        &self,
        caller: Caller,
        district: &str,
        idempotency: Option<Idempotency>,
        act: Act,
        dry_run: bool,
    ) -> Answer<pb::ChangeResult> {
        let district = known_district(&self.store, &caller.scope, district).await.map_err(to_status)?;
        let mut request = change_request(&self.store, &caller.scope, district, act).await.map_err(to_status)?;
        if dry_run {
            let mut conn = self.store.reader().await.map_err(to_status)?;
            let preview = preview::preview(&mut conn, request, self.store.now_ms()).await.map_err(to_status)?;
            return Ok(Response::new(convert::preview(preview)));
        }
        request.idempotency = idempotency;
        let origin = Origin { actor: caller.actor, kind: "staff", run: None };
        let mut outcomes = self.changes.submit(origin, vec![request]).await.map_err(to_status)?;
        match outcomes.pop() {
            Some(Ok(outcome)) => Ok(Response::new(convert::change_result(outcome))),
            Some(Err(refusal)) => Err(refused(refusal)),
            None => Err(Status::internal("no answer was made")),
        }
    }
}

/// What the chunks of one stream share.
#[derive(Clone)]
struct StreamDoor {
    store: Store,
    changes: ChangeQueue,
    scope: Scope,
    origin: Origin,
    district: DistrictId,
    /// The district as the first message named it.
    named: String,
}

impl StreamDoor {
    /// Accepts one chunk; an ack for each change, or one error that ends the stream.
    async fn take(self, chunk: Vec<Result<pb::Change, Status>>) -> Vec<Result<pb::Ack, Status>> {
        let (mut places, mut requests) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
        let mut end = None;
        for change in chunk {
            match change {
                Ok(change) => {
                    let tag = change.tag;
                    match self.request(change).await {
                        Ok(request) => {
                            requests.push(request);
                            places.push((tag, None));
                        }
                        Err(StoreError::Refused(refusal)) => places.push((tag, Some(refusal))),
                        Err(error) => {
                            end = Some(to_status(error));
                            break;
                        }
                    }
                }
                Err(status) => {
                    end = Some(status);
                    break;
                }
            }
        }
        let outcomes = match self.changes.submit(self.origin, requests).await {
            Ok(outcomes) => outcomes,
            Err(error) => return vec![Err(to_status(error))],
        };
        acks(places, outcomes).map(Ok).chain(end.map(Err)).collect()
    }

    async fn request(&self, change: pb::Change) -> Result<ChangeRequest, StoreError> {
        if !change.district.is_empty() && change.district != self.named {
            return Err(Refusal::field("district", "a stream is for one district: open another stream").into());
        }
        let idempotency = match change.idempotency_key.as_str() {
            "" => None,
            key => idempotency(key, &pb::Change { tag: 0, ..change.clone() })?,
        };
        let Some(act) = change.act else { return Err(Refusal::field("act", "is required").into()) };
        if is_dry(&act) {
            return Err(Refusal::field("dryRun", "is not for streams: make the call of the act").into());
        }
        let mut request = match act {
            // The hot path: it waits for nothing.
            Act::Put(student) => put_request(self.district, student)?,
            act => change_request(&self.store, &self.scope, self.district, act).await?,
        };
        request.idempotency = idempotency;
        Ok(request)
    }
}

fn acks(places: Vec<(u64, Option<Refusal>)>, outcomes: Outcomes) -> impl Iterator<Item = pb::Ack> {
    let mut outcomes = outcomes.into_iter();
    places.into_iter().filter_map(move |(tag, refusal)| {
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => outcomes.next()?,
        };
        Some(match outcome {
            Ok(outcome) => pb::Ack {
                tag,
                version: outcome.student.version,
                events: outcome.events,
                repeated: outcome.repeated,
                ..Default::default()
            },
            Err(refusal) => {
                let violation = |v: &crate::error::Violation| pb::FieldViolation {
                    field: v.field.clone(),
                    message: v.message.clone(),
                };
                let violations = refusal.violations.iter().map(violation).collect();
                let status = refused(refusal);
                let (code, error) = (status.code() as u32, status.message().to_owned());
                pb::Ack { tag, error, code, violations, ..Default::default() }
            }
        })
    })
}

/// Whether an act asks not to be done.
fn is_dry(act: &Act) -> bool {
    match act {
        Act::Put(_) => false,
        Act::Enroll(r) => r.dry_run,
        Act::Withdraw(r) => r.dry_run,
        Act::Transfer(r) => r.dry_run,
        Act::Delete(r) => r.dry_run,
    }
}

fn put_request(district: DistrictId, student: pb::Student) -> Result<ChangeRequest, Refusal> {
    let expected_version = (student.version > 0).then_some(student.version);
    let sourced_id = student.sourced_id.clone();
    let act = ChangeAct::Put(Box::new(convert::student_fields(student)?));
    Ok(ChangeRequest { district, sourced_id, act, expected_version, idempotency: None, line: None })
}

async fn change_request(
    store: &Store,
    scope: &Scope,
    district: DistrictId,
    act: Act,
) -> Result<ChangeRequest, StoreError> {
    let (sourced_id, act) = match act {
        Act::Put(student) => return Ok(put_request(district, student)?),
        Act::Enroll(r) => {
            let school = school_sourced_id(store, scope, district, &r.school).await?;
            let role = convert::role_type("roleType", &r.role_type)?;
            let begin = convert::date("beginDate", r.begin_date.as_deref())?;
            (r.sourced_id, ChangeAct::Enroll { school, role, begin })
        }
        Act::Withdraw(r) => {
            let school = school_sourced_id(store, scope, district, &r.school).await?;
            let end = convert::date("endDate", r.end_date.as_deref())?;
            (r.sourced_id, ChangeAct::Withdraw { school, end, reason: r.exit_reason })
        }
        Act::Transfer(r) => {
            let from = school_sourced_id(store, scope, district, &r.from_school).await?;
            let to = school_sourced_id(store, scope, district, &r.to_school).await?;
            let date = convert::date("effectiveDate", r.effective_date.as_deref())?;
            (r.sourced_id, ChangeAct::Transfer { from, to, date, reason: r.exit_reason })
        }
        Act::Delete(r) => (r.sourced_id, ChangeAct::Delete),
    };
    Ok(ChangeRequest { district, sourced_id, act, expected_version: None, idempotency: None, line: None })
}

async fn school_sourced_id(
    store: &Store,
    scope: &Scope,
    district: DistrictId,
    text: &str,
) -> Result<String, StoreError> {
    // Given back at once: held while the change waits, it would keep other callers from reading.
    let mut conn = store.reader().await?;
    let (school, _) = resolve_school(&mut conn, scope, text, Some(district)).await?;
    let sql = "SELECT sourced_id FROM schools WHERE school_id = $1";
    let row = conn.query_optional(sql, vec![school.into()]).await?;
    row.ok_or_else(|| Refusal::not_found("the school"))?.take(0)
}

async fn export(
    store: &Store,
    school: SchoolId,
    chunks: &tokio::sync::mpsc::Sender<Result<pb::RosterChunk, Status>>,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let lines = roster::page(&mut store.reader().await?, school, &after).await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.sourced_id.clone();
        let json_lines: String = lines.iter().flat_map(|line| [line.json.as_str(), "\n"]).collect();
        if chunks.send(Ok(pb::RosterChunk { json_lines: json_lines.into() })).await.is_err() {
            return Ok(());
        }
    }
}

fn idempotency(key: &str, request: &impl prost::Message) -> Result<Option<Idempotency>, Refusal> {
    if key.is_empty() {
        return Ok(None);
    }
    if key.chars().count() > MAX_KEY_CHARS {
        return Err(Refusal::field("idempotencyKey", "must have at most 128 characters"));
    }
    Ok(Some(Idempotency { key: key.to_owned(), request: request.encode_to_vec() }))
}

/// The size of a page; 0 means 100.
pub fn page_size(asked: u32, most: u32) -> Result<usize, Refusal> {
    match asked {
        0 => Ok(100),
        asked if asked <= most => Ok(asked as usize),
        _ => Err(Refusal::field("pageSize", format!("must be 1 to {most}"))),
    }
}

fn refused(refusal: Refusal) -> Status {
    to_status(refusal.into())
}

fn read_reason(text: &str) -> Result<String, Refusal> {
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(Refusal::field("reason", "is required: one line of at most 500 characters, kept in the audit log"));
    }
    Ok(reason.to_owned())
}
