//! Small conversions between prost types and ours.

use prost_types::Timestamp;
use rollcall_proto::provider::v1;
use tonic::Status;

use super::status;
use crate::{
    error::{Refusal, RefusalKind},
    model::access::Role,
};

/// Unix ms as a timestamp.
pub fn timestamp(ms: i64) -> Timestamp {
    Timestamp { seconds: ms.div_euclid(1_000), nanos: (ms.rem_euclid(1_000) * 1_000_000) as i32 }
}

/// A timestamp as Unix ms; refuses what is no time of this or a near millennium.
pub fn unix_ms(field: &str, time: Timestamp) -> Result<i64, Status> {
    let valid = (0..=253_402_300_799).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    let refusal = || status::refused(Refusal::field(field, "is not a time between 1970 and 9999"));
    if valid { Ok(time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000) } else { Err(refusal()) }
}

/// The schema's word for a role.
pub fn role(role: Role) -> v1::Role {
    match role {
        Role::Owner => v1::Role::Owner,
        Role::Operator => v1::Role::Operator,
        Role::Viewer => v1::Role::Viewer,
        Role::Auditor => v1::Role::Auditor,
        Role::School => v1::Role::School,
    }
}

/// `size` rows a page: 1 to 500, 0 means 100.
pub fn page_size(size: u32) -> Result<i64, Status> {
    match size {
        0 => Ok(100),
        1..=500 => Ok(size.into()),
        _ => Err(status::refused(Refusal::field("page_size", "use 1 to 500"))),
    }
}

/// What is said of a page token that is not ours.
pub fn bad_page_token() -> Refusal {
    Refusal { kind: RefusalKind::Invalid, ..Refusal::field("page_token", "is not from the page before") }
}
