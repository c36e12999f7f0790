//! A second party with a code: what mail is told about it.

use provider_server::{
    model::digest::{News, Subject, Told},
    store::mail,
};
use rollcall_proto::webhook::signature::SigningSecret;

use super::support::{Server, confirm, redeem};

async fn news(server: &Server, told: &Told) -> (Vec<News>, Told) {
    let store = &server.running.store;
    let observed = mail::observe(&mut store.reader().await.expect("a reader")).await.expect("observed");
    let school = observed.subjects.into_iter().find(|one| matches!(one.of, Subject::School(_))).expect("the school");
    told.news(&school.now, store.now_ms())
}

#[tokio::test]
async fn a_second_party_is_told_before_and_after_the_confirm_whatever_staff_do_meanwhile() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    server.enrollment().redeem(redeem(&code, 1)).await.expect("redeemed");
    let (none, told) = news(&server, &Told::default()).await;
    assert_eq!(none, []);
    server.enrollment().redeem(redeem(&code, 2)).await.err().expect("contested");
    // Staff were faster than mail: the school is not compromised any more, but what happened is still told.
    let code = server.code("s-1").await;
    let (alarm, told) = news(&server, &told).await;
    assert_eq!(alarm, [News::Alarm]);
    assert_eq!(news(&server, &told).await.0, []);

    server.clock.advance(1_000);
    let handed = server.enrollment().redeem(redeem(&code, 3)).await.expect("redeemed").into_inner();
    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    server.enrollment().confirm(confirm(&code, 3, &secret, &handed.nonce)).await.expect("confirmed");
    server.enrollment().redeem(redeem(&code, 4)).await.err().expect("refused");
    assert_eq!(news(&server, &told).await.0, [News::Alarm], "after the confirm, too");
    server.stop().await;
}
