//! The delivery log: pages, the live tail, one message with everything, and acts on messages.

mod answers;
mod export;
mod groups;
mod histogram;
mod overview;
mod tail;

use std::pin::Pin;

use futures::Stream;
use rollcall_proto::{
    id::{DistrictId, EventId, SchoolId},
    provider::v1::{self as pb, log_service_server::LogService},
};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use answers::{request_headers, to_attempt, to_details, to_message};
use export::{Export, Format};
use tail::Tail;

use super::{
    Services,
    auth::caller,
    convert::{page_size, page_token as token, read_page_token, timestamp, unix_ms},
    status::{refused, to_status},
};
use crate::{
    error::Refusal,
    model::{access::Scope, delivery::state, log_filter::LogFilter},
    store::{
        Store, StoreError,
        log::{
            self, cancel,
            discard::Discard,
            message,
            replay::{self as store_replay, Selection},
            resend,
            resends::ResendId,
            stats,
        },
        scope::resolve_school_in_log,
    },
};

/// Without a time, figures are of the last day, ms.
const STATS_MS: i64 = 86_400_000;
const MAX_REASON_CHARS: usize = 500;
const IN_FLIGHT: &str = "in_flight";

/// See the schema.
pub struct LogApi {
    services: Services,
}

type Answer<T> = Result<Response<T>, Status>;
type Flow<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl LogApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    async fn school(&self, scope: &Scope, text: &str) -> Result<(SchoolId, DistrictId), Status> {
        let mut conn = self.services.store.reader().await.map_err(to_status)?;
        resolve_school_in_log(&mut conn, scope, text).await.map_err(to_status)
    }
}

#[tonic::async_trait]
impl LogService for LogApi {
    async fn list_attempts(&self, request: Request<pb::ListAttemptsRequest>) -> Answer<pb::ListAttemptsResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        list_attempts(&self.services.store, school, &request.filter, request.page_size, &request.page_token).await
    }

    type TailAttemptsStream = Flow<pb::TailAttemptsResponse>;

    async fn tail_attempts(&self, request: Request<pb::TailAttemptsRequest>) -> Answer<Self::TailAttemptsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        let filter = read_filter(&request.filter).map_err(refused)?;
        let store = self.services.store.clone();
        // Listening begins before the first look, so that nothing in between is missed.
        let wake = store.log_wake();
        let head = async { log::heads(&mut store.reader().await?, school).await };
        let head = head.await.map_err(to_status)?.log_sequence;
        let after = request.after_log_sequence.unwrap_or(head);
        if after > head {
            let message = format!("the log ends at {head}: list it again and resume from its newest row");
            return Err(refused(Refusal::field("after_log_sequence", message)));
        }
        let stopping = self.services.stopping.clone();
        let tail = Tail { store, school, filter, wake, stopping, cursor: after, told: None };
        Ok(Response::new(Box::pin(tail.into_stream())))
    }

    type ExportAttemptsStream = Flow<pb::ExportAttemptsResponse>;

    async fn export_attempts(&self, request: Request<pb::ExportAttemptsRequest>) -> Answer<Self::ExportAttemptsStream> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, district) = self.school(&caller.scope, &request.school).await?;
        let filter = read_filter(&request.filter).map_err(refused)?;
        let format = Format::parse(&request.format).map_err(refused)?;
        let store = self.services.store.clone();
        let (actor, what) = (caller.actor, format!("{}, {}", format.as_str(), log::export::describe(&filter)));
        let kept = store.act(move |tx| Box::pin(log::export::keep(tx, (school, district), actor, what)));
        kept.await.map_err(to_status)?;
        let max_tries = async { Ok::<_, StoreError>(log::heads(&mut store.reader().await?, school).await?.max_tries) };
        let max_tries = max_tries.await.map_err(to_status)?;
        let now_ms = store.now_ms();
        let export = Export { store, school, filter, format, max_tries, now_ms, before: None, begun: false };
        Ok(Response::new(Box::pin(export.into_stream())))
    }

    async fn get_message(&self, request: Request<pb::GetMessageRequest>) -> Answer<pb::Message> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let store = &self.services.store;
        let id = message_id("message", &request.message).map_err(refused)?;
        let read = async {
            let mut conn = store.reader().await?;
            let message = message::find(&mut conn, &caller.scope, id).await?;
            let body = message::body(&mut conn, store.shared(), &message).await?;
            let attempts = message::attempts(&mut conn, store.shared(), &message).await?;
            let max_tries = log::heads(&mut conn, message.school).await?.max_tries;
            Ok::<_, StoreError>((message, body, attempts, max_tries))
        };
        let (message, body, attempts, max_tries) = read.await.map_err(to_status)?;
        let mut answer = to_message(&message);
        let is_kept = body.is_some();
        // A test has no body to be purged.
        answer.body_purged = !is_kept && message.sequence > 0;
        if let Some(body) = body {
            answer.body_sha256 = hex::encode(Sha256::digest(&*body));
            if request.reveal_body {
                let (message, actor) = (message.clone(), caller.actor);
                let kept = store.act(move |tx| Box::pin(message::log_reveal(tx, message, actor)));
                kept.await.map_err(to_status)?;
                answer.body = body.to_vec();
            }
        }
        answer.request_headers = attempts.last().map(request_headers).unwrap_or_default();
        answer.attempts = to_details(attempts, max_tries, !is_kept);
        Ok(Response::new(answer))
    }

    async fn list_messages(&self, request: Request<pb::ListMessagesRequest>) -> Answer<pb::ListMessagesResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        let limit = page_size(request.page_size).map_err(refused)? as usize;
        let before = read_page_token(&request.page_token).map_err(refused)?;
        let states = read_states(&request.states).map_err(refused)?;
        if states.is_empty() && !request.states.is_empty() {
            // What is under way at this moment has no row of its own.
            return Ok(Response::new(pb::ListMessagesResponse::default()));
        }
        let listed =
            async { message::list(&mut self.services.store.reader().await?, school, &states, before, limit).await };
        let (messages, next) = listed.await.map_err(to_status)?;
        Ok(Response::new(pb::ListMessagesResponse {
            messages: messages.iter().map(to_message).collect(),
            next_page_token: token(next),
        }))
    }

    async fn resend_message(&self, request: Request<pb::ResendMessageRequest>) -> Answer<pb::ResendMessageResponse> {
        let caller = caller(&request)?;
        let id = message_id("message", &request.into_inner().message).map_err(refused)?;
        let queued = self
            .services
            .store
            .act(move |tx| Box::pin(async move { resend::resend(tx, &caller.scope, id, &caller.actor).await }));
        let queued = queued.await.map_err(to_status)?;
        Ok(Response::new(pb::ResendMessageResponse {
            message: queued.message.to_string(),
            queued_as_try: queued.try_number,
        }))
    }

    async fn replay(&self, request: Request<pb::ReplayRequest>) -> Answer<pb::ReplayResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = self.school(&caller.scope, &request.school).await?;
        let filter = read_filter(&request.filter).map_err(refused)?;
        let since_ms = request.since.map(|since| unix_ms("since", since)).transpose().map_err(refused)?;
        let group = request.group.map(groups::read).transpose().map_err(refused)?;
        let selection = Selection { filter, since_ms, after_sequence: None, group };
        replay(&self.services.store, place, selection, &caller.actor, request.dry_run).await
    }

    async fn cancel_replay(&self, request: Request<pb::CancelReplayRequest>) -> Answer<pb::CancelReplayResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = self.school(&caller.scope, &request.school).await?;
        let replay = read_replay(&request.replay).map_err(refused)?;
        let cancelled = cancel::cancel(&self.services.store, place, replay, &caller.actor).await.map_err(to_status)?;
        Ok(Response::new(pb::CancelReplayResponse {
            replay: hex::encode(cancelled.replay),
            restored: cancelled.restored,
            begun: cancelled.begun,
        }))
    }

    async fn discard_messages(
        &self,
        request: Request<pb::DiscardMessagesRequest>,
    ) -> Answer<pb::DiscardMessagesResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = self.school(&caller.scope, &request.school).await?;
        let reason = read_reason(&request.reason).map_err(refused)?;
        let discard = Discard { place, reason, actor: caller.actor };
        groups::discard(&self.services.store, discard, request.messages, request.group).await
    }

    async fn get_histogram(&self, request: Request<pb::GetHistogramRequest>) -> Answer<pb::Histogram> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        histogram::answer(&self.services.store, school, request).await
    }

    async fn get_overview(&self, request: Request<pb::GetOverviewRequest>) -> Answer<pb::Overview> {
        let scope = caller(&request)?.scope;
        overview::answer(&self.services.store, &scope, &request.get_ref().district).await
    }

    async fn list_undelivered(
        &self,
        request: Request<pb::ListUndeliveredRequest>,
    ) -> Answer<pb::ListUndeliveredResponse> {
        let scope = caller(&request)?.scope;
        groups::list(&self.services.store, &scope, request.into_inner()).await
    }

    async fn undo_discard(&self, request: Request<pb::UndoDiscardRequest>) -> Answer<pb::UndoDiscardResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = self.school(&caller.scope, &request.school).await?;
        groups::undo(&self.services.store, place, &request.undo, &caller.actor).await
    }

    async fn get_stats(&self, request: Request<pb::GetStatsRequest>) -> Answer<pb::Stats> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        let store = &self.services.store;
        let since_ms = match request.since {
            Some(since) => unix_ms("since", since).map_err(refused)?,
            None => store.now_ms() - STATS_MS,
        };
        let stats = async { stats::stats(&mut store.reader().await?, school, since_ms).await };
        let stats = stats.await.map_err(to_status)?;
        let [latency_p50_us, latency_p95_us, latency_p99_us] = stats.latency_us;
        Ok(Response::new(pb::Stats {
            attempts: stats.attempts,
            by_status: stats.by_status.into_iter().collect(),
            by_cause: stats.by_cause.into_iter().collect(),
            latency_p50_us,
            latency_p95_us,
            latency_p99_us,
            pending: stats.pending,
            parked: stats.parked,
            oldest_pending_at: stats.oldest_pending_ms.map(timestamp),
        }))
    }
}

/// A replay for a school, for staff and for the school itself.
pub async fn replay(
    store: &Store,
    place: (SchoolId, DistrictId),
    selection: Selection,
    actor: &str,
    dry_run: bool,
) -> Answer<pb::ReplayResponse> {
    let replayed = store_replay::replay(store, place, selection, actor, dry_run).await.map_err(to_status)?;
    let queued = replayed.replay != ResendId::default();
    Ok(Response::new(pb::ReplayResponse {
        messages: replayed.messages,
        refused: replayed.refused,
        replay: if queued { hex::encode(replayed.replay) } else { String::new() },
        cancelled: replayed.cancelled,
    }))
}

/// A page of a school's attempts, for staff and for the school itself.
pub async fn list_attempts(
    store: &Store,
    school: SchoolId,
    filter: &str,
    size: u32,
    page_token: &str,
) -> Answer<pb::ListAttemptsResponse> {
    let filter = read_filter(filter).map_err(refused)?;
    let limit = page_size(size).map_err(refused)? as usize;
    let before = read_page_token(page_token).map_err(refused)?;
    let read = async {
        let mut conn = store.reader().await?;
        let max_tries = log::heads(&mut conn, school).await?.max_tries;
        let page = log::older(&mut conn, school, &filter, store.now_ms(), before, limit).await?;
        Ok((page, max_tries))
    };
    let (page, max_tries) = read.await.map_err(to_status)?;
    Ok(Response::new(pb::ListAttemptsResponse {
        attempts: page.attempts.into_iter().map(|attempt| to_attempt(attempt, max_tries)).collect(),
        next_page_token: token(page.next),
        searched_until: page.searched_until_ms.map(timestamp),
    }))
}

fn read_filter(text: &str) -> Result<LogFilter, Refusal> {
    text.parse().map_err(|error| Refusal::field("filter", format!("{error}")))
}

fn message_id(field: &str, text: &str) -> Result<EventId, Refusal> {
    text.trim()
        .parse()
        .map_err(|_| Refusal::field(field, "is not a message's id: they look like evt_ and 26 characters"))
}

/// The replay that is named; none where it is left out.
fn read_replay(text: &str) -> Result<Option<ResendId>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut id = ResendId::default();
    match hex::decode_to_slice(text, &mut id) {
        Ok(()) => Ok(Some(id)),
        Err(_) => Err(Refusal::field("replay", "is not from a replay: leave it out for the school's newest")),
    }
}

fn read_reason(text: &str) -> Result<String, Refusal> {
    let reason = text.trim();
    if reason.is_empty() {
        return Err(Refusal::field("reason", "is required: it is kept with the messages"));
    }
    if reason.chars().count() > MAX_REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(Refusal::field("reason", format!("is one line of at most {MAX_REASON_CHARS} characters")));
    }
    Ok(reason.to_owned())
}

/// The states of rows that are asked for; in flight is none of them.
fn read_states(names: &[String]) -> Result<Vec<&'static str>, Refusal> {
    let mut states = Vec::new();
    for name in names {
        match state::ALL.into_iter().find(|state| state == name) {
            Some(state) if !states.contains(&state) => states.push(state),
            Some(_) => {}
            None if name == IN_FLIGHT => {}
            None => {
                let message = format!("`{name}` is no state; use {}", state::ALL.join(", "));
                return Err(Refusal::field("states", message));
            }
        }
    }
    Ok(states)
}
