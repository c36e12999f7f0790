//! What a caller is told when a request cannot be met. Storage faults are `StoreError`; a refusal is never a fault of
//! ours and never contains student data.

use std::fmt;

/// The kinds of a refusal; each becomes one gRPC code in `grpc/status.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A field is wrong, whatever the state of the server.
    Invalid,
    /// No such thing in the caller's scope.
    NotFound,
    /// It exists already.
    AlreadyExists,
    /// The state does not allow it now.
    Precondition,
    /// The stated version is not the current one.
    VersionConflict,
    /// The role does not allow it.
    Denied,
    /// Who is calling is not known.
    Unauthenticated,
    /// Too much, too large or too often.
    Exhausted,
}

/// A field at fault, by its wire name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// For example `grades[1]`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A request that cannot be met: what happened, which fields, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// For people.
    pub message: String,
    /// Fields at fault; empty where the request as a whole is meant.
    pub violations: Vec<Violation>,
}

impl Refusal {
    /// A refusal without fields.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), violations: Vec::new() }
    }

    /// One field is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let violation = Violation { field: field.into(), message: message.into() };
        Self {
            kind: RefusalKind::Invalid,
            message: format!("{}: {}", violation.field, violation.message),
            violations: vec![violation],
        }
    }

    /// Several fields are wrong; at least one.
    pub fn fields(violations: Vec<Violation>) -> Self {
        let message = violations.iter().map(|v| format!("{}: {}", v.field, v.message)).collect::<Vec<_>>().join("; ");
        Self { kind: RefusalKind::Invalid, message, violations }
    }

    /// No such thing in scope.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(RefusalKind::NotFound, format!("{what} was not found"))
    }

    /// The state does not allow it.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Precondition, message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
