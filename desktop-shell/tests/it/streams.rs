//! A live log misses no row, whatever happens to the connection.

use std::time::Duration;

use desktop_shell::{
    ErrorCode, Link, Shell, Target,
    link::LinkState,
    streams::{StreamEvent, Streams},
};
use serde_json::json;
use tokio::time::timeout;
use tonic::Status;

use crate::support::{Events, Key, LIMIT, Log, RULES, TestServer};

fn shell(key: &Key, server: &TestServer) -> Shell {
    let mut shell = Shell::new(RULES);
    shell.streams = Streams::with_retry(shell.streams, Duration::from_millis(5), Duration::from_millis(50));
    connect(&shell, key, server);
    shell
}

fn connect(shell: &Shell, key: &Key, server: &TestServer) {
    let link = Link::provider(&server.address.to_string(), key.pin, Some("token")).expect("an address");
    shell.links.set(Target::Provider, Some(link));
}

fn tail(shell: &Shell, after: Option<u64>) -> (u64, Events) {
    let (sink, events) = Events::collect();
    let mut request = json!({"school": "sch_1"});
    if let Some(after) = after {
        request["afterLogSequence"] = json!(after.to_string());
    }
    let number = shell.streams.open(&shell.rules, "main", "LogService/TailAttempts", &request, sink).expect("opens");
    (number, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_goes_on_after_the_last_row_when_the_server_was_killed() {
    let (key, log) = (Key::generate(), Log::with_rows(3));
    let mut server = TestServer::start(&key, &log, None).await;
    let address = server.address;
    let shell = shell(&key, &server);
    let (_, mut events) = tail(&shell, Some(0));
    assert_eq!(events.rows(3).await, [1, 2, 3]);
    let mut expected = 4;
    for _ in 0..3 {
        server.kill().await;
        log.add(5);
        let mut state = shell.links.state(Target::Provider);
        timeout(LIMIT, state.wait_for(|state| *state == LinkState::Reconnecting)).await.expect("seen").expect("kept");
        server = TestServer::start(&key, &log, Some(address)).await;
        assert_eq!(events.rows(5).await, (expected..expected + 5).collect::<Vec<u64>>());
        timeout(LIMIT, state.wait_for(|state| *state == LinkState::Connected)).await.expect("seen").expect("kept");
        expected += 5;
    }
    let asked = log.asked.lock().expect("no panic").clone();
    assert_eq!((asked.first(), asked.last()), (Some(&Some(0)), Some(&Some(13))), "{asked:?}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_tail_ends_with_its_reason() {
    let (key, log) = (Key::generate(), Log::with_rows(0));
    let server = TestServer::start(&key, &log, None).await;
    *log.refuse.lock().expect("no panic") = Some(Status::unauthenticated("sign in again"));
    let shell = shell(&key, &server);
    let (_, mut events) = tail(&shell, None);
    let StreamEvent::Error { error } = events.next().await else { panic!("an error") };
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::Unauthenticated, "sign in again"));
    assert!(events.ended().await);
    assert_eq!(shell.streams.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_window_and_only_by_it() {
    let (key, log) = (Key::generate(), Log::with_rows(1));
    let server = TestServer::start(&key, &log, None).await;
    let shell = shell(&key, &server);
    let (number, mut first) = tail(&shell, Some(0));
    let (_, mut second) = tail(&shell, Some(0));
    assert_eq!((first.rows(1).await, second.rows(1).await), (vec![1], vec![1]));
    shell.streams.close("webhook-logs-other", number);
    assert_eq!(shell.streams.count(), 2, "another window closes nothing");
    shell.streams.close("main", number);
    assert!(first.ended().await);
    log.add(1);
    assert_eq!(second.rows(1).await, [2]);
    shell.streams.close_window("main");
    assert!(second.ended().await);
    assert_eq!(shell.streams.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_holds_few_streams_and_makes_no_unlisted_one() {
    let (key, log) = (Key::generate(), Log::with_rows(1));
    let server = TestServer::start(&key, &log, None).await;
    let shell = shell(&key, &server);
    let open = |window: &str, method: &str| {
        shell.streams.open(&shell.rules, window, method, &json!({}), Events::collect().0).map_err(|error| error.code)
    };
    for _ in 0..16 {
        open("main", "LogService/TailAttempts").expect("opens");
    }
    assert_eq!(open("main", "LogService/TailAttempts"), Err(ErrorCode::ResourceExhausted));
    assert_eq!(open("secret-once", "LogService/TailAttempts"), Err(ErrorCode::NotAllowed));
    assert_eq!(open("main", "LogService/GetStats"), Err(ErrorCode::NotAllowed), "not a stream");
    let called = shell.call("main", "LogService/TailAttempts", &json!({})).await;
    assert_eq!(called.expect_err("a stream is no call").code, ErrorCode::NotAllowed);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_stops_everything() {
    let (key, other, log) = (Key::generate(), Key::generate(), Log::with_rows(1));
    let server = TestServer::start(&key, &log, None).await;
    let shell = shell(&other, &server);
    let error = shell.call("main", "LogService/GetStats", &json!({})).await.expect_err("refused");
    assert_eq!(error.code, ErrorCode::ServerKeyChanged);
    let keys = error.keys.expect("both keys");
    assert_eq!((keys.expected, keys.shown), (other.pin.to_string(), key.pin.to_string()));
    assert_eq!(*shell.links.state(Target::Provider).borrow(), LinkState::ServerKeyChanged);
    let (_, mut events) = tail(&shell, Some(0));
    assert!(matches!(events.next().await, StreamEvent::Error { error } if error.code == ErrorCode::ServerKeyChanged));
    // Somebody decides that the new key is right.
    connect(&shell, &key, &server);
    assert_eq!(tail(&shell, Some(0)).1.rows(1).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_server_is_found_again_without_a_call() {
    let (key, log) = (Key::generate(), Log::with_rows(1));
    let server = TestServer::start(&key, &log, None).await;
    let address = server.address;
    let shell = shell(&key, &server);
    tokio::spawn(shell.links.clone().watch(Target::Provider));
    shell.call("main", "LogService/GetStats", &json!({})).await.expect("answered");
    server.kill().await;
    let error = shell.call("main", "LogService/GetStats", &json!({})).await.expect_err("gone");
    assert_eq!(error.code, ErrorCode::Unavailable);
    let mut state = shell.links.state(Target::Provider);
    assert_eq!(*state.borrow_and_update(), LinkState::Reconnecting);
    let _server = TestServer::start(&key, &log, Some(address)).await;
    timeout(LIMIT, state.wait_for(|state| *state == LinkState::Connected)).await.expect("in time").expect("kept");
}
