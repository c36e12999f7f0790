//! The log's own fixtures: attempts as the engine records them, and the gRPC door with its check of who may call.

use std::sync::Arc;

use provider_server::{
    error::Refusal,
    grpc::{
        self, Services, Sessions,
        auth::{AuthLayer, Checked},
    },
    import::Importer,
    metrics::Metrics,
    model::{
        access::Role,
        breaker::Health,
        connection_test::{AddressStep, ConnectionTester, Pending, TestOutcome},
        delivery::{NewDelivery, Trigger},
        outcome::{Answer, Cause, Outcome},
    },
    passwords::Passwords,
    store::{
        Committed, Store, StoreError,
        changes::ChangeQueue,
        record::{self, AttemptRow, RecordBatch, SchoolUpdate},
        staff::{self, NewStaff},
    },
};
use rollcall_proto::{
    id::{DistrictId, SchoolId},
    provider::v1::log_service_client::LogServiceClient,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, Routes, interceptor::InterceptedService},
};
use tower::Layer as _;

use crate::support::{START_MS, TestStore, origin, put};

/// Sends the token with each call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    fn new(token: &str) -> Self {
        Self(format!("Bearer {token}").parse().expect("a header"))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub type Client = LogServiceClient<InterceptedService<Checked<Routes>, Bearer>>;

/// The services over a store, with the check of who may call.
pub struct Door {
    pub sessions: Sessions,
    pub stopping: CancellationToken,
    store: Store,
    service: Checked<Routes>,
}

/// A district of two active schools behind the door.
pub struct Log {
    pub test: TestStore,
    pub district: DistrictId,
    pub schools: Vec<SchoolId>,
    pub changes: ChangeQueue,
    pub door: Door,
}

impl Door {
    pub fn new(test: &TestStore, changes: &ChangeQueue) -> Self {
        let sessions = Sessions::new(test.store.clone());
        let stopping = CancellationToken::new();
        let services = Services {
            store: test.store.clone(),
            changes: changes.clone(),
            imports: Importer::new(test.store.clone(), test.folder().to_owned(), stopping.clone(), TaskTracker::new()),
            tester: Arc::new(NoTester),
            vet_url: Arc::new(|_| Err(Refusal::precondition("not here"))),
            sessions: sessions.clone(),
            passwords: Passwords::new(test.entropy.clone()),
            owner_code_file: test.folder().join("owner-code"),
            public_address: "localhost:1".into(),
            pin: [0; 32],
            stopping: stopping.clone(),
        };
        let auth = AuthLayer::new(sessions.clone(), Metrics::default(), stopping.clone());
        let service = auth.layer(grpc::routes(&services));
        Self { sessions, stopping, store: test.store.clone(), service }
    }

    /// The services, to make other clients of.
    pub fn service(&self) -> Checked<Routes> {
        self.service.clone()
    }

    /// A new account's token.
    pub async fn token(&self, role: Role, districts: Vec<DistrictId>) -> Bearer {
        let username = format!("user-{}", hex::encode(self.store.shared().entropy.bytes::<4>()));
        Bearer::new(&self.open_session(&username, role, districts).await)
    }

    /// A client of a new account, and its token.
    pub async fn sign_in(&self, username: &str, role: Role, districts: Vec<DistrictId>) -> (Client, String) {
        let token = self.open_session(username, role, districts).await;
        (LogServiceClient::with_interceptor(self.service.clone(), Bearer::new(&token)), token)
    }

    async fn open_session(&self, username: &str, role: Role, districts: Vec<DistrictId>) -> String {
        let new = NewStaff { username: username.into(), password_hash: "none".into(), role, districts };
        let opened = self.store.act(move |tx| {
            Box::pin(async move {
                let made = staff::create(tx, "system", new).await?;
                staff::open_session(tx, made.id, "none".into(), &[]).await
            })
        });
        opened.await.expect("signed in").token
    }
}

impl Log {
    pub async fn new() -> Self {
        let test = TestStore::new().await;
        let (district, schools) = test.district(&["a", "b"]).await;
        for school in &schools {
            test.activate(*school).await;
        }
        let changes = ChangeQueue::start(test.store.clone());
        let door = Door::new(&test, &changes);
        Self { test, district, schools, changes, door }
    }

    /// A client of a new account, and its token.
    pub async fn sign_in(&self, username: &str, role: Role, districts: Vec<DistrictId>) -> (Client, String) {
        self.door.sign_in(username, role, districts).await
    }

    /// A client of this district's operator.
    pub async fn operator(&self) -> Client {
        self.sign_in("operator", Role::Operator, vec![self.district]).await.0
    }

    /// Puts students at schools; answers their deliveries.
    pub async fn put(&mut self, students: &[(&str, &str, &[&str])]) -> Vec<NewDelivery> {
        let requests = students.iter().map(|(id, name, at)| put(self.district, id, name, at)).collect();
        let outcomes = self.changes.submit(origin(), requests).await.expect("stored");
        assert!(outcomes.iter().all(Result::is_ok));
        self.deliveries()
    }

    /// What was handed to the engine to be delivered since the last look.
    pub fn deliveries(&mut self) -> Vec<NewDelivery> {
        let committed = self.test.handed_over().into_iter();
        committed
            .flat_map(|committed| match committed {
                Committed::Deliveries(deliveries) => deliveries,
                _ => Vec::new(),
            })
            .collect()
    }

    /// The schools whose open messages the engine was told to read again since the last look.
    pub fn reloads(&mut self) -> Vec<SchoolId> {
        let committed = self.test.handed_over().into_iter();
        committed.filter_map(|c| if let Committed::Reload(school) = c { Some(school) } else { None }).collect()
    }

    /// Records attempts.
    pub async fn record(&self, attempts: Vec<AttemptRow>) {
        record(&self.test.store, attempts).await;
    }
}

/// Records attempts as the engine does.
pub async fn record(store: &Store, attempts: Vec<AttemptRow>) {
    let mut schools: Vec<SchoolId> = attempts.iter().map(|attempt| attempt.school).collect();
    schools.sort_unstable();
    schools.dedup();
    let update = |school| SchoolUpdate {
        school,
        version: 0,
        health: Health::Ok,
        retry_at_ms: 0,
        probe_wait_ms: 0,
        last_delivered_ms: 0,
        gone: None,
        supersedes: false,
        verified: None,
    };
    let batch = RecordBatch { attempts, schools: schools.into_iter().map(update).collect() };
    store.act(move |tx| Box::pin(async move { record::record(tx, &batch).await.map(drop) })).await.expect("recorded");
    store.shared().attempts_recorded();
}

/// A first, successful attempt; it leaves the message's row alone.
pub fn success(delivery: &NewDelivery) -> AttemptRow {
    AttemptRow {
        school: delivery.school,
        sequence: delivery.sequence,
        event: delivery.event,
        event_type: delivery.event_type,
        student: Some(delivery.student),
        sourced_id: delivery.sourced_id.clone(),
        at_ms: START_MS,
        trigger: Trigger::Automatic,
        try_number: 1,
        status: "delivered",
        next_ms: None,
        outcome: Outcome { code: 200, latency_us: 1_500, request_bytes: 600, ..Outcome::default() },
        signed_by: Vec::new(),
        message: None,
    }
}

/// An attempt that was answered 503.
pub fn failure(delivery: &NewDelivery) -> AttemptRow {
    let headers = vec![("retry-after".to_owned(), "soon".to_owned())];
    let answer = Answer { headers, body: b"<h1>busy</h1>".as_slice().into() };
    AttemptRow {
        status: "retrying",
        next_ms: Some(START_MS + 5_000),
        outcome: Outcome {
            code: 503,
            latency_us: 800_000,
            answer: Some(Box::new(answer)),
            ..Outcome::failed(Cause::Http, "")
        },
        signed_by: vec!["amber-birch".into(), "cedar-delta".into()],
        ..success(delivery)
    }
}

/// There is no connection to try here.
struct NoTester;

impl ConnectionTester for NoTester {
    fn send_test(&self, _: SchoolId, _: String) -> Pending<'_, Result<TestOutcome, StoreError>> {
        Box::pin(async { Err(Refusal::precondition("not here").into()) })
    }

    fn check_address(&self, _: String) -> Pending<'_, Vec<AddressStep>> {
        Box::pin(async { Vec::new() })
    }
}
