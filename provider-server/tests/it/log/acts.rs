use provider_server::{
    model::{
        access::Role,
        change::ChangeAct,
        delivery::NewDelivery,
        log_filter::LogFilter,
        outcome::{Cause, Outcome},
    },
    store::{
        audit,
        log::replay::{Replayed, Selection, replay},
        record::MessageUpdate,
    },
};
use rollcall_proto::{
    provider::v1 as pb,
    webhook::event::{EventType, RawEnvelope},
};
use tonic::Code;

use super::door::{Log, failure, success};
use crate::support::{START_MS, origin, request};

/// The attempt delivers the message, and its row says so.
pub fn delivered(delivery: &NewDelivery) -> provider_server::store::record::AttemptRow {
    let message = MessageUpdate { state: "delivered", reason: "", automatic_tries: 0, due_ms: 0 };
    provider_server::store::record::AttemptRow { message: Some(message), ..success(delivery) }
}

/// The attempt fails, and the message rests.
pub fn parked(delivery: &NewDelivery, cause: Cause) -> provider_server::store::record::AttemptRow {
    let message = MessageUpdate { state: "parked", reason: "exhausted", automatic_tries: 1, due_ms: 0 };
    let outcome = Outcome::failed(cause, "");
    let row = failure(delivery);
    provider_server::store::record::AttemptRow {
        message: Some(message),
        status: "parked",
        next_ms: None,
        outcome,
        ..row
    }
}

async fn withdraw(log: &Log, student: &str) {
    let act = ChangeAct::Withdraw { school: "a".into(), end: None, reason: None };
    let outcomes = log.changes.submit(origin(), vec![request(log.district, student, act)]).await.expect("stored");
    assert!(outcomes[0].is_ok());
}

pub async fn rows(log: &Log) -> Vec<String> {
    log.test
        .texts(
            "SELECT sequence || ' ' || state || ' ' || next_trigger || ' ' || due_ms || ' ' || COALESCE(CAST(settled_ms AS TEXT), '-')
                || ' ' || reason FROM events ORDER BY school_id, sequence",
        )
        .await
}

fn resend(delivery: &NewDelivery) -> pb::ResendMessageRequest {
    pb::ResendMessageRequest { message: delivery.event.to_string() }
}

#[tokio::test]
async fn a_resend_queues_the_message_whatever_its_state() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Grace", &["a"])]).await;
    log.record(vec![delivered(&made[0]), parked(&made[1], Cause::Http)]).await;
    log.test.clock.advance(1_000);
    let mut client = log.operator().await;
    log.reloads();
    for delivery in &made {
        let queued = client.resend_message(resend(delivery)).await.expect("queued").into_inner();
        assert_eq!((queued.message, queued.queued_as_try), (delivery.event.to_string(), 2));
    }
    assert_eq!(log.reloads(), [made[0].school, made[0].school]);
    let now_ms = START_MS + 1_000;
    let expected = [1, 2].map(|sequence| format!("{sequence} pending resend {now_ms} - "));
    assert_eq!(rows(&log).await, expected);
    let acts = log.test.texts("SELECT actor || ' ' || subject FROM audit WHERE act = 'message.resent'").await;
    assert_eq!(acts, made.iter().map(|d| format!("staff:operator {}", d.event)).collect::<Vec<_>>());

    let (mut viewer, _) = log.sign_in("viewer", Role::Viewer, vec![log.district]).await;
    let refused = viewer.resend_message(resend(&made[0])).await.expect_err("a viewer");
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn who_has_left_is_not_told_of_again() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    log.record(vec![delivered(&made)]).await;
    withdraw(&log, "S-1").await;
    let withdrawn = log.deliveries().remove(0);
    log.record(vec![delivered(&withdrawn)]).await;
    let mut client = log.operator().await;
    let refused = client.resend_message(resend(&made)).await.expect_err("left");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("the student has left this school"), "{}", refused.message());
    client.resend_message(resend(&withdrawn)).await.expect("the withdrawal may be told again");

    let all =
        pb::ReplayRequest { school: "a".into(), filter: "event:student.*".into(), dry_run: true, ..Default::default() };
    let counted = client.replay(all.clone()).await.expect("counted").into_inner();
    assert_eq!((counted.messages, counted.refused), (1, 1));
}

#[tokio::test]
async fn a_purged_message_becomes_a_new_one_of_the_current_state_and_an_erased_one_is_refused() {
    let mut log = Log::new().await;
    let first = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let second = log.put(&[("S-1", "Grace", &["a"])]).await.remove(0);
    log.record(vec![delivered(&first), delivered(&second)]).await;
    let purge = "DELETE FROM event_bodies";
    log.test.store.act(move |tx| Box::pin(async move { tx.conn.execute(purge, vec![]).await })).await.expect("purged");
    let mut client = log.operator().await;

    let all = pb::ReplayRequest { school: "a".into(), filter: "status:delivered".into(), ..Default::default() };
    let replayed = client.replay(all).await.expect("counted").into_inner();
    assert_eq!((replayed.messages, replayed.refused), (0, 2), "a replay makes no new messages");

    let queued = client.resend_message(resend(&first)).await.expect("queued").into_inner();
    let fresh = log.deliveries().remove(0);
    assert_eq!((queued.message, queued.queued_as_try), (fresh.event.to_string(), 1));
    assert_eq!((fresh.sequence, fresh.event_type), (3, EventType::StudentEnrolled));
    let body: RawEnvelope = serde_json::from_slice(&fresh.body).expect("an envelope");
    assert!(body.data.get().contains("\"givenName\":\"Grace\"") && body.data.get().contains("\"version\":2"));

    withdraw(&log, "S-1").await;
    log.deliveries();
    let queued = client.resend_message(resend(&second)).await.expect("queued").into_inner();
    let fresh = log.deliveries().remove(0);
    assert_eq!((queued.message, fresh.event_type), (fresh.event.to_string(), EventType::StudentWithdrawn));

    let erase = "UPDATE events SET state = 'erased' WHERE sequence = 1";
    log.test.store.act(move |tx| Box::pin(async move { tx.conn.execute(erase, vec![]).await })).await.expect("erased");
    let refused = client.resend_message(resend(&first)).await.expect_err("erased");
    assert!(refused.message().contains("erased"), "{}", refused.message());
}

#[tokio::test]
async fn a_replay_sends_exactly_what_its_dry_run_counted() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..60).map(|number| format!("S-{number:02}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students.iter().map(|id| (id.as_str(), "Ada", &["a", "b"][..])).collect();
    let made = log.put(&puts).await;
    let own: Vec<NewDelivery> = made.iter().filter(|d| d.school == log.schools[0]).cloned().collect();
    let rows_of = |(index, delivery): (usize, &NewDelivery)| match index % 4 {
        0 => delivered(delivery),
        1 => parked(delivery, Cause::Timeout),
        2 => parked(delivery, Cause::Http),
        _ => failure(delivery),
    };
    log.record(own.iter().enumerate().map(rows_of).collect()).await;
    // Later successes: their first failure is not their last attempt.
    let mut again: Vec<_> = own.iter().skip(1).step_by(12).map(delivered).collect();
    again.iter_mut().for_each(|attempt| attempt.try_number = 2);
    let recovered = again.len() as u64;
    log.record(again).await;
    let mut client = log.operator().await;
    let request = |filter: &str, since_ms: Option<i64>, dry_run| pb::ReplayRequest {
        school: "a".into(),
        filter: filter.into(),
        since: since_ms
            .map(|ms| prost_types::Timestamp { seconds: ms / 1_000, nanos: (ms % 1_000) as i32 * 1_000_000 }),
        dry_run,
        ..Default::default()
    };
    let nothing = client.replay(request("", None, false)).await.expect_err("everything");
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let everything = client.replay(request("", None, true)).await.expect("counted").into_inner();
    let matching = client.replay(request("event:student.*", None, true)).await.expect("counted").into_inner();
    assert!(everything.messages >= 45, "{everything:?}");
    assert_eq!(everything, matching, "a count sends nothing, so that everything may be counted");

    let timeouts = 15 - recovered;
    for dry_run in [true, true, false] {
        let answer = client.replay(request("cause:timeout", None, dry_run)).await.expect("counted").into_inner();
        assert_eq!((answer.messages, answer.refused), (timeouts, 0), "dry run: {dry_run}");
    }
    let replayed =
        log.test.texts("SELECT sourced_id FROM events WHERE next_trigger = 'replay' ORDER BY sequence").await;
    let expected: Vec<String> =
        (0..60).filter(|n| n % 4 == 1 && (n - 1) % 12 != 0).map(|n| format!("S-{n:02}")).collect();
    assert_eq!(replayed, expected);
    let acts = log.test.texts("SELECT actor || ': ' || detail FROM audit WHERE act = 'messages.replayed'").await;
    assert_eq!(acts, [format!("staff:operator: {timeouts} messages, filter cause:timeout")], "counting is no act");

    // By time: what waits for its first try goes out anyway, and what was made before is not meant.
    log.test.clock.advance(60_000);
    let later = log.put(&[("S-00", "Grace", &["a"]), ("S-01", "Grace", &["a"])]).await;
    log.record(vec![delivered(&later[0])]).await;
    let answer = client.replay(request("", Some(START_MS + 60_000), false)).await.expect("queued").into_inner();
    assert_eq!((answer.messages, answer.refused), (1, 0));
    // The other school, by its own twin: after a sequence.
    let place = (log.schools[1], log.district);
    let after = Selection { after_sequence: Some(50), ..Selection::default() };
    let none = replay(&log.test.store, place, after, "school:x", false).await.expect("counted");
    assert_eq!(none, Replayed::default(), "all of them wait for their first try");
    let filter: LogFilter = "event:student.*".parse().expect("a filter");
    let after = Selection { filter, after_sequence: Some(60), ..Selection::default() };
    let place = (log.schools[0], log.district);
    let one = replay(&log.test.store, place, after, "school:x", true).await.expect("counted");
    assert_eq!(one, Replayed { messages: 1, ..Replayed::default() });
}

#[tokio::test]
async fn a_discard_concerns_undelivered_messages_of_this_school_and_keeps_its_reason() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["b"])]).await;
    log.record(vec![delivered(&made[0]), parked(&made[1], Cause::Http)]).await;
    let mut client = log.operator().await;
    log.reloads();
    let discard = |messages: &[&NewDelivery], reason: &str| pb::DiscardMessagesRequest {
        school: "a".into(),
        messages: messages.iter().map(|delivery| delivery.event.to_string()).collect(),
        reason: reason.into(),
        ..Default::default()
    };
    for (messages, reason, field) in
        [(&made[..2], " ", "reason"), (&made[..0], "why", "messages"), (&made[..1], "a\nb", "reason")]
    {
        let messages: Vec<&NewDelivery> = messages.iter().collect();
        let status = client.discard_messages(discard(&messages, reason)).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let foreign = client.discard_messages(discard(&[&made[1], &made[2]], "why")).await.expect_err("of another school");
    assert_eq!(foreign.code(), Code::NotFound);
    assert!(foreign.message().contains(&made[2].event.to_string()));

    let answer = client.discard_messages(discard(&[&made[0], &made[1], &made[1]], "sent by mail")).await;
    assert_eq!(answer.expect("discarded").into_inner().discarded, 1, "what arrived stays delivered");
    assert_eq!(log.reloads(), [log.schools[0]]);
    let states = log.test.texts("SELECT state || ' ' || reason FROM events ORDER BY sourced_id").await;
    assert_eq!(states, ["delivered ", "discarded sent by mail", "pending "]);
    let acts = log.test.texts("SELECT subject || ' ' || detail FROM audit WHERE act = 'message.discarded'").await;
    assert_eq!(acts, [format!("{} sent by mail", made[1].event)]);

    let undone = client.resend_message(resend(&made[1])).await.expect("undone").into_inner();
    assert_eq!(undone.queued_as_try, 2);
    let mut conn = log.test.store.reader().await.expect("a reader");
    let verdict = audit::verify(&mut conn, log.test.store.shared()).await.expect("verified");
    assert_eq!(verdict.first_break, None);
}

#[tokio::test]
async fn figures_count_what_is_since_a_time() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"]), ("S-3", "Ada", &["a"])]).await;
    let rows = (1..=100).map(|number| {
        let mut row = if number % 10 == 0 { failure(&made[0]) } else { success(&made[0]) };
        row.outcome.latency_us = number * 1_000;
        row.at_ms = START_MS + i64::from(number);
        row
    });
    log.record(rows.collect()).await;
    log.record(vec![parked(&made[1], Cause::Dns)]).await;
    let mut client = log.operator().await;
    let since = |ms: i64| prost_types::Timestamp { seconds: ms / 1_000, nanos: (ms % 1_000) as i32 * 1_000_000 };
    let request = pb::GetStatsRequest { school: "a".into(), since: Some(since(START_MS + 1)) };
    let stats = client.get_stats(request).await.expect("figures").into_inner();
    assert_eq!(stats.attempts, 100);
    assert_eq!((stats.by_status["delivered"], stats.by_status["retrying"], stats.by_cause["http"]), (90, 10, 10));
    let latencies = (stats.latency_p50_us, stats.latency_p95_us, stats.latency_p99_us);
    assert_eq!(latencies, (50_000, 95_000, 99_000));
    assert_eq!((stats.pending, stats.parked, stats.oldest_pending_at), (2, 1, Some(since(START_MS))));
    let all = client.get_stats(pb::GetStatsRequest { school: "a".into(), since: None }).await.expect("figures");
    assert_eq!(all.into_inner().attempts, 101);
    let none = client.get_stats(pb::GetStatsRequest { school: "b".into(), since: None }).await.expect("figures");
    assert_eq!(none.into_inner().latency_p99_us, 0);
}
