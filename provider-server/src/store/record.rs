//! Recording attempts: many outcomes in one transaction, each statement for many rows.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use rollcall_proto::{
    id::{EventId, SchoolId, SecretId, StudentId},
    webhook::event::EventType,
};
use serde::{Deserialize, Serialize};

use super::{
    Committed, Shared, StoreError, Tx, Value,
    keys::{KeyCache, school_scope},
};
use crate::{
    crash,
    model::{
        breaker::Health,
        delivery::{Trigger, reason, state},
        latency::step_of,
        outcome::{Answer, Outcome},
    },
    sealing::{Place, SealError, SealingKey},
};

/// One attempt to be recorded.
pub struct AttemptRow {
    /// The school.
    pub school: SchoolId,
    /// The message's sequence; 0 for a test.
    pub sequence: u64,
    /// The message.
    pub event: EventId,
    /// Its type.
    pub event_type: EventType,
    /// Its student; none for a test.
    pub student: Option<StudentId>,
    /// OneRoster's key of the student.
    pub sourced_id: Box<str>,
    /// When the attempt began, Unix ms.
    pub at_ms: i64,
    /// Why it was made.
    pub trigger: Trigger,
    /// Its number, over all triggers.
    pub try_number: u32,
    /// What became of the message: delivered, retrying, parked, held, failed.
    pub status: &'static str,
    /// When it is tried again.
    pub next_ms: Option<i64>,
    /// How it went.
    pub outcome: Outcome,
    /// Fingerprints of the secrets that signed, where that is worth keeping.
    pub signed_by: Vec<Box<str>>,
    /// For the message's row; none for a test.
    pub message: Option<MessageUpdate>,
}

/// What becomes of a message's row.
pub struct MessageUpdate {
    /// The new state.
    pub state: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Automatic tries spent.
    pub automatic_tries: u32,
    /// When it is due.
    pub due_ms: i64,
}

/// What becomes of a school's row.
pub struct SchoolUpdate {
    /// The school.
    pub school: SchoolId,
    /// The version of the connection that the health is of.
    pub version: u64,
    /// The health.
    pub health: Health,
    /// When the next trial or probe is due.
    pub retry_at_ms: i64,
    /// The wait that led there.
    pub probe_wait_ms: u64,
    /// When a message was delivered last; 0 where none was in this batch.
    pub last_delivered_ms: i64,
    /// The version of the connection whose endpoint answered 410.
    pub gone: Option<u64>,
    /// Deliveries may supersede messages that are parked alone.
    pub supersedes: bool,
    /// The secret that the receiver says it verified with, where it is time to note it.
    pub verified: Option<SecretId>,
}

impl SchoolUpdate {
    /// Leaves the school's health as it is: of no version of the connection.
    pub fn unchanged(school: SchoolId) -> Self {
        Self {
            school,
            version: u64::MAX,
            health: Health::Ok,
            retry_at_ms: 0,
            probe_wait_ms: 0,
            last_delivered_ms: 0,
            gone: None,
            supersedes: false,
            verified: None,
        }
    }
}

/// Attempts and what follows from them, recorded together. Every school of an attempt has its update.
#[derive(Default)]
pub struct RecordBatch {
    /// In the order they ended.
    pub attempts: Vec<AttemptRow>,
    /// One for each school.
    pub schools: Vec<SchoolUpdate>,
}

/// The hours that attempts are counted by, ms.
pub const HOUR_MS: i64 = 3_600_000;

/// A message that was no longer ours to update: superseded, discarded or erased meanwhile.
pub type Lost = (SchoolId, u64);

/// Records a batch. Answers the messages that were not ours any more; their attempts are in the log all the same.
pub async fn record(tx: &mut Tx<'_>, batch: &RecordBatch) -> Result<Vec<Lost>, StoreError> {
    tx.lock_schools(batch.schools.iter().map(|school| school.school)).await?;
    let (mut next, deleted) = take_log_sequences(tx, batch).await?;
    // School by school, each in the order they ended: rows that follow one another in a tree are cheaper to write.
    let mut attempts: Vec<&AttemptRow> = batch.attempts.iter().collect();
    attempts.sort_by_key(|attempt| attempt.school);
    let lost = update_messages(tx, &attempts).await?;
    let becomes = |wanted| batch.attempts.iter().filter_map(|a| a.message.as_ref()).any(|m| m.state == wanted);
    crash::point("record");
    if becomes(state::PENDING) {
        crash::point("retry");
    }
    if becomes(state::PARKED) {
        crash::point("park");
    }
    insert_attempts(tx, &attempts, &mut next, &deleted).await?;
    supersede(tx, batch).await?;
    for school in &batch.schools {
        if let Some(version) = school.gone {
            hold(tx, school.school, version).await?;
        }
    }
    for school in &batch.schools {
        if let Some(secret) = school.verified {
            let values = vec![secret.into(), tx.now_ms.into()];
            tx.conn.execute("UPDATE secrets SET last_verified_ms = $2 WHERE secret_id = $1", values).await?;
        }
    }
    Ok(lost)
}

/// Counts the attempts into each school's gap-free log sequence. Answers each school's first number, and the schools that
/// were deleted meanwhile.
async fn take_log_sequences(
    tx: &mut Tx<'_>,
    batch: &RecordBatch,
) -> Result<(HashMap<SchoolId, i64>, HashSet<SchoolId>), StoreError> {
    let mut counts: HashMap<SchoolId, i64> = HashMap::with_capacity(batch.schools.len());
    for attempt in &batch.attempts {
        *counts.entry(attempt.school).or_default() += 1;
    }
    let mut values: Vec<Value> = Vec::with_capacity(batch.schools.len() * 7);
    for school in &batch.schools {
        let count = counts.get(&school.school).copied().unwrap_or(0);
        values.extend([school.school.into(), count.into(), school.version.into(), school.health.as_str().into()]);
        values.extend([school.retry_at_ms.into(), school.probe_wait_ms.into(), school.last_delivered_ms.into()]);
    }
    // Staff may have changed the connection meanwhile: then its health starts anew and this one is of the past.
    let rows = tx
        .conn
        .query_many(
            "UPDATE schools SET log_sequence = log_sequence + v.column2,
                health = CASE WHEN connection_version = v.column3 THEN v.column4 ELSE health END,
                retry_at_ms = CASE WHEN connection_version = v.column3 THEN v.column5 ELSE retry_at_ms END,
                probe_wait_ms = CASE WHEN connection_version = v.column3 THEN v.column6 ELSE probe_wait_ms END,
                last_delivered_ms = CASE WHEN v.column7 > 0 THEN v.column7 ELSE last_delivered_ms END
             FROM (",
            ") AS v WHERE schools.school_id = v.column1
             RETURNING school_id, log_sequence, CASE WHEN state = 'deleted' THEN 1 ELSE 0 END",
            7,
            values,
        )
        .await?;
    let (mut next, mut deleted) = (HashMap::with_capacity(rows.len()), HashSet::new());
    for mut row in rows {
        let (school, last): (SchoolId, i64) = (row.take(0)?, row.take(1)?);
        next.insert(school, last - counts.get(&school).copied().unwrap_or(0) + 1);
        if row.take(2)? {
            deleted.insert(school);
        }
    }
    Ok((next, deleted))
}

async fn update_messages(tx: &mut Tx<'_>, attempts: &[&AttemptRow]) -> Result<Vec<Lost>, StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(attempts.len() * 9);
    let mut expected = 0;
    for attempt in attempts {
        let Some(message) = &attempt.message else { continue };
        expected += 1;
        // 0 for none: a column of nothing but NULL would have no type on PostgreSQL.
        let settled_ms = if message.state == state::PENDING { 0 } else { tx.now_ms };
        values.extend([attempt.school.into(), attempt.sequence.into(), attempt.try_number.into()]);
        values.extend([message.state.into(), message.reason.into(), message.automatic_tries.into()]);
        values.extend([message.due_ms.into(), settled_ms.into(), attempt.trigger.as_str().into()]);
    }
    // A resend that was asked for while this attempt was under way stays queued. The guard: only who made the attempt
    // that follows the recorded ones may record it, and only on a message that is still open.
    let updated = tx
        .conn
        .insert_many(
            "UPDATE events SET tries = v.column3, automatic_tries = v.column6,
                state = CASE WHEN next_trigger IN ('resend', 'replay') AND next_trigger <> v.column9
                    THEN state ELSE v.column4 END,
                reason = CASE WHEN next_trigger IN ('resend', 'replay') AND next_trigger <> v.column9
                    THEN reason ELSE v.column5 END,
                due_ms = CASE WHEN next_trigger IN ('resend', 'replay') AND next_trigger <> v.column9
                    THEN due_ms ELSE v.column7 END,
                next_trigger = CASE WHEN next_trigger IN ('resend', 'replay') AND next_trigger <> v.column9
                    THEN next_trigger ELSE 'automatic' END,
                was_parked = CASE WHEN v.column4 = 'parked' THEN 1 ELSE was_parked END,
                settled_ms = CASE WHEN next_trigger IN ('resend', 'replay') AND next_trigger <> v.column9
                    THEN settled_ms ELSE NULLIF(v.column8, 0) END
             FROM (",
            ") AS v WHERE events.school_id = v.column1 AND events.sequence = v.column2
                AND events.tries = v.column3 - 1 AND events.state IN ('pending', 'parked', 'held')",
            9,
            values,
        )
        .await?;
    if updated == expected { Ok(Vec::new()) } else { find_lost(tx, attempts).await }
}

async fn find_lost(tx: &mut Tx<'_>, attempts: &[&AttemptRow]) -> Result<Vec<Lost>, StoreError> {
    let mut lost = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.message.is_some()) {
        let updated = tx
            .conn
            .execute(
                "UPDATE events SET tries = $3 WHERE school_id = $1 AND sequence = $2 AND tries < $3",
                vec![attempt.school.into(), attempt.sequence.into(), attempt.try_number.into()],
            )
            .await?;
        let known = tx
            .conn
            .query_optional(
                "SELECT 1 FROM events WHERE school_id = $1 AND sequence = $2",
                vec![attempt.school.into(), attempt.sequence.into()],
            )
            .await?;
        if updated > 0 || known.is_none() {
            lost.push((attempt.school, attempt.sequence));
        }
    }
    Ok(lost)
}

async fn insert_attempts(
    tx: &mut Tx<'_>,
    attempts: &[&AttemptRow],
    next: &mut HashMap<SchoolId, i64>,
    deleted: &HashSet<SchoolId>,
) -> Result<(), StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(attempts.len() * 20);
    let mut answers: Vec<Value> = Vec::new();
    // In the order of the key, so that two servers cannot wait for each other.
    let mut hours: BTreeMap<(SchoolId, i64, &'static str, i64), u64> = BTreeMap::new();
    for attempt in attempts {
        // What is of no school any more has no log.
        let Some(number) = next.get_mut(&attempt.school) else { continue };
        let log_sequence = *number;
        *number += 1;
        let outcome = &attempt.outcome;
        let hour_ms = attempt.at_ms - attempt.at_ms.rem_euclid(HOUR_MS);
        *hours.entry((attempt.school, hour_ms, attempt.status, step_of(outcome.latency_us))).or_default() += 1;
        values.extend([attempt.school.into(), log_sequence.into(), attempt.event.into()]);
        values.extend([attempt.event_type.as_str().into(), attempt.sequence.into(), attempt.student.into()]);
        values.extend([String::from(&*attempt.sourced_id).into(), attempt.at_ms.into()]);
        values.extend([attempt.trigger.as_str().into(), attempt.try_number.into(), attempt.status.into()]);
        values.extend([outcome.cause.map_or("", |cause| cause.as_str()).into(), outcome.detail.into()]);
        values.extend([outcome.code.into(), outcome.latency_us.into(), outcome.first_byte_us.into()]);
        values.extend([outcome.request_bytes.into(), outcome.response_bytes.into(), attempt.next_ms.into()]);
        values.push(i64::from(outcome.clock_skew_s).into());
        // A deleted school has no key, and its answers are of no use to anybody.
        let keeps = outcome.answer.is_some() || !attempt.signed_by.is_empty();
        if keeps && !deleted.contains(&attempt.school) {
            let key = KeyCache::get_or_create(tx, &school_scope(attempt.school)).await?;
            let sealed = seal_answer(&key, attempt, log_sequence, tx.shared)?;
            answers.extend([attempt.school.into(), log_sequence.into(), tx.now_ms.into(), sealed.into()]);
        }
    }
    let head = "INSERT INTO attempts (school_id, log_sequence, event_id, event_type, sequence, student_id, sourced_id,
        at_ms, trigger_kind, try_number, status, cause, detail, code, latency_us, first_byte_us, request_bytes,
        response_bytes, next_ms, clock_skew_s)";
    tx.conn.insert_many(head, "", 20, values).await?;
    let head = "INSERT INTO attempt_answers (school_id, log_sequence, created_ms, sealed)";
    tx.conn.insert_many(head, "", 4, answers).await?;
    let counted = hours.into_iter().flat_map(|((school, hour_ms, status, step), attempts)| {
        [school.into(), hour_ms.into(), status.into(), step.into(), attempts.into()]
    });
    tx.conn
        .insert_many(
            "INSERT INTO attempt_hours (school_id, hour_ms, status, latency_step, attempts)",
            "ON CONFLICT (school_id, hour_ms, status, latency_step)
             DO UPDATE SET attempts = attempt_hours.attempts + excluded.attempts",
            5,
            counted.collect(),
        )
        .await?;
    Ok(())
}

/// Where a later version of a student arrived, an earlier one that is parked is superseded: most often one that is parked
/// alone.
async fn supersede(tx: &mut Tx<'_>, batch: &RecordBatch) -> Result<(), StoreError> {
    let mut values: Vec<Value> = Vec::new();
    for school in batch.schools.iter().filter(|school| school.supersedes) {
        let delivered = batch.attempts.iter().filter(|attempt| {
            attempt.school == school.school
                && attempt.message.as_ref().is_some_and(|message| message.state == state::DELIVERED)
        });
        for attempt in delivered {
            values.extend([school.school.into(), attempt.student.into(), attempt.sequence.into(), tx.now_ms.into()]);
        }
    }
    tx.conn
        .insert_many(
            "UPDATE events SET state = 'superseded', reason = 'later_version_delivered', settled_ms = v.column4 FROM (",
            ") AS v WHERE events.school_id = v.column1 AND events.student_id = v.column2
                AND events.sequence < v.column3 AND events.state = 'parked'",
            4,
            values,
        )
        .await?;
    debug_assert_eq!(reason::LATER_DELIVERED, "later_version_delivered");
    Ok(())
}

/// The endpoint said 410: everything is kept until staff resume it. Where they named another endpoint since, what the old
/// one refused is read again.
async fn hold(tx: &mut Tx<'_>, school: SchoolId, version: u64) -> Result<(), StoreError> {
    let held = tx
        .conn
        .execute(
            "UPDATE schools SET state = 'held', connection_version = connection_version + 1,
                reason = 'The school''s system answered 410 Gone: deliveries are kept until you resume them.'
             WHERE school_id = $1 AND state = 'active' AND connection_version = $2",
            vec![school.into(), version.into()],
        )
        .await?;
    tx.after_commit(if held > 0 { Committed::Connection(school) } else { Committed::Reload(school) });
    Ok(())
}

/// What is kept, sealed, of an attempt that failed or was signed with more than one secret.
#[derive(Default, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Headers as received.
    #[serde(default, rename = "h")]
    pub headers: Vec<(String, String)>,
    /// At most 64 KiB, base64.
    #[serde(default, rename = "b")]
    body: String,
    /// Fingerprints.
    #[serde(default, rename = "s")]
    pub signed_by: Vec<Box<str>>,
    /// A fingerprint; empty where the receiver named none.
    #[serde(default, rename = "v")]
    pub verified_key: Box<str>,
}

impl KeptAnswer {
    /// The answer's body.
    pub fn body(&self) -> Bytes {
        STANDARD.decode(&self.body).unwrap_or_default().into()
    }

    /// Opens a sealed answer.
    pub fn open(key: &SealingKey, school: SchoolId, log_sequence: i64, sealed: &[u8]) -> Result<Self, StoreError> {
        let row = answer_row(school, log_sequence);
        let plain = key.open(Place { column: "attempt_answers.sealed", row: &row }, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Format.into())
    }
}

fn seal_answer(
    key: &SealingKey,
    attempt: &AttemptRow,
    log_sequence: i64,
    shared: &Shared,
) -> Result<Vec<u8>, StoreError> {
    let empty = Answer::default();
    let answer = attempt.outcome.answer.as_deref().unwrap_or(&empty);
    let kept = KeptAnswer {
        headers: answer.headers.clone(),
        body: STANDARD.encode(&answer.body),
        signed_by: attempt.signed_by.clone(),
        verified_key: attempt.outcome.verified_key.clone().unwrap_or_default(),
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&kept).map_err(|_| StoreError::Sealed(SealError::Format))?);
    let row = answer_row(attempt.school, log_sequence);
    Ok(key.seal(Place { column: "attempt_answers.sealed", row: &row }, &plain, &shared.entropy))
}

fn answer_row(school: SchoolId, log_sequence: i64) -> [u8; 24] {
    let mut row = [0; 24];
    row[..16].copy_from_slice(school.as_bytes());
    row[16..].copy_from_slice(&log_sequence.to_be_bytes());
    row
}
