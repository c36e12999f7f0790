//! A server of another generation, which no build of ours is: it says which it is, and knows nothing else.

use std::net::SocketAddr;

use anyhow::Result;
use rollcall_proto::provider::v1::{
    self as pb,
    staff_service_server::{StaffService, StaffServiceServer},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

/// The server. Ends with its value.
pub struct OtherVersion {
    pub address: SocketAddr,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl OtherVersion {
    pub async fn start(version: &'static str) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()])?.self_signed(&key)?;
        let identity = Identity::from_pem(certificate.pem(), key.serialize_pem());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))?
            .add_service(StaffServiceServer::new(Says(version)));
        let serving = tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        Ok(Self { address, serving })
    }
}

impl Drop for OtherVersion {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Says(&'static str);

macro_rules! unknown {
    ($($name:ident: $asked:ident -> $told:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl StaffService for Says {
            async fn get_server_info(
                &self,
                _: Request<pb::GetServerInfoRequest>,
            ) -> Result<Response<pb::GetServerInfoResponse>, Status> {
                Ok(Response::new(pb::GetServerInfoResponse { version: self.0.into(), ..Default::default() }))
            }

            $(async fn $name(&self, _: Request<pb::$asked>) -> Result<Response<pb::$told>, Status> {
                Err(Status::unimplemented("another generation"))
            })*
        }
    };
}

unknown! {
    claim_owner: ClaimOwnerRequest -> SessionGrant,
    login: LoginRequest -> SessionGrant,
    logout: LogoutRequest -> LogoutResponse,
    who_am_i: WhoAmIRequest -> Staff,
    create_staff: CreateStaffRequest -> Staff,
    list_staff: ListStaffRequest -> ListStaffResponse,
    update_staff: UpdateStaffRequest -> Staff,
    revoke_sessions: RevokeSessionsRequest -> RevokeSessionsResponse,
    disable_staff: DisableStaffRequest -> Staff,
}
