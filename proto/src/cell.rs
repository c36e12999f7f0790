//! Cells of a CSV that people open in a spreadsheet.

use std::borrow::Cow;

/// Puts an apostrophe before what a spreadsheet would take for a formula.
pub fn neutral(value: &str) -> Cow<'_, str> {
    match value.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => Cow::Owned(format!("'{value}")),
        _ => Cow::Borrowed(value),
    }
}

/// The same for a value of at most `max_chars` characters, which it stays: there the sign itself gives way.
pub fn neutral_within(value: &str, max_chars: usize) -> Cow<'_, str> {
    match neutral(value) {
        // The sign is one byte.
        Cow::Owned(longer) if longer.chars().count() > max_chars => Cow::Owned(format!("'{}", &value[1..])),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leading_sign_is_neutralised() {
        for (value, expected) in [
            ("=1", "'=1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@a", "'@a"),
            ("\ta", "'\ta"),
            ("\ra", "'\ra"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(neutral(value), expected);
        }
    }

    #[test]
    fn a_value_of_full_length_gives_its_sign_away() {
        assert_eq!(neutral_within("=ab", 4), "'=ab");
        assert_eq!(neutral_within("=ab", 3), "'ab");
        assert_eq!(neutral_within("éab", 3), "éab");
    }
}
