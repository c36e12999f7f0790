//! Undelivered messages in groups, and giving them up.

use rollcall_proto::{
    id::{DistrictId, EventId, SchoolId},
    provider::v1 as pb,
};
use tonic::Response;

use super::{Answer, message_id, page_size, refused, timestamp, to_status};
use crate::{
    error::Refusal,
    grpc::convert::bad_page_token,
    model::{access::Scope, explanation::explain, outcome::Cause},
    store::{
        Store, StoreError,
        log::{
            discard::{self, Discard},
            groups::{self, Asked, Group, Undelivered},
        },
        scope::{resolve_district, resolve_school},
    },
};

/// The group that a caller names.
pub fn read(group: pb::MessageGroup) -> Result<Group, Refusal> {
    Group::new(&group.state, &group.reason, &group.cause, group.code)
}

/// A page of groups.
pub async fn list(
    store: &Store,
    scope: &Scope,
    request: pb::ListUndeliveredRequest,
) -> Answer<pb::ListUndeliveredResponse> {
    let limit = page_size(request.page_size).map_err(refused)?;
    let after = match request.page_token.as_str() {
        "" => None,
        text => Some(text.parse::<SchoolId>().map_err(|_| refused(bad_page_token()))?),
    };
    let listed = async {
        let mut conn = store.reader().await?;
        let district = match request.district.as_str() {
            "" => None,
            text => Some(resolve_district(&mut conn, scope, text).await?),
        };
        let school = match request.school.as_str() {
            "" => None,
            text => Some(resolve_school(&mut conn, scope, text, district).await?.0),
        };
        drop(conn);
        groups::undelivered(store, Asked { scope: scope.clone(), district, school, after, limit }).await
    };
    let (groups, next) = listed.await.map_err(|error: StoreError| to_status(error))?;
    Ok(Response::new(pb::ListUndeliveredResponse {
        groups: groups.into_iter().map(to_group).collect(),
        next_page_token: next.map(|school| school.to_string()).unwrap_or_default(),
    }))
}

fn to_group(found: Undelivered) -> pb::UndeliveredGroup {
    let name = |cause: Option<Cause>| cause.map_or("", Cause::as_str).to_owned();
    pb::UndeliveredGroup {
        school_id: found.school.to_string(),
        school_name: found.school_name,
        group: Some(pb::MessageGroup {
            state: found.group.state.into(),
            reason: found.group.reason,
            cause: name(found.group.cause),
            code: found.group.code.into(),
        }),
        messages: found.messages,
        more: found.more,
        first_at: Some(timestamp(found.first_ms)),
        last_at: Some(timestamp(found.last_ms)),
        sample_message: found.sample.to_string(),
        cause: name(found.cause),
        code: found.code.into(),
        explanation: explain(found.cause, &found.detail, found.code),
    }
}

/// Discards what is named, or a group.
pub async fn discard(
    store: &Store,
    discard: Discard,
    messages: Vec<String>,
    group: Option<pb::MessageGroup>,
) -> Answer<pb::DiscardMessagesResponse> {
    let discarded = match group {
        Some(_) if !messages.is_empty() => {
            return Err(refused(Refusal::field("group", "stands instead of messages: give one of them")));
        }
        Some(group) => discard::group(store, discard, read(group).map_err(refused)?).await,
        None => {
            let ids = read_ids(&messages).map_err(refused)?;
            store.act(move |tx| Box::pin(discard::named(tx, discard, ids))).await
        }
    };
    let discarded = discarded.map_err(to_status)?;
    let any = discarded.messages > 0;
    Ok(Response::new(pb::DiscardMessagesResponse {
        discarded: discarded.messages,
        undo: if any { hex::encode(discarded.undo) } else { String::new() },
        undo_until: any.then(|| timestamp(store.now_ms() + discard::UNDO_MS)),
    }))
}

/// Takes a discard back.
pub async fn undo(
    store: &Store,
    place: (SchoolId, DistrictId),
    undo: &str,
    actor: &str,
) -> Answer<pb::UndoDiscardResponse> {
    let mut id = [0; 16];
    let is_one = hex::decode_to_slice(undo, &mut id);
    is_one.map_err(|_| refused(Refusal::field("undo", "is not from a discard")))?;
    let undone = discard::undo(store, place, id, actor).await.map_err(to_status)?;
    Ok(Response::new(pb::UndoDiscardResponse { restored: undone.restored, superseded: undone.superseded }))
}

fn read_ids(texts: &[String]) -> Result<Vec<EventId>, Refusal> {
    if texts.is_empty() || texts.len() > discard::MAX_NAMED {
        return Err(Refusal::field("messages", format!("name 1 to {} messages", discard::MAX_NAMED)));
    }
    let ids = texts.iter().enumerate().map(|(index, text)| message_id(&format!("messages[{index}]"), text));
    let mut ids: Vec<EventId> = ids.collect::<Result<_, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
