//! What one transaction will write for a batch of verified messages. Pure: decided here, carried out by the store.

use std::collections::HashMap;

use rollcall_proto::id::EventId;

use super::{Job, Recorded, window::Window};
use crate::receive::{
    message::Content,
    verdict::{Outcome, Verdict},
};

/// A student's row as it shall be.
pub struct StudentRow<'a> {
    pub sourced_id: &'a str,
    pub version: u64,
    /// The canonical projection and the search text; none for a tombstone.
    pub here: Option<(&'a str, &'a str)>,
}

/// Everything that one transaction writes, and the answers once it is committed.
#[derive(Default)]
pub struct Plan<'a> {
    pub seen: Vec<(EventId, [u8; 32])>,
    pub students: Vec<StudentRow<'a>>,
    pub kept: Vec<(EventId, &'a str, &'a [u8])>,
    pub alerts: Vec<(EventId, String)>,
    pub window: Window,
    /// In the order of the jobs.
    pub outcomes: Vec<Outcome>,
}

/// Decides a batch in the order of arrival.
///
/// `seen` holds the body's digest of those ids that were here before, `versions` the version held of each student.
pub fn plan<'a>(
    jobs: &'a [Job],
    window: &Window,
    seen: &HashMap<EventId, [u8; 32]>,
    versions: &HashMap<String, u64>,
) -> Plan<'a> {
    let mut plan = Plan { window: window.clone(), ..Plan::default() };
    let mut in_batch: HashMap<EventId, [u8; 32]> = HashMap::with_capacity(jobs.len());
    let mut rows: HashMap<&str, usize> = HashMap::with_capacity(jobs.len());
    for Job { message, .. } in jobs {
        let before = in_batch.get(&message.id).or_else(|| seen.get(&message.id));
        if let Some(sha256) = before {
            let same = *sha256 == message.body_sha256;
            if !same {
                plan.alerts.push((message.id, "one message id came with two different signed bodies".to_owned()));
            }
            plan.outcomes.push(if same { Outcome::Duplicate } else { Outcome::Conflict });
            continue;
        }
        in_batch.insert(message.id, message.body_sha256);
        plan.seen.push((message.id, message.body_sha256));
        if let Some(sequence) = message.sequence {
            plan.window.insert(sequence);
        }
        let outcome = match &message.content {
            Content::Test => Outcome::Applied,
            Content::Unknown(body) => {
                plan.kept.push((message.id, &message.event_type, body));
                Outcome::Kept
            }
            Content::Student { sourced_id, version, json, search } => {
                let row = StudentRow { sourced_id, version: *version, here: Some((json, search)) };
                put(&mut plan.students, &mut rows, versions, row)
            }
            Content::Gone { sourced_id, version } => {
                let row = StudentRow { sourced_id, version: *version, here: None };
                put(&mut plan.students, &mut rows, versions, row)
            }
        };
        plan.outcomes.push(outcome);
    }
    plan
}

/// Takes the row if it is newer than what is held or planned.
fn put<'a>(
    students: &mut Vec<StudentRow<'a>>,
    rows: &mut HashMap<&'a str, usize>,
    versions: &HashMap<String, u64>,
    row: StudentRow<'a>,
) -> Outcome {
    let planned = rows.get(row.sourced_id).copied();
    let held = planned.map(|index| students[index].version).or_else(|| versions.get(row.sourced_id).copied());
    if held.is_some_and(|held| row.version <= held) {
        return Outcome::Stale;
    }
    match planned {
        Some(index) => students[index] = row,
        None => {
            rows.insert(row.sourced_id, students.len());
            students.push(row);
        }
    }
    Outcome::Applied
}

/// How a job's request is recorded.
pub fn record(job: &Job, outcome: Outcome, now_ms: i64) -> Recorded {
    Recorded {
        at_ms: now_ms,
        verdict: outcome.verdict(),
        event_type: job.message.event_type.clone(),
        sequence: job.message.sequence.unwrap_or(0),
        message_id: job.message.id.to_string(),
        result: outcome.as_str().to_owned(),
        code: outcome.code().as_u16(),
        latency_us: job.started.elapsed().as_micros().min(u128::from(u32::MAX)) as u32,
        student_sourced_id: job.message.content.student().map(|(id, _)| id.to_owned()).unwrap_or_default(),
    }
}

impl Recorded {
    /// Whether it belongs into the bounded ring of refused requests.
    pub fn is_refused(&self) -> bool {
        !matches!(self.verdict, Verdict::Verified | Verdict::Duplicate)
    }
}
