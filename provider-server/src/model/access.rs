//! Who is calling, and what they may see. A foreign id answers like an unknown one.

use rollcall_proto::id::{DistrictId, SchoolId};

/// What a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Installation,
    /// These districts and their schools.
    Districts(Vec<DistrictId>),
    /// One school.
    School(DistrictId, SchoolId),
}

/// A caller whose token was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `staff:NAME` or `school:ID`, for the audit log and as the credential of idempotency keys.
    pub actor: String,
    /// What the caller may see.
    pub scope: Scope,
}

/// What a caller may do; the schema's `access` option names who may call an rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Staff; everything in the whole installation.
    Owner,
    /// Staff; changes schools, students and imports.
    Operator,
    /// Staff; reads rosters and the delivery log.
    Viewer,
    /// Staff; reads the delivery log and the audit log.
    Auditor,
    /// A school's installation.
    School,
}

impl Role {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::School => "school",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Operator, Self::Viewer, Self::Auditor, Self::School]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

impl Scope {
    /// Whether this district is in scope.
    pub fn includes_district(&self, district: DistrictId) -> bool {
        match self {
            Self::Installation => true,
            Self::Districts(districts) => districts.contains(&district),
            Self::School(of, _) => *of == district,
        }
    }

    /// Whether this school is in scope.
    pub fn includes_school(&self, district: DistrictId, school: SchoolId) -> bool {
        match self {
            Self::School(_, own) => *own == school,
            other => other.includes_district(district),
        }
    }
}
