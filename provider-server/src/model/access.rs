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
