use provider_server::{
    model::{access::Role, outcome::Cause},
    store::{housekeeping, record::AttemptRow},
};
use rollcall_proto::{
    id::{DistrictId, RunId},
    provider::v1 as pb,
};
use tonic::Code;

use super::{
    acts::{delivered, parked},
    door::{Client, Log, failure, success},
};
use crate::support::START_MS;

const HOUR_MS: i64 = 3_600_000;

fn at(ms: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: ms.div_euclid(1_000), nanos: (ms.rem_euclid(1_000) * 1_000_000) as i32 })
}

fn began(at_ms: i64, attempt: AttemptRow) -> AttemptRow {
    AttemptRow { at_ms, ..attempt }
}

/// A histogram as (ms since the start, delivered, retrying) of the buckets that hold something.
async fn bars(client: &mut Client, filter: &str, from_ms: i64, until_ms: i64, buckets: u32) -> Vec<(i64, u64, u64)> {
    let (school, filter) = ("a".into(), filter.into());
    let request = pb::GetHistogramRequest { school, filter, since: at(from_ms), until: at(until_ms), buckets };
    let histogram = client.get_histogram(request).await.expect("counted").into_inner();
    assert!(histogram.searched_until.is_none());
    assert!(histogram.buckets.len() <= buckets as usize);
    let bar = |bucket: &pb::HistogramBucket| {
        assert_eq!((bucket.parked, bucket.held, bucket.failed), (0, 0, 0));
        let from = bucket.from.as_ref().expect("a time");
        (from.seconds * 1_000 - START_MS, bucket.delivered, bucket.retrying)
    };
    histogram.buckets.iter().map(bar).filter(|(_, delivered, retrying)| delivered + retrying > 0).collect()
}

#[tokio::test]
async fn a_histogram_from_counters_equals_one_from_the_log() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["b"])]).await;
    // 100 attempts, 7 minutes apart, every third one a failure; those of the other school are not counted.
    let attempts = (0..100).map(|n| {
        let attempt = if n % 3 == 0 { failure(&made[0]) } else { success(&made[1]) };
        began(START_MS + n * 420_000, attempt)
    });
    log.record(attempts.collect()).await;
    log.record(vec![began(START_MS, success(&made[2]))]).await;
    let mut client = log.operator().await;
    let until = START_MS + 100 * 420_000;
    let mut expected: Vec<(i64, u64, u64)> = Vec::new();
    for n in 0..100 {
        let hour = n * 420_000 / HOUR_MS * HOUR_MS;
        if expected.last().is_none_or(|(last, ..)| *last != hour) {
            expected.push((hour, 0, 0));
        }
        let bar = expected.last_mut().expect("just made");
        if n % 3 == 0 { bar.2 += 1 } else { bar.1 += 1 }
    }
    for filter in ["", "try:>=1", "latency:<3600s"] {
        assert_eq!(bars(&mut client, filter, START_MS, until, 12).await, expected, "{filter}");
    }
    let failures: Vec<(i64, u64, u64)> = expected.iter().map(|(hour, _, failed)| (*hour, 0, *failed)).collect();
    assert_eq!(bars(&mut client, "status:failed", START_MS, until, 12).await, failures);
    assert_eq!(bars(&mut client, "student:S-1", START_MS, until, 12).await, failures, "by its index");
    // Shorter than an hour, the log itself is counted.
    let minutes = bars(&mut client, "", START_MS, START_MS + HOUR_MS, 60).await;
    let expected: Vec<(i64, u64, u64)> =
        (0..9).map(|n| (n * 420_000, u64::from(n % 3 != 0), u64::from(n % 3 == 0))).collect();
    assert_eq!(minutes, expected);
}

#[tokio::test]
async fn a_histogram_stops_at_its_budget_and_says_so() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let filled = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 201000)
                INSERT INTO attempts (school_id, log_sequence, event_id, event_type, sequence, at_ms, trigger_kind,
                    try_number, status, code, latency_us)
                SELECT $1, i, $2, 'student.created', 1, $3 + i, 'automatic', 1, 'delivered', 200, 10 FROM n";
            tx.conn.execute(sql, vec![made.school.into(), made.event.into(), START_MS.into()]).await?;
            let sql = "UPDATE schools SET log_sequence = 201000 WHERE school_id = $1";
            tx.conn.execute(sql, vec![made.school.into()]).await
        })
    });
    filled.await.expect("filled");
    let mut client = log.operator().await;
    let request = pb::GetHistogramRequest {
        school: "a".into(),
        filter: "latency:<1s".into(),
        since: at(START_MS),
        until: at(START_MS + 300_000),
        buckets: 5,
    };
    let histogram = client.get_histogram(request).await.expect("counted").into_inner();
    assert_eq!(histogram.bucket_ms, 60_000);
    assert_eq!(histogram.buckets.iter().map(|bucket| bucket.delivered).sum::<u64>(), 200_000);
    assert_eq!(histogram.searched_until, at(START_MS + 1_001), "the oldest thousand were not counted");
}

#[tokio::test]
async fn a_histogram_refuses_what_it_cannot_cut() {
    let log = Log::new().await;
    let mut client = log.operator().await;
    for (filter, since, until, buckets, field) in [
        ("", 2, 1, 10, "since"),
        ("", 0, 400 * 86_400_000, 1, "since"),
        ("", 1, 2, 241, "buckets"),
        ("wat:1", 1, 2, 10, "filter"),
    ] {
        let (since, until) = (at(since), at(until));
        let request = pb::GetHistogramRequest { school: "a".into(), filter: filter.into(), since, until, buckets };
        let status = client.get_histogram(request).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
}

async fn execute(log: &Log, sql: &'static str) {
    log.test.store.act(move |tx| Box::pin(async move { tx.conn.execute(sql, vec![]).await })).await.expect("set");
}

#[tokio::test]
async fn the_overview_compares_two_days_and_draws_a_strip_for_each_school() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a", "b"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["a"])]).await;
    let of = |school: usize| made.iter().find(|delivery| delivery.school == log.schools[school]).expect("made").clone();
    let (a, b) = (of(0), of(1));
    let mut slow = success(&a);
    slow.outcome.latency_us = 900_000;
    // Two days before, the day before, this day: the clock is at the start.
    log.record(vec![began(START_MS - 60 * HOUR_MS, failure(&a))]).await;
    log.record((0..3).map(|_| began(START_MS - 30 * HOUR_MS, failure(&a))).collect()).await;
    log.record(vec![began(START_MS - 30 * HOUR_MS, slow)]).await;
    log.record((0..7).map(|_| began(START_MS - 2 * HOUR_MS, success(&b))).collect()).await;
    log.record(vec![began(START_MS, failure(&a))]).await;
    let mut client = log.sign_in("vera", Role::Viewer, vec![log.district]).await.0;
    let overview = client.get_overview(pb::GetOverviewRequest::default()).await.expect("read").into_inner();
    let [today, before] = [&overview.last_day, &overview.day_before].map(|day| day.as_ref().expect("a day"));
    assert_eq!((today.attempts, today.delivered, today.delivered_per_mille), (8, 7, Some(875)));
    assert_eq!((before.attempts, before.delivered, before.delivered_per_mille), (4, 1, Some(250)));
    assert!((720_000..880_000).contains(&today.latency_p95_us), "{}", today.latency_p95_us);
    assert!((810_000..990_000).contains(&before.latency_p95_us), "{}", before.latency_p95_us);
    assert_eq!((overview.pending, overview.parked, overview.held), (4, 0, 0));
    assert_eq!(overview.oldest_undelivered_at, at(START_MS));
    assert_eq!(overview.schools_total, 2);
    let names: Vec<&str> = overview.schools.iter().map(|strip| strip.school_name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "the one with failures comes first");
    let (mut failed, mut fine) = (vec![0; 24], vec![0; 24]);
    (failed[23], fine[21]) = (1, 7);
    assert_eq!((&overview.schools[0].failed_by_hour, &overview.schools[0].delivered_by_hour), (&failed, &vec![0; 24]));
    assert_eq!((&overview.schools[1].failed_by_hour, &overview.schools[1].delivered_by_hour), (&vec![0; 24], &fine));
    assert_eq!(overview.schools[0].state(), pb::ConnectionState::Active);
    assert!(overview.attention.is_empty(), "{:?}", overview.attention);

    // Another district's viewer sees none of it, and may not ask for it.
    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Viewer, vec![elsewhere]).await;
    let nothing = outsider.get_overview(pb::GetOverviewRequest::default()).await.expect("read").into_inner();
    assert_eq!((nothing.schools_total, nothing.pending, nothing.last_day), (0, 0, Some(pb::DayFigures::default())));
    let asked = pb::GetOverviewRequest { district: log.district.to_string() };
    assert_eq!(outsider.get_overview(asked).await.expect_err("foreign").code(), Code::NotFound);
    let histogram = pb::GetHistogramRequest { school: log.schools[0].to_string(), ..Default::default() };
    assert_eq!(outsider.get_histogram(histogram).await.expect_err("foreign").code(), Code::NotFound);
}

#[tokio::test]
async fn the_overview_says_what_needs_attention_most_urgent_first() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["b"])]).await;
    let mut skewed = parked(&made[0], Cause::Http);
    skewed.outcome.clock_skew_s = -150;
    log.record(vec![delivered(&made[1]), skewed]).await;
    execute(&log, "UPDATE schools SET health = 'down' WHERE sourced_id = 'b'").await;
    execute(&log, "UPDATE events SET state = 'parked', reason = 'connection_down' WHERE sourced_id = 'S-3'").await;
    let school = log.schools[0];
    let old = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO secrets (secret_id, school_id, state, sealed, fingerprint, created_ms)
                       VALUES ($1, $2, 'active', $1, 'old-words', 1700000000000)";
            tx.conn.execute(sql, vec![vec![1].into(), school.into()]).await
        })
    });
    old.await.expect("a secret");
    let run = RunId::new(START_MS, log.test.entropy.bytes());
    let district = log.district;
    let held = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO import_runs (run_id, district_id, state, phase, file_name, profile, counts,
                           started_by, started_ms, finished_ms)
                       VALUES ($1, $2, 'held', 'done', 'r.zip', 'strict', '{\"counts\":[2,3,0,9]}', 'staff:x', $3, $3)";
            tx.conn.execute(sql, vec![run.into(), district.into(), START_MS.into()]).await
        })
    });
    held.await.expect("held");
    log.test.clock.advance(2 * HOUR_MS);
    let mut client = log.operator().await;
    let overview = client.get_overview(pb::GetOverviewRequest::default()).await.expect("read").into_inner();
    let told: Vec<(&str, &str, &str, u64)> = overview
        .attention
        .iter()
        .map(|item| (item.kind.as_str(), item.severity.as_str(), item.school_name.as_str(), item.count))
        .collect();
    let age_s = ((START_MS - 1_700_000_000_000) / 1_000 + 7_200) as u64;
    let expected = [
        ("connection_down", "urgent", "b", 1),
        ("import_hold", "warning", "", 5),
        ("parked", "warning", "a", 1),
        ("clock_skew", "notice", "a", 150),
        ("old_secret", "notice", "a", age_s),
    ];
    assert_eq!(told, expected);
    assert_eq!(overview.attention[1].run_id, run.to_string());
    assert_eq!(overview.attention_total, 5);
    assert!(overview.attention[0].message.contains("Nothing reaches b; 1 message waits."));
    assert_eq!((overview.parked, overview.schools[0].school_name.as_str()), (2, "b"));

    // What waits for over an hour at a school that looks well is told, too.
    execute(&log, "UPDATE events SET state = 'pending', reason = '' WHERE sourced_id = 'S-1'").await;
    execute(&log, "UPDATE schools SET health = 'ok', state = 'paused' WHERE sourced_id = 'b'").await;
    execute(&log, "UPDATE import_runs SET state = 'failed', error = 'the zip is damaged'").await;
    let overview = client.get_overview(pb::GetOverviewRequest { district: "d-1".into() }).await.expect("read");
    let overview = overview.into_inner();
    let told: Vec<&str> = overview.attention.iter().map(|item| item.kind.as_str()).collect();
    assert_eq!(told, ["import_failed", "oldest_undelivered", "clock_skew", "old_secret", "paused"]);
    assert_eq!(overview.attention[1].message_id, made[0].event.to_string());
    assert_eq!(overview.attention[0].message, "An import failed: the zip is damaged.");
}

#[tokio::test]
async fn what_waits_is_compared_with_a_day_ago() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["b"])]).await;
    // Sessions end within the days of this test.
    let overview = async |log: &Log, day: u32| {
        let (mut client, _) = log.sign_in(&format!("viewer-{day}"), Role::Viewer, vec![log.district]).await;
        client.get_overview(pb::GetOverviewRequest::default()).await.expect("figures").into_inner()
    };
    let round = async |log: &Log| housekeeping::round(&log.test.store, 1).await.expect("a round");
    log.record(vec![parked(&made[0], Cause::Http)]).await;
    round(&log).await;
    assert_eq!(overview(&log, 0).await.day_ago, None, "nothing was kept a day ago");
    // Within the hour nothing more is kept: it is what was there when the hour began.
    log.record(vec![parked(&made[1], Cause::Http)]).await;
    log.test.clock.advance(HOUR_MS - 1);
    round(&log).await;
    assert_eq!(log.test.texts("SELECT hex(school_id) FROM waiting_hours").await.len(), 2, "a row a school");

    log.test.clock.advance(23 * HOUR_MS + 2);
    round(&log).await;
    let now = overview(&log, 1).await;
    let then = now.day_ago.expect("kept");
    assert_eq!((then.at, then.oldest_undelivered_at), (at(START_MS), at(START_MS)));
    assert_eq!((then.pending, then.parked, then.held), (2, 1, 0));
    assert_eq!((now.pending, now.parked, now.held), (1, 2, 0));
    // Of another district nothing is told.
    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Viewer, vec![elsewhere]).await;
    let foreign = outsider.get_overview(pb::GetOverviewRequest::default()).await.expect("figures").into_inner();
    assert_eq!((foreign.day_ago, foreign.schools_total), (None, 0));
    // An hour in which no server ran is not made up, and what is over two days old is gone.
    log.test.clock.advance(HOUR_MS);
    assert_eq!(overview(&log, 2).await.day_ago, None);
    log.test.clock.advance(48 * HOUR_MS);
    round(&log).await;
    let hours = log.test.texts("SELECT DISTINCT CAST(hour_ms AS TEXT) FROM waiting_hours ORDER BY 1").await;
    assert_eq!(hours, [(START_MS + 73 * HOUR_MS).to_string()]);
}
