//! Schools and what staff may set on their connections.

use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Refusal, Violation};

/// How long an old secret still signs after a rotation, ms, where nothing is said.
pub const OVERLAP_MS: i64 = 24 * 3_600_000;
/// The longest overlap, the longest life of a code, s.
pub const MAX_WEEK_S: u32 = 7 * 86_400;
/// The longest pause that ends by itself, s.
pub const MAX_PAUSE_S: u32 = 366 * 86_400;
/// Requests to one school under way at once.
pub const MAX_IN_FLIGHT: u32 = 256;
const MAX_TRIES: u32 = 20;
const MAX_DELAY_MS: u32 = 86_400_000;
const DELAYS_MS: [u32; 4] = [5_000, 30_000, 180_000, 1_080_000];
const PROBE_MS: u32 = 900_000;
const TIMEOUT_MS: u32 = 15_000;
const MAX_NAME_CHARS: usize = 255;

/// A name of a district or a school, trimmed and in NFC: 1 to 255 characters, no control characters.
pub fn check_name(field: &str, name: &str) -> Result<String, Refusal> {
    let name: String = name.trim().nfc().collect();
    if name.is_empty() {
        return Err(Refusal::field(field, "must not be blank"));
    }
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Refusal::field(field, "must have at most 255 characters and no control characters"));
    }
    Ok(name)
}

/// When a failed message is tried again, as staff set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Automatic tries in all, 1 to 20.
    pub max_tries: u32,
    /// The wait before try 2, 3, … in ms; the last repeats.
    pub delays_ms: Vec<u32>,
    /// The first wait of the probe of a down connection, ms.
    pub probe_ms: u32,
    /// A whole attempt's limit, 100 to 15,000 ms.
    pub timeout_ms: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { max_tries: 5, delays_ms: DELAYS_MS.to_vec(), probe_ms: PROBE_MS, timeout_ms: TIMEOUT_MS }
    }
}

impl RetrySettings {
    /// Takes what was given; 0 and an empty list mean the default.
    pub fn new(max_tries: u32, delays_ms: Vec<u32>, probe_ms: u32, timeout_ms: u32) -> Result<Self, Refusal> {
        let mut wrong = Vec::new();
        let mut check = |field: String, value: u32, low: u32, high: u32| {
            if !(low..=high).contains(&value) {
                wrong.push(Violation { field, message: format!("must be {low} to {high}") });
            }
        };
        let or_default = |value: u32, default: u32| if value == 0 { default } else { value };
        let (max_tries, probe_ms) = (or_default(max_tries, 5), or_default(probe_ms, PROBE_MS));
        let timeout_ms = or_default(timeout_ms, TIMEOUT_MS);
        check("retry.maxTries".into(), max_tries, 1, MAX_TRIES);
        check("retry.probeMs".into(), probe_ms, 1, MAX_DELAY_MS);
        check("retry.timeoutMs".into(), timeout_ms, 100, TIMEOUT_MS);
        for (index, delay_ms) in delays_ms.iter().enumerate().take(MAX_TRIES as usize) {
            check(format!("retry.delaysMs[{index}]"), *delay_ms, 1, MAX_DELAY_MS);
        }
        if delays_ms.len() > MAX_TRIES as usize {
            wrong.push(Violation { field: "retry.delaysMs".into(), message: "give at most 20".into() });
        }
        if !wrong.is_empty() {
            return Err(Refusal::fields(wrong));
        }
        let delays_ms = if delays_ms.is_empty() { DELAYS_MS.to_vec() } else { delays_ms };
        Ok(Self { max_tries, delays_ms, probe_ms, timeout_ms })
    }

    /// The delays as stored.
    pub fn delays_text(&self) -> String {
        self.delays_ms.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }

    /// The delays from what is stored; what does not parse is left out.
    pub fn read_delays(text: &str) -> Vec<u32> {
        text.split(',').filter_map(|part| part.trim().parse().ok()).collect()
    }
}

/// The requests under way at once: 1 to 256; 0 means unchanged.
pub fn check_in_flight(given: u32) -> Result<Option<u32>, Refusal> {
    match given {
        0 => Ok(None),
        1..=MAX_IN_FLIGHT => Ok(Some(given)),
        _ => Err(Refusal::field("maxInFlight", "must be 1 to 256")),
    }
}

/// What a connection is, for who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ShownState {
    NotConnected,
    Enrolling,
    Active,
    Paused,
    Failing,
    Down,
    Held,
    Revoked,
    Compromised,
}

impl ShownState {
    /// From the stored state and health, and whether a code is out. `None` where the state is unknown.
    pub fn of(state: &str, health: &str, code_is_live: bool) -> Option<Self> {
        Some(match (state, health) {
            ("not_connected" | "enrolling", _) if code_is_live => Self::Enrolling,
            ("not_connected" | "enrolling", _) => Self::NotConnected,
            ("active", "failing") => Self::Failing,
            ("active", "down") => Self::Down,
            ("active", _) => Self::Active,
            ("paused", _) => Self::Paused,
            ("held", _) => Self::Held,
            ("revoked", _) => Self::Revoked,
            ("compromised", _) => Self::Compromised,
            _ => return None,
        })
    }

    /// Why it is not active, where nothing was noted.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Failing => "The last messages failed at the connection: one is tried at a time, the rest wait.",
            Self::Down => "Nothing was deliverable for all tries: messages are parked, and probes go on.",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_out_of_range_is_named() {
        let refusal = RetrySettings::new(21, vec![0, 5], 86_400_001, 99).expect_err("refused");
        let fields: Vec<&str> = refusal.violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["retry.maxTries", "retry.probeMs", "retry.timeoutMs", "retry.delaysMs[0]"]);
        assert!(RetrySettings::new(1, vec![1; 21], 0, 0).is_err());
        assert_eq!(RetrySettings::new(0, vec![], 0, 0), Ok(RetrySettings::default()));
        let set = RetrySettings::new(3, vec![10, 20], 30, 100).expect("valid");
        assert_eq!(RetrySettings::read_delays(&set.delays_text()), [10, 20]);
        assert!(check_in_flight(257).is_err() && check_in_flight(0) == Ok(None));
    }

    #[test]
    fn a_name_is_trimmed_and_bounded() {
        assert_eq!(check_name("name", "  Escuela José ").as_deref(), Ok("Escuela José"));
        for bad in ["", " ", "a\nb", &"x".repeat(256)] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_code_shows_only_where_nothing_else_is_said() {
        assert_eq!(ShownState::of("not_connected", "ok", true), Some(ShownState::Enrolling));
        assert_eq!(ShownState::of("active", "ok", true), Some(ShownState::Active));
        assert_eq!(ShownState::of("active", "down", false), Some(ShownState::Down));
        assert_eq!(ShownState::of("open", "ok", false), None);
    }
}
