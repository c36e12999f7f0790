//! Staff accounts and their sessions.

use std::{net::SocketAddr, path::PathBuf};

use rollcall_proto::{
    id::DistrictId,
    provider::v1::{self, staff_service_server::StaffService},
};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::{
    Services,
    auth::{caller, identity},
    convert::{role, timestamp},
    status::{refused, to_status},
};
use crate::{
    error::{Refusal, Violation},
    model::access::{Role, Scope},
    passwords::Passwords,
    store::{
        StoreError, Tx,
        limits::{self, Subject},
        scope::resolve_district,
        staff::{self, Grant, NewStaff, StaffUpdate},
    },
};

/// Where a connection comes from, as the server's listener knows it.
#[derive(Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// The address that a request comes from.
pub fn peer<T>(request: &Request<T>) -> Option<std::net::IpAddr> {
    request.extensions().get::<PeerAddress>().map(|peer| peer.0.ip().to_canonical())
}

/// The service.
pub struct StaffApi {
    services: Services,
    /// Removed once the owner is claimed.
    owner_code_file: PathBuf,
}

impl StaffApi {
    /// The service over the store.
    pub fn new(services: Services) -> Self {
        let owner_code_file = services.owner_code_file.clone();
        Self { services, owner_code_file }
    }

    async fn begin(&self, attempt: &[Subject]) -> Result<(), Status> {
        // Counted in a transaction of its own: a wrong password must not undo the count. The refusal undoes only the
        // count beyond the limit.
        let attempt = attempt.to_vec();
        let begun = self.services.store.act(move |tx| Box::pin(async move { limits::begin(tx, &attempt).await }));
        begun.await.map_err(to_status)
    }
}

fn to_staff(staff: staff::Staff) -> v1::Staff {
    v1::Staff {
        id: staff.id.to_string(),
        username: staff.username,
        role: role(staff.role).into(),
        district_ids: staff.districts.iter().map(ToString::to_string).collect(),
        disabled: staff.disabled,
        created_at: Some(timestamp(staff.created_ms)),
        last_login_at: staff.last_login_ms.map(timestamp),
    }
}

fn to_grant(grant: Grant) -> v1::SessionGrant {
    v1::SessionGrant {
        token: grant.token,
        expires_at: Some(timestamp(grant.expires_ms)),
        staff: Some(to_staff(grant.staff)),
    }
}

fn check_new(username: &str, password: &str) -> Result<(), Status> {
    let mut violations: Vec<Violation> = staff::check_username(username).err().into_iter().collect();
    if let Err(refusal) = Passwords::check_new(username, password) {
        violations.extend(refusal.violations);
    }
    if violations.is_empty() { Ok(()) } else { Err(refused(Refusal::fields(violations))) }
}

/// Districts are named where the role has a scope, and only there.
fn check_districts(role: Role, names: &[String]) -> Result<(), Refusal> {
    match (role, names.len()) {
        (Role::Owner, 1..) => Err(Refusal::field("districts", "an owner has all districts: leave it empty")),
        (Role::Owner, 0) | (_, 1..=1_000) => Ok(()),
        (_, 0) => Err(Refusal::field("districts", "name at least one district")),
        _ => Err(Refusal::field("districts", "name at most 1,000")),
    }
}

async fn resolve_all(tx: &mut Tx<'_>, names: Vec<String>) -> Result<Vec<DistrictId>, StoreError> {
    let mut districts = Vec::with_capacity(names.len());
    for name in names {
        districts.push(resolve_district(tx.conn, &Scope::Installation, &name).await?);
    }
    districts.sort_unstable();
    districts.dedup();
    Ok(districts)
}

fn staff_role(number: i32) -> Result<Role, Status> {
    match v1::Role::try_from(number) {
        Ok(v1::Role::Owner) => Ok(Role::Owner),
        Ok(v1::Role::Operator) => Ok(Role::Operator),
        Ok(v1::Role::Viewer) => Ok(Role::Viewer),
        Ok(v1::Role::Auditor) => Ok(Role::Auditor),
        _ => Err(refused(Refusal::field("role", "use viewer, auditor, operator or owner"))),
    }
}

#[tonic::async_trait]
impl StaffService for StaffApi {
    async fn get_server_info(
        &self,
        _: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        let store = &self.services.store;
        let owned = async { staff::owner_exists(&mut store.reader().await?).await };
        let response = v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            now: Some(timestamp(store.now_ms())),
            unclaimed: !owned.await.map_err(to_status)?,
        };
        Ok(Response::new(response))
    }

    async fn claim_owner(&self, request: Request<v1::ClaimOwnerRequest>) -> Result<Response<v1::SessionGrant>, Status> {
        let attempt = vec![Subject::address("owner code", peer(&request))];
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        let code = Zeroizing::new(request.code.trim().to_owned());
        check_new(&request.username, &password)?;
        self.begin(&attempt).await?;
        let password_hash = self.services.passwords.hash(password).await.map_err(refused)?;
        let new = NewStaff { username: request.username, password_hash, role: Role::Owner, districts: Vec::new() };
        let claimed = self
            .services
            .store
            .act(move |tx| Box::pin(async move { staff::claim_owner(tx, &code, new, &attempt).await }));
        let grant = claimed.await.map_err(to_status)?;
        if let Err(error) = std::fs::remove_file(&self.owner_code_file) {
            // The code is void already; the next start removes the file.
            tracing::warn!(%error, "the used owner code's file could not be removed");
        }
        Ok(Response::new(to_grant(grant)))
    }

    async fn login(&self, request: Request<v1::LoginRequest>) -> Result<Response<v1::SessionGrant>, Status> {
        let from = peer(&request);
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        let attempt = vec![Subject::address("login", from), Subject::account(&request.username)];
        self.begin(&attempt).await?;
        let store = &self.services.store;
        let known = async { staff::credentials(&mut store.reader().await?, &request.username).await };
        let known = known.await.map_err(to_status)?;
        let stored = known.as_ref().map(|(_, hash)| hash.clone());
        let fits = self.services.passwords.verify(password, stored).await.map_err(refused)?;
        let Some((id, hash)) = known.filter(|_| fits) else { return Err(refused(staff::wrong_password())) };
        let opened = store.act(move |tx| Box::pin(async move { staff::open_session(tx, id, hash, &attempt).await }));
        Ok(Response::new(to_grant(opened.await.map_err(to_status)?)))
    }

    async fn logout(&self, request: Request<v1::LogoutRequest>) -> Result<Response<v1::LogoutResponse>, Status> {
        let identity = identity(&request)?;
        let (actor, token) = (identity.caller.actor.clone(), identity.token);
        let closed =
            self.services.store.act(move |tx| Box::pin(async move { staff::close_session(tx, &actor, token).await }));
        closed.await.map_err(to_status)?;
        self.services.sessions.forget_token(&token);
        Ok(Response::new(v1::LogoutResponse {}))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Result<Response<v1::Staff>, Status> {
        let id = identity(&request)?.staff.ok_or_else(|| Status::not_found("the account was not found"))?;
        let found = async { staff::get(&mut self.services.store.reader().await?, id).await };
        Ok(Response::new(to_staff(found.await.map_err(to_status)?)))
    }

    async fn create_staff(&self, request: Request<v1::CreateStaffRequest>) -> Result<Response<v1::Staff>, Status> {
        let actor = caller(&request)?.actor;
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        check_new(&request.username, &password)?;
        let role = staff_role(request.role)?;
        let names = request.districts;
        check_districts(role, &names).map_err(refused)?;
        let password_hash = self.services.passwords.hash(password).await.map_err(refused)?;
        let username = request.username;
        let created = self.services.store.act(move |tx| {
            Box::pin(async move {
                let districts = resolve_all(tx, names).await?;
                staff::create(tx, &actor, NewStaff { username, password_hash, role, districts }).await
            })
        });
        Ok(Response::new(to_staff(created.await.map_err(to_status)?)))
    }

    async fn list_staff(&self, _: Request<v1::ListStaffRequest>) -> Result<Response<v1::ListStaffResponse>, Status> {
        let listed = async { staff::list(&mut self.services.store.reader().await?).await };
        let staff = listed.await.map_err(to_status)?.into_iter().map(to_staff).collect();
        Ok(Response::new(v1::ListStaffResponse { staff }))
    }

    async fn update_staff(&self, request: Request<v1::UpdateStaffRequest>) -> Result<Response<v1::Staff>, Status> {
        let identity = identity(&request)?;
        let (actor, keep) = (identity.caller.actor.clone(), identity.token);
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        let role = match v1::Role::try_from(request.role) {
            Ok(v1::Role::Unspecified) if request.districts.is_empty() => None,
            Ok(v1::Role::Unspecified) => return Err(refused(Refusal::field("districts", "come with a role"))),
            _ => Some(staff_role(request.role)?),
        };
        if let Some(role) = role {
            check_districts(role, &request.districts).map_err(refused)?;
        }
        let password_hash = match password.is_empty() {
            true => None,
            false => {
                let known = async { staff::find(&mut self.services.store.reader().await?, &request.staff).await };
                let username = known.await.map_err(to_status)?.username;
                Passwords::check_new(&username, &password).map_err(refused)?;
                Some(self.services.passwords.hash(password).await.map_err(refused)?)
            }
        };
        let (name, names, disabled) = (request.staff, request.districts, request.disabled);
        let updated = self.services.store.act(move |tx| {
            Box::pin(async move {
                let role = match role {
                    Some(role) => Some((role, resolve_all(tx, names).await?)),
                    None => None,
                };
                let update = StaffUpdate { role, disabled, password_hash };
                staff::update(tx, &actor, &name, update, Some(keep)).await
            })
        });
        let updated = updated.await.map_err(to_status)?;
        self.services.sessions.forget_staff(updated.id);
        Ok(Response::new(to_staff(updated)))
    }

    async fn revoke_sessions(
        &self,
        request: Request<v1::RevokeSessionsRequest>,
    ) -> Result<Response<v1::RevokeSessionsResponse>, Status> {
        let actor = caller(&request)?.actor;
        let name = request.into_inner().staff;
        let revoked =
            self.services.store.act(move |tx| Box::pin(async move { staff::revoke_sessions(tx, &actor, &name).await }));
        let (id, sessions) = revoked.await.map_err(to_status)?;
        self.services.sessions.forget_staff(id);
        let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
        Ok(Response::new(v1::RevokeSessionsResponse { sessions }))
    }

    async fn disable_staff(&self, request: Request<v1::DisableStaffRequest>) -> Result<Response<v1::Staff>, Status> {
        let actor = caller(&request)?.actor;
        let name = request.into_inner().staff;
        let disabled =
            self.services.store.act(move |tx| Box::pin(async move { staff::disable(tx, &actor, &name).await }));
        let disabled = disabled.await.map_err(to_status)?;
        self.services.sessions.forget_staff(disabled.id);
        Ok(Response::new(to_staff(disabled)))
    }
}
