//! The audit log, for auditors and owners.

use rollcall_proto::provider::v1::{self as pb, audit_service_server::AuditService};
use tonic::{Request, Response, Status};

use super::{
    Services,
    auth::caller,
    convert::{bad_page_token, page_size, timestamp},
    status::{refused, to_status},
};
use crate::{
    error::{Refusal, RefusalKind},
    model::access::Scope,
    store::{
        StoreError,
        audit::{self, Entry, INSTALLATION},
        scope::resolve_district,
    },
};

/// See the schema.
pub struct AuditApi {
    services: Services,
}

impl AuditApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }
}

fn to_entry(entry: Entry) -> pb::AuditEntry {
    pb::AuditEntry {
        number: entry.number,
        at: Some(timestamp(entry.at_ms)),
        actor: entry.actor,
        act: entry.act,
        subject: entry.subject,
        detail: entry.detail,
    }
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
        let before = match request.page_token.as_str() {
            "" => None,
            text => Some(text.parse::<u64>().map_err(|_| refused(bad_page_token()))?),
        };
        let read = async {
            let mut conn = self.services.store.reader().await?;
            let chain = match (request.district.as_str(), &scope) {
                ("", Scope::Installation) => INSTALLATION.to_owned(),
                ("", _) => {
                    let words = "name a district: the installation's own chain is for owners";
                    return Err(Refusal::new(RefusalKind::Denied, words).into());
                }
                (text, _) => resolve_district(&mut conn, &scope, text).await?.to_string(),
            };
            audit::page(&mut conn, &chain, before, limit).await
        };
        let entries: Vec<Entry> = read.await.map_err(to_status)?;
        let last = entries.last().filter(|last| last.number > 1 && entries.len() as i64 == limit);
        let next_page_token = last.map(|last| last.number.to_string()).unwrap_or_default();
        let entries = entries.into_iter().map(to_entry).collect();
        Ok(Response::new(pb::ListAuditResponse { entries, next_page_token }))
    }

    async fn verify_audit(
        &self,
        request: Request<pb::VerifyAuditRequest>,
    ) -> Result<Response<pb::VerifyAuditResponse>, Status> {
        let scope = caller(&request)?.scope;
        let chains: Option<Vec<String>> = match scope {
            Scope::Installation => None,
            Scope::Districts(districts) => Some(districts.iter().map(ToString::to_string).collect()),
            Scope::School(..) => Some(Vec::new()),
        };
        let store = self.services.store.clone();
        // A task of its own: a caller that goes away must not leave the snapshot open.
        let verified = tokio::spawn(async move { audit::verify_now(&store, chains).await });
        let verdict = verified.await.unwrap_or(Err(StoreError::Stopping)).map_err(to_status)?;
        Ok(Response::new(pb::VerifyAuditResponse {
            intact: verdict.first_break.is_none(),
            entries: verdict.entries,
            r#break: verdict.first_break.unwrap_or_default(),
        }))
    }
}
