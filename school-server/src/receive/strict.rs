//! JSON as strict as a signature deserves: no duplicate keys, bounded depth. `serde_json` alone keeps the last of two
//! equal keys, so two readers of one signed body could see two different students.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deeper than this is refused.
const MAX_DEPTH: u32 = 64;
/// From this many keys on a set is used.
const SMALL: usize = 24;

/// Where and why a text is not strict JSON. Never holds a value of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct NotStrict {
    what: &'static str,
    line: usize,
    column: usize,
}

/// Checks a whole text.
pub fn check(text: &[u8]) -> Result<(), NotStrict> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let result = Strict { depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end());
    result.map_err(|error| {
        let what = match error.to_string() {
            words if words.starts_with(DUPLICATE) => DUPLICATE,
            words if words.starts_with(TOO_DEEP) || words.starts_with("recursion limit") => TOO_DEEP,
            _ if std::str::from_utf8(text).is_err() => "not UTF-8",
            _ => "not JSON",
        };
        NotStrict { what, line: error.line(), column: error.column() }
    })
}

const DUPLICATE: &str = "a key appears twice in one object";
const TOO_DEEP: &str = "nested too deep";

#[derive(Clone, Copy)]
struct Strict {
    depth: u32,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while seq.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut few: Vec<Cow<'de, str>> = Vec::new();
        let mut many: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            if few.contains(&key) || many.contains(&key) {
                return Err(A::Error::custom(DUPLICATE));
            }
            if few.len() < SMALL {
                few.push(key);
            } else {
                many.insert(key);
            }
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let deep = "[".repeat(100_000);
        let many: String = (0..60).map(|n| format!("\"k{n}\":0,")).collect();
        for (text, what) in [
            (r#"{"a":1,"a":2}"#.to_owned(), DUPLICATE),
            (r#"{"a":1,"\u0061":2}"#.to_owned(), DUPLICATE),
            (r#"[{"x":{"b":1,"c":2,"b":1}}]"#.to_owned(), DUPLICATE),
            (format!("{{{many}\"k59\":1}}"), DUPLICATE),
            (deep, TOO_DEEP),
            (r#"{"a":1} x"#.to_owned(), "not JSON"),
            (String::new(), "not JSON"),
        ] {
            assert_eq!(check(text.as_bytes()).expect_err("refused").what, what, "{:.40}", text);
        }
        assert_eq!(check(b"\"\xff\"").expect_err("refused").what, "not UTF-8");
        assert!(check(r#"{"a":{"a":[1,-1,1.5,"é",null,true]},"b":{}}"#.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = check(&bytes);
        }
    }
}
