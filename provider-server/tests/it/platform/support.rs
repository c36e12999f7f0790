//! A server on a folder of its own, in time that moves only when told, and clients that call it over pinned TLS.

use std::sync::Arc;

use provider_server::{
    app::{self, Running},
    clock::{Entropy, ManualClock},
    config::{Config, KeySource},
};
use rollcall_proto::{
    enrollment::EnrollmentCode,
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{
        self as pb, audit_service_client::AuditServiceClient, district_service_client::DistrictServiceClient,
        enrollment_service_client::EnrollmentServiceClient, school_link_service_client::SchoolLinkServiceClient,
        school_service_client::SchoolServiceClient, staff_service_client::StaffServiceClient,
    },
    webhook::signature::SigningSecret,
};
use tonic::{Request, transport::Channel};

use crate::support::{START_MS, TestDatabase};

pub const PASSWORD: &str = "violin tundra ocean mint";
/// Where no receiver listens: these tests are not about deliveries.
pub const URL: &str = "http://127.0.0.1:9/webhook";

/// A running server and its owner's token.
pub struct Server {
    pub running: Running,
    pub clock: ManualClock,
    pub channel: Channel,
    pub owner: String,
    pub database: TestDatabase,
}

/// The installation that a test plays.
pub struct Installed {
    pub secret: SigningSecret,
    pub token: String,
    pub start_after: u64,
}

impl Server {
    /// Starts, and claims the owner.
    pub async fn start() -> Self {
        let database = TestDatabase::new();
        let data_dir = database.folder.path().to_owned();
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let config = Config {
            listen: loopback,
            ops_listen: loopback,
            public_address: None,
            database: database.url.clone(),
            key_source: KeySource::File { path: data_dir.join("keys"), may_generate: true },
            node_lease: std::time::Duration::from_secs(60),
            allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
            name_server: None,
            keep: Default::default(),
            mail: None,
            ready_json: None,
            data_dir,
        };
        let clock = ManualClock::at(START_MS);
        let running = app::start(config, Arc::new(clock.clone()), Entropy::seeded(3)).await;
        let running = running.unwrap_or_else(|failure| panic!("{failure}"));
        let channel = dial(&running).await;
        let code_file = running.ready.owner_code_file.clone().expect("an owner code");
        let code = std::fs::read_to_string(code_file).expect("the owner code");
        let request = pb::ClaimOwnerRequest { code, username: "ada".into(), password: PASSWORD.into() };
        let grant = StaffServiceClient::new(channel.clone()).claim_owner(request).await.expect("claimed").into_inner();
        Self { running, clock, channel, owner: grant.token, database }
    }

    /// A further connection.
    pub async fn dial(&self) -> Channel {
        dial(&self.running).await
    }

    pub async fn stop(self) {
        drop(self.channel);
        self.running.stop().await.unwrap_or_else(|failure| panic!("{failure}"));
    }

    pub fn districts(&self) -> DistrictServiceClient<Channel> {
        DistrictServiceClient::new(self.channel.clone())
    }

    pub fn schools(&self) -> SchoolServiceClient<Channel> {
        SchoolServiceClient::new(self.channel.clone())
    }

    pub fn enrollment(&self) -> EnrollmentServiceClient<Channel> {
        EnrollmentServiceClient::new(self.channel.clone())
    }

    pub fn link(&self) -> SchoolLinkServiceClient<Channel> {
        SchoolLinkServiceClient::new(self.channel.clone())
    }

    pub fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub fn staff(&self) -> StaffServiceClient<Channel> {
        StaffServiceClient::new(self.channel.clone())
    }

    /// A request of the owner.
    pub fn owned<T>(&self, message: T) -> Request<T> {
        with_token(message, &self.owner)
    }

    /// A district.
    pub async fn district(&self, sourced_id: &str) -> pb::District {
        let name = format!("District {sourced_id}");
        let request = pb::CreateDistrictRequest { name, sourced_id: sourced_id.into(), birth_date: false };
        self.districts().create_district(self.owned(request)).await.expect("a district").into_inner()
    }

    /// A school of a district, without an address.
    pub async fn school(&self, district: &str, sourced_id: &str) -> pb::School {
        let name = format!("School {sourced_id}");
        let request = pb::CreateSchoolRequest { district: district.into(), name, sourced_id: sourced_id.into() };
        self.schools().create_school(self.owned(request)).await.expect("a school").into_inner()
    }

    /// Gives a school its address.
    pub async fn connect(&self, school: &str, own_receiver: bool) -> pb::School {
        let request =
            pb::ConnectSchoolRequest { school: school.into(), url: URL.into(), own_receiver, ..Default::default() };
        self.schools().connect_school(self.owned(request)).await.expect("connected").into_inner()
    }

    /// A school as it is now.
    pub async fn show(&self, school: &str) -> pb::School {
        let request = pb::GetSchoolRequest { school: school.into(), district: String::new() };
        self.schools().get_school(self.owned(request)).await.expect("a school").into_inner()
    }

    /// Its state now.
    pub async fn state(&self, school: &str) -> pb::ConnectionState {
        self.show(school).await.connection.expect("a connection").state()
    }

    /// Issues a code.
    pub async fn code(&self, school: &str) -> EnrollmentCode {
        let request = pb::IssueCodeRequest { school: school.into(), ttl_s: 0 };
        let issued = self.schools().issue_code(self.owned(request)).await.expect("a code").into_inner();
        assert!(issued.deep_link.ends_with(&issued.code));
        EnrollmentCode::parse(&issued.code).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Redeems and confirms a code with this claim key.
    pub async fn enroll(&self, code: &EnrollmentCode, claim: u8) -> Installed {
        let handed = self.enrollment().redeem(redeem(code, claim)).await.expect("redeemed").into_inner();
        let secret = SigningSecret::parse(&handed.secret).expect("a secret");
        let request = confirm(code, claim, &secret, &handed.nonce);
        let confirmed = self.enrollment().confirm(request).await.expect("confirmed").into_inner();
        Installed { secret, token: handed.installation_token, start_after: confirmed.start_after_sequence }
    }

    /// An account with a role in one district; its token.
    pub async fn account(&self, username: &str, role: pb::Role, district: &str) -> String {
        let request = pb::CreateStaffRequest {
            username: username.into(),
            password: PASSWORD.into(),
            role: role.into(),
            districts: vec![district.into()],
        };
        self.staff().create_staff(self.owned(request)).await.expect("an account");
        self.login(username).await
    }

    /// Signs in; a token.
    pub async fn login(&self, username: &str) -> String {
        let request = pb::LoginRequest { username: username.into(), password: PASSWORD.into() };
        self.staff().login(request).await.expect("signed in").into_inner().token
    }

    /// The acts of a district's chain, oldest first.
    pub async fn acts(&self, district: &str) -> Vec<String> {
        let request = pb::ListAuditRequest { district: district.into(), page_size: 500, page_token: String::new() };
        let listed = self.audit().list_audit(self.owned(request)).await.expect("the audit log").into_inner();
        listed.entries.into_iter().rev().map(|entry| entry.act).collect()
    }
}

async fn dial(running: &Running) -> Channel {
    let endpoint = PinnedEndpoint::new(&running.ready.grpc.to_string(), Pin(running.pin)).expect("an address");
    endpoint.connect().await.expect("connected")
}

pub fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {token}").parse().expect("a token is ASCII");
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// A redeem by the installation that holds this claim key.
pub fn redeem(code: &EnrollmentCode, claim: u8) -> pb::RedeemRequest {
    pb::RedeemRequest {
        code_id: hex::encode(code.id),
        code_secret: code.secret.to_vec(),
        claim_key: vec![claim; 32],
        host: format!("lab-{claim}"),
    }
}

/// What the code is for.
pub fn inspect(code: &EnrollmentCode) -> pb::InspectRequest {
    pb::InspectRequest { code_id: hex::encode(code.id), code_secret: code.secret.to_vec() }
}

/// The proof that the secret arrived.
pub fn confirm(code: &EnrollmentCode, claim: u8, secret: &SigningSecret, nonce: &[u8]) -> pb::ConfirmRequest {
    pb::ConfirmRequest {
        code_id: hex::encode(code.id),
        claim_key: vec![claim; 32],
        proof: secret.prove(nonce).to_vec(),
    }
}
