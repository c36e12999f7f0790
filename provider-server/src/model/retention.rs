//! What is kept for how long, see domain.md, "Privacy duties". Pure.

use std::time::Duration;

use super::delivery::state;

const DAY_MS: i64 = 86_400_000;
/// An idempotency key answers for this long, ms.
pub const IDEMPOTENCY_MS: i64 = 7 * DAY_MS;
/// Passes over what is stored begin at most this often, and at least this often.
const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// Units of such times, the largest first, with their length in ms.
pub const UNITS: [(char, i64); 4] = [('d', DAY_MS), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];

/// A time as it is written in settings: in the largest unit that says it exactly, `30d`.
pub fn shown(ms: i64) -> String {
    let (unit, length_ms) = UNITS.into_iter().find(|(_, length_ms)| ms % length_ms == 0).unwrap_or(UNITS[3]);
    format!("{}{unit}", ms / length_ms)
}

/// The settings, in ms. `log_ms` is not shorter than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of requests and answers, from when their message was delivered, superseded or discarded.
    pub bodies_ms: i64,
    /// Messages that are not delivered, from when they were made or asked for again.
    pub undelivered_ms: i64,
    /// Messages, attempts and counts without their bodies.
    pub log_ms: i64,
}

impl Default for Retention {
    fn default() -> Self {
        // Seven years: what was disclosed to whom is asked for long after.
        Self { bodies_ms: 30 * DAY_MS, undelivered_ms: 180 * DAY_MS, log_ms: 2_555 * DAY_MS }
    }
}

/// What is to be done with a message that has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its body goes.
    Purge,
    /// It is discarded as expired, and its body goes.
    Expire,
}

/// What of a message's row counts here; times in Unix ms.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Its state.
    pub state: &'a str,
    /// When it was made.
    pub created_ms: i64,
    /// When it was to go out; 0 where that is not said.
    pub due_ms: i64,
    /// When it came to rest.
    pub settled_ms: Option<i64>,
}

impl Retention {
    /// What is due of a message.
    pub fn due(&self, kept: Kept<'_>, now_ms: i64) -> Option<Due> {
        match kept.state {
            // Staff who ask for an old message again mean it to be sent.
            state::PENDING | state::PARKED | state::HELD => {
                (kept.created_ms.max(kept.due_ms) <= now_ms - self.undelivered_ms).then_some(Due::Expire)
            }
            _ => (kept.settled_ms.unwrap_or(kept.created_ms) <= now_ms - self.bodies_ms).then_some(Due::Purge),
        }
    }

    /// Nothing that was made later is due, Unix ms.
    pub fn made_before_ms(&self, now_ms: i64) -> i64 {
        now_ms - self.bodies_ms.min(self.undelivered_ms)
    }

    /// How often what is stored is gone through: often enough that the shortest time is kept to a hundredth.
    pub fn every(&self) -> Duration {
        let shortest = self.bodies_ms.min(self.undelivered_ms).min(self.log_ms);
        Duration::from_millis(shortest.unsigned_abs() / 100).clamp(EVERY.0, EVERY.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_stays_for_its_time_and_not_longer() {
        let now_ms = 1_000 * DAY_MS;
        let keep = Retention::default();
        let check = |state, made: i64, asked: i64, settled: Option<i64>| {
            let ago = |days: i64| now_ms - days * DAY_MS;
            let due_ms = if asked < 0 { 0 } else { ago(asked) };
            keep.due(Kept { state, created_ms: ago(made), due_ms, settled_ms: settled.map(ago) }, now_ms)
        };
        for rested in [state::DELIVERED, state::SUPERSEDED, state::DISCARDED, state::ERASED] {
            assert_eq!(check(rested, 400, -1, Some(29)), None, "{rested}: from when it came to rest");
            assert_eq!(check(rested, 31, -1, Some(30)), Some(Due::Purge), "{rested}");
        }
        for open in [state::PENDING, state::PARKED, state::HELD] {
            assert_eq!(check(open, 179, -1, Some(170)), None, "{open}");
            assert_eq!(check(open, 180, -1, Some(1)), Some(Due::Expire), "{open}: resting does not renew it");
            assert_eq!(check(open, 400, 1, None), None, "{open}: asked for yesterday");
        }
    }

    #[test]
    fn passes_are_as_frequent_as_the_shortest_time_needs() {
        assert_eq!(Retention::default().every(), Duration::from_secs(600));
        let short = Retention { bodies_ms: 200_000, ..Retention::default() };
        assert_eq!(short.every(), Duration::from_secs(2));
        assert_eq!(Retention { bodies_ms: 1_000, ..short }.every(), Duration::from_secs(1));
    }
}
