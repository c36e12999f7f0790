//! The audit log: pages of a chain, and the check of the chains.

use rollcall_proto::provider::v1::{self as pb, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::{
    auth::caller,
    convert::{page_size, page_token, read_page_token, timestamp},
    status::{refused, to_status},
};
use crate::{
    error::{Refusal, RefusalKind},
    model::access::Scope,
    store::{Store, StoreError, audit, scope::resolve_district},
};

/// See the schema.
pub struct AuditApi {
    pub store: Store,
}

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_audit(
        &self,
        request: Request<pb::ListAuditRequest>,
    ) -> Result<Response<pb::ListAuditResponse>, Status> {
        let scope = caller(&request)?.scope;
        let request = request.into_inner();
        let limit = page_size(request.page_size).map_err(refused)?;
        let before = read_page_token(&request.page_token).map_err(refused)?;
        let read = async {
            let mut conn = self.store.reader().await?;
            let chain = match (request.district.as_str(), &scope) {
                ("", Scope::Installation) => audit::INSTALLATION.to_owned(),
                ("", _) => {
                    let message = "district: name one of yours; only an owner reads the installation's chain";
                    return Err(StoreError::from(Refusal::new(RefusalKind::Denied, message)));
                }
                (district, scope) => resolve_district(&mut conn, scope, district).await?.to_string(),
            };
            audit::list(&mut conn, &chain, before, limit as usize).await
        };
        let (entries, next) = read.await.map_err(to_status)?;
        let entry = |entry: audit::Entry| pb::AuditEntry {
            number: entry.number,
            at: Some(timestamp(entry.at_ms)),
            actor: entry.actor,
            act: entry.act,
            subject: entry.subject,
            detail: entry.detail,
        };
        Ok(Response::new(pb::ListAuditResponse {
            entries: entries.into_iter().map(entry).collect(),
            next_page_token: page_token(next),
        }))
    }

    async fn verify_audit(
        &self,
        request: Request<pb::VerifyAuditRequest>,
    ) -> Result<Response<pb::VerifyAuditResponse>, Status> {
        let scope = caller(&request)?.scope;
        let sees = move |chain: &str| match chain.parse() {
            Ok(district) => scope.includes_district(district),
            Err(_) => scope == Scope::Installation,
        };
        let verdict = audit::verify_now(&self.store, sees).await.map_err(to_status)?;
        Ok(Response::new(pb::VerifyAuditResponse {
            intact: verdict.first_break.is_none(),
            entries: verdict.entries,
            r#break: verdict.first_break.unwrap_or_default(),
        }))
    }
}
