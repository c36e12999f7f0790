//! A batch of changes under way: what is known of their surroundings, and the rows that they will write.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use rollcall_proto::{
    id::{ChangeId, DistrictId, EventId, SchoolId, StudentId},
    webhook::event::{API_VERSION, DeletedData, Envelope, EventType, OrgRef, Source, StudentData, WithdrawnData},
};
use serde::Serialize;

use super::{Outcomes, audit_act};
use crate::{
    model::{
        change::{ChangeOutcome, Origin},
        delivery::NewDelivery,
        projection::{SchoolChange, school_change},
        student::{Student, name_key},
    },
    store::{
        Committed, StoreError, Tx, Value,
        audit::{self, AuditAct},
        body,
        keys::SchoolKeys,
        student_doc,
    },
};

/// What a batch needs of a district.
#[derive(Clone, Copy)]
pub struct KnownDistrict {
    pub birth_date: bool,
}

/// A student before or within the batch.
pub struct KnownStudent {
    pub id: StudentId,
    pub actor: String,
    pub doc: String,
    pub student: Student,
}

/// A school that the batch concerns; its row is locked by the transaction.
pub struct KnownSchool {
    pub id: SchoolId,
    pub head_sequence: u64,
    pub ever_connected: bool,
    /// Whether the head moved in this batch.
    pub moved: bool,
    pub keys: Arc<SchoolKeys>,
}

/// An answer that was given for an idempotency key.
pub struct KnownAnswer {
    pub mac: Vec<u8>,
    pub student: StudentId,
    pub version: u64,
    pub change: Option<ChangeId>,
    pub events: u32,
}

/// See the module.
#[derive(Default)]
pub struct Batch {
    pub districts: HashMap<DistrictId, KnownDistrict>,
    pub students: HashMap<(DistrictId, String), KnownStudent>,
    pub schools: HashMap<(DistrictId, String), KnownSchool>,
    pub idempotency: HashMap<(String, DistrictId, String), KnownAnswer>,
    district_names: HashMap<DistrictId, String>,
    /// In the order of their key, as the projections: rows that follow one another in a tree are cheaper to insert.
    touched: BTreeSet<(DistrictId, String)>,
    /// The newest projection row of each (school, student).
    projections: BTreeMap<(SchoolId, String), Vec<Value>>,
    versions: Vec<Value>,
    /// By school and sequence.
    events: BTreeMap<(SchoolId, u64), [Value; 11]>,
    bodies: Vec<Value>,
    answers: Vec<Value>,
    deliveries: Vec<NewDelivery>,
    /// (school, student, sequence) of events that end access and so supersede earlier unsent ones.
    ended: Vec<(SchoolId, StudentId, u64)>,
    acts: Vec<AuditAct>,
    last_act: &'static str,
}

impl Batch {
    pub fn add_district(&mut self, id: DistrictId, sourced_id: String, birth_date: bool) {
        self.districts.insert(id, KnownDistrict { birth_date });
        self.district_names.insert(id, sourced_id);
    }

    /// Takes up one accepted change; answers the events that it makes.
    #[allow(clippy::too_many_arguments)]
    pub fn add_change(
        &mut self,
        tx: &Tx<'_>,
        origin: &Origin,
        district: DistrictId,
        id: StudentId,
        change: ChangeId,
        before: Option<&Student>,
        after: &Student,
        line: Option<u64>,
        act: &'static str,
    ) -> u32 {
        let mut events = 0;
        let mut schools: Vec<String> = after.current_schools().into_iter().map(str::to_owned).collect();
        for school in before.map(Student::current_schools).unwrap_or_default() {
            if !schools.iter().any(|known| known == school) {
                schools.push(school.to_owned());
            }
        }
        for school in schools {
            if let Some(school_change) = school_change(before, after, &school) {
                let source = Source { kind: origin.kind.into(), run_id: origin.run, line };
                events += self.add_event(tx, (district, &school), id, change, after, school_change, source);
            }
        }
        let key = (district, after.sourced_id.clone());
        let known = KnownStudent {
            id,
            actor: origin.actor.clone(),
            doc: student_doc::write(&after.fields),
            student: after.clone(),
        };
        if let Some(old) = self.students.insert(key.clone(), known) {
            let modified_ms = old.student.modified_ms;
            self.versions.extend([id.into(), old.student.version.into(), old.student.status.as_str().into()]);
            self.versions.extend([modified_ms.into(), old.actor.into(), old.doc.into()]);
        }
        self.touched.insert(key);
        self.last_act = act;
        events
    }

    /// Writes the projection, and the event with the next sequence where the school was ever connected.
    #[allow(clippy::too_many_arguments)]
    pub fn add_event(
        &mut self,
        tx: &Tx<'_>,
        (district, school_sourced_id): (DistrictId, &str),
        student: StudentId,
        change: ChangeId,
        after: &Student,
        school_change: SchoolChange,
        source: Source,
    ) -> u32 {
        let place = (district, school_sourced_id.to_owned());
        // A school that was deleted meanwhile has nobody to tell.
        let Some(school) = self.schools.get_mut(&place) else { return 0 };
        let event_type = school_change.event_type;
        let object = school_change
            .object
            .as_ref()
            .map(|object| serde_json::value::to_raw_value(object).expect("a projection has a JSON form"));
        let digest = match &object {
            Some(json) => school.keys.digest.student(&after.sourced_id, json.get().as_bytes()).0.to_vec(),
            None => Vec::new(),
        };
        if school.ever_connected {
            school.head_sequence += 1;
            school.moved = true;
        }
        let sequence = if school.ever_connected { school.head_sequence } else { 0 };
        let row = vec![
            school.id.into(),
            (&after.sourced_id).into(),
            student.into(),
            object.is_some().into(),
            after.version.into(),
            after.modified_ms.into(),
            sequence.into(),
            digest.into(),
        ];
        self.projections.insert((school.id, after.sourced_id.clone()), row);
        if !school.ever_connected {
            return 0;
        }
        let event = EventId::new(tx.now_ms, tx.shared.entropy.bytes());
        let envelope = |data| Envelope {
            id: event,
            event_type: event_type.as_str().into(),
            api_version: API_VERSION.into(),
            timestamp: Timestamp::from_millisecond(tx.now_ms).unwrap_or(Timestamp::UNIX_EPOCH),
            sequence: Some(sequence),
            change_id: Some(change),
            district: OrgRef { sourced_id: self.district_names.get(&district).cloned().unwrap_or_default() },
            school: OrgRef { sourced_id: school_sourced_id.to_owned() },
            source: Some(source),
            data,
        };
        let plain = match object {
            Some(object) => {
                let previous_attributes = school_change.previous_attributes;
                to_json(&envelope(Data::Student(StudentData { object, previous_attributes })))
            }
            None => to_json(&envelope(ending_data(event_type, after, school_sourced_id))),
        };
        let sealed = body::seal(&school.keys.sealing, &event, &plain, &tx.shared.entropy);
        let school_id = school.id;
        let row = [
            school_id.into(),
            sequence.into(),
            event.into(),
            event_type.as_str().into(),
            student.into(),
            (&after.sourced_id).into(),
            after.version.into(),
            change.into(),
            tx.now_ms.into(),
            (plain.len() as u64).into(),
            Value::Static("pending"),
        ];
        self.events.insert((school_id, sequence), row);
        self.bodies.extend([event.into(), tx.now_ms.into(), sealed.into()]);
        if event_type.ends_access() {
            self.ended.push((school_id, student, sequence));
        }
        self.deliveries.push(NewDelivery {
            school: school_id,
            sequence,
            event,
            event_type,
            student,
            sourced_id: after.sourced_id.as_str().into(),
            body: plain.into(),
        });
        1
    }

    /// One audit row for one call, whatever the number of its changes.
    pub fn audit_call(&mut self, origin: &Origin, district: DistrictId, outcomes: &Outcomes) {
        let mut accepted = outcomes.iter().flatten().filter(|o| o.change.is_some() && !o.repeated);
        let Some(first) = accepted.next() else { return };
        let more = accepted.count();
        let change = first.change.map(|change| change.to_string()).unwrap_or_default();
        let act = if more == 0 {
            let known = self.students.get(&(district, first.student.sourced_id.clone()));
            let subject = known.map(|known| known.id.to_string()).unwrap_or_default();
            audit_act(origin, district, self.last_act, subject, format!("{change}, {} events", first.events))
        } else {
            let subject = format!("{} students", more + 1);
            audit_act(origin, district, "student.apply", subject, format!("from {change} on"))
        };
        self.acts.push(act);
    }

    pub fn remember_answer(
        &mut self,
        now_ms: i64,
        origin: &Origin,
        district: DistrictId,
        key: String,
        mac: Vec<u8>,
        outcome: &ChangeOutcome,
    ) {
        let Some(known) = self.students.get(&(district, outcome.student.sourced_id.clone())) else { return };
        let answer = KnownAnswer {
            mac,
            student: known.id,
            version: outcome.student.version,
            change: outcome.change,
            events: outcome.events,
        };
        self.answers.extend([(&origin.actor).into(), district.into(), (&key).into(), answer.mac.clone().into()]);
        self.answers.extend([answer.student.into(), answer.version.into(), answer.change.into()]);
        self.answers.extend([answer.events.into(), now_ms.into()]);
        self.idempotency.insert((origin.actor.clone(), district, key), answer);
    }

    pub async fn load_answers(
        &mut self,
        tx: &mut Tx<'_>,
        actor: &str,
        district: DistrictId,
        list: Vec<Value>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT idempotency_key, request_mac, student_id, version, change_id, events FROM idempotency
                   WHERE credential = $1 AND district_id = $2 AND idempotency_key IN {list}";
        let fixed = vec![actor.to_owned().into(), district.into()];
        for mut row in tx.conn.query_list(sql, fixed, list).await? {
            let answer = KnownAnswer {
                mac: row.take(1)?,
                student: row.take(2)?,
                version: row.take(3)?,
                change: row.take(4)?,
                events: row.take(5)?,
            };
            self.idempotency.insert((actor.to_owned(), district, row.take(0)?), answer);
        }
        Ok(())
    }

    /// Writes everything, and hands the deliveries to the engine once the transaction is durable.
    pub async fn write(mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let mut students = Vec::with_capacity(self.touched.len() * 10);
        for key in std::mem::take(&mut self.touched) {
            let Some(known) = self.students.remove(&key) else { continue };
            students.extend([known.id.into(), key.0.into(), key.1.into(), known.student.status.as_str().into()]);
            students.extend([known.student.version.into(), known.student.modified_ms.into()]);
            students.extend([known.actor.into(), known.doc.into()]);
            let fields = &known.student.fields;
            students.extend([name_key(&fields.family_name).into(), name_key(&fields.given_name).into()]);
        }
        tx.conn
            .insert_many(
                "INSERT INTO students (student_id, district_id, sourced_id, status, version, modified_ms, actor, doc,
                    family_key, given_key)",
                "ON CONFLICT (student_id) DO UPDATE SET status = excluded.status, version = excluded.version,
                 modified_ms = excluded.modified_ms, actor = excluded.actor, doc = excluded.doc,
                 family_key = excluded.family_key, given_key = excluded.given_key",
                10,
                students,
            )
            .await?;
        let head = "INSERT INTO student_versions (student_id, version, status, modified_ms, actor, doc)";
        tx.conn.insert_many(head, "", 6, std::mem::take(&mut self.versions)).await?;
        let head =
            "INSERT INTO idempotency (credential, district_id, idempotency_key, request_mac, student_id, version,
                    change_id, events, created_ms)";
        tx.conn.insert_many(head, "", 9, std::mem::take(&mut self.answers)).await?;
        let acts = std::mem::take(&mut self.acts);
        self.write_events(tx).await?;
        audit::append(tx, acts).await
    }

    /// Writes projections and events alone, as a sync does.
    pub async fn write_events(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        write_events(tx, self.projections, self.schools, self.events, self.bodies).await?;
        if !self.deliveries.is_empty() {
            tx.after_commit(Committed::Deliveries(self.deliveries));
        }
        supersede_earlier(tx, self.ended).await
    }
}

async fn write_events(
    tx: &mut Tx<'_>,
    projections: BTreeMap<(SchoolId, String), Vec<Value>>,
    schools: HashMap<(DistrictId, String), KnownSchool>,
    events: BTreeMap<(SchoolId, u64), [Value; 11]>,
    bodies: Vec<Value>,
) -> Result<(), StoreError> {
    tx.conn
        .insert_many(
            "INSERT INTO school_students
                (school_id, sourced_id, student_id, present, version, modified_ms, last_sequence, digest)",
            "ON CONFLICT (school_id, sourced_id) DO UPDATE SET present = excluded.present, version = excluded.version,
             modified_ms = excluded.modified_ms, last_sequence = excluded.last_sequence, digest = excluded.digest",
            8,
            projections.into_values().flatten().collect(),
        )
        .await?;
    let moved = schools.into_values().filter(|school| school.moved);
    tx.conn
        .insert_many(
            "UPDATE schools SET head_sequence = v.column2 FROM (",
            ") AS v WHERE schools.school_id = v.column1",
            2,
            moved.flat_map(|school| [school.id.into(), school.head_sequence.into()]).collect(),
        )
        .await?;
    let head = "INSERT INTO events (school_id, sequence, event_id, event_type, student_id, sourced_id, student_version,
                change_id, created_ms, body_bytes, state)";
    tx.conn.insert_many(head, "", 11, events.into_values().flatten().collect()).await?;
    tx.conn.insert_many("INSERT INTO event_bodies (event_id, created_ms, sealed)", "", 3, bodies).await.map(drop)
}

/// After a withdrawal or deletion, the student's earlier unsent messages to that school are pointless.
async fn supersede_earlier(tx: &mut Tx<'_>, ended: Vec<(SchoolId, StudentId, u64)>) -> Result<(), StoreError> {
    let now_ms = tx.now_ms;
    let values = ended
        .into_iter()
        .flat_map(|(school, student, sequence)| [school.into(), student.into(), sequence.into(), now_ms.into()]);
    let rows = tx
        .conn
        .query_many(
            "UPDATE events SET state = 'superseded', reason = 'the student left the school', settled_ms = v.column4 FROM (",
            ") AS v WHERE events.school_id = v.column1 AND events.student_id = v.column2
                AND events.sequence < v.column3 AND events.state IN ('pending', 'parked', 'held')
             RETURNING school_id",
            4,
            values.collect(),
        )
        .await?;
    let schools = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<HashSet<SchoolId>, _>>()?;
    schools.into_iter().for_each(|school| tx.after_commit(Committed::Reload(school)));
    Ok(())
}

/// Any of the payloads.
#[derive(Serialize)]
#[serde(untagged)]
enum Data {
    Student(StudentData<Box<serde_json::value::RawValue>>),
    Withdrawn(WithdrawnData),
    Deleted(DeletedData),
}

fn ending_data(event_type: EventType, after: &Student, school: &str) -> Data {
    let (sourced_id, version) = (after.sourced_id.clone(), after.version);
    if event_type == EventType::StudentDeleted {
        return Data::Deleted(DeletedData { sourced_id, version, reason: after.status.as_str().into() });
    }
    let ended = after.fields.enrollments.iter().rev().find(|e| e.school == school && e.ended);
    Data::Withdrawn(WithdrawnData {
        sourced_id,
        version,
        end_date: ended.and_then(|e| e.end),
        exit_reason: ended.and_then(|e| e.exit_reason.clone()),
    })
}

fn to_json(envelope: &Envelope<Data>) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("an envelope has a JSON form")
}
