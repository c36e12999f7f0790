//! A school as the schema tells it.

use rollcall_proto::provider::v1 as pb;

use super::convert::timestamp;
use crate::{
    model::school::ShownState,
    store::{codes::Code, schools::School, secrets::SecretInfo},
};

/// The school with its connection and figures.
pub fn to_school(school: School) -> pb::School {
    let figures = school.figures;
    let connection = pb::Connection {
        state: to_state(school.state).into(),
        url: school.url,
        own_receiver: school.own_receiver,
        retry: Some(pb::RetryPolicy {
            max_tries: school.retry.max_tries,
            delays_ms: school.retry.delays_ms,
            probe_ms: school.retry.probe_ms,
            timeout_ms: school.retry.timeout_ms,
        }),
        max_in_flight: school.max_in_flight,
        secrets: school.secrets.into_iter().map(to_secret_info).collect(),
        code: school.code.map(to_code_info),
        installation_host: school.installation_host,
        last_delivered_at: school.last_delivered_ms.map(timestamp),
        reason: school.reason,
        next_attempt_at: school.next_attempt_ms.map(timestamp),
    };
    pb::School {
        id: school.id.to_string(),
        district_id: school.district.to_string(),
        sourced_id: school.sourced_id,
        name: school.name,
        connection: Some(connection),
        students: school.students,
        head_sequence: school.head_sequence,
        figures: Some(pb::DeliveryFigures {
            pending: figures.pending,
            delivered: figures.delivered,
            parked: figures.parked,
            held: figures.held,
            superseded: figures.superseded,
            discarded: figures.discarded,
            erased: figures.erased,
            attempts: figures.attempts,
            retried: figures.retried,
            ever_parked: figures.ever_parked,
        }),
        created_at: Some(timestamp(school.created_ms)),
    }
}

/// What is shown of a secret.
pub fn to_secret_info(info: SecretInfo) -> pb::SecretInfo {
    pb::SecretInfo {
        id: info.id.to_string(),
        fingerprint: info.fingerprint,
        state: info.state,
        created_at: Some(timestamp(info.created_ms)),
        expires_at: info.expires_ms.map(timestamp),
        last_verified_at: info.last_verified_ms.map(timestamp),
    }
}

/// Who did it, without the kind of actor.
pub fn by(actor: &str) -> String {
    actor.strip_prefix("staff:").unwrap_or(actor).to_owned()
}

fn to_code_info(code: Code) -> pb::CodeInfo {
    pb::CodeInfo {
        state: code.state.as_str().into(),
        created_at: Some(timestamp(code.created_ms)),
        expires_at: Some(timestamp(code.expires_ms)),
        issued_by: by(&code.issued_by),
        redeemed_by_host: code.claimed_host,
        redeemed_at: code.claimed_ms.map(timestamp),
    }
}

/// The schema's word for a connection's state.
pub fn to_state(state: ShownState) -> pb::ConnectionState {
    match state {
        ShownState::NotConnected => pb::ConnectionState::NotConnected,
        ShownState::Enrolling => pb::ConnectionState::Enrolling,
        ShownState::Active => pb::ConnectionState::Active,
        ShownState::Paused => pb::ConnectionState::Paused,
        ShownState::Failing => pb::ConnectionState::Failing,
        ShownState::Down => pb::ConnectionState::Down,
        ShownState::Held => pb::ConnectionState::Held,
        ShownState::Revoked => pb::ConnectionState::Revoked,
        ShownState::Compromised => pb::ConnectionState::Compromised,
    }
}
