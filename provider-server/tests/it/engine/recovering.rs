//! What fails is tried again, parked, probed and resumed; nothing is lost by a restart.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use provider_server::{model::delivery::state, store::Committed};

use tokio::sync::Semaphore;

use super::support::{Received, Receiver, Rig, Settings};

const STATES: &str = "SELECT state FROM events ORDER BY school_id, sequence";

fn code(code: u16) -> Response {
    StatusCode::from_u16(code).expect("a code").into_response()
}

fn sequences(got: &[Received]) -> Vec<u64> {
    got.iter().map(Received::sequence).collect()
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_id_and_its_answer_is_kept_sealed() {
    let receiver = Receiver::start(|number, _| match number {
        0 => (StatusCode::INTERNAL_SERVER_ERROR, [("x-why", "canary-header")], "canary-body").into_response(),
        1 => code(502),
        _ => code(200),
    })
    .await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings::default()).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    let got = receiver.wait_for(3).await;
    rig.until(STATES, &[state::DELIVERED]).await;
    assert!(got.iter().all(|one| one.header("webhook-id") == got[0].header("webhook-id") && one.body == got[0].body));
    let log = "SELECT log_sequence || ' ' || try_number || ' ' || status || ' ' || cause || ' ' || code FROM attempts
               ORDER BY log_sequence";
    rig.until(log, &["1 1 retrying http 500", "2 2 retrying http 502", "3 3 delivered  200"]).await;
    let sealed = rig.test.texts("SELECT hex(sealed) FROM attempt_answers ORDER BY log_sequence").await;
    assert_eq!(sealed.len(), 2, "failures alone keep their answers");
    assert!(!sealed[0].contains(&hex::encode_upper("canary")));
    rig.stop().await;
}

#[tokio::test]
async fn a_connection_that_fails_is_parked_whole_and_a_probe_resumes_all_of_it_in_order() {
    let receiver = Receiver::start(|_, _| code(503)).await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { max_in_flight: 4, ..Settings::default() }).await;
    rig.start();
    for version in 0..3 {
        for student in 0..10 {
            rig.put(0, &format!("S-{student}"), &format!("Name {version}")).await;
        }
    }
    let parked = "SELECT DISTINCT state || ' ' || reason FROM events";
    rig.until(parked, &["parked connection_down"]).await;
    rig.until("SELECT health FROM schools", &["down"]).await;
    let spent = rig.test.texts("SELECT DISTINCT CAST(automatic_tries AS TEXT) FROM events").await;
    assert_eq!(spent, ["0"], "waiting spends no tries");

    receiver.now_answers(|_, _| code(204));
    rig.until("SELECT DISTINCT state FROM events", &[state::DELIVERED]).await;
    rig.until("SELECT health FROM schools", &["ok"]).await;
    let got = receiver.got();
    let first = got.iter().rposition(|one| one.sequence() == 1).expect("sent");
    let resumed = sequences(&got[first..]);
    for student in 1..=10 {
        let mine: Vec<u64> = resumed.iter().copied().filter(|sequence| sequence % 10 == student % 10).collect();
        assert!(mine.is_sorted(), "student {student}: {mine:?}");
    }
    let probes = rig.test.texts("SELECT DISTINCT trigger_kind FROM attempts WHERE trigger_kind <> 'automatic'").await;
    assert_eq!(probes, ["probe"]);
    let gaps = "SELECT CAST(MAX(log_sequence) - COUNT(*) AS TEXT) FROM attempts";
    assert_eq!(rig.test.texts(gaps).await, ["0"], "the log has no gap");
    rig.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_parks_alone_and_a_later_version_supersedes_it() {
    static HANGS: Semaphore = Semaphore::const_new(0);
    let receiver = Receiver::hanging(&HANGS).await;
    receiver.now_answers(|_, one| if one.sequence() == 1 { code(400) } else { code(204) });
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { delays: "150", ..Settings::default() }).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    receiver.wait_for(1).await;
    // The other one is delivered before the first is answered, so that the receiver is known to work.
    rig.put(0, "S-2", "Grace").await;
    rig.until("SELECT state FROM events WHERE sequence = 2", &["delivered"]).await;
    HANGS.add_permits(1);
    let states = "SELECT state || ' ' || reason FROM events ORDER BY sequence";
    rig.until(states, &["parked exhausted", "delivered "]).await;
    rig.put(0, "S-1", "Adele").await;
    rig.until(states, &["superseded later_version_delivered", "delivered ", "delivered "]).await;
    assert_eq!(sequences(&receiver.got()), [1, 2, 1, 1, 3]);
    rig.until("SELECT health FROM schools", &["ok"]).await;
    rig.stop().await;
}

/// All were put before the engine runs, so that they are read from the database in pages; the refused ones are more than
/// half of a page.
#[tokio::test]
async fn messages_that_wait_for_their_next_try_keep_no_later_ones_in_the_database() {
    const REFUSED: u64 = 300;
    let receiver = Receiver::start(|_, one| if one.sequence() <= REFUSED { code(422) } else { code(204) }).await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { delays: "3600000", ..Settings::default() }).await;
    rig.leave_out_syncs().await;
    rig.put_many(0, 0..700).await;
    rig.start();
    let states = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY state";
    rig.until(states, &["delivered 400", "pending 300"]).await;
    rig.stop().await;
}

/// The record of an answer of the old address comes after staff named a new one.
#[tokio::test]
async fn a_410_of_an_address_that_was_changed_holds_nothing() {
    static HANGS: Semaphore = Semaphore::const_new(0);
    let old = Receiver::hanging(&HANGS).await;
    old.now_answers(|_, _| code(410));
    let new = Receiver::accepting().await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &old.url(), Settings::default()).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    old.wait_for(1).await;
    let url: &'static str = Box::leak(
        format!("schools SET url = '{}', connection_version = connection_version + 1 WHERE school_id = $1", new.url())
            .into_boxed_str(),
    );
    rig.change_school(0, url, Committed::Connection).await;
    HANGS.add_permits(1);
    rig.until("SELECT state FROM events", &[state::DELIVERED]).await;
    assert_eq!(rig.test.texts("SELECT state FROM schools").await, ["active"]);
    new.wait_for(1).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it_and_no_try_is_spent() {
    let receiver = Receiver::start(|number, _| match number {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        _ => code(204),
    })
    .await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { max_tries: 1, ..Settings::default() }).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    receiver.wait_for(1).await;
    // Its answer must have been understood: a message that is sent before that does not wait.
    rig.until("SELECT status FROM attempts", &["retrying"]).await;
    rig.put(0, "S-2", "Grace").await;
    receiver.wait_for(3).await;
    rig.until(STATES, &[state::DELIVERED, state::DELIVERED]).await;
    let waited = "SELECT CASE WHEN MAX(at_ms) - MIN(at_ms) >= 1000 THEN 'waited' ELSE 'hasty' END FROM attempts";
    assert_eq!(rig.test.texts(waited).await, ["waited"]);
    let second = "SELECT CASE WHEN (SELECT MIN(at_ms) FROM attempts WHERE sequence = 2)
                  - (SELECT MIN(at_ms) FROM attempts) >= 1000 THEN 'waited' ELSE 'hasty' END";
    assert_eq!(rig.test.texts(second).await, ["waited"], "the whole endpoint waits");
    rig.stop().await;
}

#[tokio::test]
async fn gone_holds_the_connection_until_staff_resume_it() {
    let receiver = Receiver::start(|_, _| code(410)).await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings::default()).await;
    rig.start();
    for student in ["S-1", "S-2", "S-3"] {
        rig.put(0, student, "Ada").await;
    }
    rig.until("SELECT state FROM schools", &["held"]).await;
    rig.until("SELECT DISTINCT state || ' ' || reason FROM events", &["held gone"]).await;
    let before = receiver.got().len();
    receiver.now_answers(|_, _| code(204));
    rig.change_school(
        0,
        "schools SET state = 'active', connection_version = connection_version + 1 WHERE school_id = $1",
        Committed::Connection,
    )
    .await;
    rig.until("SELECT DISTINCT state FROM events", &[state::DELIVERED]).await;
    assert_eq!(receiver.got().len(), before + 3);
    rig.stop().await;
}

#[tokio::test]
async fn a_kill_loses_nothing_and_the_next_start_delivers_what_was_pending() {
    let receiver = Receiver::start(|_, _| code(503)).await;
    let mut rig = Rig::new(2).await;
    for school in 0..2 {
        rig.connect(school, &receiver.url(), Settings { probe_ms: 60_000, ..Settings::default() }).await;
    }
    rig.start();
    for school in 0..2 {
        rig.put_many(school, school * 1_000..school * 1_000 + 700).await;
    }
    receiver.wait_for(5).await;
    let mut rig = rig.kill_and_reopen().await;
    receiver.now_answers(|_, _| code(204));
    // As the kill may have come before or after the connection was known to be down.
    for school in 0..2 {
        rig.change_school(
            school,
            "schools SET health = 'ok', connection_version = connection_version + 1 WHERE school_id = $1",
            Committed::Connection,
        )
        .await;
    }
    rig.start();
    rig.until("SELECT state || ' ' || COUNT(*) FROM events GROUP BY state", &["delivered 1400"]).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_resend_goes_out_again_and_is_named_in_the_log() {
    let receiver = Receiver::accepting().await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings::default()).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    rig.until(STATES, &[state::DELIVERED]).await;
    rig.change_school(
        0,
        "events SET state = 'pending', due_ms = 0, next_trigger = 'resend' WHERE school_id = $1",
        Committed::Reload,
    )
    .await;
    receiver.wait_for(2).await;
    rig.until(STATES, &[state::DELIVERED]).await;
    let log = "SELECT trigger_kind || ' ' || try_number FROM attempts ORDER BY log_sequence";
    rig.until(log, &["automatic 1", "resend 2"]).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_withdrawal_supersedes_what_was_not_sent() {
    let receiver = Receiver::accepting().await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings::default()).await;
    rig.change_school(
        0,
        "schools SET state = 'paused', connection_version = connection_version + 1 WHERE school_id = $1",
        Committed::Connection,
    )
    .await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    rig.delete("S-1").await;
    rig.until(STATES, &[state::SUPERSEDED, state::PENDING]).await;
    rig.change_school(
        0,
        "schools SET state = 'active', connection_version = connection_version + 1 WHERE school_id = $1",
        Committed::Connection,
    )
    .await;
    rig.until(STATES, &[state::SUPERSEDED, state::DELIVERED]).await;
    assert_eq!(sequences(&receiver.got()), [2]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_under_way_and_sends_nothing_new() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let receiver = Receiver::start(move |_, _| {
        // Holds this one request until the stop began.
        let _ = released.lock().expect("not poisoned").recv_timeout(std::time::Duration::from_secs(10));
        code(204)
    })
    .await;
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { max_in_flight: 1, ..Settings::default() }).await;
    rig.start();
    rig.put_many(0, 0..3).await;
    receiver.wait_for(1).await;
    let stopping = rig.begin_stop();
    release.send(()).expect("waits");
    rig.end_stop(stopping).await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(rig.test.texts(STATES).await, [state::DELIVERED, state::PENDING, state::PENDING]);
}
