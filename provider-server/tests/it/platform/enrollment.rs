//! The one-time handoff: at most one installation ever holds an active secret from a code.

use std::collections::HashMap;

use futures::StreamExt as _;
use rollcall_proto::{
    enrollment::EnrollmentCode,
    provider::v1::{self as pb, enrollment_service_client::EnrollmentServiceClient},
    webhook::signature::SigningSecret,
};
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

#[tokio::test]
async fn a_second_party_before_the_confirm_destroys_everything() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    let handed = server.enrollment().redeem(redeem(&code, 1)).await.expect("redeemed").into_inner();
    let second = server.enrollment().redeem(redeem(&code, 2)).await.err().expect("contested");
    assert_eq!(second.code(), Code::AlreadyExists);
    assert!(second.message().contains("lab-1") && second.message().contains("2025-11-23T"), "{}", second.message());
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Compromised);

    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    let first = server.enrollment().confirm(confirm(&code, 1, &secret, &handed.nonce)).await.expect_err("void");
    assert_eq!(first.code(), Code::FailedPrecondition);
    let again = server.enrollment().redeem(redeem(&code, 1)).await.err().expect("void");
    assert_eq!(again.code(), Code::FailedPrecondition);
    let told = server.enrollment().inspect(inspect(&code)).await.expect("told").into_inner();
    assert_eq!((told.state.as_str(), told.redeemed_by_host.as_str()), ("compromised", "lab-1"));
    let connection = server.show("s-1").await.connection.expect("a connection");
    assert!(connection.secrets.is_empty() && connection.reason.contains("second party"), "{}", connection.reason);
    assert!(server.acts("d-1").await.contains(&"school.code_contested".to_owned()));

    let installed = server.enroll(&server.code("s-1").await, 3).await;
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active);
    assert_ne!(installed.secret.fingerprint(), handed.fingerprint);
    server.stop().await;
}

#[tokio::test]
async fn a_second_party_after_the_confirm_is_refused_and_the_secret_stays() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    let installed = server.enroll(&code, 1).await;
    let second = server.enrollment().redeem(redeem(&code, 2)).await.err().expect("reused");
    assert_eq!(second.code(), Code::AlreadyExists);
    let own = server.link().get_connection(with_token(pb::GetConnectionRequest {}, &installed.token)).await;
    let connection = own.expect("the token stays").into_inner().connection.expect("a connection");
    assert_eq!(connection.state(), pb::ConnectionState::Active);
    assert_eq!(connection.secrets[0].fingerprint, installed.secret.fingerprint());
    assert!(connection.reason.contains("second party"), "the school sees the alarm too: {}", connection.reason);
    assert!(server.acts("d-1").await.contains(&"school.code_presented_again".to_owned()));
    server.stop().await;
}

/// Who presents one code at the same time, and over how many connections.
const REDEEMERS: u32 = 10_000;
const CONNECTIONS: usize = 8;
/// Calls under way at once, within what those connections take.
const AT_ONCE: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_racing_redeemers_one_gets_a_secret_and_none_confirms() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    let mut lines = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        lines.push(EnrollmentServiceClient::new(server.dial().await));
    }
    let racing = futures::stream::iter(0..REDEEMERS).map(|number| {
        let mut client = lines[number as usize % CONNECTIONS].clone();
        let request = pb::RedeemRequest {
            claim_key: number.to_be_bytes().repeat(8),
            host: format!("lab-{number}"),
            ..redeem(&code, 0)
        };
        async move { (client.redeem(request.clone()).await, request) }
    });
    let answers: Vec<_> = racing.buffer_unordered(AT_ONCE).collect().await;
    let (mut handed, mut refused) = (Vec::new(), HashMap::<Code, u32>::new());
    for (answer, request) in answers {
        match answer {
            Ok(answer) => handed.push((answer.into_inner(), request)),
            Err(status) => *refused.entry(status.code()).or_default() += 1,
        }
    }
    let [(handed, request)] = &handed[..] else { panic!("{} got a secret; the others {refused:?}", handed.len()) };
    // The second one destroyed everything; whoever comes after that hears that it is over.
    let expected = [(Code::AlreadyExists, 1), (Code::FailedPrecondition, REDEEMERS - 2)];
    assert_eq!(refused, HashMap::from(expected));

    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    let proof = secret.prove(&handed.nonce).to_vec();
    let confirm = pb::ConfirmRequest { code_id: request.code_id.clone(), claim_key: request.claim_key.clone(), proof };
    let void = server.enrollment().confirm(confirm).await.expect_err("contested");
    assert_eq!(void.code(), Code::FailedPrecondition);
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Compromised);
    let told = server.enrollment().inspect(inspect(&code)).await.expect("told").into_inner();
    assert_eq!((told.state.as_str(), &told.redeemed_by_host), ("compromised", &request.host));
    let acts = server.acts("d-1").await;
    let count = |act: &str| acts.iter().filter(|kept| *kept == act).count();
    assert_eq!((count("school.code_redeemed"), count("school.code_contested")), (1, 1), "{acts:?}");
    assert_eq!(count("school.enrolled"), 0);
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_id_and_a_wrong_secret_answer_alike_and_five_lock_the_id() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    let wrong = EnrollmentCode { secret: Zeroizing::new([9; 16]), ..code.clone() };
    let unknown = EnrollmentCode { id: [9; 8], ..code.clone() };
    let told = |status: tonic::Status| (status.code(), status.message().to_owned());
    let unknown = told(server.enrollment().inspect(inspect(&unknown)).await.expect_err("unknown"));
    assert_eq!(unknown.0, Code::NotFound);
    for _ in 0..4 {
        let wrong = told(server.enrollment().redeem(redeem(&wrong, 1)).await.err().expect("wrong"));
        assert_eq!(wrong, unknown);
    }
    let seen = server.enrollment().inspect(inspect(&code)).await.expect("four are borne").into_inner();
    assert_eq!(seen.state, "issued");
    assert_eq!(told(server.enrollment().inspect(inspect(&wrong)).await.expect_err("the fifth")), unknown);
    let seen = server.enrollment().inspect(inspect(&code)).await.expect("its holder is told").into_inner();
    assert_eq!(seen.state, "locked");
    let refused = server.enrollment().redeem(redeem(&code, 1)).await.err().expect("locked");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(server.acts("d-1").await.contains(&"school.code_locked".to_owned()));
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_guesses_is_stopped() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    let code = server.code("s-1").await;
    let mut stopped = None;
    for guess in 0..=200u8 {
        let guess = EnrollmentCode { id: [guess; 8], ..code.clone() };
        match server.enrollment().inspect(inspect(&guess)).await.expect_err("a guess").code() {
            Code::NotFound => {}
            code => {
                stopped = Some(code);
                break;
            }
        }
    }
    assert_eq!(stopped, Some(Code::ResourceExhausted));
    assert!(server.enrollment().inspect(inspect(&code)).await.is_err(), "the right one has to wait too");
    server.clock.advance(11 * MINUTE_MS);
    server.enrollment().inspect(inspect(&code)).await.expect("later");
    server.stop().await;
}

#[tokio::test]
async fn codes_and_handoffs_end_by_themselves_and_a_new_code_ends_the_old_one() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let state = async |code: &EnrollmentCode| {
        server.enrollment().inspect(inspect(code)).await.expect("told").into_inner().state
    };
    // An unconfirmed handoff is void after ten minutes.
    let slow = server.code("s-1").await;
    let handed = server.enrollment().redeem(redeem(&slow, 1)).await.expect("redeemed").into_inner();
    server.clock.advance(10 * MINUTE_MS);
    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    let late = server.enrollment().confirm(confirm(&slow, 1, &secret, &handed.nonce)).await.expect_err("late");
    assert_eq!(late.code(), Code::FailedPrecondition);
    assert_eq!(state(&slow).await, "expired");
    assert_eq!(server.state("s-1").await, pb::ConnectionState::NotConnected);

    // One live code per school: the one that was redeemed goes with its secret.
    let first = server.code("s-1").await;
    let handed = server.enrollment().redeem(redeem(&first, 1)).await.expect("redeemed").into_inner();
    let second = server.code("s-1").await;
    assert_eq!((state(&first).await, state(&second).await), ("revoked".into(), "issued".into()));
    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    let refused = server.enrollment().confirm(confirm(&first, 1, &secret, &handed.nonce)).await;
    assert_eq!(refused.expect_err("revoked").code(), Code::FailedPrecondition);

    let request = pb::RevokeCodeRequest { school: "s-1".into() };
    server.schools().revoke_code(server.owned(request.clone())).await.expect("revoked");
    assert_eq!(state(&second).await, "revoked");
    let nothing = server.schools().revoke_code(server.owned(request)).await.expect_err("none is out");
    assert_eq!(nothing.code(), Code::FailedPrecondition);

    let request = pb::IssueCodeRequest { school: "s-1".into(), ttl_s: 60 };
    let issued = server.schools().issue_code(server.owned(request)).await.expect("a code").into_inner();
    let third = EnrollmentCode::parse(&issued.code).expect("a code");
    server.clock.advance(MINUTE_MS);
    let refused = server.enrollment().redeem(redeem(&third, 1)).await.err().expect("expired");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(state(&third).await, "expired");
    server.stop().await;
}

#[tokio::test]
async fn a_new_enrollment_ends_the_old_secret_and_token_and_an_address_may_come_later() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    let first = server.enroll(&server.code("s-1").await, 1).await;
    assert_eq!(server.state("s-1").await, pb::ConnectionState::NotConnected, "there is no address yet");
    server.connect("s-1", false).await;
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active);

    let code = server.code("s-1").await;
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active, "a code alone changes nothing");
    let second = server.enroll(&code, 2).await;
    let call = async |token: &str| server.link().get_connection(with_token(pb::GetConnectionRequest {}, token)).await;
    assert_eq!(call(&first.token).await.expect_err("ended").code(), Code::Unauthenticated);
    let own = call(&second.token).await.expect("in force").into_inner();
    let secrets = own.connection.expect("a connection").secrets;
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].fingerprint, second.secret.fingerprint());
    assert_ne!(first.secret.fingerprint(), second.secret.fingerprint());
    assert_eq!(second.start_after, 0);
    server.stop().await;
}

#[tokio::test]
async fn malformed_requests_name_the_field() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    let code = server.code("s-1").await;
    let good = redeem(&code, 1);
    let bad = [
        ("codeId", pb::RedeemRequest { code_id: "xyz".into(), ..good.clone() }),
        ("codeSecret", pb::RedeemRequest { code_secret: vec![1; 15], ..good.clone() }),
        ("claimKey", pb::RedeemRequest { claim_key: vec![], ..good.clone() }),
        ("host", pb::RedeemRequest { host: "x".repeat(256), ..good.clone() }),
        ("host", pb::RedeemRequest { host: "a\nb".into(), ..good.clone() }),
    ];
    for (field, request) in bad {
        let status = server.enrollment().redeem(request).await.err().expect(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert_eq!(rollcall_proto::violations::decode(status.details())[0].field, field);
    }
    server.enrollment().redeem(good).await.expect("nothing was used up");
    server.stop().await;
}

#[tokio::test]
async fn no_secret_lies_in_plaintext_in_the_files() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let code = server.code("s-1").await;
    let handed = server.enrollment().redeem(redeem(&code, 1)).await.expect("redeemed").into_inner();
    let secret = SigningSecret::parse(&handed.secret).expect("a secret");
    let canaries = [
        secret.expose_bytes().to_vec(),
        handed.secret.into_bytes(),
        handed.installation_token.into_bytes(),
        handed.digest_key,
        code.secret.to_vec(),
        vec![1; 32],
    ];
    for (place, bytes) in server.database.contents() {
        for (index, canary) in canaries.iter().enumerate() {
            let found = bytes.windows(canary.len()).any(|part| part == canary.as_slice());
            assert!(!found, "canary {index} in {place}");
        }
    }
    server.stop().await;
}
