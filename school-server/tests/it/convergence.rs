//! Whatever the order, a student ends at the highest version.

use futures::{StreamExt, stream};
use rollcall_proto::school::v1::{GetRosterDigestRequest, GetStatusRequest};

use crate::support::*;

const STORY: [&str; 6] = ["created", "updated", "withdrawn", "enrolled", "deleted", "enrolled"];

/// Every order of `0..n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    shorter.iter().flat_map(|order| (0..n).map(move |at| [&order[..at], &[n - 1], &order[at..]].concat())).collect()
}

#[tokio::test]
async fn every_order_of_up_to_six_events_ends_at_the_highest_version() {
    let receiver = Receiver::start().await;
    let mut stories = Vec::new();
    for length in 1..=STORY.len() {
        for order in permutations(length) {
            stories.push((format!("S-{:04}", stories.len()), length, order));
        }
    }
    assert_eq!(stories.len(), 1 + 2 + 6 + 24 + 120 + 720);
    let receiver_ref = &receiver;
    let sent: u64 = stream::iter(stories.iter().enumerate())
        .map(|(index, (sourced_id, _, order))| async move {
            for &step in order {
                let number = (index * STORY.len() + step + 1) as u64;
                let (id, body) = student_event(number, STORY[step], sourced_id, step as u64 + 1);
                let request = receiver_ref.sign(id, body);
                assert_eq!(receiver_ref.post(&request).await.status.as_u16(), 200);
                if step % 3 == 0 {
                    assert_eq!(receiver_ref.post(&request).await.body["result"], "duplicate");
                }
            }
            order.len() as u64
        })
        .buffer_unordered(48)
        .fold(0, async |sum, sent| sum + sent)
        .await;
    assert_eq!(sent, 1 + 4 + 18 + 96 + 600 + 4_320);

    let mut expected = String::new();
    for (sourced_id, length, _) in &stories {
        if !matches!(STORY[length - 1], "withdrawn" | "deleted") {
            expected.push_str(&student_line(sourced_id, *length as u64));
            expected.push('\n');
        }
    }
    let exported = receiver.export().await;
    assert!(exported == expected, "the rosters differ: {} and {} bytes", exported.len(), expected.len());
    let mut desk = receiver.desk().await;
    let digest = desk.get_roster_digest(GetRosterDigestRequest {}).await.expect("a digest").into_inner();
    assert_eq!(digest.digest, digest_of(&expected));
    let status = desk.get_status(GetStatusRequest {}).await.expect("a status").into_inner();
    assert_eq!(status.students as usize, expected.lines().count());
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}
