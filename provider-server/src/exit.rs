//! How the program ends: the exit codes that scripts rely on, each with words for people.

use std::fmt;

use crate::{sealing::SealError, store::StoreError};

/// Why the program ends with another code than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened and what to do.
    pub message: String,
}

/// A check failed.
pub const CHECK_FAILED: u8 = 1;
/// The command line is not understood.
pub const USAGE: u8 = 2;
/// Bad data, for example a damaged database.
pub const DATA: u8 = 65;
/// The database does not answer.
pub const UNREACHABLE: u8 = 69;
/// A fault of ours, or of the disk.
pub const INTERNAL: u8 = 70;
/// Another process holds the lock.
pub const LOCKED: u8 = 75;
/// Configuration: a key, a value or a file that must be set right first.
pub const CONFIG: u8 = 78;

impl Failure {
    /// A failure with this code.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A configuration failure; names the field or file.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(CONFIG, message)
    }

    /// A fault of ours or of the machine.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Newer(_) | StoreError::Corrupt(_) => DATA,
            StoreError::Sealed(SealError::UnknownKey(_) | SealError::Altered) => CONFIG,
            StoreError::Sealed(SealError::Format) => DATA,
            StoreError::Refused(_) => CHECK_FAILED,
            StoreError::Unfit(_) => CONFIG,
            StoreError::Unreachable => UNREACHABLE,
            StoreError::DiskFull
            | StoreError::Io
            | StoreError::Migration(_)
            | StoreError::Stopping
            | StoreError::Conflict
            | StoreError::Database(_) => INTERNAL,
        };
        let message = match error {
            StoreError::Sealed(SealError::Altered) => {
                "a key in the key file is not the one that this database was made with: restore its key file".into()
            }
            other => other.to_string(),
        };
        Self { code, message }
    }
}
