//! What was said about a request: the verdict, the result, the HTTP code. One table for the answer and the record.

use http::StatusCode;

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    Verified = 0,
    Duplicate = 1,
    BadSignature = 2,
    TooOld = 3,
    Rejected = 4,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::Verified, Self::Duplicate, Self::BadSignature, Self::TooOld, Self::Rejected];

    /// The name on the schema's wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Duplicate => "duplicate",
            Self::BadSignature => "bad_signature",
            Self::TooOld => "too_old",
            Self::Rejected => "rejected",
        }
    }

    /// The verdict of a stored number; an unknown one reads as rejected.
    pub fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|v| i64::from(*v as u8) == number).unwrap_or(Self::Rejected)
    }
}

/// What the inbox did with a verified message. Anything but the last two is committed when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Newer than what was held.
    Applied,
    /// A version at or below the one held.
    Stale,
    /// This id with this body was here before.
    Duplicate,
    /// A type that this version does not apply.
    Kept,
    /// This id was here before with another body.
    Conflict,
    /// No room on the disk; nothing was written.
    DiskFull,
    /// Too much at once, or stopping; nothing was written.
    Busy,
}

impl Outcome {
    /// The HTTP code.
    pub fn code(self) -> StatusCode {
        match self {
            Self::Applied | Self::Stale | Self::Duplicate => StatusCode::OK,
            Self::Kept => StatusCode::ACCEPTED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::DiskFull | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word for the answer and the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Kept => "kept",
            Self::Conflict => "refused: this id came before with another body",
            Self::DiskFull => "refused: the disk is full",
            Self::Busy => "refused: too busy",
        }
    }

    /// How it is recorded.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Applied | Self::Stale | Self::Kept => Verdict::Verified,
            Self::Duplicate => Verdict::Duplicate,
            Self::Conflict | Self::DiskFull | Self::Busy => Verdict::Rejected,
        }
    }
}
