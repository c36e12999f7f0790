use provider_server::{
    model::{
        access::Role,
        delivery::NewDelivery,
        outcome::{Cause, Outcome},
    },
    store::record::{AttemptRow, MessageUpdate},
};
use rollcall_proto::{id::DistrictId, provider::v1 as pb};
use tonic::Code;

use super::{
    acts::{delivered, parked},
    door::{Client, Log, failure},
};
use crate::support::START_MS;

/// The attempt was answered with a code, and the message is so afterwards.
fn answered(delivery: &NewDelivery, code: u16, state: &'static str, reason: &'static str) -> AttemptRow {
    let message = MessageUpdate { state, reason, automatic_tries: 1, due_ms: START_MS + 5_000 };
    let outcome = Outcome { code, ..Outcome::failed(Cause::Http, "") };
    let status = if state == "pending" { "retrying" } else { state };
    AttemptRow { message: Some(message), status, outcome, ..failure(delivery) }
}

/// Ten messages to `a`, two to `b`: retrying, parked alone for two causes, down, and those that never failed.
async fn troubled() -> (Log, Vec<NewDelivery>) {
    let mut log = Log::new().await;
    let names: Vec<String> = (0..10).map(|n| format!("S-{n}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = names.iter().map(|id| (id.as_str(), "Ada", &["a"][..])).collect();
    let mut made = log.put(&puts).await;
    log.test.clock.advance(60_000);
    made.extend(log.put(&[("T-0", "Ada", &["b"]), ("T-1", "Ada", &["b"])]).await);
    let attempts = vec![
        delivered(&made[0]),
        answered(&made[1], 503, "pending", ""),
        answered(&made[2], 503, "pending", ""),
        answered(&made[3], 422, "parked", "exhausted"),
        answered(&made[4], 422, "parked", "exhausted"),
        answered(&made[5], 422, "parked", "exhausted"),
        parked(&made[6], Cause::Timeout),
        answered(&made[10], 503, "parked", "connection_down"),
    ];
    log.record(attempts).await;
    let school = log.schools[1];
    let rest = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "UPDATE events SET state = 'parked', reason = 'connection_down' WHERE school_id = $1";
            tx.conn.execute(sql, vec![school.into()]).await
        })
    });
    rest.await.expect("parked");
    (log, made)
}

async fn groups(client: &mut Client) -> Vec<pb::UndeliveredGroup> {
    let (mut groups, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListUndeliveredRequest { page_size: 1, page_token, ..Default::default() };
        let page = client.list_undelivered(request).await.expect("a page").into_inner();
        groups.extend(page.groups);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return groups;
        }
    }
}

fn group(state: &str, reason: &str, cause: &str, code: u32) -> pb::MessageGroup {
    pb::MessageGroup { state: state.into(), reason: reason.into(), cause: cause.into(), code }
}

fn discard(school: &str, group: pb::MessageGroup) -> pb::DiscardMessagesRequest {
    pb::DiscardMessagesRequest {
        school: school.into(),
        reason: "not wanted".into(),
        group: Some(group),
        ..Default::default()
    }
}

async fn states(log: &Log) -> Vec<String> {
    log.test.texts("SELECT sourced_id || ' ' || state || ' ' || reason FROM events ORDER BY sourced_id, sequence").await
}

#[tokio::test]
async fn what_failed_alike_is_one_group_with_its_words() {
    let (log, made) = troubled().await;
    let mut client = log.sign_in("vera", Role::Viewer, vec![log.district]).await.0;
    let found = groups(&mut client).await;
    let told: Vec<(&str, pb::MessageGroup, u64, &str, u32)> = found
        .iter()
        .map(|g| (g.school_name.as_str(), g.group.clone().expect("named"), g.messages, g.cause.as_str(), g.code))
        .collect();
    let expected = [
        ("a", group("parked", "exhausted", "http", 422), 3, "http", 422),
        ("a", group("parked", "exhausted", "timeout", 0), 1, "timeout", 0),
        ("a", group("pending", "", "http", 503), 2, "http", 503),
        ("b", group("parked", "connection_down", "", 0), 2, "http", 503),
    ];
    assert_eq!(told, expected, "what waits for its first try is in none");
    assert_eq!(found[0].sample_message, made[3].event.to_string(), "the oldest");
    assert!(found.iter().all(|group| !group.more && group.explanation.ends_with('.')));
    let seconds = |at: &Option<prost_types::Timestamp>| at.as_ref().expect("a time").seconds;
    assert_eq!(seconds(&found[3].first_at) - seconds(&found[0].last_at), 60);

    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Operator, vec![elsewhere]).await;
    assert!(groups(&mut outsider).await.is_empty());
    let foreign = pb::ListUndeliveredRequest { school: log.schools[0].to_string(), ..Default::default() };
    assert_eq!(outsider.list_undelivered(foreign).await.expect_err("foreign").code(), Code::NotFound);
    let refused = outsider.discard_messages(discard("a", group("parked", "exhausted", "", 0))).await;
    assert_eq!(refused.expect_err("foreign").code(), Code::NotFound);
    let undo = pb::UndoDiscardRequest { school: "a".into(), undo: "00".repeat(16) };
    assert_eq!(outsider.undo_discard(undo).await.expect_err("foreign").code(), Code::NotFound);
}

#[tokio::test]
async fn a_group_is_replayed_exactly() {
    let (mut log, _) = troubled().await;
    let mut client = log.operator().await;
    log.reloads();
    let replay =
        |group, dry_run| pb::ReplayRequest { school: "a".into(), group: Some(group), dry_run, ..Default::default() };
    for (group, count) in [
        (group("parked", "exhausted", "http", 422), 3),
        (group("parked", "exhausted", "http", 503), 0),
        (group("pending", "", "http", 503), 2),
        (group("parked", "exhausted", "", 0), 4),
    ] {
        let counted = client.replay(replay(group.clone(), true)).await.expect("counted").into_inner();
        assert_eq!((counted.messages, counted.refused), (count, 0), "{group:?}");
    }
    let queued = client.replay(replay(group("parked", "exhausted", "http", 422), false)).await.expect("queued");
    assert_eq!(queued.into_inner().messages, 3);
    let queued = log.test.texts("SELECT sourced_id FROM events WHERE next_trigger = 'replay' ORDER BY sequence").await;
    assert_eq!(queued, ["S-3", "S-4", "S-5"]);
    let acts = log.test.texts("SELECT detail FROM audit WHERE act = 'messages.replayed'").await;
    assert_eq!(acts, ["3 messages, group parked exhausted http 422"]);

    let both = pb::ReplayRequest { filter: "status:failed".into(), ..replay(group("held", "gone", "", 0), true) };
    for wrong in [both, replay(group("sent", "", "", 0), true), replay(group("held", "", "", 410), true)] {
        assert_eq!(client.replay(wrong).await.expect_err("refused").code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_discard_is_taken_back_as_long_as_it_is_young() {
    let (mut log, made) = troubled().await;
    let before = states(&log).await;
    let mut client = log.operator().await;
    log.reloads();
    let alone = group("parked", "exhausted", "", 0);
    let answer = client.discard_messages(discard("a", alone.clone())).await.expect("discarded").into_inner();
    assert_eq!(answer.discarded, 4);
    assert_eq!(log.reloads(), [log.schools[0]]);
    assert_eq!(states(&log).await[3], "S-3 discarded not wanted");

    // Somebody sends one of them again, and a later version of another one's student arrives meanwhile.
    let resend = pb::ResendMessageRequest { message: made[3].event.to_string() };
    client.resend_message(resend).await.expect("queued");
    let later = log.put(&[("S-4", "Grace", &["a"])]).await;
    log.record(vec![delivered(&later[0])]).await;
    let undo = pb::UndoDiscardRequest { school: "a".into(), undo: answer.undo };
    let undone = client.undo_discard(undo.clone()).await.expect("taken back").into_inner();
    assert_eq!((undone.restored, undone.superseded), (2, 1));
    let mut expected = before;
    expected[3] = "S-3 pending ".into();
    expected[4] = "S-4 superseded later_version_delivered".into();
    expected.insert(5, "S-4 delivered ".into());
    assert_eq!(states(&log).await, expected);
    assert_eq!(log.reloads(), [log.schools[0]], "the engine reads them again");
    let again = client.undo_discard(undo).await.expect_err("once");
    assert_eq!(again.code(), Code::FailedPrecondition);
    let acts =
        log.test.texts("SELECT act || ': ' || detail FROM audit WHERE act LIKE 'messages.%' ORDER BY number").await;
    let expected =
        ["messages.discarded: 4 messages, parked exhausted: not wanted", "messages.discard_undone: 4 messages"];
    assert_eq!(acts, expected);

    // The same by their ids; after 10 minutes it is too late.
    let named = pb::DiscardMessagesRequest {
        school: "b".into(),
        messages: vec![made[10].event.to_string()],
        reason: "old".into(),
        ..Default::default()
    };
    let answer = client.discard_messages(named).await.expect("discarded").into_inner();
    assert_eq!(answer.discarded, 1);
    log.test.clock.advance(600_001);
    let late = pb::UndoDiscardRequest { school: "b".into(), undo: answer.undo };
    assert_eq!(client.undo_discard(late).await.expect_err("late").code(), Code::FailedPrecondition);
    let purged = log.test.store.act(|tx| Box::pin(provider_server::store::log::discard::purge(tx)));
    purged.await.expect("purged");
    assert!(log.test.texts("SELECT state FROM discards").await.is_empty());

    let both = pb::DiscardMessagesRequest { messages: vec![made[11].event.to_string()], ..discard("b", alone) };
    assert_eq!(client.discard_messages(both).await.expect_err("both").code(), Code::InvalidArgument);
    let none = client.discard_messages(discard("a", group("held", "gone", "", 0))).await.expect("none").into_inner();
    assert_eq!((none.discarded, none.undo.as_str(), none.undo_until), (0, "", None));
    let (mut viewer, _) = log.sign_in("viewer", Role::Viewer, vec![log.district]).await;
    let refused = viewer.discard_messages(discard("a", group("parked", "exhausted", "", 0))).await;
    assert_eq!(refused.expect_err("a viewer").code(), Code::PermissionDenied);
}
