use provider_server::{
    model::{
        access::Role,
        outcome::{Cause, Outcome},
    },
    store::{
        secrets::{self, Begin},
        sync,
    },
};
use rollcall_proto::{
    id::{DistrictId, EventId},
    provider::v1 as pb,
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::door::{Log, failure, success};
use crate::support::START_MS;

fn get(message: impl ToString, reveal_body: bool) -> pb::GetMessageRequest {
    pb::GetMessageRequest { message: message.to_string(), reveal_body }
}

#[tokio::test]
async fn a_message_is_shown_with_its_attempts_opened_and_its_body_only_when_asked() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let mut second = success(&made);
    (second.try_number, second.at_ms) = (2, START_MS + 5_000);
    log.record(vec![failure(&made), second]).await;
    let mut client = log.operator().await;

    let plain = client.get_message(get(made.event, false)).await.expect("shown").into_inner();
    assert_eq!((plain.state.as_str(), plain.sequence, plain.student_sourced_id.as_str()), ("pending", 1, "S-1"));
    assert!(plain.body.is_empty());
    assert_eq!(plain.body_bytes as usize, made.body.len());
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&made.body);
    assert_eq!(plain.body_sha256, hex::encode(sha256));
    assert_eq!(plain.attempts.len(), 2);
    let failed = &plain.attempts[0];
    assert_eq!(failed.response_body, b"<h1>busy</h1>");
    assert_eq!(
        (failed.response_headers[0].name.as_str(), failed.response_headers[0].value.as_str()),
        ("retry-after", "soon")
    );
    assert_eq!(failed.signed_by, ["amber-birch", "cedar-delta"]);
    let attempt = failed.attempt.as_ref().expect("an attempt");
    assert_eq!((attempt.code, attempt.cause.as_str(), attempt.max_tries), (503, "http", 5));
    assert!(attempt.explanation.contains("503"));
    assert!(plain.attempts[1].attempt.as_ref().is_some_and(|a| a.explanation.is_empty()));
    let header = |name: &str| plain.request_headers.iter().find(|h| h.name == name).map(|h| h.value.clone());
    assert_eq!(header("webhook-id"), Some(made.event.to_string()));
    assert_eq!(header("webhook-timestamp"), Some(((START_MS + 5_000) / 1_000).to_string()));
    assert_eq!(header("webhook-signature"), Some("v1 by not known any more".into()));

    let revealed = client.get_message(get(made.event, true)).await.expect("shown").into_inner();
    assert_eq!(revealed.body, made.body);
    let acts = log.test.texts("SELECT act || ' ' || subject FROM audit WHERE act LIKE 'message.%'").await;
    assert_eq!(acts, [format!("message.body_shown {}", made.event)], "only the reveal is kept");
}

#[tokio::test]
async fn a_success_with_one_secret_names_it_and_a_test_is_known_by_its_attempts() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let school = made.school;
    let filled = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO secrets (secret_id, school_id, state, sealed, fingerprint, created_ms)
                       VALUES ($1, $2, 'active', $1, 'maple-otter', $3)";
            tx.conn.execute(sql, vec![vec![1].into(), school.into(), (START_MS - 1).into()]).await
        })
    });
    filled.await.expect("a secret");
    let mut test = success(&made);
    test.event = EventId::new(START_MS, log.test.entropy.bytes());
    test.event_type = rollcall_proto::webhook::event::EventType::ConnectionTest;
    (test.sequence, test.student, test.status) = (0, None, "failed");
    test.outcome = Outcome::failed(Cause::Dns, "");
    let test_id = test.event;
    log.record(vec![success(&made), test]).await;
    let mut client = log.operator().await;
    let shown = client.get_message(get(made.event, false)).await.expect("shown").into_inner();
    assert_eq!(shown.attempts[0].signed_by, ["maple-otter"]);
    let shown = client.get_message(get(test_id, false)).await.expect("shown").into_inner();
    assert_eq!((shown.event_type.as_str(), shown.state.as_str()), ("connection.test", "discarded"));
    let refused = client.resend_message(pb::ResendMessageRequest { message: test_id.to_string() }).await;
    assert_eq!(refused.expect_err("a test").code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn who_signed_is_known_after_a_secret_took_the_place_of_another() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Ada", &["a"])]).await;
    let school = made[0].school;
    let renew = || {
        log.test.store.act(move |tx| {
            Box::pin(async move {
                let (secret, stored) = secrets::create(tx, school, Begin::Active).await?;
                secrets::end_others(tx, school, Some(stored.info.id)).await?;
                // A code that nobody confirmed.
                let waits = Begin::Pending { claim_hash: None, overlap_ms: 0 };
                let (_, waits) = secrets::create(tx, school, waits).await?;
                secrets::end(tx, waits.info.id).await?;
                Ok(secret.fingerprint())
            })
        })
    };
    let first = renew().await.expect("a secret");
    log.test.clock.advance(1_000);
    let second = renew().await.expect("another one");
    let mut later = success(&made[1]);
    later.at_ms = START_MS + 1_000;
    log.record(vec![success(&made[0]), later]).await;
    let mut client = log.operator().await;
    for (delivery, fingerprint) in made.iter().zip([first, second]) {
        let shown = client.get_message(get(delivery.event, false)).await.expect("shown").into_inner();
        assert_eq!(shown.attempts[0].signed_by, [fingerprint.to_string()]);
    }
}

#[tokio::test]
async fn what_waits_or_rests_is_listed_by_state_in_pages() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..50).map(|number| format!("S-{number}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students.iter().map(|id| (id.as_str(), "Ada", &["a"][..])).collect();
    log.put(&puts).await;
    let sql =
        "UPDATE events SET state = CASE sequence % 5 WHEN 0 THEN 'delivered' WHEN 1 THEN 'parked' WHEN 2 THEN 'held'
               WHEN 3 THEN 'discarded' ELSE 'pending' END, reason = 'connection_down'";
    log.test.store.act(move |tx| Box::pin(async move { tx.conn.execute(sql, vec![]).await })).await.expect("set");
    let mut client = log.operator().await;
    let cases: [(&[&str], &[u64]); 5] = [
        (&[], &[1, 2, 4]),
        (&["parked"], &[1]),
        (&["delivered", "in_flight"], &[0]),
        (&["discarded", "held"], &[2, 3]),
        (&["in_flight"], &[]),
    ];
    for (states, rests) in cases {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let states = states.iter().map(|state| state.to_string()).collect();
            let request = pb::ListMessagesRequest { school: "a".into(), states, page_size: 7, page_token };
            let page = client.list_messages(request).await.expect("a page").into_inner();
            assert!(page.messages.len() <= 7);
            seen.extend(page.messages.iter().map(|message| message.sequence));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let expected: Vec<u64> = (1..=50).rev().filter(|sequence| rests.contains(&(sequence % 5))).collect();
        assert_eq!(seen, expected, "{states:?}");
    }
    let request = pb::ListMessagesRequest { school: "a".into(), states: vec!["lost".into()], ..Default::default() };
    let status = client.list_messages(request).await.expect_err("no state");
    assert!(status.message().contains("`lost` is no state; use pending"), "{}", status.message());
}

/// Each sync supersedes the student's message and writes a later one, in one transaction: at every moment one is open.
#[tokio::test]
async fn a_message_that_a_sync_replaces_meanwhile_is_in_every_list() {
    let mut log = Log::new().await;
    log.put(&[("S-1", "Ada", &["a"])]).await;
    let mut client = log.operator().await;
    let stop = CancellationToken::new();
    let syncs = tokio::spawn(sync::run(log.test.store.clone(), stop.clone()));

    let activations = async {
        for _ in 0..200 {
            log.test.activate(log.schools[0]).await;
        }
        stop.cancel();
    };
    let lists = async {
        while !stop.is_cancelled() {
            let request = pb::ListMessagesRequest { school: "a".into(), ..Default::default() };
            let listed = client.list_messages(request).await.expect("a list").into_inner();
            assert_eq!(listed.messages.len(), 1);
        }
    };
    tokio::join!(activations, lists);
    syncs.await.expect("ends");
}

#[tokio::test]
async fn what_belongs_to_another_district_is_not_found() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    log.record(vec![failure(&made)]).await;
    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Operator, vec![elsewhere]).await;
    let unknown = EventId::new(START_MS, log.test.entropy.bytes()).to_string();
    let (school, id) = (made.school.to_string(), made.event.to_string());
    let mut refused = Vec::new();
    for message in [&id, &unknown] {
        refused.push(outsider.get_message(get(message, true)).await.expect_err("foreign"));
        let resend = pb::ResendMessageRequest { message: message.clone() };
        refused.push(outsider.resend_message(resend).await.expect_err("foreign"));
    }
    assert_eq!(refused[0].message(), refused[2].message(), "a foreign id answers like an unknown one");
    let list = pb::ListAttemptsRequest { school: school.clone(), ..Default::default() };
    refused.push(outsider.list_attempts(list).await.expect_err("foreign"));
    let tail = pb::TailAttemptsRequest { school: school.clone(), ..Default::default() };
    refused.push(outsider.tail_attempts(tail).await.expect_err("foreign"));
    let list = pb::ListMessagesRequest { school: "a".into(), ..Default::default() };
    refused.push(outsider.list_messages(list).await.expect_err("foreign"));
    let replay = pb::ReplayRequest { school: school.clone(), filter: "status:failed".into(), ..Default::default() };
    refused.push(outsider.replay(replay).await.expect_err("foreign"));
    let discard = pb::DiscardMessagesRequest {
        school: school.clone(),
        messages: vec![id],
        reason: "no".into(),
        ..Default::default()
    };
    refused.push(outsider.discard_messages(discard).await.expect_err("foreign"));
    let stats = pb::GetStatsRequest { school, since: None };
    refused.push(outsider.get_stats(stats).await.expect_err("foreign"));
    assert!(refused.iter().all(|status| status.code() == Code::NotFound), "{refused:?}");
    assert_eq!(log.test.texts("SELECT state FROM events").await, ["pending"]);
    assert!(log.test.texts("SELECT act FROM audit WHERE act LIKE 'message.%'").await.is_empty());
}
