//! The gRPC services: the only place where prost types appear. A handler converts and validates, asks the store, and
//! converts the answer; `status` is the one error mapping and `auth` the one check of who may call.

mod audit;
pub mod auth;
mod convert;
mod districts;
mod enrollment;
mod imports;
mod link;
mod link_log;
mod log;
mod school_view;
mod schools;
mod sessions;
mod staff;
pub mod status;
mod students;

use std::{path::PathBuf, sync::Arc};

use rollcall_proto::provider::v1::{
    audit_service_server::AuditServiceServer, district_service_server::DistrictServiceServer,
    enrollment_service_server::EnrollmentServiceServer, import_service_server::ImportServiceServer,
    log_service_server::LogServiceServer, school_link_service_server::SchoolLinkServiceServer,
    school_service_server::SchoolServiceServer, staff_service_server::StaffServiceServer,
    student_service_server::StudentServiceServer,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    error::Refusal,
    import::Importer,
    model::connection_test::ConnectionTester,
    passwords::Passwords,
    store::{Store, changes::ChangeQueue},
};

pub use sessions::Sessions;
pub use staff::{PeerAddress, peer};

/// Vets a webhook address by the egress policy; answers its normal form.
pub type VetUrl = Arc<dyn Fn(&str) -> Result<String, Refusal> + Send + Sync>;

/// What the services need. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The store.
    pub store: Store,
    /// The door for changes of students.
    pub changes: ChangeQueue,
    /// Works on imports.
    pub imports: Importer,
    /// Tries connections.
    pub tester: Arc<dyn ConnectionTester>,
    /// The egress policy.
    pub vet_url: VetUrl,
    /// Tokens that were looked up lately.
    pub sessions: Sessions,
    /// Hashes and verifies.
    pub passwords: Passwords,
    /// Holds the owner code until it is claimed.
    pub owner_code_file: PathBuf,
    /// `host:port` that codes name.
    pub public_address: String,
    /// SHA-256 of the server's public key, that codes name.
    pub pin: [u8; 32],
    /// Cancelled when the server stops; long streams end then.
    pub stopping: CancellationToken,
}

/// All services, without the check of `auth::AuthLayer`, which the server adds around them.
pub fn routes(services: &Services) -> Routes {
    let students = students::Students { store: services.store.clone(), changes: services.changes.clone() };
    // One line for each service.
    Routes::default()
        .add_service(DistrictServiceServer::new(districts::DistrictApi::new(services.clone())))
        .add_service(SchoolServiceServer::new(schools::SchoolApi::new(services.clone())))
        .add_service(EnrollmentServiceServer::new(enrollment::EnrollmentApi::new(services.clone())))
        .add_service(SchoolLinkServiceServer::new(link::LinkApi::new(services.clone())))
        .add_service(StudentServiceServer::new(students))
        .add_service(ImportServiceServer::new(imports::ImportApi::new(services.clone())))
        .add_service(StaffServiceServer::new(staff::StaffApi::new(services.clone())))
        .add_service(AuditServiceServer::new(audit::AuditApi { store: services.store.clone() }))
        .add_service(LogServiceServer::new(log::LogApi::new(services.clone())))
}
