//! Accepting changes: the record, its earlier version, the projections, one event per school concerned with the next
//! sequence, its delivery, the idempotency key and the audit row, all in the caller's transaction and in few statements.

pub(super) mod batch;
pub mod preview;
mod queue;

use std::collections::{BTreeMap, HashMap, HashSet};

use hmac::Mac;
use rollcall_proto::id::{ChangeId, DistrictId, SchoolId, StudentId};

pub use queue::ChangeQueue;

use super::{
    StoreError, Tx, Value,
    audit::{self, AuditAct},
    keys::{KeyCache, derive_mac_key},
    student_doc,
};
use crate::{
    crash,
    error::{Refusal, RefusalKind, Violation},
    model::{
        change::{self, ChangeOutcome, ChangeRequest, Origin},
        student::{Status, Student, check_sourced_id},
    },
};
use batch::{Batch, KnownSchool, KnownStudent};

/// Changes in one call, and in one batch of calls, at most. On PostgreSQL it is four statements a table.
pub const MAX_BATCH: usize = 1_024;

/// What became of each change, in order.
pub type Outcomes = Vec<Result<ChangeOutcome, Refusal>>;

/// Accepts changes in order. A refused one changes nothing and does not stop the others.
pub async fn apply(tx: &mut Tx<'_>, calls: Vec<(Origin, Vec<ChangeRequest>)>) -> Result<Vec<Outcomes>, StoreError> {
    let mut batch = Batch::default();
    load(tx, &calls, &mut batch).await?;
    let mac_key = derive_mac_key(&KeyCache::get_or_create(tx, audit::SCOPE).await?, "idempotency");
    let mut answers = Vec::with_capacity(calls.len());
    for (origin, requests) in calls {
        let mut outcomes: Outcomes = Vec::with_capacity(requests.len());
        // All of a call are of one district.
        let district = requests.first().map(|request| request.district);
        for mut request in requests {
            let idempotency = request.idempotency.take().map(|idempotency| {
                let mut mac = mac_key.clone();
                mac.update(&idempotency.request);
                (idempotency.key, mac.finalize().into_bytes().to_vec())
            });
            outcomes.push(apply_one(tx, &mut batch, &origin, request, idempotency).await?);
        }
        // A run has an audit row of its own, whatever the number of its batches.
        if let Some(district) = district.filter(|_| origin.run.is_none()) {
            batch.audit_call(&origin, district, &outcomes);
        }
        answers.push(outcomes);
    }
    batch.write(tx).await?;
    crash::point("ingest");
    Ok(answers)
}

type IdempotencyMac = Option<(String, Vec<u8>)>;

async fn apply_one(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    origin: &Origin,
    request: ChangeRequest,
    idempotency: IdempotencyMac,
) -> Result<Result<ChangeOutcome, Refusal>, StoreError> {
    let district = request.district;
    if let Some((key, mac)) = &idempotency {
        let place = (origin.actor.clone(), district, key.clone());
        if let Some(known) = batch.idempotency.get(&place) {
            if known.mac != *mac {
                let message = "the idempotency key was used for another request: use a new key";
                return Ok(Err(Refusal::field("idempotencyKey", message)));
            }
            let (student, change, events) = (known.student, known.change, known.events);
            let student = version_of(tx, batch, district, student, known.version).await?;
            return Ok(Ok(ChangeOutcome { student, change, events, repeated: true }));
        }
    }
    let outcome = match plan_one(tx, batch, origin, request) {
        Ok(outcome) => outcome,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some((key, mac)) = idempotency {
        batch.remember_answer(tx.now_ms, origin, district, key, mac, &outcome);
    }
    Ok(Ok(outcome))
}

fn plan_one(tx: &Tx<'_>, batch: &mut Batch, origin: &Origin, request: ChangeRequest) -> Result<ChangeOutcome, Refusal> {
    check_sourced_id("sourcedId", &request.sourced_id)?;
    let district = *batch.districts.get(&request.district).ok_or_else(|| Refusal::not_found("the district"))?;
    let (district_id, line, act) = (request.district, request.line, request.act.name());
    let key = (district_id, request.sourced_id.clone());
    let before = batch.students.get(&key).map(|known| known.student.clone());
    check_schools(&request, before.as_ref(), |school| batch.schools.contains_key(&(district_id, school.to_owned())))?;
    let mut after = change::next(before.as_ref(), request, district.birth_date)?;
    if before.as_ref() == Some(&after) {
        return Ok(ChangeOutcome { student: after, change: None, events: 0, repeated: false });
    }
    after.version += 1;
    after.modified_ms = tx.now_ms.max(after.modified_ms);
    let entropy = &tx.shared.entropy;
    let student_id = match batch.students.get(&key) {
        Some(known) => known.id,
        None => StudentId::new(tx.now_ms, entropy.bytes()),
    };
    let change = ChangeId::new(tx.now_ms, entropy.bytes());
    let events = batch.add_change(tx, origin, district_id, student_id, change, before.as_ref(), &after, line, act);
    Ok(ChangeOutcome { student: after, change: Some(change), events, repeated: false })
}

/// Refuses schools that the district does not have. One that was deleted may stay in the record where it was.
fn check_schools(
    request: &ChangeRequest,
    before: Option<&Student>,
    known: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let was_there = |school: &str| before.is_some_and(|b| b.fields.enrollments.iter().any(|e| e.school == school));
    let put = matches!(request.act, change::ChangeAct::Put(_));
    let unknown: Vec<Violation> = request
        .act
        .schools()
        .into_iter()
        .enumerate()
        .filter(|(_, school)| !(known(school) || (put && was_there(school))))
        .map(|(index, _)| Violation {
            field: if put { format!("schoolEnrollments[{index}].schoolSourcedId") } else { "school".into() },
            message: "no school of this district has this sourcedId".into(),
        })
        .collect();
    if unknown.is_empty() { Ok(()) } else { Err(Refusal::fields(unknown)) }
}

/// Reads what the changes concern: districts, students, schools and known idempotency keys.
async fn load(tx: &mut Tx<'_>, calls: &[(Origin, Vec<ChangeRequest>)], batch: &mut Batch) -> Result<(), StoreError> {
    let mut students: BTreeMap<DistrictId, HashSet<&str>> = BTreeMap::new();
    let mut schools: HashMap<DistrictId, HashSet<String>> = HashMap::new();
    let mut keys: HashMap<(&str, DistrictId), Vec<Value>> = HashMap::new();
    for (origin, requests) in calls {
        for request in requests {
            students.entry(request.district).or_default().insert(&request.sourced_id);
            let named = schools.entry(request.district).or_default();
            for school in request.act.schools() {
                if !named.contains(school) {
                    named.insert(school.to_owned());
                }
            }
            if let Some(idempotency) = &request.idempotency {
                let list = keys.entry((&origin.actor, request.district)).or_default();
                list.push((&idempotency.key).into());
            }
        }
    }
    let mut districts = Vec::with_capacity(students.len());
    for (district, sourced_ids) in students {
        let sql = "SELECT sourced_id, birth_date FROM districts WHERE district_id = $1";
        let Some(mut row) = tx.conn.query_optional(sql, vec![district.into()]).await? else { continue };
        batch.add_district(district, row.take(0)?, row.take(1)?);
        tx.lock_students(district, sourced_ids.iter().copied()).await?;
        let list = sourced_ids.into_iter().map(|id| Value::Text(id.to_owned())).collect();
        load_students(tx, batch, district, list, schools.entry(district).or_default()).await?;
        districts.push(district);
    }
    lock_named_schools(tx, &schools).await?;
    for district in districts {
        let list = schools.entry(district).or_default().iter().map(Value::from).collect();
        load_schools(tx, batch, district, list).await?;
    }
    for ((actor, district), list) in keys {
        batch.load_answers(tx, actor, district, list).await?;
    }
    Ok(())
}

/// All of the batch at once, so that they are locked by id whatever their district.
async fn lock_named_schools(tx: &mut Tx<'_>, named: &HashMap<DistrictId, HashSet<String>>) -> Result<(), StoreError> {
    if !tx.conn.is_shared() {
        return Ok(());
    }
    let mut ids: Vec<SchoolId> = Vec::new();
    for (district, sourced_ids) in named {
        let sql = "SELECT school_id FROM schools WHERE district_id = $1 AND sourced_id IN {list}";
        let list = sourced_ids.iter().map(Value::from).collect();
        for mut row in tx.conn.query_list(sql, vec![(*district).into()], list).await? {
            ids.push(row.take(0)?);
        }
    }
    tx.lock_schools(ids).await
}

async fn load_students(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    district: DistrictId,
    list: Vec<Value>,
    schools: &mut HashSet<String>,
) -> Result<(), StoreError> {
    let sql = "SELECT student_id, sourced_id, status, version, modified_ms, actor, doc FROM students
               WHERE district_id = $1 AND sourced_id IN {list}";
    for mut row in tx.conn.query_list(sql, vec![district.into()], list).await? {
        let doc: String = row.take(6)?;
        let student = Student {
            sourced_id: row.take(1)?,
            status: read_status(&row.take::<String>(2)?)?,
            version: row.take(3)?,
            modified_ms: row.take(4)?,
            fields: student_doc::read(&doc)?,
        };
        for school in student.current_schools() {
            if !schools.contains(school) {
                schools.insert(school.to_owned());
            }
        }
        let key = (district, student.sourced_id.clone());
        batch.students.insert(key, KnownStudent { id: row.take(0)?, actor: row.take(5)?, doc, student });
    }
    Ok(())
}

async fn load_schools(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    district: DistrictId,
    list: Vec<Value>,
) -> Result<(), StoreError> {
    let sql = "SELECT school_id, sourced_id, head_sequence, ever_connected FROM schools
               WHERE district_id = $1 AND sourced_id IN {list}";
    for mut row in tx.conn.query_list(sql, vec![district.into()], list).await? {
        let id = row.take(0)?;
        let keys = tx.shared.keys.school(tx.conn, id).await?;
        let known = KnownSchool { id, head_sequence: row.take(2)?, ever_connected: row.take(3)?, moved: false, keys };
        batch.schools.insert((district, row.take(1)?), known);
    }
    Ok(())
}

/// The state of a student at a version, for a repeated answer.
async fn version_of(
    tx: &mut Tx<'_>,
    batch: &Batch,
    district: DistrictId,
    id: StudentId,
    version: u64,
) -> Result<Student, StoreError> {
    let current = batch.students.iter().find(|((of, _), known)| *of == district && known.id == id);
    if let Some((_, known)) = current
        && known.student.version == version
    {
        return Ok(known.student.clone());
    }
    let sql = "SELECT s.sourced_id, v.modified_ms, v.doc, v.status FROM student_versions v
               JOIN students s ON s.student_id = v.student_id WHERE v.student_id = $1 AND v.version = $2
               UNION ALL
               SELECT sourced_id, modified_ms, doc, status FROM students WHERE student_id = $1 AND version = $2";
    let row = tx.conn.query_optional(sql, vec![id.into(), version.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "the student was erased since"))?;
    Ok(Student {
        sourced_id: row.take(0)?,
        status: read_status(&row.take::<String>(3)?)?,
        version,
        modified_ms: row.take(1)?,
        fields: student_doc::read(&row.take::<String>(2)?)?,
    })
}

/// Reads a stored status.
pub fn read_status(text: &str) -> Result<Status, StoreError> {
    Status::parse(text).ok_or(StoreError::Corrupt("a student has an unknown status"))
}

/// The audit row of one call: what was done, to whom or to how many.
fn audit_act(origin: &Origin, district: DistrictId, name: &'static str, subject: String, detail: String) -> AuditAct {
    AuditAct::in_district(district, &origin.actor, name, subject).with_detail(detail)
}
