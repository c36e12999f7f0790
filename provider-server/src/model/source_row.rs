//! What a row of a roster file means for the record that is there. Pure.
//!
//! Dates are data: those that the file leaves out stay absent. An enrollment ends only where its source row is absent
//! from a whole list, or says so itself.

use super::{
    change::ChangeAct,
    student::{Enrollment, RoleType, Status, Student, StudentFields},
};

/// A student as a file states it.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceStudent {
    /// The row says tobedeleted.
    pub deleted: bool,
    /// The file holds the student's own row; else only enrollments and the birth date are stated.
    pub stated: bool,
    /// The file's format has preferred names.
    pub preferred_stated: bool,
    /// The list of enrollments is whole; else it holds changes.
    pub complete: bool,
    /// Nothing says that this is a student: for students that are known only.
    pub known_only: bool,
    /// What is stated. An enrollment that is `ended` is to end.
    pub fields: StudentFields,
}

/// How a whole file is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// The district keeps birth dates.
    pub birth_date_allowed: bool,
    /// The file's birth dates were read.
    pub birth_dates_read: bool,
    /// The file holds everything.
    pub bulk: bool,
    /// Rows were hidden by errors, so that absence proves nothing.
    pub absence_proves_nothing: bool,
}

/// The act that a row asks for; `None` where it says nothing of the record there is. An act may still change nothing.
pub fn act_of(current: Option<&Student>, source: SourceStudent, rules: SourceRules) -> Option<ChangeAct> {
    let in_use = current.filter(|student| student.status == Status::Active);
    if source.deleted {
        return in_use.map(|_| ChangeAct::Delete);
    }
    let known = current.map(|student| &student.fields);
    if known.is_none() && (source.known_only || !source.stated) || in_use.is_none() && !source.stated {
        return None;
    }
    let SourceStudent { stated, preferred_stated, complete, fields: mut source, .. } = source;
    let birth_date = match (rules.birth_date_allowed, source.birth_date.take()) {
        (false, _) => None,
        (true, None) if rules.birth_dates_read && rules.bulk => None,
        (true, read) => read.or(known.and_then(|known| known.birth_date)),
    };
    let told = std::mem::take(&mut source.enrollments);
    let new_primary = told.iter().find(|e| !e.ended && e.role == RoleType::Primary).map(|e| e.school.clone());
    let candidates = [source.primary_org.take(), new_primary, known.and_then(|known| known.primary_org.clone())];
    let end_absent = complete && !rules.absence_proves_nothing;
    let enrollments = merge(known.map_or(&[], |known| &known.enrollments), told, end_absent);
    let active = |school: &String| enrollments.iter().any(|e| e.school == *school && !e.ended);
    let primary_org = candidates.into_iter().flatten().find(active);
    let mut fields = if stated { source } else { known?.clone() };
    if let (true, false, Some(known)) = (stated, preferred_stated, known) {
        fields.preferred_given_name.clone_from(&known.preferred_given_name);
        fields.preferred_middle_name.clone_from(&known.preferred_middle_name);
        fields.preferred_family_name.clone_from(&known.preferred_family_name);
    }
    Some(ChangeAct::Put(Box::new(StudentFields { enrollments, primary_org, birth_date, ..fields })))
}

/// The known list in its order, with what the file says of it; new ones behind.
fn merge(known: &[Enrollment], told: Vec<Enrollment>, end_absent: bool) -> Vec<Enrollment> {
    let mut list = known.to_vec();
    if end_absent {
        for entry in list.iter_mut().filter(|entry| !told.iter().any(|t| t.school == entry.school)) {
            entry.ended = true;
        }
    }
    for told in told {
        match list.iter_mut().find(|entry| entry.school == told.school && !entry.ended) {
            Some(entry) if told.ended => {
                entry.ended = true;
                entry.end = told.end.or(entry.end);
            }
            Some(entry) => (entry.role, entry.begin, entry.end) = (told.role, told.begin, told.end),
            None if told.ended => {}
            None => list.push(told),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::{
        change::{ChangeRequest, next},
        student::tests::fields,
    };
    use super::*;
    use rollcall_proto::id::DistrictId;

    const BULK: SourceRules =
        SourceRules { birth_date_allowed: false, birth_dates_read: false, bulk: true, absence_proves_nothing: false };

    fn source(schools: &[&str]) -> SourceStudent {
        let fields = fields(schools);
        SourceStudent {
            deleted: false,
            stated: true,
            preferred_stated: true,
            complete: true,
            known_only: false,
            fields,
        }
    }

    fn apply(current: Option<&Student>, source: SourceStudent, rules: SourceRules) -> Option<Student> {
        let act = act_of(current, source, rules)?;
        let district = DistrictId::new(0, [0; 10]);
        let sourced_id = "S-1".to_owned();
        let request =
            ChangeRequest { district, sourced_id, act, expected_version: None, idempotency: None, line: None };
        Some(next(current, request, rules.birth_date_allowed).expect("valid"))
    }

    fn states(student: &Student) -> Vec<(&str, bool)> {
        student.fields.enrollments.iter().map(|e| (e.school.as_str(), e.ended)).collect()
    }

    #[test]
    fn the_same_row_again_changes_nothing_whatever_ended_meanwhile() {
        let mut known = apply(None, source(&["a", "b"]), BULK).expect("created");
        known.fields.withdraw("b", None, Some("moved".into())).expect("there");
        assert!(apply(Some(&known), source(&["a"]), BULK).as_ref() == Some(&known));
    }

    #[test]
    fn an_absent_enrollment_ends_unless_absence_proves_nothing() {
        let known = apply(None, source(&["a", "b"]), BULK).expect("created");
        let after = apply(Some(&known), source(&["b"]), BULK).expect("an act");
        assert_eq!(states(&after), [("a", true), ("b", false)]);
        assert_eq!(after.fields.enrollments[0].end, None, "no date is guessed");
        assert_eq!(after.fields.primary_org.as_deref(), Some("b"));
        let hidden = SourceRules { absence_proves_nothing: true, ..BULK };
        let after = apply(Some(&known), source(&["b"]), hidden).expect("an act");
        assert_eq!(states(&after), [("a", false), ("b", false)]);
    }

    #[test]
    fn a_delta_adds_and_ends_only_what_it_names() {
        let delta = SourceRules { bulk: false, ..BULK };
        let known = apply(None, source(&["a", "c"]), BULK).expect("created");
        let mut moved = SourceStudent { complete: false, ..source(&["a", "b"]) };
        moved.fields.enrollments[0].ended = true;
        moved.fields.primary_org = None;
        let after = apply(Some(&known), moved.clone(), delta).expect("an act");
        assert_eq!(states(&after), [("a", true), ("c", false), ("b", false)]);
        assert_eq!(after.fields.primary_org.as_deref(), Some("b"));
        let roles_only = SourceStudent { stated: false, known_only: true, ..moved };
        assert!(apply(None, roles_only.clone(), delta).is_none(), "not known to be a student");
        let after = apply(Some(&known), roles_only, delta).expect("an act");
        assert_eq!(after.fields.given_name, known.fields.given_name);
        assert_eq!(states(&after), [("a", true), ("c", false), ("b", false)]);
    }

    #[test]
    fn a_deleted_record_comes_back_only_by_a_row_of_its_own() {
        let known = apply(None, source(&["a"]), BULK).expect("created");
        let deleted = SourceStudent { deleted: true, ..source(&["a"]) };
        assert!(apply(None, deleted.clone(), BULK).is_none());
        let gone = apply(Some(&known), deleted.clone(), BULK).expect("an act");
        assert_eq!(gone.status, Status::ToBeDeleted);
        assert!(apply(Some(&gone), deleted, BULK).is_none());
        let roles_only = SourceStudent { stated: false, complete: false, ..source(&["b"]) };
        assert!(apply(Some(&gone), roles_only, BULK).is_none());
        assert_eq!(apply(Some(&gone), source(&["a"]), BULK).expect("an act").status, Status::Active);
    }

    #[test]
    fn a_format_without_preferred_names_leaves_them() {
        let mut first = source(&["a"]);
        first.fields.preferred_given_name = Some("Zoë".into());
        let known = apply(None, first, BULK).expect("created");
        let older = SourceStudent { preferred_stated: false, ..source(&["a"]) };
        assert!(apply(Some(&known), older, BULK).as_ref() == Some(&known));
        let after = apply(Some(&known), source(&["a"]), BULK).expect("an act");
        assert_eq!(after.fields.preferred_given_name, None);
    }
}
