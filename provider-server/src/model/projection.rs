//! What a school may see of a student, and which events follow from a change. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rollcall_proto::webhook::event::{EnrollmentObject, EventType, StudentObject};
use serde_json::Value;

use super::student::{Enrollment, Status, Student};

/// What follows from a change for one school.
#[derive(Debug)]
pub struct SchoolChange {
    /// The event that tells it.
    pub event_type: EventType,
    /// The projection after the change; `None` where the student has left.
    pub object: Option<StudentObject>,
    /// On updated: the changed keys with their values before.
    pub previous_attributes: Option<BTreeMap<String, Value>>,
}

/// A student as one school may see it; `None` where the student is not there. `version` and `modified_ms` are those of
/// the last change that altered this projection.
pub fn project(student: &Student, school: &str, version: u64, modified_ms: i64) -> Option<StudentObject> {
    if !student.is_at(school) {
        return None;
    }
    let fields = &student.fields;
    Some(StudentObject {
        sourced_id: student.sourced_id.clone(),
        status: student.status.as_str().into(),
        version,
        date_last_modified: Timestamp::from_millisecond(modified_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        given_name: fields.given_name.clone(),
        family_name: fields.family_name.clone(),
        middle_name: fields.middle_name.clone(),
        preferred_given_name: fields.preferred_given_name.clone(),
        preferred_middle_name: fields.preferred_middle_name.clone(),
        preferred_family_name: fields.preferred_family_name.clone(),
        identifier: fields.identifier.clone(),
        grades: fields.grades.clone(),
        username: fields.username.clone(),
        email: fields.email.clone(),
        enabled_user: fields.enabled_user,
        primary_org_sourced_id: fields.primary_org.clone().filter(|primary| primary == school),
        school_enrollments: fields.enrollments.iter().filter(|e| e.school == school).map(enrollment).collect(),
        birth_date: fields.birth_date,
    })
}

fn enrollment(enrollment: &Enrollment) -> EnrollmentObject {
    EnrollmentObject {
        school_sourced_id: enrollment.school.clone(),
        role_type: enrollment.role.as_str().into(),
        begin_date: enrollment.begin,
        end_date: enrollment.end,
        exit_reason: enrollment.exit_reason.clone(),
        status: enrollment.ended.then(|| "ended".into()),
    }
}

/// What a change means for one school; `None` where its projection stays as it was.
pub fn school_change(before: Option<&Student>, after: &Student, school: &str) -> Option<SchoolChange> {
    // Equal versions here, so that only content is compared.
    let old = before.and_then(|student| project(student, school, after.version, after.modified_ms));
    let new = project(after, school, after.version, after.modified_ms);
    let (event_type, previous_attributes) = match (&old, &new) {
        (None, None) => return None,
        (None, Some(_)) if before.is_none() => (EventType::StudentCreated, None),
        (None, Some(_)) => (EventType::StudentEnrolled, None),
        (Some(_), None) if after.status != Status::Active => (EventType::StudentDeleted, None),
        (Some(_), None) => (EventType::StudentWithdrawn, None),
        (Some(old), Some(new)) if old == new => return None,
        (Some(old), Some(new)) => (EventType::StudentUpdated, Some(changed(old, new))),
    };
    Some(SchoolChange { event_type, object: new, previous_attributes })
}

fn changed(old: &StudentObject, new: &StudentObject) -> BTreeMap<String, Value> {
    let keys = |object: &StudentObject| match serde_json::to_value(object) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (keys(old), keys(new));
    let mut previous: BTreeMap<String, Value> =
        old.iter().filter(|(key, value)| new.get(*key) != Some(value)).map(|(k, v)| (k.clone(), v.clone())).collect();
    for key in new.keys().filter(|key| !old.contains_key(*key)) {
        previous.insert(key.clone(), Value::Null);
    }
    previous
}

#[cfg(test)]
mod tests {
    use super::super::student::{RoleType, Status, tests::fields};
    use super::*;

    fn student(version: u64, schools: &[&str]) -> Student {
        Student {
            sourced_id: "S-1".into(),
            status: Status::Active,
            version,
            modified_ms: 1_000,
            fields: fields(schools),
        }
    }

    fn event(before: Option<&Student>, after: &Student, school: &str) -> Option<EventType> {
        school_change(before, after, school).map(|change| change.event_type)
    }

    #[test]
    fn each_school_hears_only_what_concerns_it() {
        let one = student(1, &["a"]);
        assert_eq!(event(None, &one, "a"), Some(EventType::StudentCreated));
        assert_eq!(event(None, &one, "b"), None);

        let mut moved = student(2, &["a"]);
        moved.fields.withdraw("a", None, None).expect("there");
        moved.fields.enroll("b", RoleType::Primary, None).expect("not there yet");
        assert_eq!(event(Some(&one), &moved, "a"), Some(EventType::StudentWithdrawn));
        assert_eq!(event(Some(&one), &moved, "b"), Some(EventType::StudentEnrolled));

        let mut both = student(3, &["a", "b"]);
        both.fields.enrollments[1].role = RoleType::Secondary;
        let mut changed = both.clone();
        changed.version = 4;
        changed.fields.enrollments[1].begin = Some(jiff::civil::date(2026, 8, 17));
        assert_eq!(event(Some(&both), &changed, "a"), None, "the other school's dates are not its business");
        assert_eq!(event(Some(&both), &changed, "b"), Some(EventType::StudentUpdated));

        let mut deleted = one.clone();
        deleted.status = Status::ToBeDeleted;
        assert_eq!(event(Some(&one), &deleted, "a"), Some(EventType::StudentDeleted));
        assert_eq!(event(Some(&deleted), &one, "a"), Some(EventType::StudentEnrolled), "comes back");
    }

    #[test]
    fn previous_attributes_hold_only_changed_keys_and_null_for_new_ones() {
        let before = student(1, &["a"]);
        let mut after = student(2, &["a"]);
        after.fields.grades = vec!["08".into()];
        after.fields.email = Some("a@example.org".into());
        let change = school_change(Some(&before), &after, "a").expect("changed");
        let previous = serde_json::to_string(&change.previous_attributes).expect("JSON");
        assert_eq!(previous, r#"{"email":null,"grades":["07"]}"#);
    }
}
