//! What ends a command: an exit code of the command line's contract and a text for people.

use std::{fmt, process::ExitCode};

/// Why a command ended, by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check was made and failed.
    CheckFailed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// What was given cannot be used: a mistyped, expired or reused code.
    BadData = 65,
    /// The other side does not answer.
    Unreachable = 69,
    /// Something broke here, or the disk refused to keep what was written.
    Internal = 70,
    /// Another process holds the data directory.
    Locked = 75,
    /// Not allowed.
    Denied = 77,
    /// A setting is wrong.
    Config = 78,
}

/// A command's failure. Its text never holds a secret or student data.
#[derive(Debug)]
pub struct AppError {
    /// Decides the exit code.
    pub kind: Kind,
    /// A finer reason for a program to act on, such as `code_expired` or `keychain_locked`; empty where there is none.
    pub reason: &'static str,
    /// Where a server showed another key than the known one.
    pub keys: Option<Box<ServerKeys>>,
    message: String,
}

/// The known and the shown key of a server, SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeys {
    pub expected: String,
    pub shown: String,
}

impl AppError {
    /// A failure of this kind in these words.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, reason: "", keys: None, message: message.into() }
    }

    /// Names the finer reason.
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// Adds the keys that differ.
    pub fn with_keys(self, keys: ServerKeys) -> Self {
        Self { keys: Some(Box::new(keys)), ..self }
    }

    /// A wrong setting; the text names it.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// Something broke here.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Adds what was being done.
    pub fn while_doing(kind: Kind, what: &str, source: impl fmt::Display) -> Self {
        Self::new(kind, format!("{what}: {source}"))
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {}

/// An answer of a gRPC server as a failure of a command.
impl From<tonic::Status> for AppError {
    fn from(status: tonic::Status) -> Self {
        use tonic::Code;
        let kind = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Kind::Unreachable,
            Code::Unauthenticated | Code::PermissionDenied => Kind::Denied,
            Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => Kind::BadData,
            _ => Kind::Internal,
        };
        let words = if status.message().is_empty() { status.code().description() } else { status.message() };
        Self::new(kind, words)
    }
}
