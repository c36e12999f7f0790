//! Which sequences were received: everything up to a point, and ranges above it.

use std::{collections::BTreeMap, fmt::Write};

/// Ranges kept at most; beyond, a far sequence is not noted (its message is applied all the same).
const MAX_RANGES: usize = 65_536;

/// The received sequences of one school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    contiguous: u64,
    /// Low → high, both inclusive, not touching each other or `contiguous`.
    ranges: BTreeMap<u64, u64>,
}

impl Window {
    /// From its stored form.
    pub fn from_stored(contiguous: u64, ranges: &str) -> Option<Self> {
        let mut window = Self { contiguous, ranges: BTreeMap::new() };
        for range in ranges.split(',').filter(|r| !r.is_empty()) {
            let (low, high) = range.split_once('-')?;
            window.ranges.insert(low.parse().ok()?, high.parse().ok()?);
        }
        Some(window)
    }

    /// The ranges' stored form.
    pub fn ranges_text(&self) -> String {
        let mut text = String::new();
        for (low, high) in &self.ranges {
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, "{comma}{low}-{high}").expect("a String takes any text");
        }
        text
    }

    /// The highest sequence below which nothing is missing.
    pub fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// The highest sequence received.
    pub fn highest(&self) -> u64 {
        self.ranges.last_key_value().map_or(self.contiguous, |(_, high)| *high)
    }

    /// What is missing below the highest, lowest first; both ends are missing.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let mut next = self.contiguous + 1;
        let mut gaps = Vec::with_capacity(self.ranges.len());
        for (low, high) in &self.ranges {
            gaps.push((next, low - 1));
            next = high + 1;
        }
        gaps
    }

    /// Notes a received sequence.
    pub fn insert(&mut self, sequence: u64) {
        if sequence <= self.contiguous {
            return;
        }
        let (mut low, mut high) = (sequence, sequence);
        if let Some((&below_low, &below_high)) = self.ranges.range(..=sequence).next_back() {
            if below_high >= sequence {
                return;
            }
            if below_high + 1 == sequence {
                low = below_low;
                self.ranges.remove(&below_low);
            }
        }
        if let Some(above_high) = self.ranges.remove(&(sequence + 1)) {
            high = above_high;
        }
        if low == self.contiguous + 1 {
            self.contiguous = high;
        } else if self.ranges.len() < MAX_RANGES {
            self.ranges.insert(low, high);
        }
    }

    /// Begins after `sequence`: what is below belongs to an earlier enrollment.
    pub fn begin_after(&mut self, sequence: u64) {
        if sequence <= self.contiguous {
            return;
        }
        self.contiguous = sequence;
        let above = self.ranges.split_off(&(sequence + 1));
        let last_below = std::mem::replace(&mut self.ranges, above).last_key_value().map_or(0, |(_, high)| *high);
        self.contiguous = self.contiguous.max(last_below);
        if let Some(high) = self.ranges.remove(&(self.contiguous + 1)) {
            self.contiguous = high;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_equals_a_set(sequences in prop::collection::vec(1u64..60, 0..120), start in 0u64..40) {
            let mut window = Window::default();
            let mut set: BTreeSet<u64> = BTreeSet::new();
            for (index, sequence) in sequences.iter().enumerate() {
                if index == sequences.len() / 2 {
                    window.begin_after(start);
                    set.extend(1..=start);
                }
                window.insert(*sequence);
                set.insert(*sequence);
                let contiguous = (1u64..).find(|s| !set.contains(s)).expect("a finite set") - 1;
                prop_assert_eq!(window.contiguous(), contiguous);
                prop_assert_eq!(window.highest(), set.last().copied().unwrap_or(0));
                let stored = Window::from_stored(window.contiguous(), &window.ranges_text());
                prop_assert_eq!(stored.as_ref(), Some(&window));
                let missing: Vec<u64> = window.gaps().into_iter().flat_map(|(from, to)| from..=to).collect();
                let highest = window.highest();
                let expected: Vec<u64> = (1..=highest).filter(|sequence| !set.contains(sequence)).collect();
                prop_assert_eq!(missing, expected);
            }
        }
    }
}
