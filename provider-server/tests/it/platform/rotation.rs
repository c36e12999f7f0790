//! Rotation: requested, pulled, proved; only then both sign. And the one place where a secret is shown.

use rollcall_proto::{provider::v1 as pb, webhook::signature::SigningSecret};
use tonic::Code;

use super::support::{Installed, Server, with_token};

const HOUR_MS: i64 = 3_600_000;

async fn enrolled() -> (Server, Installed) {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    let installed = server.enroll(&server.code("s-1").await, 1).await;
    (server, installed)
}

impl Server {
    async fn rotate(
        &self,
        overlap_s: Option<u32>,
        revoke_now: bool,
    ) -> Result<pb::RotateSecretResponse, tonic::Status> {
        let request = pb::RotateSecretRequest { school: "s-1".into(), overlap_s, revoke_now };
        Ok(self.schools().rotate_secret(self.owned(request)).await?.into_inner())
    }

    async fn pull(&self, token: &str, claim: u8) -> Result<pb::PullSecretResponse, tonic::Status> {
        let request = pb::PullSecretRequest { claim_key: vec![claim; 32] };
        Ok(self.link().pull_secret(with_token(request, token)).await?.into_inner())
    }

    async fn prove(
        &self,
        token: &str,
        claim: u8,
        pulled: &pb::PullSecretResponse,
    ) -> Result<pb::SecretInfo, tonic::Status> {
        let secret = SigningSecret::parse(&pulled.secret).expect("a secret");
        let request = pb::ConfirmSecretRequest {
            secret_id: pulled.secret_id.clone(),
            claim_key: vec![claim; 32],
            proof: secret.prove(&pulled.nonce).to_vec(),
        };
        Ok(self.link().confirm_secret(with_token(request, token)).await?.into_inner().info.expect("what is known"))
    }

    /// States of the secrets, newest first.
    async fn secrets(&self) -> Vec<String> {
        let connection = self.show("s-1").await.connection.expect("a connection");
        connection.secrets.into_iter().map(|secret| secret.state).collect()
    }
}

#[tokio::test]
async fn the_old_secret_signs_until_the_new_one_is_proved_and_an_overlap_longer() {
    let (server, installed) = enrolled().await;
    let token = &installed.token;
    assert!(!server.pull(token, 5).await.expect("asked").waiting);
    let answer = server.rotate(None, false).await.expect("requested");
    assert!(answer.secret.is_empty(), "staff never see an installation's secret");
    let again = server.rotate(None, false).await.expect("the one that waits serves");
    assert_eq!(answer.info.as_ref().map(|info| &info.id), again.info.as_ref().map(|info| &info.id));
    assert_eq!(server.secrets().await, ["pending", "active"]);

    let pulled = server.pull(token, 5).await.expect("pulled");
    assert_eq!(server.pull(token, 5).await.expect("a lost answer").secret, pulled.secret);
    assert_eq!(server.pull(token, 6).await.err().expect("another claim key").code(), Code::FailedPrecondition);
    assert_eq!(server.prove(token, 6, &pulled).await.expect_err("another claim key").code(), Code::NotFound);
    let mut wrong = pulled.clone();
    wrong.nonce = vec![0; 32];
    assert_eq!(server.prove(token, 5, &wrong).await.expect_err("a wrong proof").code(), Code::PermissionDenied);
    assert_eq!(server.secrets().await, ["pending", "active"]);

    let info = server.prove(token, 5, &pulled).await.expect("proved");
    assert_eq!((info.state.as_str(), &info.fingerprint), ("active", &pulled.fingerprint));
    assert_eq!(server.prove(token, 5, &pulled).await.expect("a lost answer").id, info.id);
    assert_eq!(server.secrets().await, ["active", "retiring"]);
    assert!(!server.pull(token, 5).await.expect("asked").waiting);
    let states = async || {
        let own = server.link().get_connection(with_token(pb::GetConnectionRequest {}, token)).await;
        let connection = own.expect("by the token").into_inner().connection.expect("a connection");
        connection.secrets.into_iter().map(|secret| secret.state).collect::<Vec<_>>()
    };
    server.clock.advance(24 * HOUR_MS - 1);
    assert_eq!(states().await, ["active", "retiring"]);
    server.clock.advance(1);
    assert_eq!(states().await, ["active"]);
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_secret_stops_at_once_and_deliveries_wait_for_the_new_one() {
    let (server, installed) = enrolled().await;
    let token = &installed.token;
    let request = pb::RequestRotationRequest { revoke_now: true };
    server.link().request_rotation(with_token(request, token)).await.expect("requested by the school");
    assert_eq!(server.secrets().await, ["pending"]);
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Revoked);
    let resume = pb::ResumeSchoolRequest { school: "s-1".into() };
    let early = server.schools().resume_school(server.owned(resume)).await.expect_err("nothing to sign with");
    assert_eq!(early.code(), Code::FailedPrecondition);
    let pulled = server.pull(token, 7).await.expect("pulled");
    server.prove(token, 7, &pulled).await.expect("proved");
    assert_eq!(server.secrets().await, ["active"]);
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active);
    server.stop().await;
}

#[tokio::test]
async fn a_pulled_secret_that_was_lost_is_replaced_by_the_next_request() {
    let (server, installed) = enrolled().await;
    server.rotate(Some(0), false).await.expect("requested");
    let lost = server.pull(&installed.token, 5).await.expect("pulled");
    server.rotate(Some(0), false).await.expect("requested again");
    let fresh = server.pull(&installed.token, 6).await.expect("pulled");
    assert_ne!(lost.secret_id, fresh.secret_id);
    assert_eq!(server.prove(&installed.token, 5, &lost).await.expect_err("void").code(), Code::NotFound);
    server.prove(&installed.token, 6, &fresh).await.expect("proved");
    assert_eq!(server.secrets().await, ["active"], "no overlap was asked for");
    server.stop().await;
}

#[tokio::test]
async fn an_own_receiver_is_shown_each_secret_once() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    let show = async || {
        let request = pb::ShowSecretOnceRequest { school: "s-1".into() };
        server.schools().show_secret_once(server.owned(request)).await.map(tonic::Response::into_inner)
    };
    let refused = |result: Result<pb::ShowSecretOnceResponse, tonic::Status>| result.err().expect("refused").code();
    assert_eq!(refused(show().await), Code::FailedPrecondition, "no address");
    server.connect("s-1", false).await;
    assert_eq!(refused(show().await), Code::FailedPrecondition, "not its own receiver");
    let code = server.code("s-1").await;
    server.connect("s-1", true).await;
    let told = server.enrollment().inspect(super::support::inspect(&code)).await.expect("told").into_inner();
    assert_eq!(told.state, "revoked", "its own receiver needs no code");
    assert_eq!(server.rotate(None, false).await.err().expect("nothing to rotate").code(), Code::FailedPrecondition);

    let shown = show().await.unwrap_or_else(|status| panic!("{status}"));
    let secret = SigningSecret::parse(&shown.secret).expect("a secret");
    assert_eq!(shown.info.expect("what is known").fingerprint, secret.fingerprint());
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active);
    assert_eq!(refused(show().await), Code::FailedPrecondition, "only once");
    let request = pb::IssueCodeRequest { school: "s-1".into(), ttl_s: 0 };
    let code = server.schools().issue_code(server.owned(request)).await.err().expect("no code either").code();
    assert_eq!(code, Code::FailedPrecondition);

    let rotated = server.rotate(Some(3_600), false).await.unwrap_or_else(|status| panic!("{status}"));
    assert!(SigningSecret::parse(&rotated.secret).is_ok_and(|new| new.fingerprint() != secret.fingerprint()));
    assert_eq!(server.secrets().await, ["active", "retiring"]);
    let revoked = server.rotate(None, true).await.unwrap_or_else(|status| panic!("{status}"));
    assert!(!revoked.secret.is_empty() && revoked.secret != rotated.secret);
    assert_eq!(server.secrets().await, ["active"]);
    let shown = server.acts("d-1").await.into_iter().filter(|act| act == "school.secret_shown").count();
    assert_eq!(shown, 3, "each is audited");

    // Back to an installation: its confirm ends what was shown.
    server.connect("s-1", false).await;
    let installed = server.enroll(&server.code("s-1").await, 1).await;
    let connection = server.show("s-1").await.connection.expect("a connection");
    assert_eq!(connection.secrets.len(), 1);
    assert_eq!(connection.secrets[0].fingerprint, installed.secret.fingerprint());
    server.stop().await;
}
