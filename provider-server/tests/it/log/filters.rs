//! Every word of the filter against a plain oracle over random rows.

use proptest::{prelude::*, test_runner::TestRunner};
use provider_server::{
    model::{
        delivery::{NewDelivery, Trigger},
        log_filter::LogFilter,
        outcome::{Cause, Outcome},
    },
    store::{
        log::{self, Attempt},
        record::AttemptRow,
    },
};

use super::door::{Log, success};
use crate::support::START_MS;

const ROWS: usize = 600;
const NOW_MS: i64 = START_MS + 7_200_000;

type Fits = Box<dyn Fn(&Attempt) -> bool>;

/// Words with what they mean.
fn words(made: &[NewDelivery]) -> Vec<(String, Fits)> {
    let mut words: Vec<(String, Fits)> = Vec::new();
    let mut word = |text: &str, fits: Fits| words.push((text.to_owned(), fits));
    for status in ["delivered", "retrying", "parked", "held"] {
        word(&format!("status:{status}"), Box::new(move |row| row.status == status));
    }
    word("status:failed", Box::new(|row| row.status != "delivered"));
    word("status:parked,failed", Box::new(|row| row.status != "delivered"));
    word("status:delivered,failed", Box::new(|_| true));
    word("status:delivered,held", Box::new(|row| row.status == "delivered" || row.status == "held"));
    word("code:503", Box::new(|row| row.code == 503));
    word("code:5xx", Box::new(|row| row.code / 100 == 5));
    word("code:2xx", Box::new(|row| row.code / 100 == 2));
    word("code:none", Box::new(|row| row.code == 0));
    word("code:5xx|timeout", Box::new(|row| row.code / 100 == 5 || row.cause == Some(Cause::Timeout)));
    word("code:>=404", Box::new(|row| row.code >= 404));
    word("code:200..503", Box::new(|row| (200..=503).contains(&row.code)));
    for cause in Cause::ALL {
        word(&format!("cause:{}", cause.as_str()), Box::new(move |row| row.cause == Some(cause)));
    }
    word("cause:dns,timeout", Box::new(|row| matches!(row.cause, Some(Cause::Dns | Cause::Timeout))));
    word("event:student.created", Box::new(|row| row.event_type == "student.created"));
    word("type:student.*", Box::new(|row| row.event_type.starts_with("student.")));
    word("event:connection.test,student.updated", Box::new(|row| row.event_type == "student.updated"));
    word("event:*", Box::new(|_| true));
    for trigger in Trigger::ALL {
        word(&format!("trigger:{}", trigger.as_str()), Box::new(move |row| row.trigger == trigger.as_str()));
    }
    word("try:1", Box::new(|row| row.try_number == 1));
    word("try:>1", Box::new(|row| row.try_number > 1));
    word("try:<=2,5", Box::new(|row| row.try_number <= 2 || row.try_number == 5));
    word("try:2..4", Box::new(|row| (2..=4).contains(&row.try_number)));
    word("latency:>500ms", Box::new(|row| row.latency_us > 500_000));
    word("latency:<2ms", Box::new(|row| row.latency_us < 2_000));
    word("latency:1ms..1s", Box::new(|row| (1_000..=1_000_000).contains(&row.latency_us)));
    word("since:-1h", Box::new(|row| row.at_ms >= NOW_MS - 3_600_000));
    word("after:-90m", Box::new(|row| row.at_ms >= NOW_MS - 5_400_000));
    word("until:-30m", Box::new(|row| row.at_ms < NOW_MS - 1_800_000));
    word("before:-5400s", Box::new(|row| row.at_ms < NOW_MS - 5_400_000));
    word("student:S-1", Box::new(|row| row.sourced_id == "S-1"));
    word("student:S-2,\"S-3\"", Box::new(|row| row.sourced_id == "S-2" || row.sourced_id == "S-3"));
    word("student:nobody", Box::new(|_| false));
    word("student:nobody,S-2", Box::new(|row| row.sourced_id == "S-2"));
    let (id, event) = (made[3].student, made[5].event);
    word(&format!("student:{id}"), Box::new(move |row| row.student == Some(id)));
    word(&format!("id:{event}"), Box::new(move |row| row.message == event));
    let (one, two) = (made[0].event, made[7].event);
    word(&format!("id:{one},{two}"), Box::new(move |row| row.message == one || row.message == two));
    words
}

fn random_row(log: &Log, made: &[NewDelivery], index: usize) -> AttemptRow {
    let entropy = &log.test.entropy;
    let pick = |count: usize| (entropy.unit() * count as f64) as usize;
    let delivery = &made[pick(made.len())];
    let outcome = match pick(3) {
        0 => {
            let cause = Cause::ALL[pick(Cause::ALL.len())];
            Outcome { code: [0, 0, 404, 410, 429, 500, 503][pick(7)], ..Outcome::failed(cause, "") }
        }
        _ => Outcome { code: 200 + pick(5) as u16, ..Outcome::default() },
    };
    AttemptRow {
        status: if outcome.is_success() { "delivered" } else { ["retrying", "parked", "held"][pick(3)] },
        // In order, but for the time that an attempt takes.
        at_ms: START_MS + index as i64 * (NOW_MS - START_MS) / ROWS as i64 - pick(20_000) as i64,
        trigger: if pick(3) == 0 { Trigger::ALL[pick(4)] } else { Trigger::Automatic },
        try_number: if pick(2) == 0 { 1 } else { 1 + pick(6) as u32 },
        outcome: Outcome { latency_us: 10u32.pow(pick(8) as u32) * (1 + pick(9) as u32), ..outcome },
        ..success(delivery)
    }
}

#[test]
fn every_word_includes_and_excludes_what_it_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (log, made, all) = runtime.block_on(async {
        let mut log = Log::new().await;
        let students: Vec<String> = (0..12).map(|number| format!("S-{number}")).collect();
        let mut made = Vec::new();
        for name in ["Ada", "Grace", "Edsger"] {
            let puts: Vec<(&str, &str, &[&str])> =
                students.iter().map(|id| (id.as_str(), name, &["a", "b"][..])).collect();
            made.extend(log.put(&puts).await);
        }
        let (own, others): (Vec<_>, Vec<_>) = made.into_iter().partition(|made| made.school == log.schools[0]);
        let rows: Vec<AttemptRow> =
            (0..ROWS).flat_map(|index| [random_row(&log, &own, index), random_row(&log, &others, index)]).collect();
        log.record(rows).await;
        let mut conn = log.test.store.reader().await.expect("a reader");
        let tail = log::newer(&mut conn, log.schools[0], &LogFilter::default(), NOW_MS, 0, 10_000).await;
        let all = tail.expect("read").attempts;
        assert_eq!(all.len(), ROWS);
        (log, own, all)
    });
    let words = words(&made);
    let school = log.schools[0];
    let chosen = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..4);
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let check = |chosen: Vec<(prop::sample::Index, bool)>, limit: usize| {
        let chosen: Vec<_> = chosen.iter().map(|(index, excluded)| (index.get(&words), *excluded)).collect();
        let text: Vec<String> =
            chosen.iter().map(|((text, _), excluded)| format!("{}{text}", if *excluded { "-" } else { "" })).collect();
        let text = text.join(" ");
        let filter: LogFilter = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let expected: Vec<u64> = all
            .iter()
            .filter(|row| chosen.iter().all(|((_, fits), excluded)| fits(row) != *excluded))
            .map(|row| row.log_sequence)
            .collect();
        let (older, newer) = runtime.block_on(async {
            let mut conn = log.test.store.reader().await.expect("a reader");
            let (mut older, mut before) = (Vec::new(), None);
            loop {
                let page = log::older(&mut conn, school, &filter, NOW_MS, before, limit).await.expect("a page");
                assert!(page.attempts.len() <= limit);
                older.extend(page.attempts.iter().map(|row| row.log_sequence));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            let (mut newer, mut after) = (Vec::new(), 0);
            loop {
                let part = log::newer(&mut conn, school, &filter, NOW_MS, after, limit).await.expect("a part");
                newer.extend(part.attempts.iter().map(|row| row.log_sequence));
                after = part.log_sequence;
                if part.at_head {
                    break;
                }
            }
            (older, newer)
        });
        prop_assert_eq!(&newer, &expected, "{}", &text);
        prop_assert_eq!(older.into_iter().rev().collect::<Vec<_>>(), expected, "{}", text);
        Ok(())
    };
    // Each word alone, then together.
    for (text, fits) in &words {
        for excluded in [false, true] {
            let filter: LogFilter = format!("{}{text}", if excluded { "-" } else { "" }).parse().expect(text);
            let page = runtime.block_on(async {
                let mut conn = log.test.store.reader().await.expect("a reader");
                log::older(&mut conn, school, &filter, NOW_MS, None, ROWS).await.expect("a page")
            });
            let expected = all.iter().rev().filter(|row| fits(row) != excluded);
            let expected: Vec<u64> = expected.map(|row| row.log_sequence).collect();
            let found: Vec<u64> = page.attempts.iter().map(|row| row.log_sequence).collect();
            assert_eq!(found, expected, "{filter}");
        }
    }
    let outcome = TestRunner::new(config).run(&(chosen, 1usize..200), |(chosen, limit)| check(chosen, limit));
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
}
