//! The one place where errors become gRPC codes, exhaustively.
//!
//! | what | code |
//! |---|---|
//! | a field is wrong | INVALID_ARGUMENT with `google.rpc.BadRequest` details (`rollcall_proto::violations`) |
//! | unknown, or outside the caller's scope | NOT_FOUND |
//! | exists already | ALREADY_EXISTS |
//! | the state does not allow it | FAILED_PRECONDITION |
//! | another version is current | ABORTED |
//! | the role does not allow it | PERMISSION_DENIED |
//! | no valid token | UNAUTHENTICATED |
//! | too much, too large, too often, disk full | RESOURCE_EXHAUSTED |
//! | the server stops, the database does not answer, two servers wrote the same at once | UNAVAILABLE |
//! | a fault of ours | INTERNAL with a generic text; the cause goes to the log |
//! | the disk failed, the database is damaged | INTERNAL, and says so |

use rollcall_proto::violations::{self, FieldViolation};
use tonic::{Code, Status};

use crate::{
    error::{Refusal, RefusalKind},
    store::{StoreError, db::MALFORMED},
};

/// A message travels in a header: longer ones are cut.
const MAX_MESSAGE_BYTES: usize = 1_500;
const FAULT: &str = "the server had a fault: nothing was changed; its log says more";
/// A commit whose fsync failed may be found at the next start.
const UNSURE: &str =
    "the disk failed and the server stops: whether this was done is not known; ask again with the same idempotency key";

/// What the caller is told of a store's error.
pub fn to_status(error: StoreError) -> Status {
    match error {
        StoreError::Refused(refusal) => refused(refusal),
        StoreError::DiskFull => Status::resource_exhausted(error.to_string()),
        StoreError::Stopping | StoreError::Unreachable | StoreError::Conflict => Status::unavailable(error.to_string()),
        StoreError::Io => {
            tracing::error!(%error, "a request failed");
            Status::internal(UNSURE)
        }
        StoreError::Corrupt(MALFORMED) => {
            tracing::error!(%error, "a request failed");
            Status::internal(error.to_string())
        }
        StoreError::Newer(_)
        | StoreError::Migration(_)
        | StoreError::Corrupt(_)
        | StoreError::Sealed(_)
        | StoreError::Unfit(_)
        | StoreError::Database(_) => {
            tracing::error!(%error, "a request failed");
            Status::internal(FAULT)
        }
    }
}

/// What the caller is told of a refusal.
pub fn refused(refusal: Refusal) -> Status {
    let code = match refusal.kind {
        RefusalKind::Invalid => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::AlreadyExists => Code::AlreadyExists,
        RefusalKind::Precondition => Code::FailedPrecondition,
        RefusalKind::VersionConflict => Code::Aborted,
        RefusalKind::Denied => Code::PermissionDenied,
        RefusalKind::Unauthenticated => Code::Unauthenticated,
        RefusalKind::Exhausted => Code::ResourceExhausted,
    };
    let fields = refusal.violations.into_iter();
    let fields = fields.map(|violation| FieldViolation { field: violation.field, description: violation.message });
    Status::with_details(code, cut(refusal.message), violations::encode(code as i32, fields))
}

/// What the caller is told where a handler panicked.
pub fn fault() -> Status {
    Status::internal(FAULT)
}

fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES).rev().find(|index| message.is_char_boundary(*index)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_at_fault_arrive_as_details() {
        let status = to_status(Refusal::field("grades[1]", "`7` is not a grade: use `07`").into());
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "grades[1]: `7` is not a grade: use `07`");
        let details = violations::decode(status.details());
        assert_eq!(details.len(), 1);
        assert_eq!(details[0].field, "grades[1]");
    }

    #[test]
    fn a_fault_of_ours_tells_nothing() {
        let status = to_status(StoreError::Database("UNIQUE constraint failed: students.sourced_id".into()));
        assert_eq!((status.code(), status.message()), (Code::Internal, FAULT));
        assert_eq!(to_status(StoreError::DiskFull).code(), Code::ResourceExhausted);
        let long = to_status(Refusal::new(RefusalKind::NotFound, "é".repeat(5_000)).into());
        assert!(long.message().len() <= MAX_MESSAGE_BYTES + 3);
    }
}
