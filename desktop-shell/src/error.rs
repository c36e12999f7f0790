//! What the webview is told when something fails: a code to act on, words for people, and the fields at fault.

use rollcall_proto::{
    pinned::{Pin, PinMismatch, is_connection_loss},
    violations,
};
use serde::Serialize;
use tonic::{Code, Status};

/// A failure as the webview sees it. Its text never holds a secret or student data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct ShellError {
    /// What kind of failure.
    pub code: ErrorCode,
    /// What happened and what to do.
    pub message: String,
    /// Fields of the request at fault.
    pub violations: Vec<Violation>,
    /// Where another key than the known one was shown: both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Box<ServerKeys>>,
    /// A finer reason inside a code, for example `code_expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// By its wire name, for example `grades[1]`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// The known and the shown key of a server, SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerKeys {
    pub expected: String,
    pub shown: String,
}

/// The kinds of failure: gRPC's codes, and those that arise before a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request was cancelled.
    Cancelled,
    /// A field is wrong; `violations` names it where the server does.
    InvalidArgument,
    /// The server did not answer in time.
    DeadlineExceeded,
    /// Unknown, or outside the caller's districts.
    NotFound,
    /// It exists already.
    AlreadyExists,
    /// The role does not allow it.
    PermissionDenied,
    /// Too much, too large, too often, or the server's disk is full.
    ResourceExhausted,
    /// The state does not allow it.
    FailedPrecondition,
    /// Another version is current.
    Aborted,
    /// The server does not know this call: it is older or newer than this program.
    Unimplemented,
    /// The server had a fault.
    Internal,
    /// The server cannot be reached, or the connection was lost.
    Unavailable,
    /// Nobody is signed in, or the session ended.
    Unauthenticated,
    /// The server's key is not the known one. Nothing was sent.
    ServerKeyChanged,
    /// The address cannot be used.
    BadAddress,
    /// This window may not make this call.
    NotAllowed,
    /// The answer carries a secret and this window may not see one.
    SecretWithheld,
    /// No server is connected.
    NotConnected,
    /// A file cannot be read or written.
    File,
    /// The keychain is locked.
    KeychainLocked,
    /// This session has no keychain.
    KeychainAbsent,
    /// The keychain failed in another way.
    KeychainFailed,
    /// An enrollment code cannot be used; `reason` says why.
    Code,
    /// This program's own settings or folder cannot be used.
    Setup,
}

impl ShellError {
    /// A failure of this kind in these words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), violations: Vec::new(), keys: None, reason: None }
    }

    /// Adds the finer reason.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The server showed another key.
    pub fn key_changed(mismatch: PinMismatch) -> Self {
        let PinMismatch { expected, shown } = mismatch;
        let words = "the server's key is not the one that was known: nothing was sent. Ask whoever runs the server \
                     whether its key was changed, before you trust the new one";
        let keys = ServerKeys { expected: expected.to_string(), shown: shown.to_string() };
        Self { keys: Some(Box::new(keys)), ..Self::new(ErrorCode::ServerKeyChanged, words) }
    }

    /// Whether the same call may succeed once the connection is back.
    pub fn is_connection_loss(&self) -> bool {
        matches!(self.code, ErrorCode::Unavailable)
    }
}

/// The key that a failed connection met, if that is why it failed.
pub fn mismatch(status: &Status) -> Option<PinMismatch> {
    PinMismatch::find(std::error::Error::source(status)?)
}

/// The key that the server shows, where it is not `known`.
pub fn shown(error: &(dyn std::error::Error + 'static)) -> Option<Pin> {
    PinMismatch::find(error).map(|mismatch| mismatch.shown)
}

/// Whether our own limit ended the call, of which a cancellation is made. A cancellation of another source is a
/// connection that broke under the call.
fn timed_out(status: &Status) -> bool {
    let causes = std::iter::successors(std::error::Error::source(status), |cause| cause.source());
    causes.into_iter().any(|cause| cause.is::<tonic::TimeoutExpired>())
}

impl From<Status> for ShellError {
    fn from(status: Status) -> Self {
        if let Some(mismatch) = mismatch(&status) {
            return Self::key_changed(mismatch);
        }
        let late = status.code() == Code::DeadlineExceeded || timed_out(&status);
        let code = match status.code() {
            _ if late => ErrorCode::DeadlineExceeded,
            _ if is_connection_loss(&status) => ErrorCode::Unavailable,
            answered => code(answered),
        };
        let violations = violations::decode(status.details());
        let violations = violations.into_iter().map(|at| Violation { field: at.field, message: at.description });
        let message = match code {
            // What the transport says of a lost connection is not for people.
            ErrorCode::Unavailable if std::error::Error::source(&status).is_some() => {
                "the server cannot be reached: check the network, and whether the server runs".to_owned()
            }
            ErrorCode::Unimplemented => "the server does not know this call: it is older or newer than this program, \
                                         update the older of the two"
                .to_owned(),
            ErrorCode::DeadlineExceeded if status.message().is_empty() || timed_out(&status) => {
                "the server did not answer in time".to_owned()
            }
            _ if status.message().is_empty() => status.code().description().to_owned(),
            _ => status.message().to_owned(),
        };
        Self { violations: violations.collect(), ..Self::new(code, message) }
    }
}

fn code(code: Code) -> ErrorCode {
    match code {
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => ErrorCode::Internal,
        Code::Cancelled => ErrorCode::Cancelled,
        Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidArgument,
        Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        Code::NotFound => ErrorCode::NotFound,
        Code::AlreadyExists => ErrorCode::AlreadyExists,
        Code::PermissionDenied => ErrorCode::PermissionDenied,
        Code::ResourceExhausted => ErrorCode::ResourceExhausted,
        Code::FailedPrecondition => ErrorCode::FailedPrecondition,
        Code::Aborted => ErrorCode::Aborted,
        Code::Unimplemented => ErrorCode::Unimplemented,
        Code::Unavailable => ErrorCode::Unavailable,
        Code::Unauthenticated => ErrorCode::Unauthenticated,
    }
}

impl From<rollcall_keychain::KeychainError> for ShellError {
    fn from(error: rollcall_keychain::KeychainError) -> Self {
        use rollcall_keychain::KeychainError as E;
        let (code, reason) = match error {
            E::Locked(_) | E::Timeout(_) => (ErrorCode::KeychainLocked, "keychain_locked"),
            E::NoService(_) => (ErrorCode::KeychainAbsent, "keychain_absent"),
            E::ReadBackDiffers => (ErrorCode::KeychainFailed, "keychain_differs"),
            E::NoEntry | E::Other(_) => (ErrorCode::KeychainFailed, "keychain_failed"),
        };
        Self::new(code, error.to_string()).because(reason)
    }
}
