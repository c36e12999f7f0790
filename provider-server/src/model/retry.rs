//! When a failed message is tried again. Pure: time and jitter are passed in.

/// The shortest and longest wait that a receiver may ask for, in ms.
pub const RETRY_AFTER_MIN_MS: u64 = 1_000;
/// See [`RETRY_AFTER_MIN_MS`].
pub const RETRY_AFTER_MAX_MS: u64 = 24 * 3_600_000;
/// A wait never grows beyond this.
const MAX_DELAY_MS: u64 = 7 * 24 * 3_600_000;
/// The most that a jitter moves a wait, either way.
const JITTER: f64 = 0.2;
/// A probe's wait grows up to this many times the setting (15 min → 6 h).
const PROBE_GROWTH: u64 = 24;

/// A school's schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Automatic tries in all, at least 1.
    pub max_tries: u32,
    /// The wait after each failed try; the last one repeats where there are fewer than tries.
    pub delays_ms: Vec<u64>,
    /// The wait before the first probe of a connection that is down, at least 1.
    pub probe_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_tries: 5, delays_ms: vec![5_000, 30_000, 180_000, 1_080_000], probe_ms: 900_000 }
    }
}

impl RetryPolicy {
    /// The schedule of a stored row; what does not parse is left out, and no delay at all means the defaults.
    pub fn from_row(max_tries: u32, delays: &str, probe_ms: u64) -> Self {
        let mut delays_ms: Vec<u64> = delays.split(',').filter_map(|part| part.trim().parse().ok()).collect();
        if delays_ms.is_empty() {
            delays_ms = Self::default().delays_ms;
        }
        Self { max_tries: max_tries.max(1), delays_ms, probe_ms: probe_ms.max(1) }
    }

    /// The wait after the `tries`-th try failed, in ms. `jitter` is in 0..1.
    pub fn delay_ms(&self, tries: u32, jitter: f64) -> u64 {
        let index = (tries.max(1) as usize - 1).min(self.delays_ms.len().saturating_sub(1));
        jittered(self.delays_ms.get(index).copied().unwrap_or(0), jitter)
    }

    /// The wait before the next probe, given the one before; 0 means that none was made yet.
    pub fn next_probe_wait_ms(&self, previous_ms: u64) -> u64 {
        let longest = self.probe_ms.saturating_mul(PROBE_GROWTH).min(MAX_DELAY_MS);
        previous_ms.saturating_mul(2).clamp(self.probe_ms.min(longest), longest)
    }
}

/// A wait moved by up to 20 % either way; `jitter` is in 0..1.
pub fn jittered(wait_ms: u64, jitter: f64) -> u64 {
    let factor = 1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0);
    (wait_ms.min(MAX_DELAY_MS) as f64 * factor).round() as u64
}

/// The wait that a Retry-After header asks for, clamped to 1 s–24 h. Seconds or an HTTP date; anything else, and a date
/// in the past or beyond 24 h and a day of doubt, is ignored.
pub fn parse_retry_after(value: &str, now_ms: i64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.len() <= 10 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: u64 = value.parse().ok()?;
        return Some(seconds.saturating_mul(1_000).clamp(RETRY_AFTER_MIN_MS, RETRY_AFTER_MAX_MS));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at_ms = i64::try_from(at.as_millis()).ok()?;
    let wait_ms = u64::try_from(at_ms.checked_sub(now_ms)?).ok()?;
    (wait_ms <= 2 * RETRY_AFTER_MAX_MS).then(|| wait_ms.clamp(RETRY_AFTER_MIN_MS, RETRY_AFTER_MAX_MS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_763_913_600_000;

    #[test]
    fn the_default_schedule_is_the_published_one() {
        let policy = RetryPolicy::default();
        let waits: Vec<u64> = (1..=5).map(|tries| policy.delay_ms(tries, 0.5)).collect();
        assert_eq!(waits, [5_000, 30_000, 180_000, 1_080_000, 1_080_000]);
        assert_eq!((policy.delay_ms(1, 0.0), policy.delay_ms(1, 1.0)), (4_000, 6_000));
    }

    #[test]
    fn probes_grow_from_the_setting_to_24_times_it() {
        let policy = RetryPolicy::default();
        let mut wait = 0;
        let waits: Vec<u64> = std::iter::repeat_with(|| {
            wait = policy.next_probe_wait_ms(wait);
            wait / 60_000
        })
        .take(7)
        .collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 360, 360]);
    }

    #[test]
    fn retry_after_takes_seconds_and_dates_and_ignores_garbage() {
        for (value, expected) in [
            ("120", Some(120_000)),
            ("0", Some(1_000)),
            (" 7 ", Some(7_000)),
            ("999999", Some(RETRY_AFTER_MAX_MS)),
            ("Sun, 23 Nov 2025 16:01:00 GMT", Some(60_000)),
            ("Sun, 23 Nov 2025 15:59:00 GMT", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None),
            ("-5", None),
            ("1e300", None),
            ("12.5", None),
            ("", None),
            ("soon", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse_retry_after(value, NOW_MS), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_wait_stays_within_its_bounds(delays in prop::collection::vec(any::<u64>(), 0..6), tries: u32, jitter: f64) {
            let policy = RetryPolicy { delays_ms: delays, ..RetryPolicy::default() };
            prop_assert!(policy.delay_ms(tries, jitter) <= MAX_DELAY_MS * 12 / 10);
        }

        #[test]
        fn the_schedule_is_jittered_by_at_most_a_fifth(tries in 1u32..5, jitter in 0.0f64..1.0) {
            let policy = RetryPolicy::default();
            let base = policy.delays_ms[tries as usize - 1];
            let wait = policy.delay_ms(tries, jitter);
            prop_assert!((base * 8 / 10..=base * 12 / 10).contains(&wait));
        }

        #[test]
        fn no_retry_after_panics_or_leaves_the_clamp(value in "\\PC{0,40}", now in any::<i64>()) {
            if let Some(wait) = parse_retry_after(&value, now) {
                prop_assert!((RETRY_AFTER_MIN_MS..=RETRY_AFTER_MAX_MS).contains(&wait));
            }
        }
    }
}
