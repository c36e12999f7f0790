//! A change of a student: what is asked, and the record that follows from it. Pure.

use jiff::civil::Date;
use rollcall_proto::id::{ChangeId, DistrictId, RunId};

use super::student::{Enrollment, RoleType, Status, Student, StudentFields};
use crate::error::{Refusal, RefusalKind};

/// One change that is asked for.
pub struct ChangeRequest {
    /// The student's district.
    pub district: DistrictId,
    /// The student.
    pub sourced_id: String,
    /// What is to be done.
    pub act: ChangeAct,
    /// The version that must be current.
    pub expected_version: Option<u64>,
    /// Answers the same for the same key.
    pub idempotency: Option<Idempotency>,
    /// The line in the imported file.
    pub line: Option<u64>,
}

/// A key that makes asking twice harmless.
pub struct Idempotency {
    /// As the caller gave it.
    pub key: String,
    /// What is compared: the same key with other bytes is refused.
    pub request: Vec<u8>,
}

/// The acts. Schools are named by sourcedId.
pub enum ChangeAct {
    /// Creates or replaces the record; brings back one that was marked for deletion.
    Put(Box<StudentFields>),
    /// Adds or re-opens an enrollment.
    Enroll { school: String, role: RoleType, begin: Option<Date> },
    /// Ends an enrollment.
    Withdraw { school: String, end: Option<Date>, reason: Option<String> },
    /// Ends one and adds another.
    Transfer { from: String, to: String, date: Option<Date>, reason: Option<String> },
    /// Marks for deletion.
    Delete,
    /// Writes a state that the record had before, as it was, as the undo of an import does.
    Restore(Box<StudentFields>, Status),
}

impl ChangeAct {
    /// For the audit log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put(_) => "student.put",
            Self::Enroll { .. } => "student.enroll",
            Self::Withdraw { .. } => "student.withdraw",
            Self::Transfer { .. } => "student.transfer",
            Self::Delete => "student.delete",
            Self::Restore(..) => "student.restore",
        }
    }

    /// The schools that the act names, for looking them up.
    pub fn schools(&self) -> Vec<&str> {
        match self {
            Self::Put(fields) | Self::Restore(fields, _) => {
                fields.enrollments.iter().map(|e| e.school.as_str()).collect()
            }
            Self::Enroll { school, .. } | Self::Withdraw { school, .. } => vec![school],
            Self::Transfer { from, to, .. } => vec![from, to],
            Self::Delete => vec![],
        }
    }
}

/// Who asks, and through which door.
#[derive(Clone)]
pub struct Origin {
    /// `staff:NAME`, `run:ID`; also the credential of idempotency keys.
    pub actor: String,
    /// `staff`, `api`, `import` or `undo`, as events tell it.
    pub kind: &'static str,
    /// The import run.
    pub run: Option<RunId>,
}

/// What became of a change.
#[derive(Clone)]
pub struct ChangeOutcome {
    /// The record after it.
    pub student: Student,
    /// `None` where nothing changed.
    pub change: Option<ChangeId>,
    /// Events made.
    pub events: u32,
    /// The answer was given before.
    pub repeated: bool,
}

/// The record after an act; equal to `before` (but for version and time) where the act changes nothing.
pub fn next(before: Option<&Student>, request: ChangeRequest, birth_date: bool) -> Result<Student, Refusal> {
    if let Some(expected) = request.expected_version {
        let current = before.map_or(0, |student| student.version);
        if expected != current {
            let message = format!("the student is at version {current}, not {expected}: read it again and repeat");
            return Err(Refusal { kind: RefusalKind::VersionConflict, ..Refusal::field("version", message) });
        }
    }
    let existing = || {
        let known = before.filter(|student| student.status != Status::Erased);
        known.cloned().ok_or_else(|| Refusal::not_found("the student"))
    };
    let in_use = || existing().and_then(refuse_deleted);
    let mut after = match request.act {
        ChangeAct::Put(fields) => {
            let mut fields = *fields;
            if let Some(before) = before {
                fields.enrollments = merge_enrollments(&before.fields.enrollments, fields.enrollments);
            }
            Student {
                sourced_id: request.sourced_id,
                status: Status::Active,
                version: before.map_or(0, |s| s.version),
                modified_ms: before.map_or(0, |s| s.modified_ms),
                fields,
            }
        }
        ChangeAct::Enroll { school, role, begin } => {
            let mut after = in_use()?;
            after.fields.enroll(&school, role, begin)?;
            after
        }
        ChangeAct::Withdraw { school, end, reason } => {
            let mut after = in_use()?;
            after.fields.withdraw(&school, end, reason)?;
            after
        }
        ChangeAct::Transfer { from, to, date, reason } => {
            if from == to {
                return Err(Refusal::field("toSchool", "must be another school than fromSchool"));
            }
            let mut after = in_use()?;
            let role = after.fields.enrollments.iter().find(|e| e.school == from && !e.ended).map(|e| e.role);
            after.fields.withdraw(&from, date, reason)?;
            after.fields.enroll(&to, role.unwrap_or(RoleType::Primary), date)?;
            after
        }
        ChangeAct::Delete => {
            let mut after = existing()?;
            after.status = Status::ToBeDeleted;
            return Ok(after);
        }
        ChangeAct::Restore(fields, status) => {
            let mut after = Student { status, fields: *fields, ..existing()? };
            // What the district does not keep any more does not come back.
            after.fields.birth_date = after.fields.birth_date.filter(|_| birth_date);
            if status == Status::ToBeDeleted {
                return Ok(after);
            }
            after
        }
    };
    after.fields.normalise_and_check(birth_date)?;
    Ok(after)
}

fn refuse_deleted(student: Student) -> Result<Student, Refusal> {
    match student.status {
        Status::Active => Ok(student),
        Status::ToBeDeleted | Status::Erased => {
            Err(Refusal::precondition("the student is marked for deletion: put the record first"))
        }
    }
}

/// A new list replaces the active enrollments; one that is left out is ended, and ended ones stay in the list.
fn merge_enrollments(before: &[Enrollment], new: Vec<Enrollment>) -> Vec<Enrollment> {
    let named = |old: &Enrollment| new.iter().any(|n| n.school == old.school && (!n.ended || n.begin == old.begin));
    let kept = before.iter().filter(|old| if old.ended { !new.contains(old) } else { !named(old) });
    let mut merged: Vec<Enrollment> = kept.cloned().map(|old| Enrollment { ended: true, ..old }).collect();
    merged.extend(new);
    merged
}

#[cfg(test)]
mod tests {
    use super::super::student::tests::fields;
    use super::*;

    fn put(schools: &[&str]) -> ChangeAct {
        ChangeAct::Put(Box::new(fields(schools)))
    }

    fn apply(before: Option<&Student>, act: ChangeAct) -> Result<Student, Refusal> {
        let district = DistrictId::new(0, [0; 10]);
        let sourced_id = "S-1".to_owned();
        let request =
            ChangeRequest { district, sourced_id, act, expected_version: None, idempotency: None, line: None };
        next(before, request, false)
    }

    #[test]
    fn an_enrollment_that_a_put_leaves_out_is_ended_and_stays() {
        let first = apply(None, put(&["a", "b"])).expect("valid");
        let second = apply(Some(&first), put(&["b"])).expect("valid");
        let states: Vec<(&str, bool)> =
            second.fields.enrollments.iter().map(|e| (e.school.as_str(), e.ended)).collect();
        assert_eq!(states, [("a", true), ("b", false)]);
        let again = apply(Some(&second), put(&["b"])).expect("valid");
        assert!(again == second, "putting the same again changes nothing");
    }

    #[test]
    fn acts_on_missing_or_deleted_students_are_refused() {
        let withdraw = || ChangeAct::Withdraw { school: "a".into(), end: None, reason: None };
        assert_eq!(apply(None, withdraw()).err().map(|r| r.kind), Some(RefusalKind::NotFound));
        let student = apply(None, put(&["a"])).expect("valid");
        let deleted = apply(Some(&student), ChangeAct::Delete).expect("exists");
        assert_eq!(apply(Some(&deleted), withdraw()).err().map(|r| r.kind), Some(RefusalKind::Precondition));
        let back = apply(Some(&deleted), put(&["a"])).expect("comes back");
        assert_eq!(back.status, Status::Active);
    }
}
