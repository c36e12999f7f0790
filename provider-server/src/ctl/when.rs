//! Times on the command line: an RFC 3339 instant, or an age such as `-90s`, `-30m`, `-2h`, `-7d`.

use prost_types::Timestamp;

use crate::clock::{Clock, SystemClock};

/// A point in time as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Unix ms.
    At(i64),
    /// Ms before now.
    Ago(i64),
}

impl When {
    /// By the machine's clock.
    pub fn to_timestamp(self) -> Timestamp {
        let ms = match self {
            Self::At(ms) => ms,
            Self::Ago(ms) => SystemClock.now_ms() - ms,
        };
        Timestamp { seconds: ms.div_euclid(1000), nanos: (ms.rem_euclid(1000) * 1_000_000) as i32 }
    }
}

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "expected an instant like 2026-11-23T16:05:12Z, or an age like -90s, -30m, -2h or -7d".to_owned();
        let Some(age) = text.strip_prefix('-') else {
            return text.parse::<jiff::Timestamp>().map(|t| Self::At(t.as_millisecond())).map_err(|_| wrong());
        };
        let unit = age.chars().last().ok_or_else(wrong)?;
        let number: u32 = age[..age.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
        let unit_ms: i64 = match unit {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(wrong()),
        };
        Ok(Self::Ago(i64::from(number) * unit_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_ages_are_read() {
        assert_eq!("-30m".parse(), Ok(When::Ago(1_800_000)));
        assert_eq!("-7d".parse(), Ok(When::Ago(604_800_000)));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(When::At(1_500)));
        for bad in ["", "-", "-5", "-5w", "-xm", "yesterday", "2026-11-23", "-é"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
        assert_eq!(When::At(-1).to_timestamp(), Timestamp { seconds: -1, nanos: 999_000_000 });
    }
}
