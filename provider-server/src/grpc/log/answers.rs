//! Attempts and messages as the schema tells them.

use std::collections::VecDeque;

use rollcall_proto::{provider::v1 as pb, webhook::headers};

use crate::{
    grpc::convert::timestamp,
    model::explanation::explain,
    store::log::{self, message},
};

/// Bodies of answers in one message: what a client takes is 4 MiB.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// One attempt, with its failure in words.
pub fn to_attempt(attempt: log::Attempt, max_tries: u32) -> pb::Attempt {
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

/// A message without its body and attempts.
pub fn to_message(message: &message::Message) -> pb::Message {
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

/// Newest answers first get their bodies, as long as there is room. `purges` where the message's own body is not kept any
/// more: then a failure's answer that is missing was purged, too.
pub fn to_details(attempts: Vec<message::AttemptDetail>, max_tries: u32, purges: bool) -> Vec<pb::AttemptDetail> {
    let mut room = MAX_ANSWER_BYTES;
    let mut details = VecDeque::with_capacity(attempts.len());
    for detail in attempts.into_iter().rev() {
        let attempt = &detail.attempt;
        let answer_purged = purges && detail.answer.is_none() && attempt.cause.is_some() && attempt.code > 0;
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
            requested_by: detail.requested_by,
            answer_purged,
        });
    }
    details.into()
}

/// What an attempt was sent with; in place of the signature stands who signed.
pub fn request_headers(last: &message::AttemptDetail) -> Vec<pb::Header> {
    let attempt = &last.attempt;
    let signers = match last.signed_by.as_slice() {
        [] => "not known any more".into(),
        fingerprints => fingerprints.join(", "),
    };
    let header = |name: &str, value: String| pb::Header { name: name.into(), value };
    vec![
        header("content-type", headers::CONTENT_TYPE.into()),
        header("user-agent", concat!("Rollcall/", env!("CARGO_PKG_VERSION")).into()),
        header("content-length", attempt.request_bytes.to_string()),
        header(headers::WEBHOOK_ID, attempt.message.to_string()),
        header(headers::WEBHOOK_TIMESTAMP, attempt.at_ms.div_euclid(1_000).to_string()),
        header(headers::WEBHOOK_SIGNATURE, format!("v1 by {signers}")),
    ]
}
