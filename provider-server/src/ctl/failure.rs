//! How a command ends: exit codes, and gRPC's codes as sentences for people.

use rollcall_proto::pinned::{PinMismatch, is_connection_loss};
use tonic::{Code, Status};

/// Exit codes, as in the manual.
pub mod exit {
    pub const OK: u8 = 0;
    /// A check failed: not found, held, conflicting, not intact.
    pub const CHECK_FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const BAD_DATA: u8 = 65;
    pub const UNREACHABLE: u8 = 69;
    pub const INTERNAL: u8 = 70;
    pub const DENIED: u8 = 77;
}

/// The exit code of a command that did what it was asked, or why it did not.
pub type Outcome = Result<u8, Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of [`exit`].
    pub code: u8,
    /// What happened and what to do; empty where there is nobody to tell (a closed pipe).
    pub message: String,
}

impl Failure {
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// The same, where the request came from a file: what a flag would make a usage error is bad data.
    pub fn from_data(status: Status) -> Self {
        let bad_data = matches!(status.code(), Code::InvalidArgument | Code::OutOfRange);
        let failure = Self::from(status);
        if bad_data { Self { code: exit::BAD_DATA, ..failure } } else { failure }
    }

    /// The same of a sign-in, where nobody is helped by being told to sign in.
    pub fn sign_in(status: Status) -> Self {
        match status.code() {
            Code::Unauthenticated => Self::new(exit::DENIED, status.message()),
            _ => status.into(),
        }
    }

    /// A failed connect.
    pub fn connect(server: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        match PinMismatch::find(error) {
            Some(mismatch) => Self::new(exit::DENIED, wrong_key(mismatch)),
            None => Self::new(
                exit::UNREACHABLE,
                format!(
                    "{server} is unreachable: {}. Is the server running, and is the address right?",
                    innermost(error)
                ),
            ),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if let Some(mismatch) = PinMismatch::find(&status) {
            return Self::new(exit::DENIED, wrong_key(mismatch));
        }
        if is_connection_loss(&status) {
            return Self::new(exit::UNREACHABLE, format!("the server is unreachable: {}", innermost(&status)));
        }
        let message = status.message();
        let said = if message.is_empty() { "the server gave no reason" } else { message };
        let message = match status.code() {
            Code::Unauthenticated => format!("{said}. Sign in with `ctl login` and pass its --token-file"),
            Code::PermissionDenied => format!("not allowed: {said}"),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                format!("the server is unreachable: {said}")
            }
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => {
                format!("the server failed: {said}. Its log tells more")
            }
            _ => said.to_owned(),
        };
        Self::new(exit_code(status.code()), message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // Whoever read our output has enough, for example `head`.
            return Self::new(exit::OK, "");
        }
        Self::new(exit::INTERNAL, format!("cannot write the output: {error}"))
    }
}

/// The exit code of a refused call.
pub fn exit_code(code: Code) -> u8 {
    match code {
        Code::Ok => exit::OK,
        Code::InvalidArgument | Code::OutOfRange => exit::USAGE,
        Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted | Code::ResourceExhausted => {
            exit::CHECK_FAILED
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => exit::UNREACHABLE,
        Code::PermissionDenied | Code::Unauthenticated => exit::DENIED,
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => exit::INTERNAL,
    }
}

fn wrong_key(mismatch: PinMismatch) -> String {
    format!("{mismatch}. Nothing was sent. Compare the pin with the one that the server printed at its start")
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_exit_code() {
        let cases = [
            (Code::InvalidArgument, 2),
            (Code::NotFound, 1),
            (Code::Aborted, 1),
            (Code::Unavailable, 69),
            (Code::PermissionDenied, 77),
            (Code::Unauthenticated, 77),
            (Code::Internal, 70),
        ];
        for (code, expected) in cases {
            assert_eq!(Failure::from(Status::new(code, "why")).code, expected, "{code:?}");
        }
    }

    #[test]
    fn bad_data_in_a_file_is_not_a_usage_error() {
        assert_eq!(Failure::from_data(Status::invalid_argument("line 3")), Failure::new(65, "line 3"));
        assert_eq!(Failure::from_data(Status::not_found("no such district")).code, 1);
    }

    #[test]
    fn a_refused_sign_in_does_not_tell_to_sign_in() {
        let wrong = || Status::unauthenticated("the name or the password is wrong");
        assert_eq!(Failure::sign_in(wrong()), Failure::new(77, "the name or the password is wrong"));
        assert!(Failure::from(wrong()).message.contains("`ctl login`"));
    }

    #[test]
    fn a_closed_pipe_is_silent() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure, Failure::new(0, ""));
    }
}
