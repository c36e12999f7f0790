//! The roster digest: lets two sides compare a whole roster, and find what differs, without exchanging it.
//!
//! Per student: HMAC-SHA256(digest key, sourcedId ‖ 0x00 ‖ canonical projection), read as a 256-bit number. A bucket is
//! the sum of its students mod 2^256, so that a change costs one subtraction and one addition. A student's bucket is
//! the first byte of HMAC-SHA256(digest key, sourcedId).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Buckets of a digest.
pub const BUCKETS: usize = 256;

/// The key of one school's digest. It comes with the enrollment and survives rotations.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    /// From the 32 bytes of the enrollment.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes any key length");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The number that stands for one student's projection.
    pub fn student(&self, sourced_id: &str, projection: &[u8]) -> Sum {
        Sum(self.hmac(&[sourced_id.as_bytes(), &[0], projection]))
    }

    /// The bucket of a student.
    pub fn bucket(&self, sourced_id: &str) -> u8 {
        self.hmac(&[sourced_id.as_bytes()])[0]
    }
}

/// A 256-bit number, big-endian, that wraps around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(pub [u8; 32]);

impl Sum {
    /// Adds mod 2^256.
    pub fn add(&mut self, other: &Sum) {
        let mut carry = 0u16;
        for (mine, theirs) in self.0.iter_mut().zip(other.0).rev() {
            let sum = u16::from(*mine) + u16::from(theirs) + carry;
            *mine = sum as u8;
            carry = sum >> 8;
        }
    }

    /// Subtracts mod 2^256.
    pub fn subtract(&mut self, other: &Sum) {
        let mut borrow = 0i16;
        for (mine, theirs) in self.0.iter_mut().zip(other.0).rev() {
            let difference = i16::from(*mine) - i16::from(theirs) - borrow;
            *mine = difference as u8;
            borrow = i16::from(difference < 0);
        }
    }

    /// Lower-case hex.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A roster's digest: the sum of each bucket.
#[derive(Clone)]
pub struct RosterDigest {
    buckets: Box<[Sum; BUCKETS]>,
    students: u32,
}

impl Default for RosterDigest {
    fn default() -> Self {
        Self { buckets: Box::new([Sum::default(); BUCKETS]), students: 0 }
    }
}

impl RosterDigest {
    /// Adds a student's projection.
    pub fn add(&mut self, key: &DigestKey, sourced_id: &str, projection: &[u8]) {
        self.buckets[usize::from(key.bucket(sourced_id))].add(&key.student(sourced_id, projection));
        self.students += 1;
    }

    /// The sum over all buckets.
    pub fn total(&self) -> Sum {
        let mut total = Sum::default();
        self.buckets.iter().for_each(|bucket| total.add(bucket));
        total
    }

    /// Students counted.
    pub fn students(&self) -> u32 {
        self.students
    }

    /// The buckets that are not zero, by number.
    pub fn non_empty(&self) -> impl Iterator<Item = (u8, &Sum)> {
        (0u8..=255).zip(self.buckets.iter()).filter(|(_, sum)| **sum != Sum::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn subtracting_undoes_adding(a: [u8; 32], b: [u8; 32]) {
            let mut sum = Sum(a);
            sum.add(&Sum(b));
            sum.subtract(&Sum(b));
            prop_assert_eq!(sum, Sum(a));
        }

        #[test]
        fn the_order_of_students_does_not_matter(rows in prop::collection::vec(("[a-z]{1,8}", "[a-z]{0,8}"), 0..20)) {
            let key = DigestKey::new([3; 32]);
            let mut forward = RosterDigest::default();
            let mut backward = RosterDigest::default();
            rows.iter().for_each(|(id, row)| forward.add(&key, id, row.as_bytes()));
            rows.iter().rev().for_each(|(id, row)| backward.add(&key, id, row.as_bytes()));
            prop_assert_eq!(forward.total(), backward.total());
        }
    }

    #[test]
    fn one_changed_byte_changes_one_bucket() {
        let key = DigestKey::new([3; 32]);
        let digest = |name: &str| {
            let mut digest = RosterDigest::default();
            digest.add(&key, "S-1", b"Ada");
            digest.add(&key, "S-2", name.as_bytes());
            digest
        };
        let (before, after) = (digest("Grace"), digest("Gracf"));
        let differing = before.buckets.iter().zip(after.buckets.iter()).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 1);
    }
}
