//! With the engine and real receivers: what is queued here goes out, and comes back into the log.

use axum::{http::StatusCode, response::IntoResponse as _};
use provider_server::model::access::Role;
use rollcall_proto::provider::v1 as pb;

use super::door::{Client, Door};
use crate::engine::support::{Receiver, Rig, Settings};

/// Tails a school from its beginning until so many attempts came.
async fn tail_until(client: &mut Client, school: &str, filter: &str, count: usize) -> Vec<pb::Attempt> {
    let request = pb::TailAttemptsRequest { school: school.into(), filter: filter.into(), after_log_sequence: Some(0) };
    let mut tail = client.tail_attempts(request).await.expect("a tail").into_inner();
    let mut attempts = Vec::new();
    let waiting = async {
        while attempts.len() < count {
            attempts.extend(tail.message().await.expect("alive").expect("more").attempts);
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
    waited.unwrap_or_else(|_| panic!("fewer than {count} attempts of {filter}"));
    attempts
}

/// A running machine that has delivered once, and an operator.
async fn warm(receiver: &Receiver) -> (Rig, Client) {
    let mut rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings::default()).await;
    let door = Door::new(&rig.test, &rig.queue);
    let (mut client, _) = door.sign_in("operator", Role::Operator, vec![rig.district]).await;
    rig.start();
    rig.put(0, "S-warm", "Ada").await;
    tail_until(&mut client, "s0", "student:S-warm status:delivered", 1).await;
    (rig, client)
}

#[tokio::test]
async fn a_resend_and_a_replay_arrive_under_the_same_id() {
    let receiver = Receiver::accepting().await;
    let (mut rig, mut client) = warm(&receiver).await;
    rig.put(0, "S-1", "Ada").await;
    rig.put(0, "S-2", "Grace").await;
    let first = tail_until(&mut client, "s0", "student:S-1", 1).await.remove(0);
    tail_until(&mut client, "s0", "student:S-2", 1).await;

    let request = pb::ResendMessageRequest { message: first.message_id.clone() };
    let queued = client.resend_message(request).await.expect("queued").into_inner();
    assert_eq!(queued.queued_as_try, 2);
    let resent = tail_until(&mut client, "s0", "trigger:resend", 1).await.remove(0);
    assert_eq!(
        (resent.message_id, resent.try_number, resent.status.as_str()),
        (first.message_id.clone(), 2, "delivered")
    );

    let request = pb::ReplayRequest {
        school: "s0".into(),
        filter: "status:delivered -student:S-warm".into(),
        ..Default::default()
    };
    let replayed = client.replay(request).await.expect("queued").into_inner();
    assert_eq!((replayed.messages, replayed.refused), (2, 0));
    tail_until(&mut client, "s0", "trigger:replay status:delivered", 2).await;
    let got = receiver.got();
    let of_first = got.iter().filter(|received| received.header("webhook-id") == first.message_id);
    let bodies: Vec<_> = of_first.map(|received| received.body.clone()).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the same bytes each time");
    rig.until("SELECT state FROM events ORDER BY sequence", &["delivered"; 3]).await;

    let shown = pb::GetMessageRequest { message: first.message_id, reveal_body: true };
    let shown = client.get_message(shown).await.expect("shown").into_inner();
    assert_eq!((shown.state.as_str(), shown.tries, shown.attempts.len()), ("delivered", 3, 3));
    assert_eq!(shown.body, bodies[0]);
    assert_eq!(shown.attempts[2].signed_by.len(), 1, "the one secret signed");
    rig.stop().await;
}

#[tokio::test]
async fn what_a_receiver_refuses_is_explained_and_goes_out_once_it_is_mended() {
    let receiver = Receiver::start(|_, received| match received.json()["data"]["object"]["sourcedId"].as_str() {
        Some("S-bad") => (StatusCode::IM_A_TEAPOT, "short and stout").into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let (mut rig, mut client) = warm(&receiver).await;
    rig.put(0, "S-bad", "Ada").await;
    tail_until(&mut client, "s0", "status:failed", 1).await;
    // Others arrive after its first try: so it is the message, not the connection.
    rig.put(0, "S-good", "Grace").await;
    let rows = "SELECT state || ' ' || reason FROM events ORDER BY sequence";
    rig.until(rows, &["delivered ", "parked exhausted", "delivered "]).await;
    let parked = tail_until(&mut client, "s0", "status:parked", 1).await.remove(0);
    assert_eq!((parked.code, parked.student_sourced_id.as_str(), parked.cause.as_str()), (418, "S-bad", "http"));
    assert!(parked.explanation.contains("418"));
    let rests = pb::ListMessagesRequest { school: "s0".into(), states: vec!["parked".into()], ..Default::default() };
    let rests = client.list_messages(rests).await.expect("a page").into_inner().messages;
    assert_eq!((rests.len(), rests[0].id.clone()), (1, parked.message_id.clone()));
    let shown = pb::GetMessageRequest { message: parked.message_id.clone(), reveal_body: false };
    let shown = client.get_message(shown).await.expect("shown").into_inner();
    assert!(shown.attempts.iter().all(|detail| detail.response_body == b"short and stout"));

    receiver.now_answers(|_, _| StatusCode::OK.into_response());
    let request =
        pb::ReplayRequest { school: "s0".into(), filter: "status:parked code:4xx".into(), ..Default::default() };
    assert_eq!(client.replay(request).await.expect("queued").into_inner().messages, 1);
    let replayed = tail_until(&mut client, "s0", "trigger:replay", 1).await.remove(0);
    assert_eq!((replayed.message_id, replayed.status.as_str()), (parked.message_id, "delivered"));
    let stats = pb::GetStatsRequest { school: "s0".into(), since: None };
    let stats = client.get_stats(stats).await.expect("figures").into_inner();
    assert_eq!((stats.by_cause.len(), stats.by_status["parked"] >= 1, stats.parked), (1, true, 0));
    rig.stop().await;
}

#[tokio::test]
async fn a_cancelled_replay_sends_no_more_and_what_was_under_way_is_told() {
    static PERMITS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);
    let receiver = Receiver::hanging_from(2, &PERMITS).await;
    let other = Receiver::accepting().await;
    let mut rig = Rig::new(2).await;
    rig.connect(0, &receiver.url(), Settings { max_in_flight: 1, ..Settings::default() }).await;
    rig.connect(1, &other.url(), Settings::default()).await;
    let door = Door::new(&rig.test, &rig.queue);
    let (mut client, _) = door.sign_in("ada", Role::Operator, vec![rig.district]).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    rig.put(0, "S-2", "Grace").await;
    tail_until(&mut client, "s0", "status:delivered", 2).await;

    let request = pb::ReplayRequest { school: "s0".into(), filter: "status:delivered".into(), ..Default::default() };
    let queued = client.replay(request).await.expect("queued").into_inner();
    assert_eq!(queued.messages, 2);
    receiver.wait_for(3).await;
    let cancel = pb::CancelReplayRequest { school: "s0".into(), replay: queued.replay };
    let cancelled = client.cancel_replay(cancel).await.expect("cancelled").into_inner();
    // An attempt is recorded once it ends: the one under way counts among those not attempted.
    assert_eq!((cancelled.restored, cancelled.begun), (2, 0));
    // What another school gets was committed later: by then the machine knows of the cancel.
    rig.put(1, "S-4", "Flo").await;
    tail_until(&mut client, "s1", "status:delivered", 1).await;
    PERMITS.add_permits(1);
    let ended = tail_until(&mut client, "s0", "trigger:replay", 1).await.remove(0);
    // The machine goes on, and the other one stays as it was.
    rig.put(0, "S-3", "Eve").await;
    PERMITS.add_permits(1);
    tail_until(&mut client, "s0", "student:S-3 status:delivered", 1).await;
    rig.until("SELECT state || ' ' || next_trigger FROM events", &["delivered automatic"; 4]).await;
    assert_eq!(receiver.got().len(), 4);
    let shown = pb::GetMessageRequest { message: ended.message_id, reveal_body: false };
    let shown = client.get_message(shown).await.expect("shown").into_inner();
    assert_eq!((shown.tries, shown.attempts[1].requested_by.as_str()), (2, "ada"));
    rig.stop().await;
}
