//! Students and small things between the schema and the model. Incoming texts are checked for form here; rules are the model's.

use jiff::civil::Date;
use prost_types::Timestamp;
use rollcall_proto::provider::v1 as pb;

use crate::{
    error::{Refusal, RefusalKind},
    model::{
        access::Role,
        change::ChangeOutcome,
        student::{Enrollment, RoleType, Status, Student, StudentFields},
    },
    store::changes::preview::{PlannedEvent, Preview},
};

/// Unix ms as a timestamp.
pub fn timestamp(ms: i64) -> Timestamp {
    Timestamp { seconds: ms.div_euclid(1_000), nanos: (ms.rem_euclid(1_000) * 1_000_000) as i32 }
}

/// A timestamp as Unix ms; refused outside the years 1 to 9999.
pub fn unix_ms(field: &str, timestamp: Timestamp) -> Result<i64, Refusal> {
    let in_range = (-62_135_596_800..=253_402_300_799).contains(&timestamp.seconds);
    if !in_range || !(0..1_000_000_000).contains(&timestamp.nanos) {
        return Err(Refusal::field(field, "is not a time"));
    }
    Ok(timestamp.seconds * 1_000 + i64::from(timestamp.nanos) / 1_000_000)
}

/// An optional `YYYY-MM-DD`.
pub fn date(field: &str, text: Option<&str>) -> Result<Option<Date>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let is_date = text.len() == 10 && text.is_ascii();
    match text.parse() {
        Ok(date) if is_date => Ok(Some(date)),
        _ => Err(Refusal::field(field, "must be a date as YYYY-MM-DD")),
    }
}

/// `primary` or `secondary`; empty means primary.
pub fn role_type(field: &str, word: &str) -> Result<RoleType, Refusal> {
    let word = if word.is_empty() { "primary" } else { word };
    RoleType::parse(word).ok_or_else(|| Refusal::field(field, "must be primary or secondary"))
}

/// What a put says of a student.
pub fn student_fields(student: pb::Student) -> Result<StudentFields, Refusal> {
    let mut enrollments = Vec::with_capacity(student.school_enrollments.len());
    for (index, enrollment) in student.school_enrollments.into_iter().enumerate() {
        let at = |name: &str| format!("schoolEnrollments[{index}].{name}");
        enrollments.push(Enrollment {
            role: role_type(&at("roleType"), &enrollment.role_type)?,
            begin: date(&at("beginDate"), enrollment.begin_date.as_deref())?,
            end: date(&at("endDate"), enrollment.end_date.as_deref())?,
            exit_reason: enrollment.exit_reason,
            ended: enrollment.ended,
            school: enrollment.school_sourced_id,
        });
    }
    Ok(StudentFields {
        given_name: student.given_name,
        family_name: student.family_name,
        middle_name: student.middle_name,
        preferred_given_name: student.preferred_given_name,
        preferred_middle_name: student.preferred_middle_name,
        preferred_family_name: student.preferred_family_name,
        identifier: student.identifier,
        grades: student.grades,
        username: student.username,
        email: student.email,
        enabled_user: student.enabled_user.unwrap_or(true),
        primary_org: student.primary_org_sourced_id,
        birth_date: date("birthDate", student.birth_date.as_deref())?,
        enrollments,
    })
}

/// A student as the schema tells it.
pub fn student(student: Student) -> pb::Student {
    let fields = student.fields;
    let status = match student.status {
        Status::Active => pb::StudentStatus::Active,
        Status::ToBeDeleted | Status::Erased => pb::StudentStatus::Tobedeleted,
    };
    let enrollment = |e: Enrollment| pb::SchoolEnrollment {
        school_sourced_id: e.school,
        role_type: e.role.as_str().into(),
        begin_date: e.begin.map(|date| date.to_string()),
        end_date: e.end.map(|date| date.to_string()),
        exit_reason: e.exit_reason,
        ended: e.ended,
    };
    pb::Student {
        sourced_id: student.sourced_id,
        status: status.into(),
        date_last_modified: Some(timestamp(student.modified_ms)),
        version: student.version,
        given_name: fields.given_name,
        family_name: fields.family_name,
        middle_name: fields.middle_name,
        preferred_given_name: fields.preferred_given_name,
        preferred_middle_name: fields.preferred_middle_name,
        preferred_family_name: fields.preferred_family_name,
        identifier: fields.identifier,
        grades: fields.grades,
        username: fields.username,
        email: fields.email,
        enabled_user: Some(fields.enabled_user),
        primary_org_sourced_id: fields.primary_org,
        school_enrollments: fields.enrollments.into_iter().map(enrollment).collect(),
        birth_date: fields.birth_date.map(|date| date.to_string()),
    }
}

/// What a change did.
pub fn change_result(outcome: ChangeOutcome) -> pb::ChangeResult {
    pb::ChangeResult {
        change_id: outcome.change.map(|id| id.to_string()).unwrap_or_default(),
        events: outcome.events,
        repeated: outcome.repeated,
        student: Some(student(outcome.student)),
        sends: Vec::new(),
    }
}

/// What a change would do.
pub fn preview(preview: Preview) -> pb::ChangeResult {
    let event = |event: PlannedEvent| pb::PlannedEvent {
        school_id: event.school.to_string(),
        school_sourced_id: event.school_sourced_id,
        school_name: event.school_name,
        event_type: event.event_type.as_str().into(),
    };
    pb::ChangeResult {
        events: u32::try_from(preview.events.len()).unwrap_or(u32::MAX),
        sends: preview.events.into_iter().map(event).collect(),
        student: Some(student(preview.student)),
        ..Default::default()
    }
}

/// The schema's word for a role.
pub fn role(role: Role) -> pb::Role {
    match role {
        Role::Owner => pb::Role::Owner,
        Role::Operator => pb::Role::Operator,
        Role::Viewer => pb::Role::Viewer,
        Role::Auditor => pb::Role::Auditor,
        Role::School => pb::Role::School,
    }
}

/// `size` rows a page: 1 to 500, 0 means 100.
pub fn page_size(size: u32) -> Result<i64, Refusal> {
    match size {
        0 => Ok(100),
        1..=500 => Ok(size.into()),
        _ => Err(Refusal::field("page_size", "use 1 to 500")),
    }
}

/// Where a page of numbered rows begins: before this one. Empty means at the newest.
pub fn read_page_token(text: &str) -> Result<Option<u64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|before| *before <= i64::MAX as u64).map(Some).ok_or_else(bad_page_token)
}

/// The token that [`read_page_token`] reads.
pub fn page_token(next: Option<u64>) -> String {
    next.map(|next| next.to_string()).unwrap_or_default()
}

/// What is said of a page token that is not ours.
pub fn bad_page_token() -> Refusal {
    Refusal { kind: RefusalKind::Invalid, ..Refusal::field("page_token", "is not from the page before") }
}
