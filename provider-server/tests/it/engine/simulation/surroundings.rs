//! What people do, and how the schools' systems answer, by chance.

use provider_server::model::{
    breaker::Health,
    connection::ConnectionState,
    delivery::{NewDelivery, Trigger, state},
    outcome::{Cause, Outcome},
};
use rollcall_proto::id::{EventId, StudentId};

use super::{Committed, Event, MESSAGES, Mood, PEACE_MS, Row, SCHOOLS, STUDENTS, World, database::delivery};

impl World {
    pub(super) fn outcome(&mut self, index: usize, student: StudentId, sequence: u64) -> (Outcome, i64) {
        let quick = 1 + self.below(50) as i64;
        let http = |code| Outcome { code, ..Outcome::failed(Cause::Http, "") };
        let poisoned = is_poisoned(sequence, student);
        let fails = |cause| Outcome::failed(cause, "");
        match self.schools[index].mood {
            Mood::Fine if poisoned => (http(400), quick),
            Mood::Fine => (Outcome { code: 204, ..Outcome::default() }, quick),
            Mood::Refusing => (fails(Cause::Connect), 1),
            Mood::Hanging => (fails(Cause::Timeout), 2_000),
            Mood::Troubled => (http(503), quick),
            Mood::Busy => (Outcome { retry_after_ms: Some(3_000), code: 429, ..fails(Cause::RateLimited) }, quick),
            Mood::Gone => (Outcome { code: 410, ..fails(Cause::Gone) }, quick),
            Mood::Flaky if self.chance(50) => (fails(Cause::Reset), quick),
            Mood::Flaky => (Outcome { code: 200, ..Outcome::default() }, quick),
        }
    }

    /// What people and systems do by chance.
    pub(super) fn live(&mut self) {
        let index = self.below(SCHOOLS as u64) as usize;
        let trouble = self.now_ms < PEACE_MS;
        if !trouble {
            self.make_peace();
            // An answer that was under way may close a school again: staff look once more.
            if self.now_ms < PEACE_MS + 60_000 {
                self.later(60_000, Event::World);
            }
            return;
        }
        match self.below(20) {
            0..=11 if self.made < MESSAGES => self.change(index),
            12..=13 => {
                let moods = [
                    Mood::Fine,
                    Mood::Fine,
                    Mood::Refusing,
                    Mood::Hanging,
                    Mood::Troubled,
                    Mood::Busy,
                    Mood::Flaky,
                    Mood::Gone,
                ];
                self.schools[index].mood = moods[self.below(moods.len() as u64) as usize];
            }
            14 => self.set_state(index, ConnectionState::Paused),
            15 | 16 => self.set_state(index, ConnectionState::Active),
            17 => self.resend(index),
            18 => self.withdraw(index),
            _ => {}
        }
        // What was committed may be in the database alone.
        if self.dies() {
            self.kill();
        }
        let wait_ms = if self.chance(80) { self.below(200) } else { self.below(20_000) } as i64;
        self.later(wait_ms, Event::World);
    }

    /// By a little as clocks are kept in step, or by hours, ahead or back.
    pub(super) fn set_clock(&mut self) {
        let share = self.clock_random.unit() * 2.0 - 1.0;
        let most_ms = if self.clock_random.unit() < 0.3 { 3_000.0 } else { 12.0 * 3_600_000.0 };
        let by_ms = (share * most_ms) as i64;
        // The machine looks every few seconds.
        self.machine.look_at_clock(self.wall_ms());
        self.ahead_ms += by_ms;
        self.is_set_back |= by_ms < 0;
        self.machine.look_at_clock(self.wall_ms());
        if self.now_ms < PEACE_MS {
            let wait_ms = (self.clock_random.unit() * 60_000.0) as i64;
            self.later(wait_ms, Event::Clock);
        }
    }

    fn make_peace(&mut self) {
        for index in 0..SCHOOLS {
            self.schools[index].mood = Mood::Fine;
            self.set_state(index, ConnectionState::Active);
        }
    }

    fn change(&mut self, index: usize) {
        let count = 1 + self.below(4);
        let mut new = Vec::new();
        for _ in 0..count {
            let student = StudentId::new(0, [self.below(STUDENTS) as u8; 10]);
            new.push(self.add(index, student));
        }
        self.commit(Committed::Deliveries(new));
    }

    fn add(&mut self, index: usize, student: StudentId) -> NewDelivery {
        self.made += 1;
        let event = EventId::new(self.now_ms, self.random.bytes());
        let row = Row {
            student,
            event,
            state: state::PENDING,
            reason: "",
            tries: 0,
            automatic_tries: 0,
            due_ms: 0,
            trigger: Trigger::Automatic,
            first_try_ms: 0,
            was_resent: false,
        };
        let school = &mut self.schools[index];
        let sequence = school.rows.len() as u64 + 1;
        let new = delivery(school.id, sequence, &row);
        school.rows.insert(sequence, row);
        new
    }

    /// A withdrawal supersedes what was not sent.
    fn withdraw(&mut self, index: usize) {
        let student = StudentId::new(0, [self.below(STUDENTS) as u8; 10]);
        let new = self.add(index, student);
        let school = &mut self.schools[index];
        for row in school.rows.range_mut(..new.sequence).map(|(_, row)| row) {
            if row.student == student && row.is_open() {
                row.state = state::SUPERSEDED;
            }
        }
        let id = school.id;
        self.commit(Committed::Deliveries(vec![new]));
        self.commit(Committed::Reload(id));
    }

    fn resend(&mut self, index: usize) {
        let count = self.schools[index].rows.len() as u64;
        let sequence = self.below(count) + 1;
        let school = &mut self.schools[index];
        let Some(row) = school.rows.get_mut(&sequence).filter(|row| row.state != state::SUPERSEDED) else { return };
        (row.state, row.reason, row.due_ms) = (state::PENDING, "", 0);
        (row.trigger, row.was_resent) = (Trigger::Resend, true);
        let id = school.id;
        self.commit(Committed::Reload(id));
    }

    fn set_state(&mut self, index: usize, state: ConnectionState) {
        let school = &mut self.schools[index];
        (school.state, school.version) = (state, school.version + 1);
        (school.health, school.retry_at_ms, school.probe_wait_ms) = (Health::Ok, 0, 0);
        let id = school.id;
        self.commit(Committed::Connection(id));
    }
}

/// Messages that the receiver refuses for ever.
pub(super) fn is_poisoned(sequence: u64, student: StudentId) -> bool {
    sequence % 11 == 3 && student.as_bytes()[15].is_multiple_of(2)
}
