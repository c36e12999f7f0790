//! The dashboard.

use rollcall_proto::provider::v1 as pb;
use tonic::Response;

use super::{Answer, timestamp, to_status};
use crate::{
    grpc::school_view::to_state,
    model::{access::Scope, attention::AttentionItem},
    store::{
        Store, StoreError,
        overview::{self, Day, Strip, waiting::Waiting},
        scope::resolve_district,
    },
};

/// The dashboard of the caller's districts, or of one of them.
pub async fn answer(store: &Store, scope: &Scope, district: &str) -> Answer<pb::Overview> {
    let read = async {
        let mut conn = store.reader().await?;
        let district = match district {
            "" => None,
            text => Some(resolve_district(&mut conn, scope, text).await?),
        };
        overview::overview(&mut conn, scope, district, store.now_ms()).await
    };
    let overview = read.await.map_err(|error: StoreError| to_status(error))?;
    Ok(Response::new(pb::Overview {
        at: Some(timestamp(overview.at_ms)),
        last_day: Some(to_day(overview.last_day)),
        day_before: Some(to_day(overview.day_before)),
        pending: overview.pending,
        parked: overview.parked,
        held: overview.held,
        oldest_undelivered_at: overview.oldest.map(|(_, created_ms)| timestamp(created_ms)),
        oldest_undelivered_message: overview.oldest.map(|(id, _)| id.to_string()).unwrap_or_default(),
        day_ago: overview.day_ago.map(to_waiting),
        schools: overview.schools.into_iter().map(to_strip).collect(),
        schools_total: u32::try_from(overview.schools_total).unwrap_or(u32::MAX),
        attention: overview.attention.into_iter().map(to_item).collect(),
        attention_total: u32::try_from(overview.attention_total).unwrap_or(u32::MAX),
    }))
}

fn to_waiting(waiting: Waiting) -> pb::WaitingFigures {
    pb::WaitingFigures {
        at: Some(timestamp(waiting.at_ms)),
        pending: waiting.pending,
        parked: waiting.parked,
        held: waiting.held,
        oldest_undelivered_at: waiting.oldest_ms.map(timestamp),
    }
}

fn to_day(day: Day) -> pb::DayFigures {
    let share = (day.delivered * 1_000).checked_div(day.attempts);
    pb::DayFigures {
        attempts: day.attempts,
        delivered: day.delivered,
        delivered_per_mille: share.and_then(|share| share.try_into().ok()),
        latency_p95_us: day.latency_p95_us,
    }
}

fn to_strip(strip: Strip) -> pb::SchoolStrip {
    pb::SchoolStrip {
        school_id: strip.id.to_string(),
        school_name: strip.name,
        district_id: strip.district.to_string(),
        state: to_state(strip.state).into(),
        delivered_by_hour: strip.delivered.to_vec(),
        failed_by_hour: strip.failed.to_vec(),
        pending: strip.open.pending,
        parked: strip.open.parked,
        held: strip.open.held,
        last_delivered_at: strip.last_delivered_ms.map(timestamp),
    }
}

fn to_item(item: AttentionItem) -> pb::AttentionItem {
    let message = item.words();
    let (school_id, school_name) = item.school.map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
    pb::AttentionItem {
        kind: item.kind.as_str().into(),
        severity: item.kind.severity().into(),
        school_id,
        school_name,
        run_id: item.run.map(|run| run.to_string()).unwrap_or_default(),
        message_id: item.message.map(|id| id.to_string()).unwrap_or_default(),
        district_id: item.district.to_string(),
        count: item.count,
        since: item.since_ms.map(timestamp),
        message,
    }
}
