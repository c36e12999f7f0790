//! How a time is cut into buckets of a round length. Pure.

use crate::error::Refusal;

/// Buckets in one answer at most.
pub const MAX_BUCKETS: u32 = 240;
const DEFAULT_BUCKETS: u32 = 60;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LENGTHS_MS: [i64; 22] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
];

/// Whole buckets of one length, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Where the first begins, Unix ms.
    pub from_ms: i64,
    /// The length of each, ms.
    pub length_ms: i64,
    /// How many there are.
    pub count: usize,
}

impl Buckets {
    /// At most `most` buckets, 0 for the usual number, that hold a time from `since_ms` on, before `until_ms`.
    pub fn over(since_ms: i64, until_ms: i64, most: u32) -> Result<Self, Refusal> {
        if most > MAX_BUCKETS {
            return Err(Refusal::field("buckets", "must be 1 to 240"));
        }
        if since_ms < 0 || since_ms >= until_ms {
            return Err(Refusal::field("since", "must be before until, and not before 1970"));
        }
        let most = i64::from(if most == 0 { DEFAULT_BUCKETS } else { most });
        let cut = |length_ms: &i64| {
            let from = since_ms.div_euclid(*length_ms);
            let count = until_ms.checked_add(*length_ms - 1)?.div_euclid(*length_ms) - from;
            let fits = (1..=most).contains(&count);
            fits.then(|| Self {
                from_ms: from * length_ms,
                length_ms: *length_ms,
                count: count.unsigned_abs() as usize,
            })
        };
        let shortest = LENGTHS_MS.iter().find_map(cut);
        shortest.ok_or_else(|| Refusal::field("since", "is too long before until for so few buckets"))
    }

    /// Where the last ends, Unix ms.
    pub fn until_ms(&self) -> i64 {
        self.from_ms + self.length_ms * self.count as i64
    }

    /// Whether each holds whole hours.
    pub fn hold_whole_hours(&self) -> bool {
        self.length_ms % HOUR == 0
    }

    /// Which of them a time is in.
    pub fn place(&self, at_ms: i64) -> Option<usize> {
        let place = usize::try_from((at_ms - self.from_ms).div_euclid(self.length_ms)).ok()?;
        Some(place).filter(|place| *place < self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_buckets_hold_the_whole_time_and_no_bucket_is_beside_it(
            since in 0i64..2_000_000_000_000, span in 1i64..400 * DAY, most in 0u32..=240,
        ) {
            let until = since + span;
            let Ok(buckets) = Buckets::over(since, until, most) else {
                prop_assert!(most > 0 && span > 28 * DAY * i64::from(most.saturating_sub(1)));
                return Ok(());
            };
            let allowed = if most == 0 { 60 } else { most as usize };
            prop_assert!(buckets.count <= allowed);
            prop_assert_eq!(buckets.place(since), Some(0));
            prop_assert_eq!(buckets.place(until - 1), Some(buckets.count - 1));
            prop_assert_eq!(buckets.place(buckets.until_ms()), None);
            prop_assert_eq!(buckets.place(buckets.from_ms - 1), None);
            prop_assert_eq!(buckets.from_ms % buckets.length_ms, 0);
        }
    }

    #[test]
    fn the_shortest_round_length_that_fits_is_taken() {
        let day = Buckets::over(DAY, 2 * DAY, 24).expect("fits");
        assert_eq!((day.length_ms, day.count, day.hold_whole_hours()), (HOUR, 24, true));
        let offset = Buckets::over(DAY + 1, 2 * DAY + 1, 24).expect("fits");
        assert_eq!((offset.length_ms, offset.count), (2 * HOUR, 13), "25 whole hours do not fit");
        assert_eq!(Buckets::over(0, 60_000, 0).expect("fits").length_ms, SECOND);
        for (since, until, most, field) in
            [(5, 5, 10, "since"), (0, 29 * DAY * 240, 240, "since"), (0, 1, 241, "buckets"), (-1, 1, 1, "since")]
        {
            let refusal = Buckets::over(since, until, most).expect_err("refused");
            assert_eq!(refusal.violations[0].field, field);
        }
    }
}
