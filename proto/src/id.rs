//! Typed ids: a prefix that names the kind and a UUIDv7 (RFC 9562) in 26 characters of Crockford base32, so that ids
//! sort by their time of birth and cannot be mixed up.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind: expected `{expected}_` and 26 characters")]
pub struct InvalidId {
    expected: &'static str,
}

fn encode(prefix: &str, uuid: Uuid) -> String {
    let mut value = uuid.as_u128();
    let mut digits = [0u8; 26];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    text.extend(digits.iter().map(|&d| d as char));
    text
}

fn decode(prefix: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    let invalid = InvalidId { expected: prefix };
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == 26 && digits.as_bytes()[0] <= b'7')
        .ok_or_else(|| invalid.clone())?;
    let mut value = 0u128;
    for digit in digits.bytes() {
        let index = ALPHABET.iter().position(|&a| a == digit).ok_or_else(|| invalid.clone())?;
        value = value << 5 | index as u128;
    }
    Ok(Uuid::from_u128(value))
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The text before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id born at `unix_ms`, with 74 random bits from `random`.
            pub fn new(unix_ms: i64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms.max(0) as u64, &random).into_uuid())
            }

            /// From the 16 bytes that databases hold.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// The 16 bytes that databases hold.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&encode($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

typed_ids! {
    /// A district.
    DistrictId = "dst";
    /// A school.
    SchoolId = "sch";
    /// A student; stands for the student wherever personal data must not.
    StudentId = "stu";
    /// An event, and the message that carries it.
    EventId = "evt";
    /// One accepted change; shared by the events it makes.
    ChangeId = "chg";
    /// An import run.
    RunId = "run";
    /// A signing secret.
    SecretId = "sec";
    /// A staff account.
    StaffId = "stf";
    /// A data key.
    KeyId = "key";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_refuses_another_kind() {
        let id = EventId::new(1_763_913_912_345, [7; 10]);
        let text = id.to_string();
        assert_eq!(text.len(), 30);
        assert_eq!(text.parse::<EventId>(), Ok(id));
        assert!(text.parse::<SchoolId>().is_err());
        assert!(text.to_lowercase().parse::<EventId>().is_err());
        assert!("evt_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<EventId>().is_err(), "more than 128 bits");
    }

    #[test]
    fn ids_sort_by_birth() {
        let older = EventId::new(1_000, [255; 10]).to_string();
        let newer = EventId::new(1_001, [0; 10]).to_string();
        assert!(older < newer);
    }
}
