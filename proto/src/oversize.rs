//! What a caller is told of a message that is larger than a server takes: RESOURCE_EXHAUSTED, as elsewhere, where the
//! transport's own word is OUT_OF_RANGE. Nothing of ours answers with that.

use http::Response;
use tonic::{Code, Status, body::Body};

/// The status of a stream of messages.
pub fn status(status: Status) -> Status {
    if status.code() == Code::OutOfRange {
        return Status::resource_exhausted("the message is larger than this server takes: send less at once");
    }
    status
}

/// An answer without a stream.
pub fn response(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(told) if told.code() == Code::OutOfRange => status(told).into_http(),
        _ => response,
    }
}
