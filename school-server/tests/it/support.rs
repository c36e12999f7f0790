//! A real receiver in a folder of its own, and a sender that signs like the provider.

use std::{path::Path, sync::Arc, time::Duration};

use reqwest::{Client, StatusCode};
use rollcall_proto::{
    digest::RosterDigest,
    id::EventId,
    school::v1::{ExportRosterRequest, receiver_service_client::ReceiverServiceClient},
    webhook::signature::SigningSecret,
};
use school_server::{
    app::{self, Parts, Running},
    clock::Clock,
    config::ServeSettings,
    data_dir::DataDir,
    secrets::{Enrollment, Identity, KeptSecret, SecretStore},
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::{Request, Status, service::interceptor::InterceptedService, transport::Channel};
use zeroize::Zeroizing;

/// Monday, 23 November 2026.
pub const NOW_MS: i64 = 1_795_449_600_000;
const MAX_CONNECTIONS: usize = 256;
pub const DIGEST_KEY: [u8; 32] = [3; 32];

pub fn secret() -> SigningSecret {
    SigningSecret::from_bytes(&[7; 32]).expect("32 bytes")
}

pub fn identity() -> Identity {
    Identity {
        school_id: "sch_x".into(),
        school_sourced_id: "sch-7".into(),
        school_name: "Seven".into(),
        district_sourced_id: "dist-1".into(),
        ..Identity::default()
    }
}

pub fn enrollment() -> Enrollment {
    Enrollment {
        secrets: vec![KeptSecret { id: "sec_1".into(), secret: secret(), retires_at_ms: None }],
        digest_key: Some(Zeroizing::new(DIGEST_KEY)),
        installation_token: None,
        identity: identity(),
    }
}

/// A folder with an enrolled file store.
pub fn enrolled_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    file_store(folder.path()).save(&enrollment()).expect("stored");
    folder
}

pub fn file_store(folder: &Path) -> SecretStore {
    let data_dir = DataDir::open(folder).expect("opened");
    SecretStore::named("file", &data_dir, None).expect("known")
}

/// A provider's TLS identity, and its pin.
pub fn provider_identity() -> (tonic::transport::Identity, [u8; 32]) {
    let certified = rcgen::generate_simple_self_signed(["provider.example".to_owned()]).expect("a certificate");
    let identity = tonic::transport::Identity::from_pem(certified.cert.pem(), certified.signing_key.serialize_pem());
    let key = rustls::server::ParsedCertificate::try_from(certified.cert.der()).expect("parsed");
    (identity, Sha256::digest(key.subject_public_key_info().as_ref()).into())
}

/// A receiver in this process.
pub struct Receiver {
    pub folder: TempDir,
    pub clock: Clock,
    pub running: Running,
    pub http: Client,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_in(enrolled_folder()).await
    }

    pub async fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, MAX_CONNECTIONS).await
    }

    /// One that serves no more connections at once.
    pub async fn with_connections(most: usize) -> Self {
        Self::start_with(enrolled_folder(), most).await
    }

    async fn start_with(folder: TempDir, max_connections: usize) -> Self {
        let clock = Clock::manual(NOW_MS);
        let running = start_app(folder.path(), clock.clone(), max_connections).await;
        Self { folder, clock, running, http: Client::new() }
    }

    /// Stops it in order and starts it again on the same folder.
    pub async fn restart(self) -> Self {
        self.running.stop().await.expect("a clean stop");
        let running = start_app(self.folder.path(), self.clock.clone(), MAX_CONNECTIONS).await;
        Self { running, ..self }
    }

    pub async fn post(&self, request: &Signed) -> Answer {
        post(&self.http, &self.running.ready.webhook, request).await.expect("answered")
    }

    pub fn sign(&self, id: EventId, body: impl Into<Vec<u8>>) -> Signed {
        sign_at(&secret(), &id.to_string(), self.clock.now_ms() / 1_000, body.into())
    }

    pub async fn desk(&self) -> DeskClient {
        desk(&self.running.ready.grpc, self.folder.path()).await
    }

    pub async fn export(&self) -> String {
        export(&mut self.desk().await).await
    }
}

async fn start_app(folder: &Path, clock: Clock, max_connections: usize) -> Running {
    let data_dir = DataDir::open(folder).expect("opened");
    let lock = data_dir.lock().expect("free");
    let any = "127.0.0.1:0".parse().expect("an address");
    let serve = ServeSettings { listen: any, grpc_listen: any, tls: None, max_connections };
    let secret_store = file_store(folder);
    app::start(Parts { data_dir, secret_store, clock, lock }, Some(serve)).await.expect("started")
}

pub type DeskClient = ReceiverServiceClient<InterceptedService<Channel, Token>>;

/// A client with the folder's pairing token.
pub async fn desk(address: &str, folder: &Path) -> DeskClient {
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("up");
    let token = std::fs::read_to_string(folder.join("pairing-token")).expect("a token");
    ReceiverServiceClient::with_interceptor(channel, Token(Arc::from(token.trim())))
}

#[derive(Clone)]
pub struct Token(Arc<str>);

impl tonic::service::Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0).parse().expect("a header value");
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// A request as it goes over the wire.
#[derive(Clone)]
pub struct Signed {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: Vec<u8>,
}

pub struct Answer {
    pub status: StatusCode,
    pub verified_key: Option<String>,
    pub body: serde_json::Value,
}

pub fn sign_at(secret: &SigningSecret, id: &str, timestamp_s: i64, body: Vec<u8>) -> Signed {
    let signature = secret.sign(id, timestamp_s, &body);
    Signed { id: id.to_owned(), timestamp: timestamp_s.to_string(), signature, body }
}

pub async fn post(http: &Client, url: &str, request: &Signed) -> Result<Answer, reqwest::Error> {
    let response = http
        .post(url)
        .timeout(Duration::from_secs(20))
        .header("content-type", "application/json")
        .header("webhook-id", &request.id)
        .header("webhook-timestamp", &request.timestamp)
        .header("webhook-signature", &request.signature)
        .body(request.body.clone())
        .send()
        .await?;
    let status = response.status();
    let verified_key = response.headers().get("rollcall-verified-key").map(|v| v.to_str().expect("text").to_owned());
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
    Ok(Answer { status, verified_key, body })
}

/// An event id that is the same for the same number.
pub fn event_id(number: u64) -> EventId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    EventId::new(NOW_MS, random)
}

/// The body of an event about a student; `kind` is created, updated, enrolled, withdrawn or deleted.
pub fn student_event(number: u64, kind: &str, sourced_id: &str, version: u64) -> (EventId, Vec<u8>) {
    let id = event_id(number);
    let data = match kind {
        "withdrawn" => format!(r#"{{"sourcedId":"{sourced_id}","version":{version}}}"#),
        "deleted" => format!(r#"{{"sourcedId":"{sourced_id}","version":{version},"reason":"erased"}}"#),
        _ => format!(r#"{{"object":{}}}"#, student_line(sourced_id, version)),
    };
    let body = format!(
        r#"{{"id":"{id}","type":"student.{kind}","apiVersion":"1","timestamp":"2026-11-23T16:05:12.345Z","sequence":{number},"district":{{"sourcedId":"dist-1"}},"school":{{"sourcedId":"sch-7"}},"source":{{"kind":"api"}},"data":{data}}}"#
    );
    (id, body.into_bytes())
}

/// The student in canonical bytes, as an export shall show it.
pub fn student_line(sourced_id: &str, version: u64) -> String {
    format!(
        r#"{{"sourcedId":"{sourced_id}","status":"active","version":{version},"dateLastModified":"2026-11-23T16:05:12.001Z","givenName":"José","familyName":"Canary{version}","grades":["08"],"enabledUser":true,"primaryOrgSourcedId":"sch-7","schoolEnrollments":[{{"schoolSourcedId":"sch-7","roleType":"primary","beginDate":"2026-08-17"}}]}}"#
    )
}

pub async fn export(desk: &mut DeskClient) -> String {
    let mut chunks = desk.export_roster(ExportRosterRequest::default()).await.expect("exported").into_inner();
    let mut text = Vec::new();
    while let Some(chunk) = chunks.message().await.expect("a chunk") {
        text.extend_from_slice(&chunk.data);
    }
    String::from_utf8(text).expect("UTF-8")
}

/// The digest that the provider would compute over these lines.
pub fn digest_of(lines: &str) -> String {
    let key = rollcall_proto::digest::DigestKey::new(DIGEST_KEY);
    let mut digest = RosterDigest::default();
    for line in lines.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
        digest.add(&key, object["sourcedId"].as_str().expect("a key"), line.as_bytes());
    }
    digest.total().to_hex()
}
