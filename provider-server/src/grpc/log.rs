//! The delivery log: pages, the live tail, one message with everything, and acts on messages.

use std::{collections::VecDeque, pin::Pin};

use futures::{Stream, stream};
use rollcall_proto::{
    id::{DistrictId, EventId, SchoolId},
    provider::v1::{self as pb, log_service_server::LogService},
    webhook::headers,
};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{
    Services,
    auth::caller,
    convert::{bad_page_token, page_size, timestamp, unix_ms},
    status::{refused, to_status},
};
use crate::{
    error::Refusal,
    model::{access::Scope, delivery::state, explanation::explain, log_filter::LogFilter},
    store::{
        Store, StoreError,
        log::{
            self, message,
            replay::{self as store_replay, Selection},
            resend, stats,
        },
        scope::resolve_school,
    },
};

/// Rows of one part of a tail.
const TAIL_PART: usize = 500;
/// A tail that finds nothing tells how far it came after this many rows.
const TAIL_SILENCE: u64 = 1_000;
/// Bodies of answers in one message: what a client takes is 4 MiB.
const MAX_ANSWER_BYTES: usize = 2 << 20;
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
        resolve_school(&mut conn, scope, text, None).await.map_err(to_status)
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
        answer.attempts = to_details(attempts, max_tries);
        Ok(Response::new(answer))
    }

    async fn list_messages(&self, request: Request<pb::ListMessagesRequest>) -> Answer<pb::ListMessagesResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (school, _) = self.school(&caller.scope, &request.school).await?;
        let limit = page_size(request.page_size).map_err(refused)? as usize;
        let before = read_token(&request.page_token).map_err(refused)?;
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
        let selection = Selection { filter, since_ms, after_sequence: None };
        replay(&self.services.store, place, selection, &caller.actor, request.dry_run).await
    }

    async fn discard_messages(
        &self,
        request: Request<pb::DiscardMessagesRequest>,
    ) -> Answer<pb::DiscardMessagesResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let place = self.school(&caller.scope, &request.school).await?;
        let reason = read_reason(&request.reason).map_err(refused)?;
        let ids = read_ids(&request.messages).map_err(refused)?;
        let discarded = self
            .services
            .store
            .act(move |tx| Box::pin(async move { resend::discard(tx, place, ids, reason, &caller.actor).await }));
        let discarded = discarded.await.map_err(to_status)?;
        Ok(Response::new(pb::DiscardMessagesResponse { discarded }))
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
    Ok(Response::new(pb::ReplayResponse { messages: replayed.messages, refused: replayed.refused }))
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
    let before = read_token(page_token).map_err(refused)?;
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

/// Rows as they are recorded. Nothing is read while the reader of the stream is slow: the log itself is the buffer.
struct Tail {
    store: Store,
    school: SchoolId,
    filter: LogFilter,
    wake: watch::Receiver<u64>,
    stopping: CancellationToken,
    cursor: u64,
    /// The cursor that the reader knows.
    told: Option<u64>,
}

impl Tail {
    fn into_stream(self) -> impl Stream<Item = Result<pb::TailAttemptsResponse, Status>> {
        stream::unfold(Some(self), |tail| async {
            let mut tail = tail?;
            match tail.next().await {
                Ok(Some(part)) => Some((Ok(part), Some(tail))),
                Ok(None) => None,
                Err(error) => Some((Err(to_status(error)), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<pb::TailAttemptsResponse>, StoreError> {
        loop {
            if self.stopping.is_cancelled() {
                return Ok(None);
            }
            self.wake.mark_unchanged();
            let (found, max_tries) = {
                let mut conn = self.store.reader().await?;
                let max_tries = log::heads(&mut conn, self.school).await?.max_tries;
                let now_ms = self.store.now_ms();
                let part = log::newer(&mut conn, self.school, &self.filter, now_ms, self.cursor, TAIL_PART).await?;
                (part, max_tries)
            };
            self.cursor = found.log_sequence;
            let silent = self.told.map_or(TAIL_SILENCE, |told| self.cursor - told);
            if !found.attempts.is_empty() || silent >= TAIL_SILENCE {
                self.told = Some(self.cursor);
                let attempts = found.attempts.into_iter().map(|attempt| to_attempt(attempt, max_tries)).collect();
                return Ok(Some(pb::TailAttemptsResponse { attempts, log_sequence: self.cursor }));
            }
            if found.at_head {
                tokio::select! {
                    () = self.stopping.cancelled() => return Ok(None),
                    changed = self.wake.changed() => if changed.is_err() { return Ok(None) },
                }
            }
        }
    }
}

fn read_filter(text: &str) -> Result<LogFilter, Refusal> {
    text.parse().map_err(|error| Refusal::field("filter", format!("{error}")))
}

fn message_id(field: &str, text: &str) -> Result<EventId, Refusal> {
    text.trim()
        .parse()
        .map_err(|_| Refusal::field(field, "is not a message's id: they look like evt_ and 26 characters"))
}

fn read_ids(texts: &[String]) -> Result<Vec<EventId>, Refusal> {
    if texts.is_empty() || texts.len() > resend::MAX_DISCARDS {
        return Err(Refusal::field("messages", format!("name 1 to {} messages", resend::MAX_DISCARDS)));
    }
    let ids = texts.iter().enumerate().map(|(index, text)| message_id(&format!("messages[{index}]"), text));
    let mut ids: Vec<EventId> = ids.collect::<Result<_, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
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

fn read_token(text: &str) -> Result<Option<u64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|before| *before <= i64::MAX as u64).map(Some).ok_or_else(bad_page_token)
}

fn token(next: Option<u64>) -> String {
    next.map(|next| next.to_string()).unwrap_or_default()
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

fn to_attempt(attempt: log::Attempt, max_tries: u32) -> pb::Attempt {
    pb::Attempt {
        log_sequence: attempt.log_sequence,
        message_id: attempt.message.to_string(),
        event_type: attempt.event_type,
        sequence: attempt.sequence,
        student_id: attempt.student.map(|student| student.to_string()).unwrap_or_default(),
        student_sourced_id: attempt.sourced_id,
        at: Some(timestamp(attempt.at_ms)),
        trigger: attempt.trigger,
        try_number: attempt.try_number,
        max_tries,
        status: attempt.status,
        cause: attempt.cause.map_or("", |cause| cause.as_str()).into(),
        code: attempt.code.into(),
        latency_us: attempt.latency_us,
        first_byte_us: attempt.first_byte_us,
        request_bytes: attempt.request_bytes,
        response_bytes: attempt.response_bytes,
        next_attempt_at: attempt.next_ms.map(timestamp),
        explanation: explain(attempt.cause, &attempt.detail, attempt.code),
        clock_skew_s: attempt.clock_skew_s,
    }
}

fn to_message(message: &message::Message) -> pb::Message {
    pb::Message {
        id: message.id.to_string(),
        school_id: message.school.to_string(),
        event_type: message.event_type.clone(),
        sequence: message.sequence,
        student_id: message.student.map(|student| student.to_string()).unwrap_or_default(),
        student_sourced_id: message.sourced_id.clone(),
        state: message.state.clone(),
        reason: message.reason.clone(),
        created_at: Some(timestamp(message.created_ms)),
        next_attempt_at: message.next_ms.map(timestamp),
        body_bytes: message.body_bytes,
        change_id: message.change.map(|change| change.to_string()).unwrap_or_default(),
        tries: message.tries,
        ..Default::default()
    }
}

/// Newest answers first get their bodies, as long as there is room.
fn to_details(attempts: Vec<message::AttemptDetail>, max_tries: u32) -> Vec<pb::AttemptDetail> {
    let mut room = MAX_ANSWER_BYTES;
    let mut details = VecDeque::with_capacity(attempts.len());
    for detail in attempts.into_iter().rev() {
        let answer = detail.answer.unwrap_or_default();
        let body = answer.body();
        let response_body = if body.len() <= room { body.to_vec() } else { Vec::new() };
        room -= response_body.len();
        details.push_front(pb::AttemptDetail {
            attempt: Some(to_attempt(detail.attempt, max_tries)),
            response_headers: answer.headers.into_iter().map(|(name, value)| pb::Header { name, value }).collect(),
            response_body,
            signed_by: detail.signed_by,
            verified_key: answer.verified_key.into(),
        });
    }
    details.into()
}

/// What an attempt was sent with; in place of the signature stands who signed.
fn request_headers(last: &message::AttemptDetail) -> Vec<pb::Header> {
    let attempt = &last.attempt;
    let signers = match last.signed_by.as_slice() {
        [] => "not known any more".into(),
        fingerprints => fingerprints.join(", "),
    };
    let header = |name: &str, value: String| pb::Header { name: name.into(), value };
    vec![
        header("content-type", headers::CONTENT_TYPE.into()),
        header("content-length", attempt.request_bytes.to_string()),
        header(headers::WEBHOOK_ID, attempt.message.to_string()),
        header(headers::WEBHOOK_TIMESTAMP, attempt.at_ms.div_euclid(1_000).to_string()),
        header(headers::WEBHOOK_SIGNATURE, format!("v1 by {signers}")),
    ]
}
