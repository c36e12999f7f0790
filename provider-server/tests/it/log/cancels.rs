//! Cancelling a replay.

use provider_server::model::{
    access::Role,
    delivery::{NewDelivery, Trigger},
    outcome::Cause,
};
use rollcall_proto::{id::DistrictId, provider::v1 as pb};
use tonic::Code;

use super::{
    acts::{delivered, parked, rows},
    door::{Client, Log, failure, success},
};
use crate::support::START_MS;

fn ask(replay: &str) -> pb::CancelReplayRequest {
    pb::CancelReplayRequest { school: "a".into(), replay: replay.into() }
}

async fn replay(client: &mut Client, filter: &str) -> pb::ReplayResponse {
    let request = pb::ReplayRequest { school: "a".into(), filter: filter.into(), ..Default::default() };
    client.replay(request).await.expect("queued").into_inner()
}

async fn cancel(client: &mut Client, replay: &str) -> (u64, u64) {
    let answer = client.cancel_replay(ask(replay)).await.expect("cancelled").into_inner();
    (answer.restored, answer.begun)
}

/// A message that arrived, one that is parked alone, and one that waits for its second try.
async fn three(log: &mut Log) -> Vec<NewDelivery> {
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Grace", &["a"]), ("S-3", "Eve", &["a"])]).await;
    let waits = provider_server::store::record::MessageUpdate {
        state: "pending",
        reason: "",
        automatic_tries: 1,
        due_ms: START_MS + 5_000,
    };
    let mut retried = failure(&made[2]);
    retried.message = Some(waits);
    log.record(vec![delivered(&made[0]), parked(&made[1], Cause::Http), retried]).await;
    made
}

#[tokio::test]
async fn what_was_not_attempted_goes_back_to_what_it_was() {
    let mut log = Log::new().await;
    let made = three(&mut log).await;
    let before = rows(&log).await;
    assert!(before[1].contains("parked") && before[2].contains(&(START_MS + 5_000).to_string()), "{before:?}");
    log.test.clock.advance(1_000);
    let (mut client, _) = log.sign_in("ada", Role::Operator, vec![log.district]).await;
    let queued = replay(&mut client, "event:student.*").await;
    assert_eq!((queued.messages, queued.cancelled, queued.replay.len()), (3, false, 32));
    assert!(rows(&log).await.iter().all(|row| row.contains("pending replay")));
    // Its first message is attempted, the others are not.
    let mut second = delivered(&made[0]);
    (second.try_number, second.trigger) = (2, Trigger::Replay);
    log.record(vec![second]).await;
    let arrived = rows(&log).await.remove(0);
    log.reloads();
    assert_eq!(cancel(&mut client, &queued.replay).await, (2, 1));
    assert_eq!(log.reloads(), [log.schools[0]]);
    assert_eq!(rows(&log).await, [&[arrived][..], &before[1..]].concat());
    assert_eq!(cancel(&mut client, "").await, (0, 1), "the newest is the same, and nothing is left to do");
    let acts = log.test.texts("SELECT actor || ' ' || detail FROM audit WHERE act = 'messages.replay_cancelled'").await;
    assert_eq!(acts, [format!("staff:ada {}", queued.replay)]);
}

#[tokio::test]
async fn what_somebody_asked_for_later_stays_queued() {
    let mut log = Log::new().await;
    let made = three(&mut log).await;
    let before = rows(&log).await;
    let mut client = log.operator().await;
    let first = replay(&mut client, "event:student.*").await.replay;
    log.test.clock.advance(1_000);
    client.resend_message(pb::ResendMessageRequest { message: made[0].event.to_string() }).await.expect("queued");
    let second = replay(&mut client, "student:S-2").await.replay;
    assert_eq!(cancel(&mut client, &first).await, (1, 0), "only what nobody else wants");
    let now = rows(&log).await;
    assert!(now[0].contains("pending resend") && now[1].contains("pending replay"), "{now:?}");
    assert_eq!(now[2], before[2]);
    // What it was before both, not before the second.
    assert_eq!(cancel(&mut client, &second).await, (1, 0));
    assert_eq!(rows(&log).await[1], before[1]);
}

#[tokio::test]
async fn a_replay_that_is_still_being_queued_queues_no_more() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..3_000).map(|number| format!("S-{number}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students.iter().map(|id| (id.as_str(), "Ada", &["a"][..])).collect();
    for part in puts.chunks(500) {
        let made = log.put(part).await;
        log.record(made.iter().map(delivered).collect()).await;
    }
    let before = rows(&log).await;
    let mut client = log.operator().await;
    let mut other = client.clone();
    let replaying = tokio::spawn(async move { replay(&mut other, "status:delivered").await });
    // Wherever it is by then.
    let answer = loop {
        match client.cancel_replay(ask("")).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::NotFound),
        }
    };
    let queued = replaying.await.expect("answered");
    assert_eq!((queued.replay, queued.messages), (answer.replay, answer.restored));
    assert_eq!(queued.cancelled, queued.messages < 3_000);
    assert_eq!(rows(&log).await, before);
}

#[tokio::test]
async fn only_an_operator_of_the_school_cancels_and_only_its_own_replays() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    log.record(vec![success(&made), delivered(&made)]).await;
    let mut client = log.operator().await;
    for (wrong, code) in [("", Code::NotFound), ("00", Code::InvalidArgument), ("x", Code::InvalidArgument)] {
        assert_eq!(client.cancel_replay(ask(wrong)).await.expect_err(wrong).code(), code, "{wrong}");
    }
    let queued = replay(&mut client, "status:delivered").await;
    let elsewhere = pb::CancelReplayRequest { school: "b".into(), replay: queued.replay.clone() };
    assert_eq!(client.cancel_replay(elsewhere).await.expect_err("of another school").code(), Code::NotFound);
    let (mut viewer, _) = log.sign_in("viewer", Role::Viewer, vec![log.district]).await;
    let denied = viewer.cancel_replay(ask(&queued.replay)).await.expect_err("a viewer");
    assert_eq!(denied.code(), Code::PermissionDenied);
    let foreign = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Operator, vec![foreign]).await;
    assert_eq!(outsider.cancel_replay(ask(&queued.replay)).await.expect_err("foreign").code(), Code::NotFound);
    assert!(rows(&log).await[0].contains("pending replay"));
}
