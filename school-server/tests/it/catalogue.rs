//! The answers of the fault catalogue, each through a real socket.

use reqwest::StatusCode;
use rollcall_proto::school::v1::{GetStatusRequest, ListEventsRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::*;

const GOLDEN: [(&str, &str, &str); 7] = [
    ("student.created", "applied", include_str!("../../../proto/tests/golden/student.created.json")),
    ("student.updated", "applied", include_str!("../../../proto/tests/golden/student.updated.json")),
    ("student.withdrawn", "applied", include_str!("../../../proto/tests/golden/student.withdrawn.json")),
    ("student.enrolled", "applied", include_str!("../../../proto/tests/golden/student.enrolled.json")),
    ("student.deleted", "applied", include_str!("../../../proto/tests/golden/student.deleted.json")),
    ("connection.test", "applied", include_str!("../../../proto/tests/golden/connection.test.json")),
    ("roster.checkpoint", "kept", include_str!("../../../proto/tests/golden/roster.checkpoint.json")),
];

fn golden_id(body: &str) -> rollcall_proto::id::EventId {
    let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    value["id"].as_str().expect("an id").parse().expect("an event id")
}

#[tokio::test]
async fn golden_bodies_are_taken_once_and_replays_change_nothing_31_days_later() {
    let receiver = Receiver::start().await;
    for (name, result, body) in GOLDEN {
        let answer = receiver.post(&receiver.sign(golden_id(body), body)).await;
        let code = if result == "kept" { StatusCode::ACCEPTED } else { StatusCode::OK };
        assert_eq!((answer.status, answer.body["result"].as_str()), (code, Some(result)), "{name}");
        assert_eq!(answer.verified_key, Some(secret().fingerprint()), "{name}");
    }
    assert_eq!(receiver.export().await, "", "the student was deleted last");
    let (id, body) = student_event(50_000, "created", "S-1", 1);
    assert_eq!(receiver.post(&receiver.sign(id, body.clone())).await.status, StatusCode::OK);
    let before = receiver.export().await;

    receiver.clock.advance(31 * 24 * 3_600 * 1_000);
    let receiver = receiver.restart().await;
    for _ in 0..10 {
        for (name, _, body) in GOLDEN {
            let answer = receiver.post(&receiver.sign(golden_id(body), body)).await;
            assert_eq!((answer.status, answer.body["result"].as_str()), (StatusCode::OK, Some("duplicate")), "{name}");
        }
        let answer = receiver.post(&receiver.sign(id, body.clone())).await;
        assert_eq!(answer.body["result"], "duplicate");
    }
    assert_eq!(receiver.export().await, before);
    assert_eq!(before, format!("{}\n", student_line("S-1", 1)));
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_decides_its_answer() {
    let receiver = Receiver::start().await;
    let now_s = NOW_MS / 1_000;
    let (id, good) = student_event(1, "created", "S-1", 1);
    let text = String::from_utf8(good.clone()).expect("UTF-8");
    let resigned = |body: &str| receiver.sign(id, body.as_bytes().to_vec());
    let other = rollcall_proto::webhook::signature::SigningSecret::from_bytes(&[8; 32]).expect("32 bytes");
    let mut flipped = receiver.sign(id, good.clone());
    flipped.body[20] ^= 1;
    let mut nested = receiver.sign(id, good.clone());
    nested.body = "[".repeat(100_000).into_bytes();
    let nested = sign_at(&secret(), &nested.id, now_s, nested.body);
    let mut unsigned = receiver.sign(id, good.clone());
    unsigned.signature = String::new();
    let cases: Vec<(&str, Signed, u16, &str)> = vec![
        ("old timestamp", sign_at(&secret(), &id.to_string(), now_s - 301, good.clone()), 401, "too old"),
        ("early timestamp", sign_at(&secret(), &id.to_string(), now_s + 301, good.clone()), 401, "future"),
        ("wrong secret", sign_at(&other, &id.to_string(), now_s, good.clone()), 401, "no signature fits"),
        ("flipped bit", flipped, 401, "no signature fits"),
        ("no signature", unsigned, 401, ""),
        ("bad UTF-8", receiver.sign(id, b"{\"a\":\"\xff\"}".to_vec()), 400, "not UTF-8"),
        ("bad JSON", resigned("{"), 400, "not JSON"),
        ("trailing text", resigned(&format!("{text} x")), 400, "not JSON"),
        ("100k deep", nested, 400, "nested too deep"),
        ("duplicate key", resigned(&text.replacen("{\"id\"", "{\"type\":\"x\",\"id\"", 1)), 400, "twice"),
        ("duplicate in data", resigned(&text.replacen("\"status\"", "\"version\":9,\"status\"", 1)), 400, "twice"),
        ("other id", sign_at(&secret(), &event_id(9).to_string(), now_s, good.clone()), 400, "webhook-id"),
        (
            "other school",
            resigned(&text.replace("{\"sourcedId\":\"sch-7\"}", "{\"sourcedId\":\"sch-8\"}")),
            409,
            "school.sourcedId",
        ),
        ("other district", resigned(&text.replace("dist-1", "dist-2")), 409, "district.sourcedId"),
        ("no sequence", resigned(&text.replace("\"sequence\":1,", "")), 400, "sequence"),
        (
            "huge sequence",
            resigned(&text.replace("\"sequence\":1,", "\"sequence\":9007199254740993,")),
            400,
            "sequence",
        ),
        ("no family name", resigned(&text.replace("\"familyName\":\"Canary1\",", "")), 400, "familyName"),
        ("bad sourcedId", resigned(&text.replace("S-1", "S 1")), 400, "sourcedId"),
        ("version 0", resigned(&text.replace("\"version\":1", "\"version\":0")), 400, "version"),
        ("name of another type", resigned(&text.replace("\"Canary1\"", "[\"Canary1\"]")), 400, "data"),
        ("too large", receiver.sign(id, vec![b' '; 256 * 1024 + 1]), 413, "larger"),
    ];
    for (name, request, code, words) in &cases {
        let answer = receiver.post(request).await;
        assert_eq!(answer.status.as_u16(), *code, "{name}: {}", answer.body);
        let error = answer.body["error"].as_str().expect("words");
        assert!(error.contains(words), "{name}: {error}");
        assert!(!error.contains("Canary") && !error.contains("Jos"), "student data in: {error}");
        assert_eq!(answer.verified_key.is_some(), !matches!(*code, 401 | 413), "{name}");
    }
    assert_eq!(receiver.export().await, "", "nothing of it was applied");
    let answer = receiver.post(&receiver.sign(id, good)).await;
    assert_eq!(answer.body["result"], "applied", "a refusal leaves no trace that stands in the way");

    // Refused requests are recorded together with the next commit, or a moment later.
    let mut desk = receiver.desk().await;
    let mut tail = desk
        .tail_events(rollcall_proto::school::v1::TailEventsRequest { after_number: Some(0) })
        .await
        .expect("a tail")
        .into_inner();
    let mut seen = 0;
    while seen < cases.len() + 1 {
        let batch = tail.message().await.expect("a batch").expect("open");
        seen += batch.events.len();
    }
    let request = ListEventsRequest { verdicts: vec!["too_old".into()], ..ListEventsRequest::default() };
    assert_eq!(desk.list_events(request).await.expect("a page").into_inner().events.len(), 2);
    drop((tail, desk));
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn order_and_repetition_do_not_matter_and_a_changed_body_raises_an_alarm() {
    let receiver = Receiver::start().await;
    let send = async |number, kind, version| {
        let (id, body) = student_event(number, kind, "S-1", version);
        let answer = receiver.post(&receiver.sign(id, body)).await;
        (answer.status.as_u16(), answer.body["result"].as_str().unwrap_or_default().to_owned())
    };
    let ok = |word: &str| (200, word.to_owned());
    assert_eq!(send(3, "updated", 3).await, ok("applied"));
    assert_eq!(send(2, "updated", 2).await, ok("stale"));
    assert_eq!(send(2, "updated", 2).await, ok("duplicate"), "also of a stale one");
    assert_eq!(send(4, "withdrawn", 4).await, ok("applied"));
    assert_eq!(send(1, "created", 1).await, ok("stale"), "a late event does not bring the student back");
    assert_eq!(receiver.export().await, "");
    assert_eq!(send(5, "enrolled", 5).await, ok("applied"), "a newer one does");

    let (id, body) = student_event(5, "enrolled", "S-1", 6);
    let answer = receiver.post(&receiver.sign(id, body)).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let (id, body) = student_event(7, "unheard_of", "S-1", 8);
    let answer = receiver.post(&receiver.sign(id, body)).await;
    assert_eq!((answer.status, answer.body["result"].as_str()), (StatusCode::ACCEPTED, Some("kept")));

    let mut desk = receiver.desk().await;
    let status = desk.get_status(GetStatusRequest {}).await.expect("a status").into_inner();
    assert_eq!((status.contiguous_sequence, status.highest_sequence), (5, 7));
    assert_eq!((status.students, status.alerts), (1, 1));
    assert!(status.latest_alert.contains(&event_id(5).to_string()), "{}", status.latest_alert);
    assert_eq!(status.fingerprints, [secret().fingerprint()]);
    assert_eq!(receiver.export().await, format!("{}\n", student_line("S-1", 5)));
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn without_a_secret_nothing_is_refused_for_good() {
    let receiver = Receiver::start_in(tempfile::tempdir().expect("a folder")).await;
    let (id, body) = student_event(1, "created", "S-1", 1);
    let answer = receiver.post(&receiver.sign(id, body.clone())).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let url = receiver.running.ready.webhook.replace("/webhook", "/readyz");
    assert_eq!(receiver.http.get(&url).send().await.expect("answered").status(), StatusCode::SERVICE_UNAVAILABLE);

    // Stored by another way than the desk: picked up without a restart.
    let stored = file_store(receiver.folder.path());
    tokio::task::spawn_blocking(move || stored.save(&enrollment())).await.expect("ran").expect("stored");
    let answer = loop {
        let answer = receiver.post(&receiver.sign(id, body.clone())).await;
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
    };
    assert_eq!(answer.body["result"], "applied");
    assert_eq!(receiver.http.get(&url).send().await.expect("answered").status(), StatusCode::OK);
    let url = receiver.running.ready.webhook.replace("/webhook", "/metrics");
    let metrics = receiver.http.get(&url).send().await.expect("answered").text().await.expect("text");
    assert!(metrics.contains("rollcall_school_webhook_answers_total{code=\"200\""), "{metrics}");
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn endless_chunked_body_is_cut_at_the_cap() {
    let receiver = Receiver::start().await;
    let address = receiver.running.ready.webhook.replace("http://", "").replace("/webhook", "");
    let mut stream = TcpStream::connect(&address).await.expect("connected");
    let head = "POST /webhook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (mut reading, mut writing) = stream.into_split();
    let endless = tokio::spawn(async move {
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        while writing.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    let mut answer = [0; 12];
    reading.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 413");
    drop(reading);
    endless.await.expect("the server closed the connection");
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn request_of_the_published_library_is_taken_and_a_flipped_bit_refused() {
    let receiver = Receiver::start().await;
    let theirs = standardwebhooks::Webhook::new(&secret().reveal()).expect("a secret");
    let (id, body) = student_event(1, "created", "S-1", 1);
    let now_s = NOW_MS / 1_000;
    let signature = theirs.sign(&id.to_string(), now_s, &body).expect("signed");
    let mut request = Signed { id: id.to_string(), timestamp: now_s.to_string(), signature, body };
    let last = request.body.len() - 20;
    request.body[last] ^= 1;
    assert_eq!(receiver.post(&request).await.status, StatusCode::UNAUTHORIZED);
    request.body[last] ^= 1;
    assert_eq!(receiver.post(&request).await.body["result"], "applied");
    receiver.running.stop().await.expect("a clean stop");
}
