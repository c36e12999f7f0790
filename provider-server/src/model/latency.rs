//! Latencies in steps of a quarter of a doubling: few enough to be counted, near enough for percentiles. Pure.

/// The beginnings of the quarters of a doubling, times 2^31.
const QUARTERS: [u64; 4] = [1 << 31, 2_553_802_834, 3_037_000_500, 3_611_622_603];

/// The step of a latency in µs, 0 to 127.
pub fn step_of(latency_us: u32) -> i64 {
    let latency_us = latency_us.max(1);
    let doublings = latency_us.ilog2();
    let scaled = u64::from(latency_us) << (31 - doublings);
    let quarter = QUARTERS.iter().rposition(|begin| scaled >= *begin).unwrap_or(0);
    i64::from(doublings) * 4 + i64::try_from(quarter).unwrap_or(0)
}

/// What stands for the latencies of a step, µs: within a tenth of each of them.
fn middle_of(step: i64) -> u32 {
    let exponent = (step.clamp(0, 127) as f64 + 0.5) / 4.0;
    exponent.exp2().min(f64::from(u32::MAX)) as u32
}

/// The latency that `percent` of these attempts did not exceed, in µs; 0 where there are none. `counts` holds attempts by
/// step, in any order.
pub fn percentile(counts: &[(i64, u64)], percent: u64) -> u32 {
    let mut counts: Vec<(i64, u64)> = counts.iter().copied().filter(|(step, _)| *step >= 0).collect();
    counts.sort_unstable();
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    // The nearest rank.
    let rank = (all * percent).div_ceil(100).max(1);
    let mut below = 0;
    let found = counts.into_iter().find(|(_, count)| {
        below += count;
        below >= rank
    });
    found.map_or(0, |(step, _)| middle_of(step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_step_stands_for_its_latencies_within_a_tenth(latency_us in 50u32..20_000_000) {
            let middle = f64::from(middle_of(step_of(latency_us)));
            let error = (middle - f64::from(latency_us)).abs() / f64::from(latency_us);
            prop_assert!(error < 0.1, "{latency_us} became {middle}");
        }

        #[test]
        fn a_longer_latency_has_no_lower_step(a: u32, b: u32) {
            prop_assert_eq!(step_of(a.min(b)) <= step_of(a.max(b)), true);
        }
    }

    #[test]
    fn the_ends_have_steps_too() {
        assert_eq!((step_of(0), step_of(1), step_of(2), step_of(u32::MAX)), (0, 0, 4, 127));
    }

    #[test]
    fn a_percentile_is_of_known_latencies_alone() {
        assert_eq!(percentile(&[], 95), 0);
        assert_eq!(percentile(&[(-1, 1_000)], 95), 0);
        let counts = [(step_of(1_000_000), 5), (step_of(2_000), 95), (-1, 1_000)];
        let (p95, p96) = (percentile(&counts, 95), percentile(&counts, 96));
        assert!((1_800..2_200).contains(&p95), "{p95}");
        assert!((900_000..1_100_000).contains(&p96), "{p96}");
    }
}
