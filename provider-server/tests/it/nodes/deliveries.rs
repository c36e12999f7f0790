//! Who delivers: each school is one server's at a time, whichever server accepts its changes.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use axum::{http::StatusCode, response::IntoResponse as _};
use provider_server::store::Committed;
use tokio::sync::Semaphore;

use super::is_shared;
use crate::engine::support::{Receiver, Rig, Settings};

/// Lanes that servers alive hold, by server.
const HELD: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM lanes WHERE node_id IS NOT NULL GROUP BY node_id ORDER BY 1";
const STATES: &str = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY 1";

/// A lease that a test can wait for.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn servers_share_the_schools_and_every_message_goes_out_once() {
    if !is_shared("sharing") {
        return;
    }
    let receiver = Receiver::accepting().await;
    let mut first = Rig::new(4).await;
    for school in 0..4 {
        first.connect(school, &receiver.url(), Settings::default()).await;
    }
    let mut second = first.beside(1).await;
    first.start();
    first.until(HELD, &["4"]).await;
    second.start();
    first.until(HELD, &["2", "2"]).await;
    for round in 0..10 {
        for school in 0..4 {
            first.put(school, &format!("F-{school}"), &format!("Ada{round}")).await;
            second.put(school, &format!("S-{school}"), &format!("Grace{round}")).await;
        }
    }
    receiver.wait_for(80).await;
    first.until(STATES, &["delivered 80"]).await;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for got in receiver.got() {
        *seen.entry(got.header("webhook-id").to_owned()).or_default() += 1;
    }
    assert_eq!((seen.len(), seen.values().max()), (80, Some(&1)), "no message went out twice");

    // An act of staff at one server reaches the other, whichever holds the school.
    for school in 0..4 {
        let again =
            "events SET state = 'pending', due_ms = 0, next_trigger = 'resend' WHERE school_id = $1 AND sequence = 1";
        second.change_school(school, again, Committed::Reload).await;
    }
    receiver.wait_for(84).await;
    first.until(STATES, &["delivered 80"]).await;

    // Who stops gives its schools back at once.
    second.stop().await;
    first.until(HELD, &["4"]).await;
    first.put(0, "F-0", "last").await;
    first.put(3, "F-3", "last").await;
    first.until(STATES, &["delivered 82"]).await;
    first.stop().await;
}

#[tokio::test]
async fn a_students_changes_arrive_in_order_whichever_server_accepts_them() {
    if !is_shared("order") {
        return;
    }
    // Each message is refused once, so that it waits for its next try while later ones come.
    let seen = Mutex::new(HashSet::new());
    let receiver = Receiver::start(move |_, got| {
        let is_first = seen.lock().expect("not poisoned").insert(got.header("webhook-id").to_owned());
        if is_first { StatusCode::BAD_REQUEST } else { StatusCode::NO_CONTENT }.into_response()
    })
    .await;
    let mut first = Rig::new(1).await;
    first.connect(0, &receiver.url(), Settings { max_tries: 9, ..Settings::default() }).await;
    let mut second = first.beside(1).await;
    first.start();
    second.start();
    for round in 0..15 {
        for student in ["S-1", "S-2"] {
            first.put(0, student, &format!("a{round}")).await;
            second.put(0, student, &format!("b{round}")).await;
        }
    }
    first.until(STATES, &["delivered 60"]).await;
    let mut versions: HashMap<String, u64> = HashMap::new();
    for got in receiver.got() {
        let object = got.json()["data"]["object"].clone();
        let student = object["sourcedId"].as_str().expect("a student").to_owned();
        let version = object["version"].as_u64().expect("a version");
        let last = versions.entry(student).or_default();
        assert!(version == *last || version == *last + 1, "version {version} after {last}");
        *last = version;
    }
    assert_eq!(versions.into_values().collect::<Vec<_>>(), [30, 30]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn the_work_of_a_dead_server_is_picked_up() {
    if !is_shared("death") {
        return;
    }
    let receiver = Receiver::accepting().await;
    let mut first = Rig::new(2).await;
    for school in 0..2 {
        first.connect(school, &receiver.url(), Settings::default()).await;
    }
    first.lease = SHORT;
    let mut second = first.beside(1).await;
    first.start();
    first.until(HELD, &["2"]).await;
    first.kill().await;
    // Accepted by a server that cannot deliver any more, and by one that does not hold the schools yet.
    first.put(0, "S-1", "Ada").await;
    second.start();
    second.put(1, "S-2", "Grace").await;
    receiver.wait_for(2).await;
    second.until(STATES, &["delivered 2"]).await;
    second.until("SELECT CAST(token AS TEXT) FROM lanes ORDER BY school_id", &["2", "2"]).await;
    second.stop().await;
}

#[tokio::test]
async fn a_late_record_of_a_paused_server_is_refused() {
    if !is_shared("a pause") {
        return;
    }
    // The first request hangs until its server was taken for dead.
    static HANGS: Semaphore = Semaphore::const_new(0);
    let receiver = Receiver::hanging(&HANGS).await;
    let mut first = Rig::new(1).await;
    first.connect(0, &receiver.url(), Settings::default()).await;
    first.start();
    first.until(HELD, &["1"]).await;
    first.put(0, "S-1", "Ada").await;
    receiver.wait_for(1).await;
    // As after a pause longer than its lease: the database does not count on it any more.
    let over: &str = "UPDATE nodes SET leased_until_ms = 0";
    first.test.store.act(move |tx| Box::pin(tx.conn.execute(over, vec![]))).await.expect("over");
    let mut second = first.beside(1).await;
    second.start();
    receiver.wait_for(2).await;
    second.until(STATES, &["delivered 1"]).await;
    HANGS.add_permits(1);
    // It hears of its loss, takes part again, and works on what is accepted from now on.
    first.put(0, "S-1", "Grace").await;
    second.until(STATES, &["delivered 2"]).await;
    second.stop().await;
    first.put(0, "S-1", "Mary").await;
    first.until(STATES, &["delivered 3"]).await;
    first.stop().await;
    let log = "SELECT sequence || ' ' || try_number || ' ' || status FROM attempts ORDER BY log_sequence";
    let once = ["1 1 delivered", "2 1 delivered", "3 1 delivered"];
    assert_eq!(second.test.texts(log).await, once, "one record of each message");
}
