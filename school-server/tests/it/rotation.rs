//! Rotation against a small provider: until the confirm the old secret alone signs, so its end is not set before.

use std::sync::{Arc, Mutex};

use rollcall_proto::{
    provider::v1::{self as pb, school_link_service_server::*},
    school::v1::InstallSecretRequest,
    webhook::signature::SigningSecret,
};
use school_server::{
    error::AppError,
    rotation::{Ask, pull},
    secrets::{Enrollment, Identity},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, ServerTlsConfig, server::TcpIncoming},
};
use zeroize::Zeroizing;

use crate::support::*;

const NONCE: [u8; 16] = [6; 16];

/// What becomes of a confirm.
#[derive(Clone, Copy, Default, PartialEq)]
enum Way {
    #[default]
    Open,
    Shut,
    /// It arrives, its answer does not.
    Half,
}

#[derive(Default)]
struct State {
    way: Way,
    overlap_ms: u64,
    confirmed: bool,
    /// The waiting secret was given up.
    ended: bool,
}

#[derive(Clone, Default)]
struct Provider(Arc<Mutex<State>>);

fn new_secret() -> SigningSecret {
    SigningSecret::from_bytes(&[9; 32]).expect("32 bytes")
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SchoolLinkService for Provider {
    async fn get_connection(&self, _: Request<pb::GetConnectionRequest>) -> Answer<pb::School> {
        let id = if self.0.lock().expect("sound").confirmed { "sec_2" } else { "sec_1" };
        let secret = pb::SecretInfo { id: id.into(), state: "active".into(), ..pb::SecretInfo::default() };
        let connection = pb::Connection { secrets: vec![secret], ..pb::Connection::default() };
        Ok(Response::new(pb::School { connection: Some(connection), ..pb::School::default() }))
    }

    async fn pull_secret(&self, _: Request<pb::PullSecretRequest>) -> Answer<pb::PullSecretResponse> {
        let state = self.0.lock().expect("sound");
        if state.confirmed || state.ended {
            return Ok(Response::new(pb::PullSecretResponse::default()));
        }
        Ok(Response::new(pb::PullSecretResponse {
            waiting: true,
            secret: new_secret().reveal().to_string(),
            secret_id: "sec_2".into(),
            fingerprint: new_secret().fingerprint(),
            nonce: NONCE.to_vec(),
            overlap_ms: state.overlap_ms,
        }))
    }

    async fn confirm_secret(&self, request: Request<pb::ConfirmSecretRequest>) -> Answer<pb::ConfirmSecretResponse> {
        let mut state = self.0.lock().expect("sound");
        assert_eq!(request.into_inner().proof, new_secret().prove(&NONCE));
        state.confirmed = state.way != Way::Shut;
        match state.way {
            Way::Open => Ok(Response::new(pb::ConfirmSecretResponse::default())),
            Way::Shut | Way::Half => Err(Status::unavailable("the answer was lost")),
        }
    }

    async fn request_rotation(&self, _: Request<pb::RequestRotationRequest>) -> Answer<pb::RequestRotationResponse> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_own_attempts(&self, _: Request<pb::ListOwnAttemptsRequest>) -> Answer<pb::ListAttemptsResponse> {
        Err(Status::unimplemented("not here"))
    }

    async fn replay_since(&self, _: Request<pb::ReplaySinceRequest>) -> Answer<pb::ReplayResponse> {
        Err(Status::unimplemented("not here"))
    }

    async fn request_test_event(&self, _: Request<pb::RequestTestEventRequest>) -> Answer<pb::SendTestEventResponse> {
        Err(Status::unimplemented("not here"))
    }
}

/// A receiver that is enrolled at a provider.
struct Scene {
    provider: Provider,
    receiver: Receiver,
    desk: DeskClient,
}

impl Scene {
    async fn set(overlap_ms: u64) -> Self {
        let (identity, pin) = provider_identity();
        let provider = Provider::default();
        provider.0.lock().expect("sound").overlap_ms = overlap_ms;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let provider_address = listener.local_addr().expect("an address").to_string();
        let router = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("TLS")
            .add_service(SchoolLinkServiceServer::new(provider.clone()));
        tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
        let identity = Identity { provider_address, provider_pin: hex::encode(pin), ..crate::support::identity() };
        let installation_token = Some(Zeroizing::new("token".to_owned()));
        let folder = tempfile::tempdir().expect("a folder");
        let enrollment = Enrollment { installation_token, identity, ..enrollment() };
        file_store(folder.path()).save(&enrollment).expect("stored");
        let receiver = Receiver::start_in(folder).await;
        let desk = receiver.desk().await;
        Self { provider, receiver, desk }
    }

    /// Looks for a secret as the receiver does, or the command.
    async fn pull(&self, way: Way) -> Result<Option<String>, AppError> {
        self.provider.0.lock().expect("sound").way = way;
        let store = file_store(self.receiver.folder.path());
        let held = store.load().expect("opens").expect("stored");
        let install = |request: InstallSecretRequest| {
            let mut desk = self.desk.clone();
            async move { desk.install_secret(request).await.map(drop).map_err(AppError::from) }
        };
        pull(&held, &store, Ask::default(), self.receiver.clock.now_ms(), install).await
    }

    /// The ids of the held secrets, newest first, with their end.
    fn held(&self) -> Vec<(String, Option<i64>)> {
        let held = file_store(self.receiver.folder.path()).load().expect("opens").expect("stored");
        held.secrets.into_iter().map(|kept| (kept.id, kept.retires_at_ms)).collect()
    }

    async fn end(self) {
        drop(self.desk);
        self.receiver.running.stop().await.expect("a clean stop");
    }
}

fn kept(id: &str, until: Option<i64>) -> (String, Option<i64>) {
    (id.to_owned(), until)
}

#[tokio::test]
async fn the_old_secret_has_no_end_before_the_confirm() {
    for overlap_ms in [0, 3_600_000] {
        let scene = Scene::set(overlap_ms).await;
        scene.pull(Way::Shut).await.expect_err("no confirm");
        assert_eq!(scene.held(), [kept("sec_2", None), kept("sec_1", None)]);
        // Hours later the old one still verifies: it alone signs.
        scene.receiver.clock.advance(3 * 3_600_000);
        let (id, body) = student_event(1, "created", "S-1", 1);
        assert_eq!(scene.receiver.post(&scene.receiver.sign(id, body)).await.status.as_u16(), 200);
        assert_eq!(scene.pull(Way::Open).await.expect("confirmed"), Some(new_secret().fingerprint()));
        let until = scene.receiver.clock.now_ms() + 3_600_000 + 600_000;
        let both = [kept("sec_2", None), kept("sec_1", Some(until))];
        assert_eq!(scene.held(), both[..if overlap_ms == 0 { 1 } else { 2 }]);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_confirm_ends_the_old_secret_at_the_next_look() {
    let scene = Scene::set(0).await;
    scene.pull(Way::Half).await.expect_err("its answer was lost");
    assert_eq!(scene.held(), [kept("sec_2", None), kept("sec_1", None)]);
    assert_eq!(scene.pull(Way::Open).await.expect("asked"), None);
    let until = scene.receiver.clock.now_ms() + 600_000;
    assert_eq!(scene.held(), [kept("sec_2", None), kept("sec_1", Some(until))]);
    scene.receiver.clock.advance(60_000);
    assert_eq!(scene.pull(Way::Open).await.expect("asked"), None);
    assert_eq!(scene.held()[1], kept("sec_1", Some(until)), "once is enough");
    scene.end().await;
}

#[tokio::test]
async fn a_rotation_that_was_given_up_leaves_the_old_secret_in_force() {
    let scene = Scene::set(0).await;
    scene.pull(Way::Shut).await.expect_err("no confirm");
    scene.provider.0.lock().expect("sound").ended = true;
    assert_eq!(scene.pull(Way::Open).await.expect("asked"), None);
    assert_eq!(scene.held(), [kept("sec_2", None), kept("sec_1", None)]);
    scene.end().await;
}
