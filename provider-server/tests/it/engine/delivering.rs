//! A change arrives signed, once, and its attempt is in the log.

use rollcall_proto::webhook::signature::verify;

use super::support::{Receiver, Rig, Settings};

#[tokio::test]
async fn a_change_arrives_signed_so_that_ours_and_the_published_library_accept_it() {
    let receiver = Receiver::accepting().await;
    let mut rig = Rig::new(1).await;
    let secret = rig.connect(0, &receiver.url(), Settings::default()).await;
    rig.start();
    rig.put(0, "S-1", "Ada").await;
    let got = receiver.wait_for(1).await.remove(0);
    assert_eq!((got.header("content-type"), got.sequence()), ("application/json", 1));
    assert_eq!(got.json()["id"], got.header("webhook-id"), "the header and the envelope name the same event");

    let header = |name| got.header(name);
    let (id, time, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let now_s = time.parse().expect("a number");
    assert_eq!(verify(std::slice::from_ref(&secret), id, time, signature, &got.body, now_s), Ok(0));
    let published = standardwebhooks::Webhook::new(&secret.reveal()).expect("a secret");
    published.verify(&got.body, &got.headers).expect("the published library accepts it");
    let mut flipped = got.body.to_vec();
    flipped[10] ^= 1;
    assert!(published.verify(&flipped, &got.headers).is_err(), "and refuses a flipped bit");

    rig.until("SELECT state FROM events", &["delivered"]).await;
    let log =
        "SELECT status || ' ' || trigger_kind || ' ' || try_number || ' ' || log_sequence || ' ' || code FROM attempts";
    rig.until(log, &["delivered automatic 1 1 204"]).await;
    let answers = rig.test.texts("SELECT hex(sealed) FROM attempt_answers").await;
    assert!(answers.is_empty(), "a success keeps status, size and times");
    rig.stop().await;
}
