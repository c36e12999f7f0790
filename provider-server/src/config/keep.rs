//! How long things are kept.

use crate::{
    exit::Failure,
    model::retention::{Retention, UNITS, shown},
};

/// A hundred years.
const MOST_MS: i64 = 36_500 * 86_400_000;

/// A setting as it was picked: where it comes from, and its text.
type Picked = Option<(String, String)>;

/// Reads the three times and compares them.
pub fn retention(bodies: Picked, undelivered: Picked, log: Picked) -> Result<Retention, Failure> {
    let default = Retention::default();
    let read = |picked: Picked, default_ms| match picked {
        Some((source, text)) => time_ms(&source, &text),
        None => Ok(default_ms),
    };
    let keep = Retention {
        bodies_ms: read(bodies, default.bodies_ms)?,
        undelivered_ms: read(undelivered, default.undelivered_ms)?,
        log_ms: read(log, default.log_ms)?,
    };
    let longest_ms = keep.bodies_ms.max(keep.undelivered_ms);
    if keep.log_ms < longest_ms {
        return Err(Failure::config(format!(
            "keep_log: {} is shorter than keep_bodies or keep_undelivered ({}): the log tells what became of each message \
             and must be kept at least as long",
            shown(keep.log_ms),
            shown(longest_ms)
        )));
    }
    Ok(keep)
}

fn time_ms(source: &str, text: &str) -> Result<i64, Failure> {
    let (number, unit_ms) = UNITS
        .into_iter()
        .find_map(|(unit, ms)| text.strip_suffix(unit).map(|number| (number, ms)))
        .unwrap_or((text, UNITS[0].1));
    let ms = number.parse::<u32>().ok().map(|number| i64::from(number) * unit_ms);
    ms.filter(|ms| (1_000..=MOST_MS).contains(ms)).ok_or_else(|| {
        Failure::config(format!("{source}: `{text}` is not a time like 30d, 12h, 90m or 45s, of 1 s to 36500 days"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str) -> Picked {
        Some(("keep".into(), text.into()))
    }

    #[test]
    fn times_are_read_and_shown_in_their_units() {
        let keep = retention(picked("12h"), picked("90"), None).expect("valid");
        assert_eq!((keep.bodies_ms, keep.undelivered_ms), (12 * 3_600_000, 90 * 86_400_000));
        assert_eq!(keep.log_ms, Retention::default().log_ms);
        for text in ["30d", "12h", "90m", "45s"] {
            assert_eq!(shown(time_ms("keep", text).expect("a time")), text);
        }
        assert_eq!(shown(time_ms("keep", "48h").expect("a time")), "2d");
    }

    #[test]
    fn no_time_and_a_log_that_ends_too_soon_are_refused_with_words() {
        for text in ["", "d", "-1d", "0s", "1.5d", "40000d", "9999999999d", "30 d", "30w"] {
            let failure = retention(picked(text), None, None).expect_err(text);
            assert_eq!(failure.code, 78, "{text}");
            assert!(failure.message.starts_with("keep: `"), "{failure}");
        }
        let failure = retention(None, None, picked("179d")).expect_err("too short");
        assert!(failure.message.contains("keep_log: 179d is shorter"), "{failure}");
    }
}
