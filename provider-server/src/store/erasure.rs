//! Erasing a student for good. What stays is a tombstone of sourcedId and version, so that nothing late can bring the
//! student back, and the metadata of what was disclosed.

use rollcall_proto::{
    id::{ChangeId, DistrictId, SchoolId, StudentId},
    webhook::event::{EventType, Source},
};

use super::{
    Committed, StoreError, Tx, Value,
    audit::{self, AuditAct},
    changes::batch::{Batch, KnownSchool},
    student_doc,
};
use crate::{
    error::Refusal,
    model::{
        projection::SchoolChange,
        student::{Status, Student, StudentFields},
    },
};

/// The receipt.
pub struct Erased {
    /// The name of the tombstone in the log and the audit.
    pub student: StudentId,
    /// Its version.
    pub version: u64,
    /// Schools that are told.
    pub events: u32,
    /// Earlier versions that were deleted, the current one included.
    pub versions: u64,
    /// Bodies of messages that were deleted.
    pub bodies: u64,
}

/// A school that knows of the student.
struct Concerned {
    id: SchoolId,
    sourced_id: String,
    head_sequence: u64,
    ever_connected: bool,
    /// Whether it has, or had, something to be told about.
    told: bool,
}

/// Erases a student; every school that was ever told is told of it.
pub async fn erase(
    tx: &mut Tx<'_>,
    district: DistrictId,
    sourced_id: &str,
    actor: &str,
    reason: &str,
) -> Result<Erased, StoreError> {
    let sql = "SELECT student_id, version, modified_ms FROM students
               WHERE district_id = $1 AND sourced_id = $2 AND status <> 'erased'";
    let row = tx.conn.query_optional(sql, vec![district.into(), sourced_id.to_owned().into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the student"))?;
    let (student, version, modified_ms): (StudentId, u64, i64) = (row.take(0)?, row.take(1)?, row.take(2)?);
    let tombstone = Student {
        sourced_id: sourced_id.to_owned(),
        status: Status::Erased,
        version: version + 1,
        modified_ms: tx.now_ms.max(modified_ms),
        fields: StudentFields::nothing(),
    };
    let schools = concerned(tx, district, student, sourced_id).await?;
    let mut bodies = 0;
    for school in &schools {
        bodies += erase_messages(tx, school.id, student).await?;
    }
    let sql = "DELETE FROM student_versions WHERE student_id = $1";
    let versions = tx.conn.execute(sql, vec![student.into()]).await? + 1;
    let sql = "UPDATE students SET status = $2, version = $3, modified_ms = $4, actor = $5, doc = $6,
                  family_key = '', given_key = '' WHERE student_id = $1";
    let doc = student_doc::write(&tombstone.fields);
    let (status, at) = (tombstone.status.as_str().into(), tombstone.modified_ms.into());
    let by = actor.to_owned().into();
    tx.conn.execute(sql, vec![student.into(), status, tombstone.version.into(), at, by, doc.into()]).await?;
    let events = tell(tx, district, student, &tombstone, schools).await?;
    let detail = format!("{events} schools told, {versions} versions and {bodies} bodies deleted: {reason}");
    let act = AuditAct::in_district(district, actor, "student.erased", student).with_detail(detail);
    audit::append(tx, vec![act]).await?;
    Ok(Erased { student, version: tombstone.version, events, versions, bodies })
}

async fn concerned(
    tx: &mut Tx<'_>,
    district: DistrictId,
    student: StudentId,
    sourced_id: &str,
) -> Result<Vec<Concerned>, StoreError> {
    let sql = "SELECT s.school_id, s.sourced_id, s.head_sequence, s.ever_connected, p.present, p.last_sequence
               FROM schools s JOIN school_students p ON p.school_id = s.school_id AND p.sourced_id = $2
               WHERE s.district_id = $1 AND p.student_id = $3 ORDER BY s.school_id";
    let values = vec![district.into(), sourced_id.to_owned().into(), student.into()];
    let rows = tx.conn.query(sql, values).await?.into_iter();
    let read = |mut row: super::Row| {
        let (present, last_sequence): (bool, u64) = (row.take(4)?, row.take(5)?);
        Ok(Concerned {
            id: row.take(0)?,
            sourced_id: row.take(1)?,
            head_sequence: row.take(2)?,
            ever_connected: row.take(3)?,
            told: present || last_sequence > 0,
        })
    };
    rows.map(read).collect()
}

/// Erases a student's undelivered messages to a school, and what is stored of all of them. Answers the bodies deleted.
async fn erase_messages(tx: &mut Tx<'_>, school: SchoolId, student: StudentId) -> Result<u64, StoreError> {
    let values = || vec![Value::from(school), student.into()];
    let sql = "UPDATE events SET state = 'erased', reason = 'the student was erased', settled_ms = $3
               WHERE school_id = $1 AND student_id = $2 AND state IN ('pending', 'parked', 'held')";
    let erased = tx.conn.execute(sql, [values(), vec![tx.now_ms.into()]].concat()).await?;
    if erased > 0 {
        tx.after_commit(Committed::Reload(school));
    }
    let sql = "DELETE FROM attempt_answers WHERE school_id = $1 AND log_sequence IN
               (SELECT a.log_sequence FROM events e JOIN attempts a ON a.event_id = e.event_id
                WHERE e.school_id = $1 AND e.student_id = $2)";
    tx.conn.execute(sql, values()).await?;
    let sql = "DELETE FROM event_bodies WHERE event_id IN
               (SELECT event_id FROM events WHERE school_id = $1 AND student_id = $2)";
    tx.conn.execute(sql, values()).await
}

/// Makes the last event of the student for each school that was ever told.
async fn tell(
    tx: &mut Tx<'_>,
    district: DistrictId,
    student: StudentId,
    tombstone: &Student,
    schools: Vec<Concerned>,
) -> Result<u32, StoreError> {
    let sql = "SELECT sourced_id, birth_date FROM districts WHERE district_id = $1";
    let row = tx.conn.query_optional(sql, vec![district.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the district"))?;
    let mut batch = Batch::default();
    batch.add_district(district, row.take(0)?, row.take(1)?);
    let change = ChangeId::new(tx.now_ms, tx.shared.entropy.bytes());
    let mut events = 0;
    for school in schools.into_iter().filter(|school| school.told) {
        let Concerned { id, sourced_id, head_sequence, ever_connected, .. } = school;
        let keys = tx.shared.keys.school(tx.conn, id).await?;
        let known = KnownSchool { id, head_sequence, ever_connected, moved: false, keys };
        batch.schools.insert((district, sourced_id.clone()), known);
        let gone = SchoolChange { event_type: EventType::StudentDeleted, object: None, previous_attributes: None };
        let source = Source { kind: "staff".into(), run_id: None, line: None };
        events += batch.add_event(tx, (district, &sourced_id), student, change, tombstone, gone, source);
    }
    batch.write_events(tx).await?;
    Ok(events)
}
