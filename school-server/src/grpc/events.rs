//! Recorded requests as pages and as a live tail.

use futures::stream::{self, BoxStream};
use rollcall_proto::school::v1::{ListEventsRequest, ListEventsResponse, ReceivedEvent, TailEventsResponse};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::desk::{page_size, timestamp, unreadable};
use crate::{inbox::Recorded, receive::verdict::Verdict, store::read::ReadStore};

const TAIL_ROWS: i64 = 500;

/// One page, newest first.
pub async fn list(store: &ReadStore, request: ListEventsRequest) -> Result<ListEventsResponse, Status> {
    let before = match request.page_token.as_str() {
        "" => u64::MAX,
        token => token.parse().map_err(|_| Status::invalid_argument("page_token: not one of ours"))?,
    };
    let verdict = |name: &String| {
        let known = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == name);
        known.ok_or_else(|| Status::invalid_argument(format!("verdicts: `{name}` is not known")))
    };
    let verdicts: Vec<Verdict> = request.verdicts.iter().map(verdict).collect::<Result<_, _>>()?;
    let limit = page_size(request.page_size);
    let rows = store.events_before(before, &verdicts, limit).await.map_err(unreadable)?;
    let next_page_token = match rows.last() {
        Some((number, _)) if rows.len() as i64 == limit => number.to_string(),
        _ => String::new(),
    };
    Ok(ListEventsResponse { events: rows.into_iter().map(event).collect(), next_page_token })
}

/// Everything after a number as it is committed; ends when the receiver stops.
pub fn tail(
    store: ReadStore,
    newest: watch::Receiver<u64>,
    after: Option<u64>,
    stop: CancellationToken,
) -> BoxStream<'static, Result<TailEventsResponse, Status>> {
    let after = after.unwrap_or_else(|| *newest.borrow());
    Box::pin(stream::try_unfold((store, newest, after, stop), |(store, mut newest, after, stop)| async move {
        let waited = tokio::select! {
            () = stop.cancelled() => return Ok(None),
            waited = newest.wait_for(|newest| *newest > after) => waited.map(drop),
        };
        if waited.is_err() {
            return Ok(None);
        }
        let rows = store.events_after(after, TAIL_ROWS).await.map_err(unreadable)?;
        // Rows up to `newest` may have been purged; then there is nothing to tell, only to move on.
        let number = rows.last().map_or(*newest.borrow(), |(number, _)| *number);
        let answer = TailEventsResponse { events: rows.into_iter().map(event).collect(), number };
        Ok(Some((answer, (store, newest, number, stop))))
    }))
}

pub(super) fn event((number, recorded): (u64, Recorded)) -> ReceivedEvent {
    ReceivedEvent {
        number,
        at: Some(timestamp(recorded.at_ms)),
        verdict: recorded.verdict.as_str().to_owned(),
        event_type: recorded.event_type,
        sequence: recorded.sequence,
        message_id: recorded.message_id,
        result: recorded.result,
        code: u32::from(recorded.code),
        latency_us: recorded.latency_us,
        student_sourced_id: recorded.student_sourced_id,
    }
}
