//! A school's own delivery log: the same pages and the same replay as for staff, for its own school alone.

use rollcall_proto::provider::v1 as pb;
use tonic::{Request, Response, Status};

use super::{Services, convert::unix_ms, link::own, log, status::refused};
use crate::{error::Refusal, model::log_filter::LogFilter, store::log::replay::Selection};

/// The school's attempts, newest first.
pub async fn list_own_attempts(
    services: &Services,
    request: Request<pb::ListOwnAttemptsRequest>,
) -> Result<Response<pb::ListAttemptsResponse>, Status> {
    let ((school, _), _) = own(&request)?;
    let request = request.into_inner();
    log::list_attempts(&services.store, school, &request.filter, request.page_size, &request.page_token).await
}

/// Sends again what was made since a time, or after a sequence.
pub async fn replay_since(
    services: &Services,
    request: Request<pb::ReplaySinceRequest>,
) -> Result<Response<pb::ReplayResponse>, Status> {
    let (place, actor) = own(&request)?;
    let request = request.into_inner();
    let since_ms = request.since.map(|since| unix_ms("since", since)).transpose().map_err(refused)?;
    // Without a time the sequence counts, and 0 is before the first.
    let after_sequence = since_ms.is_none().then_some(request.after_sequence);
    if since_ms.is_some() && request.after_sequence > 0 {
        return Err(refused(Refusal::field("afterSequence", "give either a time or a sequence")));
    }
    let selection = Selection { filter: LogFilter::default(), since_ms, after_sequence, group: None };
    log::replay(&services.store, place, selection, &actor, request.dry_run).await
}
