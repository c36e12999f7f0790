//! What a receiver's Retry-After asks for.

use provider_server::model::retry::{RETRY_AFTER_MAX_MS, RETRY_AFTER_MIN_MS, parse_retry_after};

/// Sun, 23 Nov 2025 16:00:00 GMT
const NOW_MS: i64 = 1_763_913_600_000;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[test]
fn waits_stay_within_their_bounds_and_are_what_was_asked_for() {
    super::feed::Feed::of("retry-after").run(100_000, check);
}

pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let wait = parse_retry_after(&text, NOW_MS);
    assert!(wait.is_none_or(|wait| (RETRY_AFTER_MIN_MS..=RETRY_AFTER_MAX_MS).contains(&wait)), "{text:?}: {wait:?}");
    if let Some(asked_ms) = asked_ms(text.trim()) {
        let bounded = asked_ms.clamp(RETRY_AFTER_MIN_MS.into(), RETRY_AFTER_MAX_MS.into());
        let is_believed = (0..=2 * i128::from(RETRY_AFTER_MAX_MS)).contains(&asked_ms) || is_seconds(text.trim());
        let expected = is_believed.then(|| u64::try_from(bounded).expect("within bounds"));
        assert_eq!(wait, expected, "{text:?}");
    }
}

fn is_seconds(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The wait in the two plain forms, by arithmetic of our own; nothing for any other text.
fn asked_ms(text: &str) -> Option<i128> {
    if is_seconds(text) {
        return Some(text.parse::<i128>().ok()? * 1_000);
    }
    // Sun, 23 Nov 2025 16:00:30 GMT
    let bytes = text.as_bytes();
    let is_form = bytes.len() == 29
        && text.is_ascii()
        && &text[3..5] == ", "
        && [7, 11, 16, 25].iter().all(|at| bytes[*at] == b' ')
        && [19, 22].iter().all(|at| bytes[*at] == b':')
        && &text[26..] == "GMT";
    let number = |range: std::ops::Range<usize>| -> Option<i128> {
        text[range.clone()].bytes().all(|byte| byte.is_ascii_digit()).then(|| text[range].parse().ok())?
    };
    if !is_form {
        return None;
    }
    let (day, year) = (number(5..7)?, number(12..16)?);
    let month = MONTHS.iter().position(|month| *month == &text[8..11])?;
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_date = year >= 1970 && (1..=days[month]).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !is_date {
        return None;
    }
    let leap_days = |year: i128| year / 4 - year / 100 + year / 400;
    let before = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let date = before + days[..month].iter().sum::<i128>() + day - 1;
    // The first day of 1970 was a Thursday; a date that does not fit its day is another matter.
    let weekday = WEEKDAYS[usize::try_from((date + 3) % 7).ok()?];
    if weekday != &text[..3] {
        return None;
    }
    Some((date * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 - i128::from(NOW_MS))
}
