//! The one-time handoff, for whoever holds a code. Nothing here needs a token: the code's secret and the claim key are
//! the proofs.

use rollcall_proto::provider::v1::{self as pb, enrollment_service_server::EnrollmentService};
use tonic::{Request, Response, Status};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    Services,
    convert::timestamp,
    peer,
    school_view::by,
    status::{refused, to_status},
};
use crate::{
    error::Refusal,
    model::enrollment::{check_host, hash_claim_key},
    store::{
        codes::CodeId,
        enrollment::{self, Handoff, Knock},
        limits::Subject,
    },
};

/// See the schema.
pub struct EnrollmentApi {
    services: Services,
}

impl EnrollmentApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }
}

/// What is limited: the address, over all three rpcs.
fn attempt<T>(request: &Request<T>) -> Vec<Subject> {
    vec![Subject::address("enrollment", peer(request))]
}

fn code_id(text: &str) -> Result<CodeId, Refusal> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Refusal::field("codeId", "must be the hex of 8 bytes"))
}

fn knock(id: &str, mut secret: Vec<u8>, attempt: Vec<Subject>) -> Result<Knock, Refusal> {
    let bytes = <[u8; 16]>::try_from(secret.as_slice()).map(Zeroizing::new);
    secret.zeroize();
    let secret = bytes.map_err(|_| Refusal::field("codeSecret", "must have 16 bytes"))?;
    Ok(Knock { id: code_id(id)?, secret, attempt })
}

/// The hash of a claim key, which itself goes no further.
pub fn claim_hash(mut claim_key: Vec<u8>) -> Result<[u8; 32], Refusal> {
    let bytes = <[u8; 32]>::try_from(claim_key.as_slice()).map(Zeroizing::new);
    claim_key.zeroize();
    let bytes = bytes.map_err(|_| Refusal::field("claimKey", "must have 32 bytes"))?;
    Ok(hash_claim_key(&bytes))
}

/// A proof's length says nothing of its content.
pub fn check_proof(proof: &[u8]) -> Result<(), Refusal> {
    if proof.len() == 32 { Ok(()) } else { Err(Refusal::field("proof", "must have 32 bytes")) }
}

fn to_redeemed(handoff: Handoff) -> pb::RedeemResponse {
    pb::RedeemResponse {
        already_yours: handoff.secret.is_none(),
        secret: handoff.secret.map(|secret| secret.reveal().to_string()).unwrap_or_default(),
        digest_key: handoff.digest_key.to_vec(),
        installation_token: handoff.token.to_string(),
        nonce: handoff.nonce,
        school_id: handoff.school.to_string(),
        school_sourced_id: handoff.names.school_sourced_id,
        school_name: handoff.names.school_name,
        district_sourced_id: handoff.names.district_sourced_id,
        fingerprint: handoff.fingerprint,
        secret_id: handoff.secret_id.to_string(),
        start_after_sequence: handoff.start_after.unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl EnrollmentService for EnrollmentApi {
    async fn inspect(&self, request: Request<pb::InspectRequest>) -> Result<Response<pb::InspectResponse>, Status> {
        let attempt = attempt(&request);
        let request = request.into_inner();
        let knock = knock(&request.code_id, request.code_secret, attempt).map_err(refused)?;
        let inspected = self.services.store.act(move |tx| Box::pin(enrollment::inspect(tx, knock)));
        let (code, names) = inspected.await.map_err(to_status)?.map_err(refused)?;
        Ok(Response::new(pb::InspectResponse {
            school_name: names.school_name,
            school_sourced_id: names.school_sourced_id,
            district_name: names.district_name,
            expires_at: Some(timestamp(code.expires_ms)),
            issued_by: by(&code.issued_by),
            state: code.state.as_str().into(),
            redeemed_by_host: code.claimed_host,
            redeemed_at: code.claimed_ms.map(timestamp),
        }))
    }

    async fn redeem(&self, request: Request<pb::RedeemRequest>) -> Result<Response<pb::RedeemResponse>, Status> {
        let attempt = attempt(&request);
        let request = request.into_inner();
        let claim_hash = claim_hash(request.claim_key).map_err(refused)?;
        check_host(&request.host).map_err(refused)?;
        let knock = knock(&request.code_id, request.code_secret, attempt).map_err(refused)?;
        let host = request.host;
        let redeemed = self.services.store.act(move |tx| Box::pin(enrollment::redeem(tx, knock, claim_hash, host)));
        let handoff = redeemed.await.map_err(to_status)?.map_err(refused)?;
        Ok(Response::new(to_redeemed(handoff)))
    }

    async fn confirm(&self, request: Request<pb::ConfirmRequest>) -> Result<Response<pb::ConfirmResponse>, Status> {
        let attempt = attempt(&request);
        let request = request.into_inner();
        let id = code_id(&request.code_id).map_err(refused)?;
        let claim_hash = claim_hash(request.claim_key).map_err(refused)?;
        check_proof(&request.proof).map_err(refused)?;
        let proof = request.proof;
        let confirmed =
            self.services.store.act(move |tx| Box::pin(enrollment::confirm(tx, id, claim_hash, proof, attempt)));
        let (school, start_after_sequence) = confirmed.await.map_err(to_status)?.map_err(refused)?;
        // An earlier installation's token has just ended.
        self.services.sessions.forget_school(school);
        Ok(Response::new(pb::ConfirmResponse { start_after_sequence }))
    }
}
