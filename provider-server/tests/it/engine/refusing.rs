//! Addresses that are refused, and what staff try a connection with. Hostile receivers are a suite of their own.

use std::sync::Arc;

use axum::http::StatusCode;
use provider_server::{
    clock::SystemClock,
    engine::{
        client::Client,
        dial::{Dialer, Lookup, Resolve},
        egress::Policy,
        sign::sign,
    },
    model::{
        connection::{Connection, ConnectionState, LiveSecret},
        connection_test::ConnectionTester,
        outcome::{Cause, Outcome},
        retry::RetryPolicy,
    },
};
use rollcall_proto::{
    id::{EventId, SchoolId, SecretId},
    webhook::signature::SigningSecret,
};

use super::support::{Receiver, Rig, Settings};
use crate::support::START_MS;

struct Names(Vec<&'static str>);

impl Resolve for Names {
    fn lookup(&self, _: &str) -> Lookup {
        let addresses = self.0.iter().map(|text| text.parse().expect("an address")).collect();
        Box::pin(async move { Ok(addresses) })
    }
}

fn client(policy: Policy, addresses: &[&'static str]) -> Client {
    Client::new(Dialer::new(policy, Arc::new(Names(addresses.to_vec())), Vec::new()))
}

async fn send(client: &Client, url: &str, timeout_ms: u32) -> Outcome {
    let secret = LiveSecret {
        id: SecretId::new(START_MS, [0; 10]),
        fingerprint: "".into(),
        secret: SigningSecret::from_bytes(&[7; 32]).expect("32 bytes"),
        expires_ms: None,
    };
    let connection = Connection {
        school: SchoolId::new(START_MS, [0; 10]),
        version: 1,
        state: ConnectionState::Active,
        url: Some(url.parse().expect("an address")),
        retry: RetryPolicy::default(),
        timeout_ms,
        max_in_flight: 1,
        secrets: vec![secret],
    };
    let signed = sign(&connection, EventId::new(START_MS, [0; 10]), "{}".into(), START_MS);
    client.send(signed, &SystemClock).await
}

#[tokio::test]
async fn a_public_address_makes_up_neither_for_a_private_one_nor_for_plaintext() {
    for (addresses, url, detail) in [
        (["8.8.8.8", "10.0.0.1"], "https://school.example/", "not_public"),
        (["8.8.8.8", "::1"], "https://school.example/", "not_public"),
        (["8.8.8.8", "8.8.4.4"], "http://school.example/", "plaintext"),
    ] {
        let outcome = send(&client(Policy::default(), &addresses), url, 3_000).await;
        assert_eq!((outcome.cause, outcome.detail), (Some(Cause::Blocked), detail), "{url} {addresses:?}");
    }
}

#[tokio::test]
async fn our_own_sockets_are_never_reached_even_in_an_allowed_network() {
    let url = Receiver::accepting().await.url();
    let policy = Policy::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let own = url.trim_start_matches("http://").trim_end_matches("/hook");
    policy.add_own_socket(own.parse().expect("a socket"));
    let client = client(policy, &["127.0.0.1"]);
    let by_name = url.replace("127.0.0.1", "school.example");
    for url in [url, by_name] {
        let outcome = send(&client, &url, 1_000).await;
        assert_eq!((outcome.cause, outcome.detail), (Some(Cause::Blocked), "own_socket"), "{url}");
    }
}

#[tokio::test]
async fn a_test_event_is_signed_recorded_and_outside_the_sequence() {
    let receiver = Receiver::accepting().await;
    let rig = Rig::new(2).await;
    let secret = rig.connect(0, &receiver.url(), Settings::default()).await;
    let tester = rig.tester();
    let told = tester.send_test(rig.schools[0], "staff:test".into()).await.expect("sent");
    assert!(told.ok && told.code == 204, "{}", told.detail);
    let got = receiver.wait_for(1).await.remove(0);
    let published = standardwebhooks::Webhook::new(&secret.reveal()).expect("a secret");
    published.verify(&got.body, &got.headers).expect("signed like any other");
    assert_eq!((got.json()["type"].as_str(), got.sequence()), (Some("connection.test"), 0));
    receiver.now_answers(|_, _| axum::response::IntoResponse::into_response(StatusCode::UNAUTHORIZED));
    let told = tester.send_test(rig.schools[0], "staff:test".into()).await.expect("sent");
    assert!(!told.ok && told.code == 401 && told.detail.contains("401"), "{}", told.detail);
    let log = "SELECT trigger_kind || ' ' || status || ' ' || sequence || ' ' || log_sequence FROM attempts";
    rig.until(log, &["test delivered 0 1", "test failed 0 2"]).await;
    assert_eq!(rig.test.texts("SELECT act FROM audit").await, ["school.tested", "school.tested"]);
    assert!(tester.send_test(rig.schools[1], "staff:test".into()).await.is_err(), "a school without an address");
}

#[tokio::test]
async fn an_address_is_checked_step_by_step() {
    let receiver = Receiver::accepting().await;
    let rig = Rig::new(1).await;
    let tester = rig.tester();
    for (url, expected) in [
        (receiver.url(), "policy+ dns+ connect+ answer+"),
        ("http://127.0.0.1:1/".into(), "policy+ dns+ connect-"),
        ("http://10.0.0.1/".into(), "policy-"),
        (receiver.url().replace("http", "https"), "policy+ dns+ connect+ tls-"),
    ] {
        let steps = tester.check_address(url.clone()).await;
        let shown: Vec<String> =
            steps.iter().map(|step| format!("{}{}", step.step, if step.ok { '+' } else { '-' })).collect();
        assert_eq!(shown.join(" "), expected, "{url}");
        assert!(steps.iter().all(|step| !step.detail.is_empty()));
    }
}
