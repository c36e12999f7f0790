//! The one-time handoff: at most one installation ever holds an active secret from a code.

use rollcall_proto::{enrollment::EnrollmentCode, provider::v1 as pb, webhook::signature::SigningSecret};
use tonic::Code;
use zeroize::Zeroizing;

use super::support::{Server, confirm, inspect, redeem, with_token};

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn a_code_becomes_an_active_secret_once() {
    let server = Server::start().await;
    let district = server.district("d-1").await;
    let school = server.school("d-1", "s-1").await;
    assert_eq!(server.state("s-1").await, pb::ConnectionState::NotConnected);
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    assert_eq!(code.pin, server.running.pin);
    assert_eq!(code.server, server.running.ready.grpc.to_string());
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Enrolling);

    let seen = server.enrollment().inspect(inspect(&code)).await.expect("inspected").into_inner();
    assert_eq!((seen.school_sourced_id.as_str(), seen.district_name.as_str()), ("s-1", "District d-1"));
    assert_eq!((seen.issued_by.as_str(), seen.state.as_str()), ("ada", "issued"));

    let handed = server.enrollment().redeem(redeem(&code, 1)).await.expect("redeemed").into_inner();
    assert_eq!((handed.school_id.as_str(), handed.district_sourced_id.as_str()), (school.id.as_str(), "d-1"));
    assert_eq!(handed.digest_key.len(), 32);
    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    assert_eq!(handed.fingerprint, secret.fingerprint());
    let token = handed.installation_token.clone();
    let early = server.link().get_connection(with_token(pb::GetConnectionRequest {}, &token)).await;
    assert_eq!(early.expect_err("not before the confirm").code(), Code::Unauthenticated);
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Enrolling);

    // A lost answer: the same claim key gets the same things.
    server.clock.advance(9 * MINUTE_MS);
    let again = server.enrollment().redeem(redeem(&code, 1)).await.expect("repeated").into_inner();
    assert_eq!((&again.secret, &again.nonce), (&handed.secret, &handed.nonce));
    assert_eq!((&again.installation_token, &again.digest_key), (&handed.installation_token, &handed.digest_key));

    let mut wrong = confirm(&code, 1, &secret, &handed.nonce);
    wrong.proof[0] ^= 1;
    assert_eq!(server.enrollment().confirm(wrong).await.expect_err("a wrong proof").code(), Code::PermissionDenied);
    let request = confirm(&code, 1, &secret, &handed.nonce);
    let confirmed = server.enrollment().confirm(request.clone()).await.expect("confirmed").into_inner();
    assert_eq!(confirmed.start_after_sequence, 0);
    let repeated = server.enrollment().confirm(request).await.expect("a lost answer").into_inner();
    assert_eq!(repeated, confirmed);

    let own = server.link().get_connection(with_token(pb::GetConnectionRequest {}, &token)).await;
    let own = own.expect("by the token").into_inner();
    assert_eq!(own.id, school.id);
    let connection = own.connection.expect("a connection");
    assert_eq!((connection.state(), connection.installation_host.as_str()), (pb::ConnectionState::Active, "lab-1"));
    assert_eq!(connection.secrets.len(), 1);
    assert_eq!(
        (connection.secrets[0].state.as_str(), &connection.secrets[0].fingerprint),
        ("active", &secret.fingerprint())
    );

    let yours = server.enrollment().redeem(redeem(&code, 1)).await.expect("already yours").into_inner();
    assert!(yours.already_yours && yours.secret.is_empty() && yours.installation_token.is_empty());
    let acts = server.acts("d-1").await;
    let expected =
        ["school.created", "school.connected", "school.code_issued", "school.code_redeemed", "school.enrolled"];
    assert_eq!(acts, expected, "in {}", district.id);
    server.stop().await;
}
