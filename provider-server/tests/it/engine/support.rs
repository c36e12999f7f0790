//! A machine that runs, schools with real receivers, and waits that end.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use provider_server::{
    engine::{
        client::Client,
        counters::Counters,
        dial::{Dialer, SystemResolver},
        egress::Policy,
        run::{Engine, LEASE},
        scheduler::Limits,
        tester::Tester,
    },
    metrics::Metrics,
    model::change::ChangeAct,
    sealing::Place,
    store::{
        Committed,
        changes::ChangeQueue,
        keys::{KeyCache, school_scope},
    },
};
use rollcall_proto::{
    id::{DistrictId, SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{START_MS, TestDatabase, TestStore, origin, put, request};

/// Nothing that a test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What a receiver got.
#[derive(Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn sequence(&self) -> u64 {
        self.json()["sequence"].as_u64().unwrap_or(0)
    }
}

type Script = dyn Fn(usize, &Received) -> Response + Send + Sync;

struct Inner {
    got: Mutex<Vec<Received>>,
    script: Mutex<Arc<Script>>,
    came: Notify,
}

/// A school's own system.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

impl Receiver {
    /// Answers every request, counted from 0, as the script says.
    pub async fn start(script: impl Fn(usize, &Received) -> Response + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let inner = Arc::new(Inner { got: Mutex::default(), script: Mutex::new(script), came: Notify::new() });
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    /// Answers 204 to everything.
    pub async fn accepting() -> Self {
        Self::start(|_, _| StatusCode::NO_CONTENT.into_response()).await
    }

    /// Keeps the first request waiting for a permit, and answers 204 to all.
    pub async fn hanging(permits: &'static Semaphore) -> Self {
        Self::hanging_at(|number| number == 0, permits).await
    }

    /// The same for each request from this number on, counted from 0.
    pub async fn hanging_from(first: usize, permits: &'static Semaphore) -> Self {
        Self::hanging_at(move |number| number >= first, permits).await
    }

    async fn hanging_at(
        hangs: impl Fn(usize) -> bool + Clone + Send + Sync + 'static,
        permits: &'static Semaphore,
    ) -> Self {
        let inner = Arc::new(Inner {
            got: Mutex::default(),
            script: Mutex::new(Arc::new(|_, _| StatusCode::NO_CONTENT.into_response())),
            came: Notify::new(),
        });
        let hanging = move |State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes| {
            let hangs = hangs.clone();
            async move {
                let waits = hangs(inner.got.lock().expect("not poisoned").len());
                let response = answer(State(inner), headers, body).await;
                if waits {
                    permits.acquire().await.expect("never closed").forget();
                }
                response
            }
        };
        let router = Router::new().fallback(hanging).with_state(inner.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    /// Answers by another script from now on.
    pub fn now_answers(&self, script: impl Fn(usize, &Received) -> Response + Send + Sync + 'static) {
        *self.inner.script.lock().expect("not poisoned") = Arc::new(script);
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn got(&self) -> Vec<Received> {
        self.inner.got.lock().expect("not poisoned").clone()
    }

    /// Waits until so many requests came.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let waiting = async {
            loop {
                let came = self.inner.came.notified();
                let got = self.got();
                if got.len() >= count {
                    return got;
                }
                came.await;
            }
        };
        let waited = tokio::time::timeout(LIMIT, waiting).await;
        waited.unwrap_or_else(|_| panic!("{} of {count} requests came", self.got().len()))
    }
}

async fn answer(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let received = Received { headers, body };
    let number = {
        let mut got = inner.got.lock().expect("not poisoned");
        got.push(received.clone());
        got.len() - 1
    };
    inner.came.notify_waiters();
    let script = inner.script.lock().expect("not poisoned").clone();
    script(number, &received)
}

/// How a school is tried: in ms, so that a test takes no time.
#[derive(Clone, Copy)]
pub struct Settings {
    pub max_tries: u32,
    pub delays: &'static str,
    pub probe_ms: u32,
    pub timeout_ms: u32,
    pub max_in_flight: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_tries: 3, delays: "5", probe_ms: 20, timeout_ms: 5_000, max_in_flight: 8 }
    }
}

/// A store with schools, and a machine that may run.
pub struct Rig {
    pub test: TestStore,
    pub district: DistrictId,
    pub schools: Vec<SchoolId>,
    pub queue: ChangeQueue,
    /// How long its lanes are left to it.
    pub lease: Duration,
    names: Vec<String>,
    engine: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Rig {
    /// Schools `s0`, `s1`, … without connections.
    pub async fn new(schools: usize) -> Self {
        Self::on(TestDatabase::new(), schools).await
    }

    /// The same on this database, which is empty.
    pub async fn on(database: TestDatabase, schools: usize) -> Self {
        let test = TestStore::in_real_time(database).await;
        let names: Vec<String> = (0..schools).map(|number| format!("s{number}")).collect();
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let (district, schools) = test.district(&borrowed).await;
        let queue = ChangeQueue::start(test.store.clone());
        Self { test, district, schools, queue, lease: LEASE, names, engine: None }
    }

    /// Another server on the same database.
    pub async fn beside(&self, number: u64) -> Self {
        let test = self.test.beside(number).await;
        let queue = ChangeQueue::start(test.store.clone());
        let (schools, names) = (self.schools.clone(), self.names.clone());
        Self { test, district: self.district, schools, queue, lease: self.lease, names, engine: None }
    }

    /// Connects a school to an address. Answers its secret.
    pub async fn connect(&self, school: usize, url: &str, settings: Settings) -> SigningSecret {
        let secret = self.add_secret(school).await;
        let (id, url) = (self.schools[school], url.to_owned());
        self.test
            .store
            .act(move |tx| {
                Box::pin(async move {
                    let Settings { max_tries, delays, probe_ms, timeout_ms, max_in_flight } = settings;
                    let values = vec![
                        id.into(),
                        url.into(),
                        max_tries.into(),
                        delays.into(),
                        probe_ms.into(),
                        timeout_ms.into(),
                        max_in_flight.into(),
                    ];
                    let sql = "UPDATE schools SET url = $2, max_tries = $3, retry_delays = $4, probe_ms = $5,
                               timeout_ms = $6, max_in_flight = $7 WHERE school_id = $1";
                    tx.conn.execute(sql, values).await
                })
            })
            .await
            .expect("stored");
        self.test.activate(id).await;
        secret
    }

    /// Adds a live secret.
    pub async fn add_secret(&self, school: usize) -> SigningSecret {
        let id = self.schools[school];
        self.test
            .store
            .act(move |tx| {
                Box::pin(async move {
                    let bytes = tx.shared.entropy.bytes::<32>();
                    let secret = SigningSecret::from_bytes(&bytes).expect("32 bytes");
                    let secret_id = SecretId::new(START_MS, tx.shared.entropy.bytes());
                    let key = KeyCache::get_or_create(tx, &school_scope(id)).await?;
                    let place = Place { column: "secrets.sealed", row: secret_id.as_bytes() };
                    let sealed = key.seal(place, &bytes, &tx.shared.entropy);
                    let values =
                        vec![secret_id.into(), id.into(), sealed.into(), secret.fingerprint().into(), tx.now_ms.into()];
                    let sql = "INSERT INTO secrets (secret_id, school_id, state, sealed, fingerprint, created_ms)
                               VALUES ($1, $2, 'active', $3, $4, $5)";
                    tx.conn.execute(sql, values).await?;
                    let sql = "UPDATE schools SET connection_version = connection_version + 1 WHERE school_id = $1";
                    tx.conn.execute(sql, vec![id.into()]).await?;
                    tx.after_commit(Committed::Connection(id));
                    Ok(secret)
                })
            })
            .await
            .expect("stored")
    }

    /// Lets staff change a school's row by hand, as their services do.
    pub async fn change_school(&self, school: usize, assignments: &'static str, committed: fn(SchoolId) -> Committed) {
        let id = self.schools[school];
        let sql: &'static str = Box::leak(format!("UPDATE {assignments}").into_boxed_str());
        self.test
            .store
            .act(move |tx| {
                Box::pin(async move {
                    tx.conn.execute(sql, vec![id.into()]).await?;
                    tx.after_commit(committed(id));
                    Ok(())
                })
            })
            .await
            .expect("stored");
    }

    /// Puts a student of a school; each call with another name makes a new version.
    pub async fn put(&self, school: usize, student: &str, name: &str) {
        let request = put(self.district, student, name, &[&self.names[school]]);
        self.queue.submit(origin(), vec![request]).await.expect("stored").remove(0).expect("accepted");
    }

    /// Puts many students at once.
    pub async fn put_many(&self, school: usize, students: std::ops::Range<usize>) {
        let requests =
            students.map(|number| put(self.district, &format!("S-{number}"), "Ada", &[&self.names[school]])).collect();
        for outcome in self.queue.submit(origin(), requests).await.expect("stored") {
            outcome.expect("accepted");
        }
    }

    /// Leaves out the roster that a server sends after an activation: only what a test puts goes out.
    pub async fn leave_out_syncs(&self) {
        let sql = "UPDATE schools SET sync_from = NULL";
        self.test.store.act(move |tx| Box::pin(tx.conn.execute(sql, vec![]))).await.expect("stored");
    }

    /// What the machine sends with.
    pub fn client(&self) -> Client {
        let policy = Policy::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        Client::new(Dialer::new(policy, Arc::new(SystemResolver::new(None)), Vec::new()))
    }

    pub fn tester(&self) -> Tester {
        Tester::new(self.test.store.clone(), self.client())
    }

    /// Starts the machine.
    pub fn start(&mut self) {
        self.start_with(Limits::default());
    }

    /// Starts the machine within these limits.
    pub fn start_with(&mut self, limits: Limits) {
        let (_, empty) = tokio::sync::mpsc::unbounded_channel();
        let committed = std::mem::replace(&mut self.test.committed, empty);
        let counters = Counters::register(&Metrics::default());
        let engine = Engine::new(self.test.store.clone(), self.client(), limits, counters).with_lease(self.lease);
        let stopping = CancellationToken::new();
        let running = tokio::spawn(engine.run(committed, stopping.clone()));
        self.engine = Some((running, stopping));
    }

    /// Deletes a student.
    pub async fn delete(&self, student: &str) {
        let request = request(self.district, student, ChangeAct::Delete);
        self.queue.submit(origin(), vec![request]).await.expect("stored").remove(0).expect("accepted");
    }

    /// Begins to stop the machine, without waiting for its end.
    pub fn begin_stop(&mut self) -> JoinHandle<()> {
        let (running, stopping) = self.engine.take().expect("runs");
        stopping.cancel();
        running
    }

    /// Waits for the end of a stop.
    pub async fn end_stop(&self, running: JoinHandle<()>) {
        tokio::time::timeout(LIMIT, running).await.expect("drains in time").expect("does not panic");
    }

    /// Stops the machine as SIGTERM does.
    pub async fn stop(&mut self) {
        let Some((running, stopping)) = self.engine.take() else { return };
        stopping.cancel();
        tokio::time::timeout(LIMIT, running).await.expect("drains in time").expect("does not panic");
    }

    /// Ends the machine as a kill does, and opens the database again.
    pub async fn kill_and_reopen(mut self) -> Self {
        if let Some((running, _)) = self.engine.take() {
            running.abort();
            let _ = running.await;
        }
        let Self { test, district, schools, lease, names, .. } = self;
        let test = test.reopen().await;
        let queue = ChangeQueue::start(test.store.clone());
        Self { test, district, schools, queue, lease, names, engine: None }
    }

    /// Ends the machine where it stands, as a kill does; the store stays.
    pub async fn kill(&mut self) {
        let (running, _) = self.engine.take().expect("runs");
        running.abort();
        let _ = running.await;
    }

    /// Waits until a query answers these texts.
    pub async fn until(&self, sql: &'static str, expected: &[&str]) {
        let mut recorded = self.test.store.log_wake();
        let waiting = async {
            loop {
                if self.test.texts(sql).await == expected {
                    return;
                }
                // Not every change of a row is an attempt: look again soon in any case.
                let _ = tokio::time::timeout(Duration::from_millis(20), recorded.changed()).await;
            }
        };
        if tokio::time::timeout(LIMIT, waiting).await.is_err() {
            assert_eq!(self.test.texts(sql).await, expected, "{sql}");
        }
    }
}
