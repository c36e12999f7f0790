//! A school that was deleted at the provider and registered again: the same sourcedId, another id, everything from 1 on.

use rollcall_proto::{
    school::v1::{GetStatusRequest, InstallSecretRequest, ListGapsRequest, ListStudentHistoryRequest, SequenceGap},
    webhook::signature::SigningSecret,
};

use crate::support::*;

fn new_secret() -> SigningSecret {
    SigningSecret::from_bytes(&[9; 32]).expect("32 bytes")
}

/// What an enrollment hands over; `start_after` comes with the confirm.
fn handoff(start_after: Option<u64>) -> InstallSecretRequest {
    InstallSecretRequest {
        secret: new_secret().reveal().to_string(),
        secret_id: "sec_2".into(),
        digest_key: DIGEST_KEY.to_vec(),
        school_id: "sch_y".into(),
        school_sourced_id: "sch-7".into(),
        school_name: "Seven".into(),
        district_sourced_id: "dist-1".into(),
        keep_previous: start_after.is_none(),
        start_after_sequence: start_after,
        ..InstallSecretRequest::default()
    }
}

/// An event with an id that only this number has, and this sequence.
async fn send(receiver: &Receiver, key: &SigningSecret, number: u64, sequence: u64, student: (&str, u64)) {
    let (id, body) = student_event(number, "enrolled", student.0, student.1);
    let body = String::from_utf8(body).expect("UTF-8");
    let body = body.replace(&format!("\"sequence\":{number}"), &format!("\"sequence\":{sequence}"));
    let request = sign_at(key, &id.to_string(), receiver.clock.now_ms() / 1_000, body.into_bytes());
    let answer = receiver.post(&request).await;
    assert_eq!((answer.status.as_u16(), &answer.body["result"]), (200, &"applied".into()), "{number}");
    receiver.clock.advance(1_000);
}

/// Of a school whose sequences went to 40.
async fn earlier() -> Receiver {
    let receiver = Receiver::start().await;
    let mut desk = receiver.desk().await;
    let begin = InstallSecretRequest {
        secret: secret().reveal().to_string(),
        school_id: "sch_x".into(),
        start_after_sequence: Some(37),
        ..handoff(None)
    };
    desk.install_secret(begin).await.expect("installed");
    for number in 1..=3 {
        send(&receiver, &secret(), number, 37 + number, (&format!("S-{number}"), 10 + number)).await;
    }
    receiver
}

async fn figures(desk: &mut DeskClient) -> (u32, u64, u64) {
    let status = desk.get_status(GetStatusRequest {}).await.expect("a status").into_inner();
    (status.students, status.contiguous_sequence, status.highest_sequence)
}

#[tokio::test]
async fn a_school_registered_anew_begins_anew_with_the_confirm() {
    let receiver = earlier().await;
    let mut desk = receiver.desk().await;
    desk.install_secret(handoff(None)).await.expect("installed");
    assert_eq!(figures(&mut desk).await, (3, 40, 40), "until the confirm nothing is given up");
    send(&receiver, &secret(), 4, 41, ("S-4", 1)).await;

    desk.install_secret(handoff(Some(1))).await.expect("installed");
    assert_eq!(figures(&mut desk).await, (0, 1, 1));
    send(&receiver, &new_secret(), 1_001, 3, ("S-1", 1)).await;
    let gaps = desk.list_gaps(ListGapsRequest {}).await.expect("listed").into_inner().gaps;
    assert_eq!(gaps, [SequenceGap { from: 2, to: 2 }], "what is missing of the new school is found");
    assert_eq!(receiver.export().await, student_line("S-1", 1) + "\n");
    let ask = ListStudentHistoryRequest { sourced_id: "S-1".into(), ..ListStudentHistoryRequest::default() };
    let history = desk.list_student_history(ask).await.expect("listed").into_inner().arrivals;
    let told: Vec<(u64, u64)> = history.iter().map(|a| (a.event.as_ref().expect("one").sequence, a.version)).collect();
    assert_eq!(told, [(3, 1), (38, 0)], "what arrived before is still told");

    desk.install_secret(handoff(Some(1))).await.expect("installed");
    assert_eq!(figures(&mut desk).await, (1, 1, 3), "once is enough");
    drop(desk);
    let receiver = receiver.restart().await;
    assert_eq!(figures(&mut receiver.desk().await).await, (1, 1, 3));
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_message_that_is_faster_than_the_answer_to_the_confirm_is_kept() {
    for restarted in [false, true] {
        let mut receiver = earlier().await;
        receiver.desk().await.install_secret(handoff(None)).await.expect("installed");
        if restarted {
            receiver = receiver.restart().await;
        }
        let mut desk = receiver.desk().await;
        assert_eq!(figures(&mut desk).await, (3, 40, 40));
        send(&receiver, &new_secret(), 1_001, 8, ("S-1", 1)).await;
        assert_eq!(figures(&mut desk).await, (1, 0, 8));
        desk.install_secret(handoff(Some(7))).await.expect("installed");
        assert_eq!(figures(&mut desk).await, (1, 8, 8), "restarted: {restarted}");
        drop(desk);
        receiver.running.stop().await.expect("a clean stop");
    }
}
