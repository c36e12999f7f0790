//! Who had a message sent again.

use provider_server::{
    model::{
        access::Role,
        delivery::{NewDelivery, Trigger},
        log_filter::LogFilter,
    },
    store::{
        log::replay::{Selection, replay},
        record::AttemptRow,
    },
};
use rollcall_proto::provider::v1 as pb;

use super::{
    acts::delivered,
    door::{Client, Log},
};

fn attempt(delivery: &NewDelivery, try_number: u32, trigger: Trigger, at_ms: i64) -> AttemptRow {
    AttemptRow { try_number, trigger, at_ms, ..delivered(delivery) }
}

async fn requested_by(client: &mut Client, delivery: &NewDelivery) -> Vec<String> {
    let request = pb::GetMessageRequest { message: delivery.event.to_string(), reveal_body: false };
    let message = client.get_message(request).await.expect("shown").into_inner();
    message.attempts.into_iter().map(|detail| detail.requested_by).collect()
}

#[tokio::test]
async fn each_attempt_tells_who_had_it_made() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("S-2", "Grace", &["a"])]).await;
    log.record(vec![delivered(&made[0]), delivered(&made[1])]).await;
    let (mut ada, _) = log.sign_in("ada", Role::Operator, vec![log.district]).await;
    let (mut bo, _) = log.sign_in("bo", Role::Operator, vec![log.district]).await;
    let (mut viewer, _) = log.sign_in("viewer", Role::Viewer, vec![log.district]).await;

    log.test.clock.advance(1_000);
    let resend = pb::ResendMessageRequest { message: made[0].event.to_string() };
    ada.resend_message(resend.clone()).await.expect("queued");
    log.test.clock.advance(1_000);
    log.record(vec![attempt(&made[0], 2, Trigger::Resend, log.test.store.now_ms())]).await;
    // One that was under way when somebody asked once more is of who asked before.
    log.test.clock.advance(1_000);
    bo.resend_message(resend.clone()).await.expect("queued");
    let under_way_ms = log.test.store.now_ms();
    log.test.clock.advance(1_000);
    ada.resend_message(resend).await.expect("queued");
    log.record(vec![attempt(&made[0], 3, Trigger::Resend, under_way_ms)]).await;
    // A retry by the schedule is nobody's.
    log.record(vec![attempt(&made[0], 4, Trigger::Automatic, log.test.store.now_ms())]).await;
    let all = pb::ReplayRequest { school: "a".into(), filter: "event:student.*".into(), ..Default::default() };
    log.test.clock.advance(1_000);
    assert_eq!(bo.replay(all).await.expect("queued").into_inner().messages, 2);
    let now_ms = log.test.store.now_ms();
    log.record(vec![attempt(&made[0], 5, Trigger::Replay, now_ms), attempt(&made[1], 2, Trigger::Replay, now_ms)])
        .await;
    assert_eq!(requested_by(&mut viewer, &made[0]).await, ["", "ada", "bo", "", "bo"]);
    assert_eq!(requested_by(&mut viewer, &made[1]).await, ["", "bo"]);

    // The school itself, by its twin.
    let (place, school) = ((log.schools[0], log.district), format!("school:{}", log.schools[0]));
    let filter: LogFilter = "student:S-2".parse().expect("a filter");
    let selection = Selection { filter, ..Selection::default() };
    log.test.clock.advance(1_000);
    assert_eq!(replay(&log.test.store, place, selection, &school, false).await.expect("queued").messages, 1);
    log.record(vec![attempt(&made[1], 3, Trigger::Replay, log.test.store.now_ms())]).await;
    assert_eq!(requested_by(&mut viewer, &made[1]).await, ["", "bo", school.as_str()]);
}
