//! Which fields of a request are wrong, as the standard details of a gRPC status: `google.rpc.Status` with one
//! `google.rpc.BadRequest`, in `grpc-status-details-bin`. Forms show each message beside its field.

use bytes::Bytes;
use prost::Message;

const TYPE_URL: &str = "type.googleapis.com/google.rpc.BadRequest";
/// Details travel in a header: more violations than this, or longer texts, are cut.
const MAX_VIOLATIONS: usize = 20;
const MAX_TEXT_BYTES: usize = 200;

/// A field at fault.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FieldViolation {
    /// By its wire name, for example `grades[1]`.
    #[prost(string, tag = "1")]
    pub field: String,
    /// What is wrong, and what to do.
    #[prost(string, tag = "2")]
    pub description: String,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The details of a status with this code; empty where no field is named.
pub fn encode(code: i32, violations: impl IntoIterator<Item = FieldViolation>) -> Bytes {
    let cut = |text: String| match text.char_indices().find(|(index, _)| *index >= MAX_TEXT_BYTES) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    };
    let field_violations: Vec<FieldViolation> = violations
        .into_iter()
        .take(MAX_VIOLATIONS)
        .map(|violation| FieldViolation { field: cut(violation.field), description: cut(violation.description) })
        .collect();
    if field_violations.is_empty() {
        return Bytes::new();
    }
    let value = BadRequest { field_violations }.encode_to_vec();
    let details = vec![prost_types::Any { type_url: TYPE_URL.to_owned(), value }];
    RpcStatus { code, message: String::new(), details }.encode_to_vec().into()
}

/// The violations inside a status's details; none where there are none or they are of another kind.
pub fn decode(details: &[u8]) -> Vec<FieldViolation> {
    let Ok(status) = RpcStatus::decode(details) else { return Vec::new() };
    let found = status.details.iter().find(|any| any.type_url == TYPE_URL);
    found
        .and_then(|any| BadRequest::decode(any.value.as_slice()).ok())
        .map_or_else(Vec::new, |bad| bad.field_violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_survive_and_stay_small() {
        let violation = |n: usize| FieldViolation { field: format!("grades[{n}]"), description: "é".repeat(400) };
        let details = encode(3, (0..100).map(violation));
        let decoded = decode(&details);
        assert_eq!(decoded.len(), MAX_VIOLATIONS);
        assert_eq!(decoded[1].field, "grades[1]");
        assert!(decoded[1].description.len() <= MAX_TEXT_BYTES && details.len() < 6_000);
        assert!(encode(3, []).is_empty());
        assert!(decode(b"garbage").is_empty());
    }
}
