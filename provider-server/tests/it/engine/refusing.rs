//! Hostile and broken receivers: every attempt is bounded and named (P6, P10).

use std::time::{Duration, Instant};

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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::support::{Receiver, Rig, Settings};
use crate::support::START_MS;

struct Names(Vec<&'static str>);

impl Resolve for Names {
    fn lookup(&self, name: &str) -> Lookup {
        let known = name == "school.example";
        let addresses = self.0.iter().map(|text| text.parse().expect("an address")).collect();
        Box::pin(async move {
            match known {
                true => Ok(addresses),
                false => std::future::pending().await,
            }
        })
    }
}

fn client(allowed: &str, addresses: Vec<&'static str>) -> Client {
    let allowed = allowed.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().expect("a network"));
    Client::new(Dialer::new(Policy::new(allowed.collect()), std::sync::Arc::new(Names(addresses)), Vec::new()))
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
        url: url.parse().expect("an address"),
        retry: RetryPolicy::default(),
        timeout_ms,
        max_in_flight: 1,
        secrets: vec![secret],
    };
    let signed = sign(&connection, EventId::new(START_MS, [0; 10]), "{}".into(), START_MS);
    client.send(signed, &SystemClock).await
}

/// A receiver that answers these bytes to every connection, again and again where `endless`.
async fn raw(answer: &'static [u8], endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, endless));
        }
    });
    format!("http://{address}/hook")
}

async fn serve(mut stream: TcpStream, answer: &'static [u8], endless: bool) {
    let mut buffer = [0; 4_096];
    let _ = stream.read(&mut buffer).await;
    let _ = stream.write_all(answer).await;
    if endless {
        while stream.write_all(&[b'a'; 4_096]).await.is_ok() {}
    }
    // Keeps a silent connection open until the other side leaves.
    if answer.is_empty() {
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    }
}

#[tokio::test]
async fn every_hostile_answer_is_bounded_and_has_its_cause() {
    let client = client("127.0.0.0/8", vec![]);
    let head = b"HTTP/1.1 200 OK\r\nx: ";
    for (answer, endless, cause, code) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], false, None, 204),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            false,
            Some(Cause::Redirect),
            302,
        ),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", false, Some(Cause::Gone), 410),
        (b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\nretry-after: 1e300\r\n\r\n", false, Some(Cause::RateLimited), 429),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nretry-after: -7\r\n\r\n", false, Some(Cause::Http), 503),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nretry-after: 7\r\n\r\n", false, Some(Cause::RateLimited), 503),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", false, Some(Cause::Reset), 200),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b", true, None, 200),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n", true, None, 200),
        (b"HTTP/1.1 500 No\r\n\r\n", true, Some(Cause::Http), 500),
        (b"HTTP/0.9 what", false, Some(Cause::Protocol), 0),
        (b"SSH-2.0-OpenSSH\r\n", false, Some(Cause::Protocol), 0),
        (head, true, Some(Cause::TooLarge), 0),
        (b"", false, Some(Cause::Timeout), 0),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", false, Some(Cause::Reset), 200),
        (b"\xff\xfe\x00", false, Some(Cause::Protocol), 0),
    ] {
        let url = raw(answer, endless).await;
        let begun = Instant::now();
        let outcome = send(&client, &url, 400).await;
        let what = String::from_utf8_lossy(answer).into_owned();
        assert_eq!((outcome.cause, outcome.code), (cause, code), "{what}: {}", outcome.detail);
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        assert!(outcome.response_bytes <= 64 * 1024, "{what}");
        if let Some(wait_ms) = outcome.retry_after_ms {
            assert_eq!(wait_ms, 7_000, "{what}");
        }
        if let Some(answer) = outcome.answer {
            assert!(answer.body.len() <= 64 * 1024, "{what}");
        }
    }
}

#[tokio::test]
async fn a_flood_of_early_hints_and_a_dripping_body_end_with_the_attempt() {
    let client = client("127.0.0.0/8", vec![]);
    for (begin, drip) in [
        (&b""[..], &b"HTTP/1.1 103 Early Hints\r\n\r\n"[..]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"a"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(begin).await;
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            while stream.write_all(drip).await.is_ok() {
                ticks.tick().await;
            }
        });
        let outcome = send(&client, &url, 300).await;
        assert_eq!(outcome.cause, Some(Cause::Timeout), "{}", outcome.detail);
        assert!((290_000..3_000_000).contains(&outcome.latency_us), "{}", outcome.latency_us);
    }
}

#[tokio::test]
async fn nothing_is_dialled_but_vetted_addresses() {
    for (allowed, addresses, url, cause) in [
        ("", vec!["127.0.0.1"], "https://school.example/", Cause::Blocked),
        ("", vec!["8.8.8.8", "10.0.0.1"], "https://school.example/", Cause::Blocked),
        ("", vec!["8.8.8.8", "::1"], "https://school.example/", Cause::Blocked),
        ("", vec!["::ffff:127.0.0.1"], "https://school.example/", Cause::Blocked),
        ("", vec!["8.8.8.8"], "http://school.example/", Cause::Blocked),
        ("", vec![], "https://127.0.0.1/", Cause::Blocked),
        ("", vec![], "https://[::1]/", Cause::Blocked),
        ("", vec![], "https://169.254.169.254/latest/", Cause::Blocked),
        ("10.0.0.0/8", vec!["127.0.0.1"], "https://school.example/", Cause::Blocked),
        ("", vec![], "https://school.example/", Cause::Dns),
        ("127.0.0.0/8", vec![], "http://127.0.0.1:1/", Cause::Connect),
    ] {
        let outcome = send(&client(allowed, addresses.clone()), url, 3_000).await;
        assert_eq!(outcome.cause, Some(cause), "{url} {addresses:?}: {}", outcome.detail);
    }
}

#[tokio::test]
async fn a_name_that_never_resolves_ends_after_two_seconds() {
    let begun = Instant::now();
    let outcome = send(&client("", vec![]), "https://slow.example/", 15_000).await;
    assert_eq!((outcome.cause, outcome.detail), (Some(Cause::Dns), "slow"));
    assert!(begun.elapsed() < Duration::from_millis(3_500));
}

#[tokio::test]
async fn our_own_sockets_are_never_reached_even_in_an_allowed_network() {
    let url = raw(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
    let policy = Policy::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let own = url.trim_start_matches("http://").trim_end_matches("/hook");
    policy.add_own_socket(own.parse().expect("a socket"));
    let names = Names(vec!["127.0.0.1"]);
    let client = Client::new(Dialer::new(policy, std::sync::Arc::new(names), Vec::new()));
    let by_name = url.replace("127.0.0.1", "school.example");
    for url in [url, by_name] {
        let outcome = send(&client, &url, 1_000).await;
        assert_eq!((outcome.cause, outcome.detail), (Some(Cause::Blocked), "own_socket"), "{url}");
    }
}

#[tokio::test]
async fn an_untrusted_certificate_and_plaintext_behind_https_are_named() {
    let plain = raw(b"HTTP/1.1 200 OK\r\n\r\n", false).await.replace("http://", "https://");
    let outcome = send(&client("127.0.0.0/8", vec![]), &plain, 2_000).await;
    assert_eq!(outcome.cause, Some(Cause::Tls));
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
