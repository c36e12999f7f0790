//! The receiver as the desk sees it.

use std::sync::Arc;

use futures::stream::BoxStream;
use prost_types::Timestamp;
use rollcall_proto::{
    digest::RosterDigest as Digest,
    school::v1::{
        CheckSignatureRequest, CheckSignatureResponse, ExportRosterRequest, GetRosterDigestRequest, GetStatusRequest,
        InstallSecretRequest, ListAlertsRequest, ListAlertsResponse, ListEventsRequest, ListEventsResponse,
        ListGapsRequest, ListGapsResponse, ListStudentHistoryRequest, ListStudentHistoryResponse, ListStudentsRequest,
        ListStudentsResponse, RosterChunk, RosterDigest, RosterStudent, SignatureCheck, Status as ReceiverStatus,
        TailEventsRequest, TailEventsResponse, receiver_service_server::ReceiverService,
    },
    webhook::signature::SigningSecret,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::{events, export, history};
use crate::{
    app::merged_secrets,
    clock::Clock,
    inbox::Inbox,
    roster_file::{Form, School},
    secrets::{Enrollment, Identity, KeptSecret, LiveKeys, SecretStore, StoreError},
    signature_check::{self, Pasted},
    store::read::{HeldStudent, ReadStore},
};

const MAX_PAGE: u32 = 1_000;
const DEFAULT_PAGE: u32 = 100;

/// Serves the desk's calls.
#[derive(Clone)]
pub struct Desk {
    pub keys: LiveKeys,
    pub inbox: Inbox,
    pub clock: Clock,
    pub store: ReadStore,
    pub secret_store: SecretStore,
    /// The webhook's URL; empty where only the desk is served.
    pub webhook_address: String,
    pub stop: CancellationToken,
    /// One install at a time: it reads, merges and writes the store.
    pub installing: Arc<tokio::sync::Mutex<()>>,
}

/// A page's size from a request's.
pub(super) fn page_size(asked: u32) -> i64 {
    i64::from(if asked == 0 { DEFAULT_PAGE } else { asked.min(MAX_PAGE) })
}

/// A database that cannot be read, without its own words: they may hold a row.
pub(super) fn unreadable(error: sqlx::Error) -> Status {
    tracing::error!(%error, "the database could not be read");
    Status::internal("the database could not be read")
}

pub(crate) fn timestamp(unix_ms: i64) -> Timestamp {
    Timestamp { seconds: unix_ms.div_euclid(1_000), nanos: (unix_ms.rem_euclid(1_000) * 1_000_000) as i32 }
}

fn unix_ms(at: Timestamp) -> i64 {
    at.seconds.saturating_mul(1_000).saturating_add(i64::from(at.nanos) / 1_000_000)
}

impl Desk {
    /// The school's sourcedId and name, as far as they are known.
    async fn school(&self) -> Result<(String, String), Status> {
        match self.keys.get().map(|keys| keys.identity.clone()) {
            Some(identity) if !identity.school_sourced_id.is_empty() => {
                Ok((identity.school_sourced_id, identity.school_name))
            }
            _ => Ok((self.store.figures().await.map_err(unreadable)?.school_sourced_id, String::new())),
        }
    }

    async fn status(&self) -> Result<ReceiverStatus, Status> {
        let figures = self.store.figures().await.map_err(unreadable)?;
        let keys = self.keys.get();
        let mut identity = keys.as_ref().map(|keys| keys.identity.clone()).unwrap_or_default();
        if identity.school_sourced_id.is_empty() {
            identity.school_sourced_id = figures.school_sourced_id;
            identity.district_sourced_id = figures.district_sourced_id;
        }
        let problem = self.keys.problem();
        let now_ms = self.clock.now_ms();
        let fingerprints = keys.iter().flat_map(|keys| keys.counting(now_ms)).map(SigningSecret::fingerprint);
        Ok(ReceiverStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            enrolled: keys.is_some(),
            school_id: identity.school_id,
            school_sourced_id: identity.school_sourced_id,
            school_name: identity.school_name,
            district_sourced_id: identity.district_sourced_id,
            fingerprints: fingerprints.collect(),
            secret_store: self.secret_store.name().to_owned(),
            secret_error_reason: problem.as_ref().map(|problem| problem.reason.to_owned()).unwrap_or_default(),
            secret_error: problem.map(|problem| problem.words).unwrap_or_default(),
            webhook_address: self.webhook_address.clone(),
            students: figures.students,
            contiguous_sequence: figures.contiguous,
            highest_sequence: figures.highest,
            last_verified_at: figures.last_verified_at_ms.map(timestamp),
            provider_address: identity.provider_address,
            alerts: figures.alerts,
            latest_alert: figures.latest_alert,
        })
    }

    /// Stores an enrollment's outcome and uses it at once. The same one again changes nothing.
    pub async fn install(&self, request: InstallSecretRequest) -> Result<(), Status> {
        let _one_at_a_time = self.installing.lock().await;
        let invalid = |field: &str, words: &str| Status::invalid_argument(format!("{field}: {words}"));
        let held = self.keys.get();
        let held = held.as_ref().map(|keys| &keys.enrollment);
        let secret = Zeroizing::new(request.secret);
        let new = if secret.is_empty() {
            let known = held.and_then(|held| held.secrets.iter().find(|known| known.id == request.secret_id));
            let known = known.ok_or_else(|| Status::failed_precondition("the receiver does not hold this secret"))?;
            KeptSecret { retires_at_ms: None, ..known.clone() }
        } else {
            let secret = SigningSecret::parse(&secret).map_err(|e| invalid("secret", &e.to_string()))?;
            KeptSecret { id: request.secret_id, secret, retires_at_ms: None }
        };
        let digest_key = match (request.digest_key.len(), held) {
            (0, Some(held)) => held.digest_key.clone(),
            _ => {
                let key = Zeroizing::new(request.digest_key);
                let key =
                    <[u8; 32]>::try_from(key.as_slice()).map_err(|_| invalid("digest_key", "must be 32 bytes"))?;
                Some(Zeroizing::new(key))
            }
        };
        let token = Zeroizing::new(request.installation_token);
        let installation_token =
            if token.is_empty() { held.and_then(|held| held.installation_token.clone()) } else { Some(token) };
        let mut identity = Identity {
            school_id: request.school_id,
            school_sourced_id: request.school_sourced_id,
            school_name: request.school_name,
            district_sourced_id: request.district_sourced_id,
            provider_address: request.provider_address,
            provider_pin: request.provider_pin,
        };
        if identity == Identity::default() {
            identity = held.map(|held| held.identity.clone()).unwrap_or_default();
        }
        self.inbox
            .identify(identity.clone(), request.start_after_sequence)
            .await
            .map_err(Status::failed_precondition)?;
        let previous_until_ms = request.previous_until.map(unix_ms);
        let held = held.map(|held| held.secrets.as_slice()).unwrap_or_default();
        let secrets = merged_secrets(new, held, request.keep_previous, previous_until_ms, self.clock.now_ms());
        let enrollment = Enrollment { secrets, digest_key, installation_token, identity };
        let (store, saved) = (self.secret_store.clone(), enrollment.clone());
        let result = tokio::task::spawn_blocking(move || store.save(&saved)).await;
        result.unwrap_or(Err(StoreError::Damaged("writing it broke"))).map_err(store_status)?;
        self.keys.install(enrollment);
        tracing::info!("a secret was stored and is in use");
        Ok(())
    }

    async fn roster_digest(&self) -> Result<RosterDigest, Status> {
        let no_key = || Status::failed_precondition("no digest key: it comes with an enrollment");
        let keys = self.keys.get().ok_or_else(no_key)?;
        let key = keys.enrollment.digest().ok_or_else(no_key)?;
        let mut digest = Digest::default();
        let take = |student: &HeldStudent| digest.add(&key, &student.sourced_id, student.json.as_bytes());
        let received = self.store.roster_now(take).await.map_err(unreadable)?;
        Ok(RosterDigest {
            digest: digest.total().to_hex(),
            students: digest.students(),
            highest_sequence: received.highest(),
            buckets: digest.non_empty().map(|(bucket, sum)| (u32::from(bucket), sum.to_hex())).collect(),
        })
    }
}

fn store_status(error: StoreError) -> Status {
    let words = error.to_string();
    match error {
        StoreError::Keychain(_) => Status::unavailable(words),
        _ => Status::failed_precondition(words),
    }
}

#[tonic::async_trait]
impl ReceiverService for Desk {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<ReceiverStatus>, Status> {
        self.status().await.map(Response::new)
    }

    async fn install_secret(&self, request: Request<InstallSecretRequest>) -> Result<Response<ReceiverStatus>, Status> {
        self.install(request.into_inner()).await?;
        self.status().await.map(Response::new)
    }

    async fn list_students(
        &self,
        request: Request<ListStudentsRequest>,
    ) -> Result<Response<ListStudentsResponse>, Status> {
        let request = request.into_inner();
        let limit = page_size(request.page_size);
        let search = request.search.trim().to_lowercase();
        let held = self.store.students(&request.page_token, &search, limit).await.map_err(unreadable)?;
        let next_page_token = match held.last() {
            Some(last) if held.len() as i64 == limit => last.sourced_id.clone(),
            _ => String::new(),
        };
        let students = held.into_iter().map(|held| {
            let object = held.object();
            let part = |get: fn(&rollcall_proto::webhook::event::StudentObject) -> String| {
                object.as_ref().map(get).unwrap_or_default()
            };
            RosterStudent {
                version: object.as_ref().map_or(0, |o| o.version),
                given_name: part(|o| o.given_name.clone()),
                family_name: part(|o| o.family_name.clone()),
                grades: object.as_ref().map(|o| o.grades.clone()).unwrap_or_default(),
                received_at: Some(timestamp(held.received_at_ms)),
                sourced_id: held.sourced_id,
                json: held.json,
            }
        });
        Ok(Response::new(ListStudentsResponse { students: students.collect(), next_page_token }))
    }

    type ExportRosterStream = BoxStream<'static, Result<RosterChunk, Status>>;

    async fn export_roster(
        &self,
        request: Request<ExportRosterRequest>,
    ) -> Result<Response<Self::ExportRosterStream>, Status> {
        let form = Form::parse(&request.into_inner().format)
            .ok_or_else(|| Status::invalid_argument("format: must be jsonl, csv or oneroster"))?;
        let (sourced_id, name) = self.school().await?;
        Ok(Response::new(export::stream(self.store.clone(), form, School { sourced_id, name })))
    }

    async fn get_roster_digest(&self, _: Request<GetRosterDigestRequest>) -> Result<Response<RosterDigest>, Status> {
        self.roster_digest().await.map(Response::new)
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        events::list(&self.store, request.into_inner()).await.map(Response::new)
    }

    type TailEventsStream = BoxStream<'static, Result<TailEventsResponse, Status>>;

    async fn tail_events(
        &self,
        request: Request<TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let after = request.into_inner().after_number;
        Ok(Response::new(events::tail(self.store.clone(), self.inbox.newest(), after, self.stop.clone())))
    }

    async fn list_student_history(
        &self,
        request: Request<ListStudentHistoryRequest>,
    ) -> Result<Response<ListStudentHistoryResponse>, Status> {
        history::student(&self.store, request.into_inner()).await.map(Response::new)
    }

    async fn list_gaps(&self, _: Request<ListGapsRequest>) -> Result<Response<ListGapsResponse>, Status> {
        history::gaps(&self.store).await.map(Response::new)
    }

    async fn list_alerts(&self, request: Request<ListAlertsRequest>) -> Result<Response<ListAlertsResponse>, Status> {
        history::alerts(&self.store, request.into_inner()).await.map(Response::new)
    }

    async fn check_signature(
        &self,
        request: Request<CheckSignatureRequest>,
    ) -> Result<Response<CheckSignatureResponse>, Status> {
        let request = request.into_inner();
        let now_ms = self.clock.now_ms();
        let received_at_s = request.received_at.map_or(now_ms.div_euclid(1_000), |at| at.seconds);
        let keys = self.keys.get();
        let pasted = Pasted {
            id: &request.webhook_id,
            timestamp: &request.webhook_timestamp,
            signature: &request.webhook_signature,
            body: &request.body,
            received_at_s,
            expected_sha256: &request.expected_sha256,
            expected_bytes: request.expected_bytes,
        };
        let held = keys.as_ref().map(|keys| keys.secrets.as_slice()).unwrap_or_default();
        let counting = keys.as_ref().map_or(0, |keys| keys.counting(now_ms).len());
        let found = signature_check::diagnose(held, counting, &pasted);
        let checks = found.checks.into_iter().map(|check| SignatureCheck {
            step: check.step.to_owned(),
            ok: check.ok,
            evidence: check.evidence,
        });
        Ok(Response::new(CheckSignatureResponse {
            verified: found.verified,
            checks: checks.collect(),
            likely_cause: found.cause.to_owned(),
            advice: found.advice,
        }))
    }
}
