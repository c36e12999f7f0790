//! sourcedIds by the million without their text: a keyed 128-bit hash stands for each.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// Makes keys. They mean something only within one read.
pub struct Keys {
    high: RandomState,
    low: RandomState,
}

impl Keys {
    /// With hash keys of its own, so that nobody can prepare ids that collide.
    pub fn new() -> Self {
        Self { high: RandomState::new(), low: RandomState::new() }
    }

    /// The key of an id.
    pub fn key(&self, id: &str) -> u128 {
        (u128::from(self.high.hash_one(id)) << 64) | u128::from(self.low.hash_one(id))
    }

    /// Half a key: for duplicates, where a chance of 1 in 10 million per million rows is small enough.
    pub fn short(&self, id: &str) -> u64 {
        self.low.hash_one(id)
    }
}

/// A fixed set of keys, each with its position. 16 bytes a key and 4 for every two.
pub struct KeyTable {
    keys: Vec<u128>,
    /// For each value of the top bits the position of its first key.
    starts: Vec<u32>,
    shift: u32,
}

impl KeyTable {
    /// Of any keys; repeated ones count once. At most 2^31 keys.
    pub fn new(mut keys: Vec<u128>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let bits = keys.len().checked_ilog2().unwrap_or(0).max(1);
        let shift = 128 - bits;
        let mut starts = vec![0u32; (1 << bits) + 1];
        for key in &keys {
            starts[(key >> shift) as usize + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        Self { keys, starts, shift }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The position of a key.
    pub fn find(&self, key: u128) -> Option<u32> {
        let bucket = (key >> self.shift) as usize;
        let (from, to) = (self.starts[bucket], self.starts[bucket + 1]);
        let among = &self.keys[from as usize..to as usize];
        among.iter().position(|candidate| *candidate == key).map(|offset| from + offset as u32)
    }
}

/// Tells what was seen before.
#[derive(Default)]
pub struct Seen(HashSet<u64, BuildHasherDefault<Identity>>);

impl Seen {
    /// True the first time.
    pub fn first(&mut self, key: u64) -> bool {
        self.0.insert(key)
    }

    /// How many different ones were seen.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A bit per position.
pub struct Bits(Vec<u64>);

impl Bits {
    /// All off.
    pub fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    /// Whether it is on; off beyond the end.
    pub fn get(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Turns it on, and tells whether it was.
    pub fn set(&mut self, index: u32) -> bool {
        let was = self.get(index);
        let word = index as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (index % 64);
        was
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_table_finds_its_keys_and_no_others(ids in prop::collection::hash_set("[a-f]{1,4}", 0..300), other in "[g-z]{1,4}") {
            let keys = Keys::new();
            let table = KeyTable::new(ids.iter().chain(ids.iter()).map(|id| keys.key(id)).collect());
            prop_assert_eq!(table.len(), ids.len());
            let mut found: Vec<_> = ids.iter().map(|id| table.find(keys.key(id)).unwrap()).collect();
            found.sort_unstable();
            prop_assert_eq!(found, (0..ids.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(table.find(keys.key(&other)), None);
        }
    }

    #[test]
    fn bits_and_seen() {
        let mut bits = Bits::new(3);
        assert!(!bits.set(2) && bits.set(2) && !bits.get(200) && !bits.set(200) && bits.get(200));
        let mut seen = Seen::default();
        assert!(seen.first(7) && !seen.first(7) && seen.first(8));
        assert_eq!(seen.len(), 2);
    }
}
