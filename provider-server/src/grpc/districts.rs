//! Districts.

use rollcall_proto::provider::v1::{self as pb, district_service_server::DistrictService};
use tonic::{Request, Response, Status};

use super::{
    Services,
    auth::caller,
    convert::timestamp,
    status::{refused, to_status},
};
use crate::{
    model::{school::check_name, student::check_sourced_id},
    store::districts::{self, District},
};

/// See the schema.
pub struct DistrictApi {
    services: Services,
}

impl DistrictApi {
    pub fn new(services: Services) -> Self {
        Self { services }
    }
}

fn to_district(district: District) -> pb::District {
    pb::District {
        id: district.id.to_string(),
        name: district.name,
        sourced_id: district.sourced_id,
        birth_date: district.birth_date,
        created_at: Some(timestamp(district.created_ms)),
    }
}

#[tonic::async_trait]
impl DistrictService for DistrictApi {
    async fn create_district(
        &self,
        request: Request<pb::CreateDistrictRequest>,
    ) -> Result<Response<pb::District>, Status> {
        let actor = caller(&request)?.actor;
        let pb::CreateDistrictRequest { name, sourced_id, birth_date } = request.into_inner();
        let name = check_name("name", &name).map_err(refused)?;
        check_sourced_id("sourcedId", &sourced_id).map_err(refused)?;
        let created = self
            .services
            .store
            .act(move |tx| Box::pin(async move { districts::create(tx, &actor, name, sourced_id, birth_date).await }));
        Ok(Response::new(to_district(created.await.map_err(to_status)?)))
    }

    async fn list_districts(
        &self,
        request: Request<pb::ListDistrictsRequest>,
    ) -> Result<Response<pb::ListDistrictsResponse>, Status> {
        let scope = caller(&request)?.scope;
        let listed = async { districts::list(&mut self.services.store.reader().await?, &scope).await };
        let districts = listed.await.map_err(to_status)?.into_iter().map(to_district).collect();
        Ok(Response::new(pb::ListDistrictsResponse { districts }))
    }
}
