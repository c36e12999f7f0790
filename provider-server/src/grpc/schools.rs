//! Schools and their connections, for staff.

use rollcall_proto::{
    enrollment::{DEEP_LINK, EnrollmentCode},
    id::{DistrictId, SchoolId},
    provider::v1::{self as pb, school_service_server::SchoolService},
};
use tonic::{Request, Response, Status};

use super::{
    Services,
    auth::caller,
    convert::{bad_page_token, page_size, timestamp},
    school_view::{to_school, to_secret_info},
    status::{refused, to_status},
};
use crate::{
    error::Refusal,
    model::{
        access::{Caller, Scope},
        enrollment::CODE_TTL_MS,
        school::{MAX_PAUSE_S, MAX_WEEK_S, OVERLAP_MS, RetrySettings, check_in_flight, check_name},
        student::check_sourced_id,
    },
    store::{
        Act, StoreError, Tx, codes,
        rotation::{self, Ask},
        school_connection::{self as connection, Settings},
        school_deletion, schools,
        scope::{resolve_district, resolve_school},
    },
};

const MAX_URL_BYTES: usize = 2_048;

/// See the schema.
pub struct SchoolApi {
    services: Services,
}

type Answer<T> = Result<Response<T>, Status>;
/// A school and its district.
type Place = (SchoolId, DistrictId);

impl SchoolApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// The school that a request names, in the caller's scope.
    async fn place(&self, scope: &Scope, school: &str, district: &str) -> Result<Place, Status> {
        let resolve = async {
            let mut conn = self.services.store.reader().await?;
            let district = match district {
                "" => None,
                text => Some(resolve_district(&mut conn, scope, text).await?),
            };
            resolve_school(&mut conn, scope, school, district).await
        };
        resolve.await.map_err(to_status)
    }

    /// Runs an act on the school that a request names.
    async fn act<T, F>(&self, caller: Caller, school: String, act: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx<'_>, Place, String) -> Act<'t, T> + Send + 'static,
    {
        let place = self.place(&caller.scope, &school, "").await?;
        let actor = caller.actor;
        self.services.store.act(move |tx| act(tx, place, actor)).await.map_err(to_status)
    }

    async fn answer(&self, school: SchoolId) -> Answer<pb::School> {
        let store = &self.services.store;
        let read = async { schools::get(&mut store.reader().await?, school, store.now_ms()).await };
        Ok(Response::new(to_school(read.await.map_err(to_status)?)))
    }
}

/// Refuses a length of time above a limit; 0 means the default.
fn seconds(field: &str, given: u32, low: u32, high: u32, default_ms: i64) -> Result<i64, Refusal> {
    match given {
        0 => Ok(default_ms),
        given if (low..=high).contains(&given) => Ok(i64::from(given) * 1_000),
        _ => Err(Refusal::field(field, format!("must be {low} to {high} s"))),
    }
}

fn check_url_size(url: &str) -> Result<(), Refusal> {
    if url.len() > MAX_URL_BYTES {
        return Err(Refusal::field("url", "must have at most 2,048 bytes"));
    }
    Ok(())
}

#[tonic::async_trait]
impl SchoolService for SchoolApi {
    async fn create_school(&self, request: Request<pb::CreateSchoolRequest>) -> Answer<pb::School> {
        let Caller { actor, scope } = caller(&request)?;
        let request = request.into_inner();
        let name = check_name("name", &request.name).map_err(refused)?;
        check_sourced_id("sourcedId", &request.sourced_id).map_err(refused)?;
        let created = self.services.store.act(move |tx| {
            Box::pin(async move {
                let district = resolve_district(tx.conn, &scope, &request.district).await?;
                schools::create(tx, &actor, district, &name, &request.sourced_id).await
            })
        });
        let school = created.await.map_err(to_status)?;
        self.answer(school).await
    }

    async fn list_schools(&self, request: Request<pb::ListSchoolsRequest>) -> Answer<pb::ListSchoolsResponse> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        let limit = page_size(request.page_size).map_err(refused)?;
        let store = &self.services.store;
        let read = async {
            let mut conn = store.reader().await?;
            let district = match request.district.as_str() {
                "" => None,
                text => Some(resolve_district(&mut conn, &scope, text).await?),
            };
            let after = match request.page_token.as_str() {
                "" => None,
                text => Some(text.parse::<SchoolId>().map_err(|_| bad_page_token())?),
            };
            schools::list(&mut conn, &scope, district, after, limit + 1, store.now_ms()).await
        };
        let mut schools = read.await.map_err(to_status)?;
        let more = schools.len() as i64 > limit;
        schools.truncate(limit as usize);
        let last = schools.last().filter(|_| more);
        let next_page_token = last.map(|school| school.id.to_string()).unwrap_or_default();
        let schools = schools.into_iter().map(to_school).collect();
        Ok(Response::new(pb::ListSchoolsResponse { schools, next_page_token }))
    }

    async fn get_school(&self, request: Request<pb::GetSchoolRequest>) -> Answer<pb::School> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        let (school, _) = self.place(&scope, &request.school, &request.district).await?;
        self.answer(school).await
    }

    async fn update_school(&self, request: Request<pb::UpdateSchoolRequest>) -> Answer<pb::School> {
        let Caller { actor, scope } = caller(&request)?;
        let request = request.into_inner();
        let name = check_name("name", &request.name).map_err(refused)?;
        let place = self.place(&scope, &request.school, "").await?;
        let renamed = self
            .services
            .store
            .act(move |tx| Box::pin(async move { school_deletion::rename(tx, place, &actor, &name).await }));
        renamed.await.map_err(to_status)?;
        self.answer(place.0).await
    }

    async fn delete_school(&self, request: Request<pb::DeleteSchoolRequest>) -> Answer<pb::DeleteSchoolResponse> {
        let Caller { actor, scope } = caller(&request)?;
        let request = request.into_inner();
        let place = self.place(&scope, &request.school, "").await?;
        let deleted = school_deletion::delete(&self.services.store, place, actor, request.confirm_name);
        let discarded = deleted.await.map_err(to_status)?;
        self.services.sessions.forget_school(place.0);
        Ok(Response::new(pb::DeleteSchoolResponse { school_id: place.0.to_string(), discarded }))
    }

    async fn connect_school(&self, request: Request<pb::ConnectSchoolRequest>) -> Answer<pb::School> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        check_url_size(&request.url).map_err(refused)?;
        let retry = request.retry.map(|r| RetrySettings::new(r.max_tries, r.delays_ms, r.probe_ms, r.timeout_ms));
        let retry = retry.transpose().map_err(refused)?;
        let max_in_flight = check_in_flight(request.max_in_flight).map_err(refused)?;
        // The scope comes first: who may not see the school learns nothing of its address.
        let place = self.place(&caller.scope, &request.school, "").await?;
        let url = (self.services.vet_url)(&request.url).map_err(refused)?;
        let host = url::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let settings = Settings { url, own_receiver: request.own_receiver, retry, max_in_flight, host };
        let connected = self
            .services
            .store
            .act(move |tx| Box::pin(async move { connection::connect(tx, place, &caller.actor, settings).await }));
        connected.await.map_err(to_status)?;
        self.answer(place.0).await
    }

    async fn test_address(&self, request: Request<pb::TestAddressRequest>) -> Answer<pb::TestAddressResponse> {
        caller(&request)?;
        let url = request.into_inner().url;
        check_url_size(&url).map_err(refused)?;
        let steps = self.services.tester.check_address(url).await;
        let ok = !steps.is_empty() && steps.iter().all(|step| step.ok);
        let checks = steps.into_iter();
        let checks =
            checks.map(|step| pb::AddressCheck { step: step.step.into(), ok: step.ok, detail: step.detail }).collect();
        Ok(Response::new(pb::TestAddressResponse { ok, checks }))
    }

    async fn issue_code(&self, request: Request<pb::IssueCodeRequest>) -> Answer<pb::IssueCodeResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let ttl_ms = seconds("ttlS", request.ttl_s, 60, MAX_WEEK_S, CODE_TTL_MS).map_err(refused)?;
        let issued = self.act(caller, request.school, move |tx, place, actor| {
            Box::pin(async move { codes::issue(tx, place, &actor, ttl_ms).await })
        });
        let issued = issued.await?;
        let code = EnrollmentCode {
            id: issued.id,
            secret: issued.secret,
            pin: self.services.pin,
            server: self.services.public_address.clone(),
        };
        let code = code.encode().to_string();
        Ok(Response::new(pb::IssueCodeResponse {
            deep_link: format!("{DEEP_LINK}{code}"),
            code,
            expires_at: Some(timestamp(issued.expires_ms)),
        }))
    }

    async fn revoke_code(&self, request: Request<pb::RevokeCodeRequest>) -> Answer<pb::School> {
        let caller = caller(&request)?;
        let school = self.act(caller, request.into_inner().school, |tx, place, actor| {
            Box::pin(async move { codes::revoke(tx, place, &actor).await.map(|()| place.0) })
        });
        self.answer(school.await?).await
    }

    async fn show_secret_once(
        &self,
        request: Request<pb::ShowSecretOnceRequest>,
    ) -> Answer<pb::ShowSecretOnceResponse> {
        let caller = caller(&request)?;
        let shown = self.act(caller, request.into_inner().school, |tx, place, actor| {
            Box::pin(async move {
                let (secret, info) = connection::show_secret_once(tx, place, &actor).await?;
                Ok((place.0, secret, info))
            })
        });
        let (school, secret, info) = shown.await?;
        self.services.sessions.forget_school(school);
        Ok(Response::new(pb::ShowSecretOnceResponse {
            secret: secret.reveal().to_string(),
            info: Some(to_secret_info(info)),
        }))
    }

    async fn rotate_secret(&self, request: Request<pb::RotateSecretRequest>) -> Answer<pb::RotateSecretResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let overlap_ms = match request.overlap_s {
            None => OVERLAP_MS,
            Some(overlap_s) => seconds("overlapS", overlap_s, 0, MAX_WEEK_S, 0).map_err(refused)?,
        };
        let overlap_ms = if request.revoke_now { 0 } else { overlap_ms };
        let ask = Ask { overlap_ms, revoke_now: request.revoke_now };
        let rotated = self.act(caller, request.school, move |tx, place, actor| {
            Box::pin(async move { rotation::request(tx, place, &actor, ask).await })
        });
        let (secret, info) = rotated.await?;
        Ok(Response::new(pb::RotateSecretResponse {
            secret: secret.map(|secret| secret.reveal().to_string()).unwrap_or_default(),
            info: Some(to_secret_info(info)),
        }))
    }

    async fn pause_school(&self, request: Request<pb::PauseSchoolRequest>) -> Answer<pb::School> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let duration_ms = seconds("durationS", request.duration_s, 1, MAX_PAUSE_S, 0).map_err(refused)?;
        let paused = self.act(caller, request.school, move |tx, place, actor| {
            Box::pin(async move {
                let until_ms = (duration_ms > 0).then_some(tx.now_ms + duration_ms);
                connection::pause(tx, place, &actor, until_ms).await?;
                Ok::<_, StoreError>(place.0)
            })
        });
        self.answer(paused.await?).await
    }

    async fn resume_school(&self, request: Request<pb::ResumeSchoolRequest>) -> Answer<pb::School> {
        let caller = caller(&request)?;
        let resumed = self.act(caller, request.into_inner().school, |tx, place, actor| {
            Box::pin(async move { connection::resume(tx, place, &actor).await.map(|()| place.0) })
        });
        self.answer(resumed.await?).await
    }

    async fn send_test_event(&self, request: Request<pb::SendTestEventRequest>) -> Answer<pb::SendTestEventResponse> {
        let caller = caller(&request)?;
        let (school, _) = self.place(&caller.scope, &request.into_inner().school, "").await?;
        send_test(&self.services, school, caller.actor).await
    }
}

/// Sends a test event, for staff and for the school itself.
pub async fn send_test(services: &Services, school: SchoolId, actor: String) -> Answer<pb::SendTestEventResponse> {
    let outcome = services.tester.send_test(school, actor).await.map_err(to_status)?;
    Ok(Response::new(pb::SendTestEventResponse {
        ok: outcome.ok,
        code: outcome.code.into(),
        detail: outcome.detail,
        latency_ms: outcome.latency_ms,
    }))
}
