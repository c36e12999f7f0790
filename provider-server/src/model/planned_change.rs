//! What a change would do to a record, field by field, for people who decide about it. Pure.

use super::{
    projection::school_change,
    student::{Enrollment, Status, Student, StudentFields},
};

/// What a change is to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new, or comes back.
    Created,
    /// It stays.
    Updated,
    /// It is marked for deletion.
    Deleted,
}

impl ChangeKind {
    const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Deleted];

    /// What leads from one state to another.
    pub fn of(before: Option<&Student>, after: &Student) -> Self {
        match (before.map(|student| student.status), after.status) {
            (None | Some(Status::ToBeDeleted | Status::Erased), _) => Self::Created,
            (Some(Status::Active), Status::Active) => Self::Updated,
            (Some(Status::Active), _) => Self::Deleted,
        }
    }

    /// As told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A field that differs, by its wire name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// For example `grades`.
    pub field: &'static str,
    /// `None` where there was none.
    pub old: Option<String>,
    /// `None` where there is none any more.
    pub new: Option<String>,
}

/// A change that is planned, as staff see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// The student.
    pub sourced_id: String,
    /// The preferred name where there is one.
    pub display_name: String,
    /// What it is.
    pub kind: ChangeKind,
    /// None for a deletion.
    pub fields: Vec<FieldChange>,
    /// sourcedIds of the schools that would be told.
    pub schools: Vec<String>,
}

impl PlannedChange {
    /// What leads from one state to another.
    pub fn new(before: Option<&Student>, after: &Student) -> Self {
        let kind = ChangeKind::of(before, after);
        let old = before.filter(|_| kind == ChangeKind::Updated).map(|student| &student.fields);
        let fields = if kind == ChangeKind::Deleted { Vec::new() } else { field_changes(old, &after.fields) };
        let schools = schools_of(before, after).into_iter();
        Self {
            sourced_id: after.sourced_id.clone(),
            display_name: display_name(&after.fields),
            kind,
            fields,
            schools: schools
                .filter(|school| school_change(before, after, school).is_some())
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The schools that a student is at before or after, in order.
pub fn schools_of<'a>(before: Option<&'a Student>, after: &'a Student) -> Vec<&'a str> {
    let mut schools = after.current_schools();
    schools.extend(before.map(Student::current_schools).unwrap_or_default());
    schools.sort_unstable();
    schools.dedup();
    schools
}

fn display_name(fields: &StudentFields) -> String {
    let given = fields.preferred_given_name.as_ref().unwrap_or(&fields.given_name);
    let family = fields.preferred_family_name.as_ref().unwrap_or(&fields.family_name);
    format!("{given} {family}")
}

fn field_changes(old: Option<&StudentFields>, new: &StudentFields) -> Vec<FieldChange> {
    let old = old.map(texts);
    let changes = texts(new).into_iter().enumerate().map(|(index, (field, new))| {
        let old = old.as_ref().and_then(|old| old[index].1.clone());
        FieldChange { field, old, new }
    });
    changes.filter(|change| change.old != change.new).collect()
}

/// Every field as text, by wire name.
fn texts(fields: &StudentFields) -> [(&'static str, Option<String>); 14] {
    let list = |texts: Vec<String>, between: &str| Some(texts.join(between)).filter(|text| !text.is_empty());
    [
        ("givenName", Some(fields.given_name.clone())),
        ("familyName", Some(fields.family_name.clone())),
        ("middleName", fields.middle_name.clone()),
        ("preferredGivenName", fields.preferred_given_name.clone()),
        ("preferredMiddleName", fields.preferred_middle_name.clone()),
        ("preferredFamilyName", fields.preferred_family_name.clone()),
        ("identifier", fields.identifier.clone()),
        ("grades", list(fields.grades.clone(), ", ")),
        ("username", fields.username.clone()),
        ("email", fields.email.clone()),
        ("enabledUser", Some(fields.enabled_user.to_string())),
        ("primaryOrgSourcedId", fields.primary_org.clone()),
        ("birthDate", fields.birth_date.map(|date| date.to_string())),
        ("schoolEnrollments", list(fields.enrollments.iter().map(enrollment).collect(), "; ")),
    ]
}

fn enrollment(enrollment: &Enrollment) -> String {
    let mut text = format!("{} {}", enrollment.school, enrollment.role.as_str());
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {word} {value}"));
        }
    };
    add("from", enrollment.begin.map(|date| date.to_string()));
    add("until", enrollment.end.map(|date| date.to_string()));
    add("because", enrollment.exit_reason.clone());
    if enrollment.ended {
        text.push_str(" (ended)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::student::tests::fields;
    use super::*;

    fn student(status: Status, fields: StudentFields) -> Student {
        Student { sourced_id: "S-1".into(), status, version: 1, modified_ms: 0, fields }
    }

    #[test]
    fn an_update_names_what_differs_with_both_values() {
        let before = student(Status::Active, fields(&["a", "b"]));
        let mut after = before.clone();
        after.fields.preferred_given_name = Some("Bo".into());
        after.fields.grades = vec!["08".into(), "09".into()];
        after.fields.enrollments[1].ended = true;
        let planned = PlannedChange::new(Some(&before), &after);
        assert_eq!(planned.kind, ChangeKind::Updated);
        assert!(planned.display_name.starts_with("Bo "));
        let told: Vec<(&str, Option<&str>, Option<&str>)> =
            planned.fields.iter().map(|f| (f.field, f.old.as_deref(), f.new.as_deref())).collect();
        let expected = [
            ("preferredGivenName", None, Some("Bo")),
            ("grades", Some("07"), Some("08, 09")),
            ("schoolEnrollments", Some("a primary; b primary"), Some("a primary; b primary (ended)")),
        ];
        assert_eq!(told, expected);
        assert_eq!(planned.schools, ["a", "b"]);
    }

    #[test]
    fn who_is_new_or_comes_back_has_no_old_values_and_a_deletion_tells_no_fields() {
        let active = student(Status::Active, fields(&["a"]));
        let deleted = student(Status::ToBeDeleted, fields(&["a"]));
        for before in [None, Some(&deleted)] {
            let planned = PlannedChange::new(before, &active);
            assert_eq!(planned.kind, ChangeKind::Created);
            assert!(planned.fields.len() >= 4 && planned.fields.iter().all(|field| field.old.is_none()));
        }
        let planned = PlannedChange::new(Some(&active), &deleted);
        assert_eq!((planned.kind, planned.fields.len(), planned.schools.len()), (ChangeKind::Deleted, 0, 1));
    }
}
