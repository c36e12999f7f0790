//! One student's history with its differences, gaps in the sequence, and alarms.

use rollcall_proto::school::v1::{
    FieldChange, ListAlertsRequest, ListGapsRequest, ListStudentHistoryRequest, SequenceGap, StudentArrival,
};
use tonic::Code;

use crate::support::*;

async fn arrivals(desk: &mut DeskClient, page_size: u32) -> Vec<StudentArrival> {
    let (mut arrivals, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListStudentHistoryRequest { sourced_id: "S-1".into(), page_size, page_token };
        let page = desk.list_student_history(request).await.expect("a page").into_inner();
        arrivals.extend(page.arrivals);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return arrivals;
        }
    }
}

async fn send(receiver: &Receiver, number: u64, kind: &str, sourced_id: &str, version: u64) {
    let (id, body) = student_event(number, kind, sourced_id, version);
    assert!(receiver.post(&receiver.sign(id, body)).await.status.is_success());
    receiver.clock.advance(1_000);
}

#[tokio::test]
async fn a_history_tells_what_each_version_changed_until_the_student_leaves() {
    let receiver = Receiver::start().await;
    send(&receiver, 1, "created", "S-1", 1).await;
    send(&receiver, 2, "created", "S-2", 1).await;
    send(&receiver, 3, "updated", "S-1", 4).await;
    send(&receiver, 4, "updated", "S-1", 2).await;
    send(&receiver, 3, "updated", "S-1", 4).await;
    send(&receiver, 5, "updated", "S-1", 5).await;
    let mut desk = receiver.desk().await;
    let history = arrivals(&mut desk, 2).await;
    let told: Vec<(u64, &str, u64)> = history
        .iter()
        .map(|arrival| {
            let event = arrival.event.as_ref().expect("an event");
            (event.sequence, event.result.as_str(), arrival.version)
        })
        .collect();
    assert_eq!(told, [(5, "applied", 5), (3, "duplicate", 0), (4, "stale", 0), (3, "applied", 4), (1, "applied", 1)]);
    let change = |old: &str, new: &str| {
        let field = "familyName".to_owned();
        [FieldChange { field, old_value: Some(format!("\"{old}\"")), new_value: Some(format!("\"{new}\"")) }]
    };
    assert_eq!(history[0].fields, change("Canary4", "Canary5"));
    assert_eq!(history[3].fields, change("Canary1", "Canary4"));
    assert!(history[4].fields.is_empty());
    assert_eq!(history[3].json, student_line("S-1", 4));

    send(&receiver, 6, "withdrawn", "S-1", 6).await;
    let history = arrivals(&mut desk, 100).await;
    assert_eq!(history.len(), 6);
    assert!(
        history.iter().all(|arrival| arrival.json.is_empty() && arrival.fields.is_empty()),
        "who leaves is forgotten"
    );
    send(&receiver, 7, "enrolled", "S-1", 7).await;
    let history = arrivals(&mut desk, 100).await;
    assert_eq!((history[0].version, history[0].fields.len()), (7, 0), "a new beginning");
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_history_keeps_a_bounded_number_of_versions() {
    let receiver = Receiver::start().await;
    for number in 1..=130 {
        send(&receiver, number, if number == 1 { "created" } else { "updated" }, "S-1", number).await;
    }
    let history = arrivals(&mut receiver.desk().await, 1_000).await;
    let kept = history.iter().filter(|arrival| arrival.version > 0).count();
    assert_eq!((history.len(), kept), (130, 101), "the current one and 100 before it");
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn gaps_are_the_sequences_that_did_not_arrive() {
    let receiver = Receiver::start().await;
    let mut desk = receiver.desk().await;
    let none = desk.list_gaps(ListGapsRequest {}).await.expect("listed").into_inner();
    assert_eq!((none.gaps.len(), none.missing, none.highest_sequence), (0, 0, 0));
    for number in [1, 2, 5, 9] {
        send(&receiver, number, "created", &format!("S-{number}"), 1).await;
    }
    let gaps = desk.list_gaps(ListGapsRequest {}).await.expect("listed").into_inner();
    assert_eq!(gaps.gaps, [SequenceGap { from: 3, to: 4 }, SequenceGap { from: 6, to: 8 }]);
    assert_eq!((gaps.missing, gaps.contiguous_sequence, gaps.highest_sequence), (5, 2, 9));
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn alarms_are_listed_newest_first() {
    let receiver = Receiver::start().await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        let (id, body) = student_event(number, "created", "S-1", number);
        assert_eq!(receiver.post(&receiver.sign(id, body)).await.status.as_u16(), 200);
        let (_, other) = student_event(number, "created", "S-9", number);
        assert_eq!(receiver.post(&receiver.sign(id, other)).await.status.as_u16(), 409);
        ids.insert(0, id.to_string());
    }
    let mut desk = receiver.desk().await;
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let page = desk.list_alerts(ListAlertsRequest { page_size: 2, page_token }).await.expect("a page").into_inner();
        found.extend(page.alerts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found.iter().map(|alert| alert.message_id.clone()).collect::<Vec<_>>(), ids);
    assert!(found.iter().all(|alert| alert.words.contains("two different signed bodies")));
    let wrong = ListAlertsRequest { page_size: 0, page_token: "x".into() };
    assert_eq!(desk.list_alerts(wrong).await.expect_err("not ours").code(), Code::InvalidArgument);
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}
