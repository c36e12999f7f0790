//! The receiver that belongs to this desk: the one inside this program, or the school's own one on this machine, found by
//! who holds the folder.

use std::{path::PathBuf, sync::Arc, time::Duration};

use desktop_shell::{ErrorCode, Link, Links, ShellError, Target, error::ServerKeys};
use rollcall_proto::pinned::Pin;
use school_server::{
    app::{self, Parts},
    cli::{Common, Serve},
    clock::Clock,
    commands::{self, ReceiverClient},
    config::Settings,
    data_dir::{DataDir, Ready, RememberedStore},
    error::{AppError, Kind},
    secrets::{SecretStore, StoreError},
};
use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::{Mutex, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The receiver answers what is open within this time when the program ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How the receiver is, as the window knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReceiverState {
    /// It is being started.
    Starting,
    /// It runs inside this program.
    #[serde(rename_all = "camelCase")]
    Inside { webhook: String, data_dir: PathBuf },
    /// The school's own receiver runs beside this program.
    #[serde(rename_all = "camelCase")]
    Beside { webhook: String, data_dir: PathBuf },
    /// It does not run.
    Failed { error: ShellError },
}

/// The receiver. Cheap to clone.
#[derive(Clone)]
pub struct Receiver {
    flags: Arc<(Common, Serve)>,
    links: Links,
    state: watch::Sender<ReceiverState>,
    held: Arc<Mutex<Option<Held>>>,
}

/// What is there once it was started or found.
struct Held {
    ready: Ready,
    data_dir: DataDir,
    secret_store: SecretStore,
    /// Of the one inside this program.
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// Where an enrollment or a rotation works.
pub struct Place {
    pub client: ReceiverClient,
    pub secret_store: SecretStore,
    pub data_dir: DataDir,
}

impl Receiver {
    /// Not started yet.
    pub fn new(common: Common, serve: Serve, links: Links) -> Self {
        Self {
            flags: Arc::new((common, serve)),
            links,
            state: watch::Sender::new(ReceiverState::Starting),
            held: Arc::default(),
        }
    }

    /// How it is, now and whenever that changes.
    pub fn state(&self) -> watch::Receiver<ReceiverState> {
        self.state.subscribe()
    }

    /// Starts it, or starts it again.
    pub async fn start(&self) {
        let mut held = self.held.lock().await;
        stop(held.take()).await;
        self.state.send_replace(ReceiverState::Starting);
        self.links.set(Target::Receiver, None);
        match self.open().await {
            Ok(opened) => {
                let Ready { webhook, data_dir, .. } = opened.ready.clone();
                self.state.send_replace(match opened.running {
                    Some(_) => ReceiverState::Inside { webhook, data_dir },
                    None => ReceiverState::Beside { webhook, data_dir },
                });
                *held = Some(opened);
                drop(held);
                // It asks the keychain, which may wait for its owner.
                self.connect_provider().await;
            }
            Err(error) => {
                tracing::error!("the receiver does not run: {error}");
                self.state.send_replace(ReceiverState::Failed { error });
            }
        }
    }

    async fn open(&self) -> Result<Held, ShellError> {
        let (common, serve) = &*self.flags;
        let settings = Settings::load(common).map_err(shell_error)?;
        let serve = settings.serve(serve).map_err(shell_error)?;
        let Settings { data_dir, secret_store, .. } = settings;
        let (ready, running) = match data_dir.lock() {
            Ok(lock) => {
                let parts = Parts {
                    data_dir: data_dir.clone(),
                    secret_store: secret_store.clone(),
                    clock: Clock::system(),
                    lock,
                };
                // On a thread of its own: what starts the database is not `Send`.
                let runtime = Handle::current();
                let starting = tokio::task::spawn_blocking(move || runtime.block_on(app::start(parts, Some(serve))));
                let broke = |_| ShellError::new(ErrorCode::Internal, "starting the receiver broke");
                let running = starting.await.map_err(broke)?.map_err(shell_error)?;
                let (ready, stop) = (running.ready.clone(), CancellationToken::new());
                let (signal, receiver) = (stop.clone(), self.clone());
                let task = tokio::spawn(async move {
                    if let Err(error) = running.run_until(signal.clone().cancelled_owned()).await {
                        receiver.failed(&signal, shell_error(error)).await;
                    }
                });
                (ready, Some((stop, task)))
            }
            Err(error) if error.kind == Kind::Locked => {
                let words = "another program holds the receiver's folder, and no receiver answers there";
                (data_dir.announced().ok_or_else(|| ShellError::new(ErrorCode::Setup, words))?, None)
            }
            Err(error) => return Err(shell_error(error)),
        };
        let token = data_dir.pairing_token().map_err(shell_error)?;
        self.links.set(Target::Receiver, Some(Link::receiver(&ready.grpc, &token)?));
        Ok(Held { ready, data_dir, secret_store, running })
    }

    /// The receiver inside ended with a failure. A start that is under way comes first, so that it does not tell of a
    /// running one afterwards; whoever stops it tells by themselves what is next, and waits for this.
    async fn failed(&self, stop: &CancellationToken, error: ShellError) {
        let Some(_held) = stop.run_until_cancelled(self.held.lock()).await else {
            tracing::warn!("the receiver failed when it was stopped: {error}");
            return;
        };
        tracing::error!("the receiver does not run any more: {error}");
        // Another program may listen at its port now, and the link shows the pairing token to whoever answers there.
        self.links.set(Target::Receiver, None);
        self.state.send_replace(ReceiverState::Failed { error });
    }

    /// Uses the school's own credential for calls to the provider, if there is one.
    pub async fn connect_provider(&self) {
        let store = match &*self.held.lock().await {
            Some(held) => held.secret_store.clone(),
            None => return,
        };
        let loaded = tokio::task::spawn_blocking(move || store.load()).await;
        let link = match loaded {
            Ok(Ok(Some(enrollment))) => {
                let pin: Option<Pin> = enrollment.identity.provider_pin.parse().ok();
                let token = enrollment.installation_token;
                pin.zip(token).and_then(|(pin, token)| {
                    Link::provider(&enrollment.identity.provider_address, pin, Some(&token)).ok()
                })
            }
            Ok(Ok(None)) | Err(_) => None,
            Ok(Err(error)) => {
                tracing::warn!("the secret could not be read: {error}");
                None
            }
        };
        self.links.set(Target::Provider, link);
    }

    /// Follows the school's own receiver to where it listens since it was started again.
    ///
    /// # Errors
    /// Where its pairing token cannot be read.
    pub async fn reattach(&self) -> Result<(), ShellError> {
        let mut held = self.held.lock().await;
        let Some(Held { ready, data_dir, running: None, .. }) = held.as_mut() else { return Ok(()) };
        let announced = data_dir.announced().filter(|announced| announced.grpc != ready.grpc);
        let Some(announced) = announced else { return Ok(()) };
        let token = data_dir.pairing_token().map_err(shell_error)?;
        self.links.set(Target::Receiver, Some(Link::receiver(&announced.grpc, &token)?));
        let (webhook, data_dir) = (announced.webhook.clone(), announced.data_dir.clone());
        *ready = announced;
        self.state.send_replace(ReceiverState::Beside { webhook, data_dir });
        Ok(())
    }

    /// Where an enrollment or a rotation works.
    ///
    /// # Errors
    /// Where no receiver runs or answers.
    pub async fn place(&self) -> Result<Place, ShellError> {
        let held = self.held.lock().await;
        let none = || ShellError::new(ErrorCode::NotConnected, "the receiver does not run");
        // One that failed is still held for a reset, but nobody of ours answers at its port.
        let failed = matches!(*self.state.borrow(), ReceiverState::Failed { .. });
        let held = held.as_ref().filter(|_| !failed).ok_or_else(none)?;
        let client = commands::connect(&held.ready.grpc, &held.data_dir).await.map_err(shell_error)?;
        Ok(Place { client, secret_store: held.secret_store.clone(), data_dir: held.data_dir.clone() })
    }

    /// Forgets the enrollment: the secret leaves the keychain, the roster stays. Only for the receiver inside.
    ///
    /// # Errors
    /// Where the receiver is not ours, or the keychain cannot be changed.
    pub async fn reset(&self) -> Result<(), ShellError> {
        let (store, folder) = {
            let mut held = self.held.lock().await;
            match held.as_ref() {
                Some(Held { running: Some(_), secret_store, data_dir, .. }) => {
                    let (store, folder) = (secret_store.clone(), data_dir.clone());
                    stop(held.take()).await;
                    (store, folder)
                }
                _ => {
                    let words = "the receiver does not run inside this program: reset it where it runs";
                    return Err(ShellError::new(ErrorCode::FailedPrecondition, words));
                }
            }
        };
        let forget = move || {
            store.forget()?;
            // From here on an empty store is meant, and no loss.
            if let Err(error) = folder.forget_store() {
                tracing::warn!("the remembered secret store could not be forgotten: {error}");
            }
            Ok::<_, StoreError>(())
        };
        let forgotten = tokio::task::spawn_blocking(forget).await;
        self.start().await;
        match forgotten {
            Ok(forgotten) => forgotten.map_err(|error| shell_error(error.into())),
            Err(_) => Err(ShellError::new(ErrorCode::Internal, "resetting broke")),
        }
    }

    /// Answers what is open, commits, closes.
    pub async fn stop(&self) {
        stop(self.held.lock().await.take()).await;
    }
}

async fn stop(held: Option<Held>) {
    let Some(Held { running: Some((stop, task)), .. }) = held else { return };
    stop.cancel();
    if timeout(STOP_TIMEOUT, task).await.is_err() {
        tracing::warn!("the receiver did not end in time");
    }
}

/// Which store an enrollment used, for the commands beside this program.
pub fn remember(place: &Place) {
    let name = place.secret_store.name();
    if place.data_dir.remembered_store().is_some_and(|known| known.secret_store == name) {
        return; // With the key file that was given to it.
    }
    let remembered = RememberedStore { secret_store: name.to_owned(), key_file: None };
    if let Err(error) = place.data_dir.remember_store(&remembered) {
        tracing::warn!("the secret store could not be remembered: {error}");
    }
}

/// A failure of the receiver's library as the window knows it.
pub fn shell_error(error: AppError) -> ShellError {
    let code = match error.reason {
        "keychain_locked" => ErrorCode::KeychainLocked,
        "keychain_absent" => ErrorCode::KeychainAbsent,
        "keychain_failed" | "keychain_differs" => ErrorCode::KeychainFailed,
        "unreachable" => ErrorCode::Unavailable,
        "wrong_server" => ErrorCode::ServerKeyChanged,
        "bad_address" | "secret_gone" | "other_school" | "too_many_tries" => ErrorCode::Code,
        reason if reason.starts_with("code_") => ErrorCode::Code,
        _ => match error.kind {
            Kind::Unreachable => ErrorCode::Unavailable,
            Kind::Denied => ErrorCode::PermissionDenied,
            Kind::BadData | Kind::Usage | Kind::CheckFailed => ErrorCode::FailedPrecondition,
            Kind::Config | Kind::Locked => ErrorCode::Setup,
            Kind::Internal => ErrorCode::Internal,
        },
    };
    let both = |keys: &school_server::error::ServerKeys| ServerKeys {
        expected: keys.expected.clone(),
        shown: keys.shown.clone(),
    };
    let keys = error.keys.as_deref().map(|keys| Box::new(both(keys)));
    let shell = ShellError { keys, ..ShellError::new(code, error.to_string()) };
    if error.reason.is_empty() { shell } else { shell.because(error.reason) }
}
