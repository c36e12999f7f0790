//! Single values: pure rules, each telling what was meant and whether it was written as the standard demands.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The grades there are.
pub const GRADES: [&str; 21] = [
    "IT", "PR", "PK", "TK", "KG", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "PS",
    "UG", "Other",
];

/// Characters that a text or an id may have.
pub const MAX_CHARS: usize = 255;

/// A value that can be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// As the standard writes it.
    Exact(T),
    /// Written otherwise: an error to the strict profile.
    Repaired(T),
}

/// `^[0-9A-Za-z.\-_/@]{1,255}$`
pub fn is_sourced_id(value: &str) -> bool {
    (1..=MAX_CHARS).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'@'))
}

/// true or false.
pub fn boolean(value: &str) -> Option<Parsed<bool>> {
    match value {
        "true" => Some(Parsed::Exact(true)),
        "false" => Some(Parsed::Exact(false)),
        "1" => Some(Parsed::Repaired(true)),
        "0" => Some(Parsed::Repaired(false)),
        _ if value.eq_ignore_ascii_case("true") => Some(Parsed::Repaired(true)),
        _ if value.eq_ignore_ascii_case("false") => Some(Parsed::Repaired(false)),
        _ => None,
    }
}

/// `YYYY-MM-DD`; also understood: one-digit month or day, and a time behind the date.
pub fn date(value: &str) -> Option<Parsed<Date>> {
    let (day_part, rest) = value.split_at_checked(10).unwrap_or((value, ""));
    if let Some(date) = calendar_day(day_part, true) {
        return if rest.is_empty() {
            Some(Parsed::Exact(date))
        } else {
            rest.starts_with('T').then_some(Parsed::Repaired(date))
        };
    }
    calendar_day(value, false).map(Parsed::Repaired)
}

fn calendar_day(value: &str, exact: bool) -> Option<Date> {
    let mut parts = value.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| part.len() == 2 || (!exact && part.len() == 1);
    if parts.next().is_some() || year.len() != 4 || !short(month) || !short(day) {
        return None;
    }
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i16>().ok()).flatten();
    Date::new(number(year)?, i8::try_from(number(month)?).ok()?, i8::try_from(number(day)?).ok()?).ok()
}

/// `YYYY-MM-DDThh:mm:ss[.sss]` with `Z` or an offset; also understood, as UTC: without an offset, or a date alone.
pub fn date_time(value: &str) -> Option<Parsed<Timestamp>> {
    let looks_like_one = value.len() >= 20 && value.as_bytes()[10] == b'T' && value.is_ascii() && !value.contains('[');
    if looks_like_one && let Ok(timestamp) = value.parse::<Timestamp>() {
        return Some(Parsed::Exact(timestamp));
    }
    let civil = match date(value) {
        Some(Parsed::Exact(date)) => date.to_datetime(jiff::civil::Time::midnight()),
        _ if value.len() >= 16 && !value.contains('[') => value.parse::<DateTime>().ok()?,
        _ => return None,
    };
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| Parsed::Repaired(zoned.timestamp()))
}

/// One grade; also understood: `7` for `07`, `K` for `KG`, another case.
pub fn grade(value: &str) -> Option<Parsed<&'static str>> {
    let meant = match value.as_bytes() {
        [digit @ b'1'..=b'9'] => GRADES.iter().find(|grade| grade.as_bytes() == [b'0', *digit]).copied(),
        [b'K' | b'k'] => Some("KG"),
        _ => return one_of(value, &GRADES),
    };
    meant.map(Parsed::Repaired)
}

/// One of a list; also understood: another case.
pub fn one_of(value: &str, list: &[&'static str]) -> Option<Parsed<&'static str>> {
    list.iter()
        .find(|item| **item == value)
        .map(|item| Parsed::Exact(*item))
        .or_else(|| list.iter().find(|item| item.eq_ignore_ascii_case(value)).map(|item| Parsed::Repaired(*item)))
}

/// Why a text cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFault {
    TooLong,
    Control,
}

/// A text in NFC.
pub fn text(value: &str) -> Result<String, TextFault> {
    if value.is_ascii() {
        return match value {
            _ if value.bytes().any(|b| b.is_ascii_control()) => Err(TextFault::Control),
            _ if value.len() > MAX_CHARS => Err(TextFault::TooLong),
            _ => Ok(value.to_owned()),
        };
    }
    if value.chars().any(char::is_control) {
        return Err(TextFault::Control);
    }
    let normal = match is_nfc_quick(value.chars()) {
        IsNormalized::Yes => value.to_owned(),
        // Composing never makes more than three characters of one, so a huge value need not be composed to be refused.
        _ if value.chars().count() > 64 * MAX_CHARS => return Err(TextFault::TooLong),
        _ => value.nfc().collect(),
    };
    if normal.chars().count() > MAX_CHARS { Err(TextFault::TooLong) } else { Ok(normal) }
}

/// Something, an `@`, and a host name with a dot. More is the mail server's business.
pub fn looks_like_email(value: &str) -> bool {
    let Some((local, host)) = value.split_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@' || c == ',');
    plain(local)
        && plain(host)
        && host.contains('.')
        && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Parsed::*, *};

    #[test]
    fn booleans() {
        let cases = [
            ("true", Some(Exact(true))),
            ("false", Some(Exact(false))),
            ("TRUE", Some(Repaired(true))),
            ("0", Some(Repaired(false))),
        ];
        for (value, expected) in cases.into_iter().chain([("", None), ("yes", None), (" true", None)]) {
            assert_eq!(boolean(value), expected, "{value}");
        }
    }

    #[test]
    fn dates() {
        let day = jiff::civil::date(2026, 8, 5);
        for (value, expected) in [
            ("2026-08-05", Some(Exact(day))),
            ("2026-8-5", Some(Repaired(day))),
            ("2026-08-05T00:00:00Z", Some(Repaired(day))),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("08/05/2026", None),
            ("2026-08-05x", None),
            ("2026-+8-05", None),
            ("202é-08-05", None),
            ("", None),
        ] {
            assert_eq!(date(value), expected, "{value}");
        }
    }

    #[test]
    fn date_times() {
        let at: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let midnight: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("2026-11-23T06:00:00.000Z", Some(Exact(at))),
            ("2026-11-23T08:00:00+02:00", Some(Exact(at))),
            ("2026-11-23T06:00:00", Some(Repaired(at))),
            ("2026-11-23 06:00:00", Some(Repaired(at))),
            ("2026-11-23", Some(Repaired(midnight))),
            ("2026-11-23T06:00:00Z[UTC]", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(date_time(value), expected, "{value}");
        }
    }

    #[test]
    fn grades() {
        for (value, expected) in [
            ("07", Some(Exact("07"))),
            ("Other", Some(Exact("Other"))),
            ("7", Some(Repaired("07"))),
            ("k", Some(Repaired("KG"))),
            ("kg", Some(Repaired("KG"))),
            ("OTHER", Some(Repaired("Other"))),
            ("14", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(grade(value), expected, "{value}");
        }
    }

    #[test]
    fn texts_and_addresses() {
        assert_eq!(text("Zoe\u{308}").unwrap(), "Zoë");
        assert_eq!(text("a\nb"), Err(TextFault::Control));
        assert_eq!(text("a\u{85}b"), Err(TextFault::Control));
        assert_eq!(text(&"é".repeat(256)), Err(TextFault::TooLong));
        assert!(text(&"é".repeat(255)).is_ok());
        assert!(looks_like_email("zoë@schule.example"));
        for bad in ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@-b.c"] {
            assert!(!looks_like_email(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_a_rule_panic(value in "\\PC{0,40}") {
            let _ = (boolean(&value), date(&value), date_time(&value), grade(&value), text(&value), looks_like_email(&value), is_sourced_id(&value));
        }
    }
}
