//! The running receiver: opens the folder, starts the writer, the webhook and the desk's gRPC, and stops them in order.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rollcall_proto::webhook::signature::SigningSecret;
use tokio::{runtime::Handle, task::JoinHandle, time::interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    config::ServeSettings,
    data_dir::{DataDir, DirLock, Ready},
    error::{AppError, Kind},
    grpc::{self, desk::Desk},
    inbox::{Inbox, Writer, WriterFailure},
    metrics::Metrics,
    receive::{
        LargeBodies, Receiver,
        http_server::{WebhookListener, tls_config},
    },
    rotation,
    secrets::{Enrollment, Identity, KeptSecret, LiveKeys, Problem, SecretStore, StoreError},
    store,
};

/// How often a secret that came by another way is looked for.
const SECRET_CHECK: Duration = Duration::from_secs(2);
/// A store without a cheap look is asked again only every so many checks, and only while there is no secret.
const CHECKS_PER_READ: u32 = 15;

/// A receiver that serves.
pub struct Running {
    /// Where it listens.
    pub ready: Ready,
    stop: CancellationToken,
    /// For the writer, once the servers have ended.
    finish: CancellationToken,
    writer: JoinHandle<Result<(), WriterFailure>>,
    servers: Vec<JoinHandle<()>>,
    _lock: DirLock,
}

/// What a receiver is started from.
pub struct Parts {
    pub data_dir: DataDir,
    pub secret_store: SecretStore,
    pub clock: Clock,
    /// Already held.
    pub lock: DirLock,
}

/// Starts everything; `serve` absent starts the desk's gRPC alone, for commands without a running receiver.
pub async fn start(parts: Parts, serve: Option<ServeSettings>) -> Result<Running, AppError> {
    let Parts { data_dir, secret_store, clock, lock } = parts;
    data_dir.keep_database_private();
    let opened = store::open(&data_dir.database()).await?;
    let metrics = Metrics::default();
    let keys = LiveKeys::default();
    let loaded_at = secret_store.changed_at();
    load_secret(&secret_store, &keys, &data_dir).await?;
    let (inbox, queues) = Inbox::new(opened.state.newest);
    let finish = CancellationToken::new();
    let stored_identity = opened.state.identity.clone();
    let writer = Writer::new(opened.write, queues, clock.clone(), metrics.clone(), finish.clone(), opened.state);
    // A thread of its own: each commit waits for the disk.
    let runtime = Handle::current();
    let writer = tokio::task::spawn_blocking(move || runtime.block_on(writer.run()));
    note_identity(&inbox, &keys, &stored_identity).await?;

    let stop = CancellationToken::new();
    let mut servers = Vec::new();
    let mut webhook = String::new();
    if let Some(settings) = &serve {
        let tls = settings.tls.as_ref().map(|(cert, key)| tls_config(cert, key)).transpose()?;
        let listener = WebhookListener::bind(settings.listen, tls, settings.max_connections).await?;
        webhook = listener.url().map_err(|e| AppError::while_doing(Kind::Internal, "reading the port", e))?;
        let receiver = Receiver {
            keys: keys.clone(),
            inbox: inbox.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            store: opened.read.clone(),
            large_bodies: LargeBodies::default(),
        };
        servers.push(tokio::spawn(listener.serve(Arc::new(receiver), stop.clone())));
    }
    let token = data_dir.pairing_token()?;
    let desk = Desk {
        keys: keys.clone(),
        inbox,
        clock: clock.clone(),
        store: opened.read.clone(),
        secret_store: secret_store.clone(),
        webhook_address: webhook.clone(),
        stop: stop.clone(),
        installing: Arc::default(),
    };
    let address = serve.as_ref().map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), |s| s.grpc_listen);
    let (grpc, server) = grpc::serve(address, desk.clone(), token, stop.clone()).await?;
    servers.push(server);
    if serve.is_some() {
        servers.push(tokio::spawn(watch_store(secret_store.clone(), keys.clone(), loaded_at, stop.clone())));
        servers.push(tokio::spawn(rotation::pull_when_due(desk, stop.clone())));
    }
    let ready = Ready {
        pid: std::process::id(),
        webhook,
        grpc: grpc.to_string(),
        pairing_token_file: data_dir.pairing_token_file(),
        data_dir: data_dir.root().to_owned(),
    };
    if serve.is_some() {
        data_dir.announce(&ready, secret_store.key_file())?;
        info!(webhook = %ready.webhook, grpc = %ready.grpc, enrolled = keys.get().is_some(), "serving");
    }
    Ok(Running { ready, stop, finish, writer, servers, _lock: lock })
}

impl Running {
    /// Stops taking requests, answers those that are open, commits, closes.
    pub async fn stop(self) -> Result<(), AppError> {
        self.stop.cancel();
        for server in self.servers {
            // A panic in a server was logged where it happened; the writer's state decides.
            let _ = server.await;
        }
        self.finish.cancel();
        writer_result(self.writer.await)
    }

    /// Waits until `signal`, then stops; or until the database cannot be written any more.
    pub async fn run_until(mut self, signal: impl Future<Output = ()>) -> Result<(), AppError> {
        tokio::select! {
            () = signal => self.stop().await,
            ended = &mut self.writer => {
                self.stop.cancel();
                for server in self.servers {
                    let _ = server.await;
                }
                writer_result(ended)
            }
        }
    }
}

fn writer_result(ended: Result<Result<(), WriterFailure>, tokio::task::JoinError>) -> Result<(), AppError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(failure.into()),
        Err(_) => Err(AppError::internal("the writer broke: nothing that was answered is lost")),
    }
}

/// Reads the store once. A wrong key file stops the start; a locked keychain does not.
async fn load_secret(secret_store: &SecretStore, keys: &LiveKeys, data_dir: &DataDir) -> Result<(), AppError> {
    match read_store(secret_store).await {
        Ok(Some(enrollment)) => keys.install(enrollment),
        Ok(None) => keys.note_problem(gone(secret_store, data_dir)),
        Err(error @ (StoreError::File { .. } | StoreError::Value { .. } | StoreError::Damaged(_))) => {
            return Err(AppError::config(error.to_string()));
        }
        Err(error) => {
            warn!("no secret could be read: {error}");
            keys.note_problem(Some(problem(error)));
        }
    }
    Ok(())
}

/// An empty store is a problem where an enrollment was put into it: somebody deleted it.
fn gone(secret_store: &SecretStore, data_dir: &DataDir) -> Option<Problem> {
    let remembered = data_dir.remembered_store()?;
    let words = "the secret store no longer holds the school's secret: somebody deleted it. Enroll again with a new code \
                 from the provider";
    (remembered.secret_store == secret_store.name()).then(|| Problem { reason: "secret_gone", words: words.into() })
}

fn problem(error: StoreError) -> Problem {
    let error = AppError::from(error);
    Problem { reason: error.reason, words: error.to_string() }
}

/// Reads the store without blocking the runtime.
pub(crate) async fn read_store(secret_store: &SecretStore) -> Result<Option<Enrollment>, StoreError> {
    let store = secret_store.clone();
    tokio::task::spawn_blocking(move || store.load()).await.unwrap_or(Err(StoreError::Damaged("reading it broke")))
}

/// A secret that was stored without the database (a restored folder, a credential) names whose data this is.
async fn note_identity(inbox: &Inbox, keys: &LiveKeys, stored: &Identity) -> Result<(), AppError> {
    let Some(keys) = keys.get() else { return Ok(()) };
    let same = stored.school_sourced_id == keys.identity.school_sourced_id
        && stored.district_sourced_id == keys.identity.district_sourced_id
        && (keys.identity.school_id.is_empty() || stored.school_id == keys.identity.school_id);
    if same || keys.identity.school_sourced_id.is_empty() {
        return Ok(());
    }
    inbox.identify(keys.identity.clone(), None).await.map_err(AppError::config)
}

/// Picks up a secret that came by another way than the desk's gRPC: a file that changed, a keychain that was unlocked.
async fn watch_store(store: SecretStore, keys: LiveKeys, mut seen: Option<SystemTime>, stop: CancellationToken) {
    let mut ticks = interval(SECRET_CHECK);
    let mut checks = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        checks = (checks + 1) % CHECKS_PER_READ;
        let changed = store.changed_at();
        let waiting = checks == 0 && keys.get().is_none() && keys.problem().is_some();
        if changed == seen && !waiting {
            continue;
        }
        seen = changed;
        match read_store(&store).await {
            Ok(Some(enrollment)) => keys.install(enrollment),
            Ok(None) => {}
            Err(error) => keys.note_problem(Some(problem(error))),
        }
    }
}

/// The secrets after an install: the new one first, then the older ones that still count.
pub(crate) fn merged_secrets(
    new: KeptSecret,
    held: &[KeptSecret],
    keep_previous: bool,
    previous_until_ms: Option<i64>,
    now_ms: i64,
) -> Vec<KeptSecret> {
    let same = |secret: &SigningSecret| secret.expose_bytes() == new.secret.expose_bytes();
    let mut previous: Vec<KeptSecret> = Vec::new();
    if keep_previous {
        let counts = |kept: &&KeptSecret| !same(&kept.secret) && kept.retires_at_ms.is_none_or(|at| now_ms < at);
        previous.extend(held.iter().filter(counts).cloned());
        for kept in &mut previous {
            kept.retires_at_ms = kept.retires_at_ms.or(previous_until_ms);
        }
    }
    let mut secrets = vec![new];
    secrets.extend(previous);
    secrets.truncate(crate::secrets::MAX_SECRETS);
    secrets
}
