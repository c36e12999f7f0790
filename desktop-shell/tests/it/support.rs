//! A pinned server with a scripted log, which can be ended and started again at its address; and a collector of events.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use desktop_shell::{
    Rules,
    rules::WindowRule,
    streams::{Sink, StreamEvent},
};
use futures::stream::{self, BoxStream};
use rollcall_proto::{
    pinned::Pin,
    provider::v1::{self as pb, log_service_server::LogService},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

/// No step of a test takes longer.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What the windows of the tests may call.
pub const RULES: Rules = Rules(&[
    WindowRule {
        label: "main",
        methods: &[
            "LogService/*",
            "StaffService/*",
            "StudentService/*",
            "ImportService/*",
            "DistrictService/*",
            "SchoolService/CreateSchool",
        ],
        sees_secrets: false,
    },
    WindowRule { label: "secret-once", methods: &["SchoolService/ShowSecretOnce"], sees_secrets: true },
]);

/// A key and a certificate, the same over restarts.
pub struct Key {
    pem: (String, String),
    pub pin: Pin,
}

impl Key {
    pub fn generate() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("parameters");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let pin = Pin::of_certificate(certificate.der()).expect("readable");
        Self { pem: (certificate.pem(), key.serialize_pem()), pin }
    }
}

/// How many rows the scripted log has. Row `n` has the log sequence `n`.
#[derive(Clone)]
pub struct Log {
    rows: watch::Sender<u64>,
    /// Cursors that tails asked for, as they came.
    pub asked: Arc<Mutex<Vec<Option<u64>>>>,
    /// Tails wait for this before they answer anything.
    pub refuse: Arc<Mutex<Option<Status>>>,
}

impl Log {
    pub fn with_rows(rows: u64) -> Self {
        Self { rows: watch::Sender::new(rows), asked: Arc::default(), refuse: Arc::default() }
    }

    pub fn add(&self, rows: u64) {
        self.rows.send_modify(|held| *held += rows);
    }
}

/// A server on a runtime of its own, so that ending it ends its connections too, like a killed process.
pub struct TestServer {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl TestServer {
    pub async fn start(key: &Key, log: &Log, address: Option<SocketAddr>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let identity = Identity::from_pem(&key.pem.0, &key.pem.1);
        let service = pb::log_service_server::LogServiceServer::new(log.clone());
        let router = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .expect("a TLS configuration")
            .add_service(service);
        let (bound, address) = (address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into()), oneshot::channel());
        runtime.spawn(async move {
            let listener = bind(bound);
            address.0.send(listener.local_addr().expect("an address")).expect("the test waits");
            router.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("serves");
        });
        Self { address: address.1.await.expect("it is bound"), runtime: Some(runtime) }
    }

    pub async fn kill(mut self) {
        let runtime = self.runtime.take().expect("it runs");
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(LIMIT)).await.expect("no panic");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The port of a server that was just ended may be held for a moment.
fn bind(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("reusable");
    socket.bind(address).expect("the port is free");
    socket.listen(64).expect("listens")
}

#[tonic::async_trait]
impl LogService for Log {
    type TailAttemptsStream = BoxStream<'static, Result<pb::TailAttemptsResponse, Status>>;

    async fn tail_attempts(
        &self,
        request: Request<pb::TailAttemptsRequest>,
    ) -> Result<Response<Self::TailAttemptsStream>, Status> {
        if let Some(status) = self.refuse.lock().expect("no panic").clone() {
            return Err(status);
        }
        let after = request.into_inner().after_log_sequence;
        self.asked.lock().expect("no panic").push(after);
        let mut rows = self.rows.subscribe();
        let at = after.unwrap_or_else(|| *rows.borrow());
        rows.mark_changed();
        let tail = stream::unfold((rows, at), |(mut rows, at)| async move {
            let head = *rows.wait_for(|head| *head > at).await.ok()?;
            let attempts = (at + 1..=head).map(|log_sequence| pb::Attempt { log_sequence, ..Default::default() });
            let part = pb::TailAttemptsResponse { attempts: attempts.collect(), log_sequence: head };
            Some((Ok(part), (rows, head)))
        });
        Ok(Response::new(Box::pin(tail)))
    }

    type ExportAttemptsStream = BoxStream<'static, Result<pb::ExportAttemptsResponse, Status>>;

    async fn export_attempts(
        &self,
        _: Request<pb::ExportAttemptsRequest>,
    ) -> Result<Response<Self::ExportAttemptsStream>, Status> {
        Ok(Response::new(Box::pin(stream::empty())))
    }

    async fn list_attempts(
        &self,
        _: Request<pb::ListAttemptsRequest>,
    ) -> Result<Response<pb::ListAttemptsResponse>, Status> {
        Ok(Response::new(pb::ListAttemptsResponse::default()))
    }

    async fn get_message(&self, _: Request<pb::GetMessageRequest>) -> Result<Response<pb::Message>, Status> {
        Err(Status::not_found("no such message"))
    }

    async fn list_messages(
        &self,
        _: Request<pb::ListMessagesRequest>,
    ) -> Result<Response<pb::ListMessagesResponse>, Status> {
        Ok(Response::new(pb::ListMessagesResponse::default()))
    }

    async fn resend_message(
        &self,
        _: Request<pb::ResendMessageRequest>,
    ) -> Result<Response<pb::ResendMessageResponse>, Status> {
        Err(Status::permission_denied("needs the role operator"))
    }

    async fn replay(&self, _: Request<pb::ReplayRequest>) -> Result<Response<pb::ReplayResponse>, Status> {
        Ok(Response::new(pb::ReplayResponse::default()))
    }

    async fn cancel_replay(
        &self,
        _: Request<pb::CancelReplayRequest>,
    ) -> Result<Response<pb::CancelReplayResponse>, Status> {
        Ok(Response::new(pb::CancelReplayResponse::default()))
    }

    async fn discard_messages(
        &self,
        _: Request<pb::DiscardMessagesRequest>,
    ) -> Result<Response<pb::DiscardMessagesResponse>, Status> {
        Ok(Response::new(pb::DiscardMessagesResponse::default()))
    }

    async fn get_stats(&self, _: Request<pb::GetStatsRequest>) -> Result<Response<pb::Stats>, Status> {
        Ok(Response::new(pb::Stats::default()))
    }

    async fn list_undelivered(
        &self,
        _: Request<pb::ListUndeliveredRequest>,
    ) -> Result<Response<pb::ListUndeliveredResponse>, Status> {
        Ok(Response::new(pb::ListUndeliveredResponse::default()))
    }

    async fn undo_discard(
        &self,
        _: Request<pb::UndoDiscardRequest>,
    ) -> Result<Response<pb::UndoDiscardResponse>, Status> {
        Ok(Response::new(pb::UndoDiscardResponse::default()))
    }

    async fn get_histogram(&self, _: Request<pb::GetHistogramRequest>) -> Result<Response<pb::Histogram>, Status> {
        Ok(Response::new(pb::Histogram::default()))
    }

    async fn get_overview(&self, _: Request<pb::GetOverviewRequest>) -> Result<Response<pb::Overview>, Status> {
        Ok(Response::new(pb::Overview::default()))
    }
}

/// Events of a stream, in order.
pub struct Events(mpsc::UnboundedReceiver<StreamEvent>);

impl Events {
    pub fn collect() -> (Sink, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Arc::new(move |event| sender.send(event).is_ok()), Self(receiver))
    }

    pub async fn next(&mut self) -> StreamEvent {
        timeout(LIMIT, self.0.recv()).await.expect("in time").expect("the stream goes on")
    }

    /// The log sequences of the next rows, over lost connections, until so many came.
    pub async fn rows(&mut self, count: usize) -> Vec<u64> {
        let mut rows = Vec::new();
        while rows.len() < count {
            if let StreamEvent::Message { message } = self.next().await {
                let attempts = message["attempts"].as_array().expect("a list").clone();
                rows.extend(attempts.iter().map(|row| {
                    row["logSequence"].as_str().expect("a 64-bit number is a text").parse::<u64>().expect("a number")
                }));
            }
        }
        rows
    }

    /// Whether nobody will tell anything any more.
    pub async fn ended(&mut self) -> bool {
        timeout(LIMIT, self.0.recv()).await.expect("in time").is_none()
    }
}
