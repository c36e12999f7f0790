use std::process::{Command, Stdio};

use provider_server::{
    model::{
        delivery::{NewDelivery, Trigger},
        retention::Retention,
    },
    store::{
        DatabaseUrl, audit,
        record::{AttemptRow, MessageUpdate},
        retention::{BATCH, Pass, Purged},
    },
};
use rollcall_proto::{
    id::EventId,
    provider::v1 as pb,
    webhook::event::{EventType, RawEnvelope},
};

use super::{
    acts::delivered,
    door::{Log, failure},
};
use crate::support::{START_MS, TestStore, origin, put};

const DAY_MS: i64 = 86_400_000;
const SECOND_MS: i64 = 1_000;
const KEPT: [&str; 3] = [EVENTS, "SELECT hex(event_id) FROM attempts ORDER BY log_sequence", STATES];
const EVENTS: &str = "SELECT hex(event_id) FROM events ORDER BY event_id";
const BODIES: &str = "SELECT hex(event_id) FROM event_bodies ORDER BY event_id";
const ANSWERS: &str = "SELECT CAST(log_sequence AS TEXT) FROM attempt_answers ORDER BY log_sequence";
const STATES: &str = "SELECT sequence || ' ' || state || ' ' || reason FROM events ORDER BY school_id, sequence";

/// One pass to its end; every batch of it is bounded.
async fn pass(test: &TestStore, keep: Retention) -> Purged {
    let mut pass = Pass::begin(&test.store, keep).await.expect("begun");
    let mut all = Purged::default();
    while let Some(purged) = pass.step(&test.store).await.expect("a batch") {
        let Purged { bodies, answers, expired, rows } = purged;
        assert!(bodies <= BATCH && expired <= BATCH && rows <= BATCH && answers <= 2 * BATCH, "{purged:?}");
        all.add(purged);
    }
    all
}

/// A failure whose answer is kept; the message rests by it.
fn rests(delivery: &NewDelivery, state: &'static str, reason: &'static str) -> AttemptRow {
    let message = MessageUpdate { state, reason, automatic_tries: 1, due_ms: 0 };
    AttemptRow { message: Some(message), status: state, next_ms: None, ..failure(delivery) }
}

fn second(attempt: AttemptRow) -> AttemptRow {
    AttemptRow { try_number: 2, ..attempt }
}

async fn metadata(test: &TestStore) -> Vec<Vec<String>> {
    let mut kept = Vec::new();
    for sql in KEPT {
        kept.push(test.texts(sql).await);
    }
    kept
}

fn get(message: EventId, reveal_body: bool) -> pb::GetMessageRequest {
    pb::GetMessageRequest { message: message.to_string(), reveal_body }
}

#[tokio::test]
async fn bodies_go_30_days_after_their_message_came_to_rest_and_the_log_says_so() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Grace", &["a"])]).await;
    let again = MessageUpdate { state: "pending", reason: "", automatic_tries: 1, due_ms: START_MS + 5_000 };
    log.record(vec![AttemptRow { message: Some(again), ..failure(&made[0]) }]).await;
    log.test.clock.advance(DAY_MS);
    log.record(vec![second(delivered(&made[0])), rests(&made[1], "parked", "exhausted")]).await;
    let before = metadata(&log.test).await;
    log.test.clock.advance(30 * DAY_MS - SECOND_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged::default(), "30 days from the delivery");
    assert_eq!((log.test.texts(BODIES).await.len(), log.test.texts(ANSWERS).await.len()), (2, 2));

    log.test.clock.advance(SECOND_MS);
    let purged = pass(&log.test, Retention::default()).await;
    assert_eq!(purged, Purged { bodies: 1, answers: 1, ..Purged::default() });
    assert_eq!(metadata(&log.test).await, before, "what happened stays");
    assert_eq!(log.test.texts(BODIES).await, [hex::encode_upper(made[1].event.as_bytes())]);
    assert_eq!(log.test.texts(ANSWERS).await, ["3"], "that of the parked message");

    let mut client = log.operator().await;
    for reveal in [false, true] {
        let shown = client.get_message(get(made[0].event, reveal)).await.expect("shown").into_inner();
        assert!(shown.body_purged && shown.body.is_empty() && shown.body_sha256.is_empty());
        assert_eq!((shown.body_bytes as usize, shown.state.as_str()), (made[0].body.len(), "delivered"));
        let answers: Vec<bool> = shown.attempts.iter().map(|detail| detail.answer_purged).collect();
        assert_eq!(answers, [true, false], "a success's answer was never kept");
        assert!(shown.attempts[0].response_headers.is_empty() && shown.attempts[0].response_body.is_empty());
        assert!(shown.attempts[0].attempt.as_ref().is_some_and(|attempt| attempt.explanation.contains("503")));
    }
    let shown_acts = log.test.texts("SELECT subject FROM audit WHERE act = 'message.body_shown'").await;
    assert!(shown_acts.is_empty(), "nothing was shown");
    let whole = client.get_message(get(made[1].event, false)).await.expect("shown").into_inner();
    assert!(!whole.body_purged && !whole.attempts[0].answer_purged && !whole.body_sha256.is_empty());
    assert_eq!(whole.attempts[0].response_body, b"<h1>busy</h1>");

    log.deliveries();
    let resend = pb::ResendMessageRequest { message: made[0].event.to_string() };
    let queued = client.resend_message(resend).await.expect("queued").into_inner();
    let fresh = log.deliveries().remove(0);
    assert_eq!(
        (queued.message, fresh.sequence, fresh.event_type),
        (fresh.event.to_string(), 3, EventType::StudentEnrolled)
    );
    let body: RawEnvelope = serde_json::from_slice(&fresh.body).expect("an envelope");
    assert!(body.data.get().contains("\"givenName\":\"Ada\""), "a new message of the current state");
}

#[tokio::test]
async fn what_cannot_be_delivered_in_180_days_is_discarded_as_expired() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..6).map(|number| format!("S-{number}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students.iter().map(|id| (id.as_str(), "Ada", &["a"][..])).collect();
    let made = log.put(&puts).await;
    let other = log.put(&[("S-9", "Ada", &["b"])]).await.remove(0);
    log.record(vec![
        rests(&made[0], "parked", "exhausted"),
        rests(&made[1], "parked", "connection_down"),
        rests(&made[2], "held", "gone"),
        rests(&made[3], "discarded", "not wanted"),
        rests(&other, "parked", "exhausted"),
    ])
    .await;
    log.test.clock.advance(180 * DAY_MS - SECOND_MS);
    let purged = pass(&log.test, Retention::default()).await;
    assert_eq!(purged, Purged { bodies: 1, answers: 1, ..Purged::default() }, "the one that staff gave up");
    // Asked for again by staff: it is to be sent, however old it is.
    let mut client = log.operator().await;
    let resend = pb::ResendMessageRequest { message: made[5].event.to_string() };
    client.resend_message(resend).await.expect("queued");
    // Then the school is down: it rests, and what it rests for says nothing of its time.
    let failed = rests(&made[5], "parked", "connection_down");
    log.record(vec![AttemptRow { trigger: Trigger::Resend, ..failed }]).await;
    log.reloads();

    log.test.clock.advance(SECOND_MS);
    let purged = pass(&log.test, Retention::default()).await;
    assert_eq!(purged, Purged { bodies: 5, answers: 4, expired: 5, ..Purged::default() });
    let mut reloads = log.reloads();
    reloads.sort_unstable();
    let mut schools = log.schools.clone();
    schools.sort_unstable();
    assert_eq!(reloads, schools, "the engine reads both schools' open messages again");
    let mut states = log.test.texts(STATES).await;
    states.sort_unstable();
    let expired = |sequence| format!("{sequence} discarded expired");
    let expected = [
        expired(1),
        expired(1),
        expired(2),
        expired(3),
        "4 discarded not wanted".into(),
        expired(5),
        "6 parked connection_down".into(),
    ];
    assert_eq!(states, expected);
    let acts =
        "SELECT actor || ' ' || subject || ' ' || detail FROM audit WHERE act = 'messages.expired' ORDER BY detail";
    let (of_b, of_a) = (log.schools[1], log.schools[0]);
    let detail = |school, count| format!("system {school} {count}, not delivered in 180d");
    assert_eq!(log.test.texts(acts).await, [detail(of_b, "1 message"), detail(of_a, "4 messages")]);
    let verdict = audit::verify(&mut log.test.store.reader().await.expect("a reader"), log.test.store.shared()).await;
    assert_eq!(verdict.expect("read").first_break, None);

    let shown = client.get_message(get(made[1].event, true)).await.expect("shown").into_inner();
    assert!(shown.body_purged && shown.attempts[0].answer_purged);
    assert_eq!((shown.state.as_str(), shown.reason.as_str()), ("discarded", "expired"));
    assert_eq!(pass(&log.test, Retention::default()).await, Purged::default(), "a pass finds nothing twice");
}

#[tokio::test]
async fn answers_without_a_body_go_by_their_own_age() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let test_of_the_connection = AttemptRow {
        event: EventId::new(START_MS, log.test.entropy.bytes()),
        event_type: EventType::ConnectionTest,
        sequence: 0,
        student: None,
        status: "failed",
        ..failure(&made)
    };
    let test_id = test_of_the_connection.event;
    log.record(vec![test_of_the_connection, delivered(&made)]).await;
    log.test.clock.advance(30 * DAY_MS - SECOND_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged::default());
    let mut client = log.operator().await;
    let shown = client.get_message(get(test_id, false)).await.expect("shown").into_inner();
    assert!(!shown.body_purged && !shown.attempts[0].answer_purged && !shown.attempts[0].response_body.is_empty());
    log.test.clock.advance(SECOND_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged { bodies: 1, answers: 1, ..Purged::default() });
    let shown = client.get_message(get(test_id, false)).await.expect("shown").into_inner();
    assert!(!shown.body_purged && shown.attempts[0].answer_purged, "a test's own body was never kept");

    // Recorded after its body had gone: it was under way meanwhile.
    log.record(vec![AttemptRow { message: None, ..second(failure(&made)) }]).await;
    assert_eq!(pass(&log.test, Retention::default()).await, Purged::default());
    log.test.clock.advance(30 * DAY_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged { answers: 1, ..Purged::default() });
}

#[tokio::test]
async fn the_log_itself_goes_after_its_own_time_from_the_oldest_on() {
    let mut log = Log::new().await;
    let keep = Retention { log_ms: 200 * DAY_MS, ..Retention::default() };
    let old = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Grace", &["a"])]).await;
    log.record(old.iter().map(delivered).collect()).await;
    log.test.clock.advance(100 * DAY_MS);
    let young = log.put(&[("S-3", "Mary", &["a"])]).await.remove(0);
    log.record(vec![AttemptRow { at_ms: START_MS + 100 * DAY_MS, ..delivered(&young) }]).await;
    log.test.clock.advance(100 * DAY_MS - SECOND_MS);
    assert_eq!(pass(&log.test, keep).await, Purged { bodies: 3, ..Purged::default() });
    let hours = "SELECT CAST(attempts AS TEXT) FROM attempt_hours ORDER BY hour_ms";
    assert_eq!(log.test.texts(hours).await, ["2", "1"]);

    log.test.clock.advance(SECOND_MS);
    let purged = pass(&log.test, keep).await;
    assert_eq!(purged, Purged { rows: 2 + 2 + 1, ..Purged::default() }, "attempts, messages, and the hour's count");
    assert_eq!(log.test.texts(STATES).await, ["3 delivered "]);
    assert_eq!(log.test.texts(hours).await, ["1"]);
    let mut client = log.operator().await;
    let gone = client.get_message(get(old[0].event, false)).await.expect_err("gone");
    assert_eq!(gone.code(), tonic::Code::NotFound);
    let list = pb::ListAttemptsRequest { school: "a".into(), ..Default::default() };
    let listed = client.list_attempts(list).await.expect("a page").into_inner();
    assert_eq!(listed.attempts.iter().map(|attempt| attempt.log_sequence).collect::<Vec<_>>(), [3]);
    let next = log.put(&[("S-1", "Ada", &["a"]), ("S-4", "Alan", &["a"])]).await;
    assert_eq!(next.iter().map(|delivery| delivery.sequence).collect::<Vec<_>>(), [4], "S-1 is as it was");
}

#[tokio::test]
async fn an_idempotency_key_answers_for_seven_days() {
    let log = Log::new().await;
    let mut request = put(log.district, "S-1", "Ada", &["a"]);
    request.idempotency = Some(provider_server::model::change::Idempotency { key: "k-1".into(), request: vec![7] });
    let outcomes = log.changes.submit(origin(), vec![request]).await.expect("stored");
    assert!(outcomes[0].is_ok());
    let keys = "SELECT idempotency_key FROM idempotency";
    log.test.clock.advance(7 * DAY_MS - SECOND_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged::default());
    assert_eq!(log.test.texts(keys).await, ["k-1"]);
    log.test.clock.advance(SECOND_MS);
    assert_eq!(pass(&log.test, Retention::default()).await, Purged { rows: 1, ..Purged::default() });
    assert!(log.test.texts(keys).await.is_empty());
}

#[tokio::test]
async fn a_large_purge_takes_many_batches_and_changes_go_on_between_them() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..1_500).map(|number| format!("S-{number}")).collect();
    for part in students.chunks(500) {
        let puts: Vec<(&str, &str, &[&str])> = part.iter().map(|id| (id.as_str(), "Ada", &["a", "b"][..])).collect();
        let made = log.put(&puts).await;
        log.record(made.iter().map(delivered).collect()).await;
    }
    log.test.clock.advance(30 * DAY_MS);
    let (queue, district) = (log.changes.clone(), log.district);
    let load = tokio::spawn(async move {
        let mut accepted = 0;
        for number in 0..60 {
            let requests = vec![put(district, &format!("T-{number}"), "Grace", &["a"])];
            let outcomes = queue.submit(origin(), requests).await.expect("stored");
            accepted += outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        }
        accepted
    });
    let mut pass = Pass::begin(&log.test.store, Retention::default()).await.expect("begun");
    let (mut batches, mut all) = (0, Purged::default());
    while let Some(purged) = pass.step(&log.test.store).await.expect("a batch") {
        assert!(purged.bodies <= BATCH, "{purged:?}");
        batches += 1;
        all.add(purged);
    }
    assert_eq!((all, batches), (Purged { bodies: 3_000, ..Purged::default() }, 3_000_u64.div_ceil(BATCH)));
    assert_eq!(load.await.expect("the load"), 60);
    let left = log.test.texts("SELECT e.sourced_id FROM event_bodies b JOIN events e ON e.event_id = b.event_id").await;
    assert!(left.len() == 60 && left.iter().all(|id| id.starts_with("T-")), "young bodies stay");
    assert_eq!(log.test.texts(STATES).await.len(), 3_060);
}

/// What a purge began and a kill cut off is neither half done nor lost.
#[cfg(all(unix, debug_assertions))]
#[tokio::test]
async fn a_server_killed_inside_a_purge_goes_on_with_it() {
    use std::os::unix::process::ExitStatusExt as _;

    let mut log = Log::new().await;
    let students: Vec<String> = (0..600).map(|number| format!("S-{number}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students.iter().map(|id| (id.as_str(), "Ada", &["a"][..])).collect();
    // Made long before the time that the server goes by.
    let made = log.put(&puts).await;
    log.record(made.iter().map(delivered).collect()).await;
    // As after a sync, so that the server makes no messages of its own.
    let synced = log.test.store.act(|tx| Box::pin(tx.conn.execute("UPDATE schools SET sync_from = NULL", vec![])));
    synced.await.expect("synced");
    let keys = log.test.folder().join("given-keys");
    log.test.write_keys(&keys);
    let url = match &log.test.database.url {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(_) => log.test.database.address(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let Log { test, changes, door, .. } = log;
    drop((changes, door));
    let test = test.closed().await;
    let server = |crash_at: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provider-server"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(folder.path()).arg("--key-file").arg(&keys).env("DATABASE_URL", &url);
        command.args(["--ready-json", "-"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(point) = crash_at {
            command.env("ROLLCALL_CRASH_AT", point);
        }
        command.spawn().expect("the server starts")
    };
    // The first pass of this point is that of limits and sessions, or of a batch: the third is within the bodies.
    let mut killed = server(Some("purge:3"));
    let status = tokio::task::spawn_blocking(move || killed.wait()).await.expect("no panic").expect("an end");
    assert_eq!(status.signal(), Some(9), "{status}");
    let test = test.reopened().await;
    let left = test.texts(BODIES).await.len();
    assert!([88, 344].contains(&left), "whole batches only: {left}");
    assert_eq!(test.texts(STATES).await.len(), 600);
    let test = test.closed().await;

    let mut running = server(None);
    let ready = running.stdout.take().expect("its output");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(ready), &mut line).expect("ready");
    let ops = serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["ops"].as_str().expect("ops").to_owned();
    let purged = format!("rollcall_purged_bodies_total {left}");
    let all_purged = async {
        while !reqwest::get(format!("http://{ops}/metrics"))
            .await
            .expect("metrics")
            .text()
            .await
            .expect("text")
            .contains(&purged)
        {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(60), all_purged).await;
    running.kill().expect("killed");
    running.wait().expect("an end");
    in_time.expect("the rest is purged");
    let test = test.reopened().await;
    assert!(test.texts(BODIES).await.is_empty());
    assert_eq!(test.texts(STATES).await.iter().filter(|state| state.contains("delivered")).count(), 600);
    let verdict = audit::verify(&mut test.store.reader().await.expect("a reader"), test.store.shared()).await;
    assert_eq!(verdict.expect("read").first_break, None);
}
