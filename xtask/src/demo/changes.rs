//! What staff do in the demo: updates, a new student, a deletion, transfers.

use anyhow::Result;
use rollcall_proto::provider::v1::{self as pb, change::Act};

use super::{DISTRICT, schools::DemoSchool};
use crate::admin::Admin;

/// Students of a school that a round updates.
const UPDATED: u32 = 40;

/// One round of updates at every school; answers the changes. The same round makes the same keys, so it may be repeated.
pub async fn updates(admin: &Admin, schools: &[DemoSchool], round: &str, per_school: u32) -> Result<Vec<pb::Change>> {
    let mut acts = Vec::new();
    for school in schools {
        for student in admin.some_students(DISTRICT, &school.id, per_school).await? {
            acts.push((format!("{round}-{}-{}", school.id, student.sourced_id), renamed(student, round)));
        }
    }
    // Who is at two schools is listed twice.
    acts.sort_by(|(_, a), (_, b)| a.sourced_id.cmp(&b.sourced_id));
    acts.dedup_by(|(_, a), (_, b)| a.sourced_id == b.sourced_id);
    Ok(numbered(acts.into_iter().map(|(key, student)| (key, Act::Put(student)))))
}

/// A day at the office: updates everywhere, two students trade schools, one is deleted and a new one comes. Every
/// school has as many students afterwards as before.
pub async fn office_day(admin: &Admin, schools: &[DemoSchool]) -> Result<(Vec<pb::Change>, String)> {
    let mut changes = updates(admin, schools, "day", UPDATED).await?;
    let updated = changes.len();
    let mut acts = Vec::new();
    let mut movable = Vec::new();
    for school in schools {
        let students = admin.some_students(DISTRICT, &school.id, 200).await?;
        let mut only_here = students.into_iter().filter(|student| is_only_at(student, &school.sourced_id));
        if let (Some(moves), Some(leaves)) = (only_here.next(), only_here.next()) {
            movable.push((school, moves, leaves));
        }
    }
    let mut told = vec![format!("{updated} updates")];
    if let [(here, one, _), .., (there, other, _)] = movable.as_slice() {
        acts.push(transfer(&one.sourced_id, here, there));
        acts.push(transfer(&other.sourced_id, there, here));
        told.push(format!("2 transfers between {} and {}", here.name, there.name));
    }
    if let Some((school, _, leaves)) = movable.first() {
        let delete = pb::DeleteStudentRequest { sourced_id: leaves.sourced_id.clone(), ..Default::default() };
        acts.push((format!("delete-{}", leaves.sourced_id), Act::Delete(delete)));
        let newcomer = newcomer(leaves, school);
        acts.push((format!("create-{}", newcomer.sourced_id), Act::Put(newcomer)));
        told.push(format!("1 deletion and 1 new student at {}", school.name));
    }
    changes.extend(numbered(acts));
    for (tag, change) in (1..).zip(&mut changes) {
        change.tag = tag;
    }
    Ok((changes, told.join(", ")))
}

fn renamed(mut student: pb::Student, round: &str) -> pb::Student {
    // Whatever version is current by then: this is a replacement, not an edit.
    student.version = 0;
    student.date_last_modified = None;
    student.preferred_given_name = Some(format!("{} {round}", student.given_name).chars().take(200).collect());
    student
}

fn is_only_at(student: &pb::Student, school_sourced_id: &str) -> bool {
    let mut active = student.school_enrollments.iter().filter(|enrollment| !enrollment.ended);
    active.next().is_some_and(|enrollment| enrollment.school_sourced_id == school_sourced_id) && active.next().is_none()
}

fn transfer(sourced_id: &str, from: &DemoSchool, to: &DemoSchool) -> (String, Act) {
    let request = pb::TransferStudentRequest {
        sourced_id: sourced_id.into(),
        from_school: from.id.clone(),
        to_school: to.id.clone(),
        exit_reason: Some("moved".into()),
        ..Default::default()
    };
    (format!("transfer-{sourced_id}"), Act::Transfer(request))
}

fn newcomer(like: &pb::Student, school: &DemoSchool) -> pb::Student {
    pb::Student {
        sourced_id: "demo-newcomer".into(),
        status: pb::StudentStatus::Active.into(),
        given_name: "Zoë".into(),
        family_name: "O'Brien-Łukasz".into(),
        grades: like.grades.clone(),
        primary_org_sourced_id: Some(school.sourced_id.clone()),
        school_enrollments: vec![pb::SchoolEnrollment {
            school_sourced_id: school.sourced_id.clone(),
            role_type: "primary".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn numbered(acts: impl IntoIterator<Item = (String, Act)>) -> Vec<pb::Change> {
    (1..)
        .zip(acts)
        .map(|(tag, (key, act))| pb::Change {
            district: DISTRICT.into(),
            tag,
            // At most 128 characters; a sourcedId alone may have 255.
            idempotency_key: crate::process::short_key(&key),
            act: Some(act),
        })
        .collect()
}
