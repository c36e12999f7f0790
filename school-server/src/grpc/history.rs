//! One student's history, gaps in the sequence, and alarms.

use std::collections::{BTreeSet, HashMap, VecDeque};

use rollcall_proto::school::v1::{
    Alert, FieldChange, ListAlertsRequest, ListAlertsResponse, ListGapsResponse, ListStudentHistoryRequest,
    ListStudentHistoryResponse, SequenceGap, StudentArrival,
};
use serde_json::{Map, Value};
use tonic::Status;

use super::{
    desk::{page_size, timestamp, unreadable},
    events::event,
};
use crate::store::{history::KeptVersion, read::ReadStore};

/// Gaps in one answer at most.
const MAX_GAPS: usize = 1_000;
/// Ours, and different in every version.
const ALWAYS_DIFFER: [&str; 2] = ["version", "dateLastModified"];

/// What arrived for one student, newest first, with what each version changed.
pub async fn student(
    store: &ReadStore,
    request: ListStudentHistoryRequest,
) -> Result<ListStudentHistoryResponse, Status> {
    let before = read_token(&request.page_token)?;
    let limit = page_size(request.page_size);
    let rows = store.events_of(&request.sourced_id, before, limit).await.map_err(unreadable)?;
    let kept = store.versions_of(&request.sourced_id).await.map_err(unreadable)?;
    // A version was written by the last request of its moment that was applied.
    let mut places: HashMap<i64, VecDeque<usize>> = HashMap::new();
    for (place, version) in kept.iter().enumerate() {
        places.entry(version.received_at_ms).or_default().push_back(place);
    }
    let next_page_token = match rows.last() {
        Some((number, _)) if rows.len() as i64 == limit => number.to_string(),
        _ => String::new(),
    };
    let arrival = |(number, recorded)| {
        let recorded: crate::inbox::Recorded = recorded;
        let place = match recorded.result.as_str() {
            "applied" => places.get_mut(&recorded.at_ms).and_then(VecDeque::pop_front),
            _ => None,
        };
        let event = Some(event((number, recorded)));
        let Some(place) = place else { return StudentArrival { event, ..StudentArrival::default() } };
        let KeptVersion { version, json, .. } = &kept[place];
        let fields = kept.get(place + 1).map(|older| differences(&older.json, json)).unwrap_or_default();
        StudentArrival { event, version: *version, fields, json: json.clone() }
    };
    Ok(ListStudentHistoryResponse { arrivals: rows.into_iter().map(arrival).collect(), next_page_token })
}

fn differences(old: &str, new: &str) -> Vec<FieldChange> {
    let read = |text| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (old, new) = (read(old), read(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs =
        names.into_iter().filter(|name| !ALWAYS_DIFFER.contains(&name.as_str()) && old.get(*name) != new.get(*name));
    let text = |record: &Map<String, Value>, name: &String| record.get(name).map(Value::to_string);
    differs
        .map(|name| FieldChange { field: name.clone(), old_value: text(&old, name), new_value: text(&new, name) })
        .collect()
}

/// The missing sequence numbers.
pub async fn gaps(store: &ReadStore) -> Result<ListGapsResponse, Status> {
    let window = store.window().await.map_err(unreadable)?;
    let gaps = window.gaps();
    Ok(ListGapsResponse {
        missing: gaps.iter().map(|(from, to)| to - from + 1).sum(),
        gaps: gaps.into_iter().take(MAX_GAPS).map(|(from, to)| SequenceGap { from, to }).collect(),
        contiguous_sequence: window.contiguous(),
        highest_sequence: window.highest(),
    })
}

/// Alarms, newest first.
pub async fn alerts(store: &ReadStore, request: ListAlertsRequest) -> Result<ListAlertsResponse, Status> {
    let limit = page_size(request.page_size);
    let rows = store.alerts(read_token(&request.page_token)?, limit).await.map_err(unreadable)?;
    let next_page_token = match rows.last() {
        Some(last) if rows.len() as i64 == limit => last.number.to_string(),
        _ => String::new(),
    };
    let alert = |alert: crate::store::history::Alert| Alert {
        number: alert.number,
        at: Some(timestamp(alert.at_ms)),
        message_id: alert.message_id,
        words: alert.words,
    };
    Ok(ListAlertsResponse { alerts: rows.into_iter().map(alert).collect(), next_page_token })
}

fn read_token(token: &str) -> Result<u64, Status> {
    match token {
        "" => Ok(u64::MAX),
        token => token.parse().map_err(|_| Status::invalid_argument("page_token: not one of ours")),
    }
}
