//! The database as a model in memory, with the guards of the real one.

use std::sync::LazyLock;

use bytes::Bytes;
use provider_server::{
    engine::scheduler::{PageRequest, Recording},
    model::{
        breaker::Breaker,
        connection::{Connection, ConnectionState, LiveSecret, StoredConnection},
        delivery::{NewDelivery, Trigger, state},
        retry::RetryPolicy,
    },
    store::{
        deliveries::{OpenDelivery, OpenPage},
        record::{Lost, RecordBatch},
    },
};
use rollcall_proto::{
    id::{SchoolId, SecretId},
    webhook::{event::EventType, signature::SigningSecret},
};
use url::Url;

use super::{Committed, Row, START_MS, World};

impl World {
    pub(super) fn stored(&self, index: usize) -> StoredConnection {
        // The same in every world, and dear to make.
        static PARTS: LazyLock<(Url, SigningSecret)> = LazyLock::new(|| {
            let secret = SigningSecret::from_bytes(&[1; 32]).expect("32 bytes");
            ("https://school.example/hook".parse().expect("an address"), secret)
        });
        let school = &self.schools[index];
        let secret = LiveSecret {
            id: SecretId::new(START_MS, [1; 10]),
            fingerprint: "six words".into(),
            secret: PARTS.1.clone(),
            expires_ms: None,
        };
        let connection = Connection {
            school: school.id,
            version: school.version,
            state: school.state,
            url: Some(PARTS.0.clone()),
            retry: RetryPolicy { max_tries: 3, delays_ms: vec![1_000, 5_000], probe_ms: 10_000 },
            timeout_ms: 2_000,
            max_in_flight: 4,
            secrets: vec![secret],
        };
        StoredConnection {
            connection: connection.into(),
            breaker: Breaker::stored(school.health, school.retry_at_ms, school.probe_wait_ms, school.last_delivered_ms),
            has_parked_alone: school.rows.values().any(Row::is_parked_alone),
        }
    }

    pub(super) fn page(&self, request: &PageRequest) -> OpenPage {
        let school = &self.schools[self.index(request.school)];
        let open = school.rows.range(request.from..).filter(|(_, row)| row.is_open() && !row.is_parked_alone());
        let deliveries: Vec<OpenDelivery> = open
            .take(request.limit as usize)
            .map(|(sequence, row)| OpenDelivery {
                delivery: delivery(school.id, *sequence, row),
                state: row.state,
                tries: row.tries,
                automatic_tries: row.automatic_tries,
                trigger: row.trigger,
                due_ms: row.due_ms,
                first_try_ms: row.first_try_ms,
            })
            .collect();
        let at_end = deliveries.len() < request.limit as usize;
        let head = school.rows.last_key_value().map_or(0, |(sequence, _)| *sequence);
        let reached = deliveries.last().map_or(request.from, |last| last.delivery.sequence + 1);
        OpenPage { deliveries, reached, at_end, head }
    }

    /// Before anything else of a batch is recorded.
    pub(super) fn set_back(&mut self, recording: &Recording) {
        let Some(set_back) = &recording.set_back else { return };
        for (school, _) in &set_back.lanes {
            let index = self.index(*school);
            let school = &mut self.schools[index];
            if school.retry_at_ms > set_back.now_ms {
                school.retry_at_ms -= set_back.by_ms;
            }
            let waits =
                |row: &&mut Row| row.is_open() && row.due_ms > set_back.now_ms && row.trigger == Trigger::Automatic;
            let put_off: Vec<_> = school.rows.values_mut().filter(waits).collect();
            if !put_off.is_empty() {
                put_off.into_iter().for_each(|row| row.due_ms -= set_back.by_ms);
                let id = school.id;
                self.commit(Committed::Reload(id));
            }
        }
    }

    /// As the real one: guarded, and gap-free in the log.
    pub(super) fn record(&mut self, batch: &RecordBatch) -> Vec<Lost> {
        let mut lost = Vec::new();
        for attempt in &batch.attempts {
            let index = self.index(attempt.school);
            let school = &mut self.schools[index];
            school.log_sequence += 1;
            school.attempted_ms = attempt.at_ms;
            let Some(message) = &attempt.message else { continue };
            let Some(row) = school.rows.get_mut(&attempt.sequence) else { continue };
            if !row.is_open() || row.tries + 1 != attempt.try_number {
                row.tries = row.tries.max(attempt.try_number);
                lost.push((attempt.school, attempt.sequence));
                continue;
            }
            row.tries = attempt.try_number;
            row.automatic_tries = message.automatic_tries;
            if row.first_try_ms == 0 {
                row.first_try_ms = attempt.at_ms;
            }
            if matches!(row.trigger, Trigger::Resend | Trigger::Replay) && row.trigger != attempt.trigger {
                continue;
            }
            (row.state, row.reason, row.due_ms) = (message.state, message.reason, message.due_ms);
            row.trigger = Trigger::Automatic;
            if message.state == state::DELIVERED {
                let student = row.student;
                for earlier in school.rows.range_mut(..attempt.sequence).map(|(_, row)| row) {
                    let supersedes = batch.schools.iter().any(|update| update.school == school.id && update.supersedes);
                    if supersedes && earlier.student == student && earlier.state == state::PARKED {
                        earlier.state = state::SUPERSEDED;
                    }
                }
            }
        }
        for update in &batch.schools {
            let index = self.index(update.school);
            let school = &mut self.schools[index];
            if school.version == update.version {
                school.health = update.health;
                school.retry_at_ms = update.retry_at_ms;
                school.probe_wait_ms = update.probe_wait_ms;
            }
            school.last_delivered_ms = school.last_delivered_ms.max(update.last_delivered_ms);
            match update.gone {
                Some(version) if school.state == ConnectionState::Active && school.version == version => {
                    (school.state, school.version) = (ConnectionState::Held, school.version + 1);
                    self.commit(Committed::Connection(update.school));
                }
                Some(_) => self.commit(Committed::Reload(update.school)),
                None => {}
            }
        }
        lost
    }
}

pub(super) fn delivery(school: SchoolId, sequence: u64, row: &Row) -> NewDelivery {
    NewDelivery {
        school,
        sequence,
        event: row.event,
        event_type: EventType::StudentUpdated,
        student: row.student,
        sourced_id: "S".into(),
        body: Bytes::from_static(b"{}"),
    }
}
