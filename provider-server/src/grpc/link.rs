//! A school's own view of its connection, by its installation token.

use rollcall_proto::{
    id::{DistrictId, SchoolId, SecretId},
    provider::v1::{self as pb, school_link_service_server::SchoolLinkService},
};
use tonic::{Request, Response, Status};

use super::{
    Services,
    auth::caller,
    enrollment::{check_proof, claim_hash},
    link_log,
    school_view::{to_school, to_secret_info},
    schools::send_test,
    status::{refused, to_status},
};
use crate::{
    error::Refusal,
    model::{access::Scope, school::OVERLAP_MS},
    store::{
        rotation::{self, Ask},
        schools,
    },
};

/// See the schema.
pub struct LinkApi {
    services: Services,
}

type Answer<T> = Result<Response<T>, Status>;

impl LinkApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }
}

/// The school behind the token, and the actor.
pub fn own<T>(request: &Request<T>) -> Result<((SchoolId, DistrictId), String), Status> {
    let caller = caller(request)?;
    match caller.scope {
        Scope::School(district, school) => Ok(((school, district), caller.actor)),
        _ => Err(Status::permission_denied("only a school's installation may do this")),
    }
}

#[tonic::async_trait]
impl SchoolLinkService for LinkApi {
    async fn get_connection(&self, request: Request<pb::GetConnectionRequest>) -> Answer<pb::School> {
        let ((school, _), _) = own(&request)?;
        let store = &self.services.store;
        let read = async { schools::get(&mut store.reader().await?, school, store.now_ms()).await };
        Ok(Response::new(to_school(read.await.map_err(to_status)?)))
    }

    async fn request_rotation(
        &self,
        request: Request<pb::RequestRotationRequest>,
    ) -> Answer<pb::RequestRotationResponse> {
        let (place, actor) = own(&request)?;
        let revoke_now = request.into_inner().revoke_now;
        let ask = Ask { overlap_ms: if revoke_now { 0 } else { OVERLAP_MS }, revoke_now };
        let requested =
            self.services.store.act(move |tx| Box::pin(async move { rotation::request(tx, place, &actor, ask).await }));
        let (_, info) = requested.await.map_err(to_status)?;
        Ok(Response::new(pb::RequestRotationResponse { info: Some(to_secret_info(info)) }))
    }

    async fn pull_secret(&self, request: Request<pb::PullSecretRequest>) -> Answer<pb::PullSecretResponse> {
        let (place, actor) = own(&request)?;
        let claim_hash = claim_hash(request.into_inner().claim_key).map_err(refused)?;
        let pulled = self
            .services
            .store
            .act(move |tx| Box::pin(async move { rotation::pull(tx, place, &actor, claim_hash).await }));
        let Some((secret, stored)) = pulled.await.map_err(to_status)?.map_err(refused)? else {
            return Ok(Response::new(pb::PullSecretResponse::default()));
        };
        Ok(Response::new(pb::PullSecretResponse {
            waiting: true,
            secret: secret.reveal().to_string(),
            secret_id: stored.info.id.to_string(),
            fingerprint: stored.info.fingerprint,
            nonce: stored.nonce.unwrap_or_default(),
            overlap_ms: u64::try_from(stored.overlap_ms).unwrap_or(0),
        }))
    }

    async fn confirm_secret(&self, request: Request<pb::ConfirmSecretRequest>) -> Answer<pb::ConfirmSecretResponse> {
        let (place, actor) = own(&request)?;
        let request = request.into_inner();
        let claim_hash = claim_hash(request.claim_key).map_err(refused)?;
        check_proof(&request.proof).map_err(refused)?;
        let id = request.secret_id.parse::<SecretId>();
        let id = id.map_err(|_| refused(Refusal::field("secretId", "is not the id of a secret")))?;
        let proof = request.proof;
        let confirmed = self
            .services
            .store
            .act(move |tx| Box::pin(async move { rotation::confirm(tx, place, &actor, id, claim_hash, proof).await }));
        let info = confirmed.await.map_err(to_status)?;
        Ok(Response::new(pb::ConfirmSecretResponse { info: Some(to_secret_info(info)) }))
    }

    async fn list_own_attempts(
        &self,
        request: Request<pb::ListOwnAttemptsRequest>,
    ) -> Answer<pb::ListAttemptsResponse> {
        link_log::list_own_attempts(&self.services, request).await
    }

    async fn replay_since(&self, request: Request<pb::ReplaySinceRequest>) -> Answer<pb::ReplayResponse> {
        link_log::replay_since(&self.services, request).await
    }

    async fn request_test_event(
        &self,
        request: Request<pb::RequestTestEventRequest>,
    ) -> Answer<pb::SendTestEventResponse> {
        let ((school, _), actor) = own(&request)?;
        send_test(&self.services, school, actor).await
    }
}
