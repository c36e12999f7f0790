//! From settings to a serving program, and from a signal to a clean end.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(unix)]
use crate::control;
use crate::{
    clock::{Clock, Entropy, SystemClock},
    config::{Config, KeySource},
    data_dir::{self, Lock},
    exit::Failure,
    grpc::{self, Services, Sessions, auth::AuthLayer},
    import::Importer,
    key_file::{self, write_private},
    mail::{MailStatus, Postman, Transport},
    metrics::Metrics,
    ops,
    passwords::Passwords,
    serving::{self, Stop},
    store::{Committed, DatabaseUrl, Store, StoreError, changes::ChangeQueue, staff},
    tls,
    workers::{self, Workers},
};

/// What is under way may finish in this time once a stop began.
const DRAIN: Duration = Duration::from_secs(20);
const CLOSE: Duration = Duration::from_secs(5);

/// What `--ready-json` says once the server serves.
#[derive(Clone, Serialize)]
pub struct Ready {
    /// This process.
    pub pid: u32,
    /// Address of gRPC.
    pub grpc: SocketAddr,
    /// Address of liveness, readiness and metrics.
    pub ops: SocketAddr,
    /// SHA-256 of the server's public key, hex.
    pub pin: String,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The file with the one-time owner code; absent once an owner exists.
    pub owner_code_file: Option<PathBuf>,
}

/// A store with the right to use its database.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What is committed for the engine.
    pub committed: tokio::sync::mpsc::UnboundedReceiver<Committed>,
    /// Held as long as the store is used.
    pub lock: Lock,
}

/// Takes the lock, reads the keys and opens the store. `create` is for the server; offline commands want one that
/// exists.
pub async fn open(config: &Config, create: bool, clock: Arc<dyn Clock>, entropy: Entropy) -> Result<Opened, Failure> {
    Ok(try_open(config, create, clock, entropy).await??)
}

/// The same, for who looks at why the store does not open.
pub async fn try_open(
    config: &Config,
    create: bool,
    clock: Arc<dyn Clock>,
    entropy: Entropy,
) -> Result<Result<Opened, StoreError>, Failure> {
    let (exists, locked) = match &config.database {
        DatabaseUrl::Sqlite(file) => {
            let exists = std::fs::metadata(file).is_ok_and(|file| file.len() > 0);
            if !exists && !create {
                return Err(Failure::config(format!("there is no database at {}", file.display())));
            }
            if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                data_dir::create(folder)?;
            }
            (exists, file.clone())
        }
        // The database is for all servers; the folder is this one's alone.
        DatabaseUrl::Postgres(_) => (false, config.data_dir.join("server")),
    };
    data_dir::create(&config.data_dir)?;
    let lock = data_dir::lock(&locked)?;
    let keyring = key_file::load(&config.key_source, exists, clock.now_ms(), &entropy)?;
    let node = match &config.database {
        DatabaseUrl::Sqlite(_) => [0; 16],
        DatabaseUrl::Postgres(_) => data_dir::node_id(&config.data_dir, &entropy)?,
    };
    let opened = Store::open(&config.database, node, keyring, clock, entropy).await;
    Ok(opened.map(|(store, committed)| Opened { store, committed, lock }))
}

/// A serving server.
pub struct Running {
    /// Addresses, pin and files.
    pub ready: Ready,
    /// The pin as bytes.
    pub pin: [u8; 32],
    /// The store behind it.
    pub store: Store,
    stop: Stop,
    tasks: TaskTracker,
    _lock: Lock,
}

/// Starts everything on the current runtime.
pub async fn start(config: Config, clock: Arc<dyn Clock>, entropy: Entropy) -> Result<Running, Failure> {
    let Opened { store, committed, lock } = open(&config, true, clock, entropy.clone()).await?;
    let owner_code_file = config.data_dir.join("owner-code");
    let unclaimed = prepare_owner_code(&store, &owner_code_file).await?;
    let identity = tls::load(&store).await?;
    let mail = config.mail.clone().map(Transport::new).transpose()?;
    let grpc_listener = bind("listen", config.listen).await?;
    let ops_listener = bind("ops_listen", config.ops_listen).await?;
    let (grpc, ops) = (local(&grpc_listener)?, local(&ops_listener)?);

    let (metrics, stop, tasks) = (Metrics::default(), Stop::default(), TaskTracker::new());
    let Workers { tester, vet_url } =
        workers::start_workers(&store, committed, &config, &[grpc, ops], &metrics, &stop.begun, &tasks);
    let public_address = config.public_address.clone().unwrap_or_else(|| public_address(grpc));
    let mail_status = MailStatus::register(&metrics);
    if let Some(mail) = mail {
        let postman = Postman::new(store.clone(), mail, mail_status.clone(), public_address.clone());
        workers::spawn(&tasks, &store, "mail", postman.run(stop.begun.clone()));
    }
    let sessions = Sessions::new(store.clone());
    let importer = Importer::new(store.clone(), config.data_dir.clone(), stop.begun.clone(), tasks.clone());
    importer.resume().await?;
    let services = Services {
        store: store.clone(),
        changes: ChangeQueue::start(store.clone()),
        imports: importer,
        tester,
        vet_url,
        sessions: sessions.clone(),
        passwords: Passwords::new(entropy),
        owner_code_file: owner_code_file.clone(),
        public_address,
        pin: identity.pin,
        stopping: stop.begun.clone(),
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    let routes = grpc::routes(&services).add_service(health_service);
    let auth = AuthLayer::new(sessions, metrics.clone(), stop.begun.clone());
    let serving = serving::serve(grpc_listener, identity.config, routes, auth, metrics.clone(), stop.clone());
    workers::spawn(&tasks, &store, "grpc", serving);
    let ops_serving = ops::serve(ops_listener, store.clone(), metrics, mail_status, stop.begun.clone());
    workers::spawn(&tasks, &store, "ops", ops_serving);
    #[cfg(unix)]
    if let Some(door) = control::listen(&config.data_dir) {
        let serving = control::serve(door, store.clone(), config.key_source.clone(), stop.begun.clone());
        workers::spawn(&tasks, &store, "control", serving);
    }
    tasks.spawn(report_stop(health, stop.begun.clone()));

    let ready = Ready {
        pid: std::process::id(),
        grpc,
        ops,
        pin: hex::encode(identity.pin),
        data_dir: absolute(&config.data_dir),
        owner_code_file: unclaimed.then(|| absolute(&owner_code_file)),
    };
    Ok(Running { ready, pin: identity.pin, store, stop, tasks, _lock: lock })
}

impl Running {
    /// Becomes something when the server must stop because it cannot go on.
    pub fn fatal(&self) -> watch::Receiver<Option<Failure>> {
        self.store.shared().fatal()
    }

    /// Stops: no new calls, what is under way finishes within 20 s, then the database is closed.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { store, stop, tasks, .. } = self;
        stop.begun.cancel();
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("some calls did not end in 20 s and were cut");
        }
        stop.cut.cancel();
        let failed = store.shared().fatal().borrow().clone();
        if tokio::time::timeout(CLOSE, store.close()).await.is_err() {
            tracing::warn!("the database was left open; its log is read at the next start");
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Serves until SIGTERM, SIGINT or a failure.
pub async fn run(config: Config) -> Result<(), Failure> {
    forbid_core_dumps();
    let (ready_json, keys) = (config.ready_json.clone(), config.key_source.clone());
    let mut terminated = Signals::listen()?;
    let running = start(config, Arc::new(SystemClock), Entropy::from_system()).await?;
    announce(&running.ready, &keys);
    if let Some(target) = ready_json
        && let Err(failure) = write_ready(&target, &running.ready)
    {
        running.stop().await?;
        return Err(failure);
    }
    let mut fatal = running.fatal();
    tokio::select! {
        () = terminated.next() => tracing::info!("stopping"),
        _ = fatal.wait_for(Option::is_some) => tracing::error!("stopping after a failure"),
    }
    running.stop().await
}

/// Files that others make for us, databases among them, are for this user alone.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

fn announce(ready: &Ready, keys: &KeySource) {
    let Ready { grpc, ops, pin, data_dir, .. } = ready;
    tracing::info!(%grpc, %ops, pin, data_dir = %data_dir.display(), "serving");
    match keys {
        KeySource::File { path, .. } => {
            let path = absolute(path);
            tracing::info!("the key file {} opens the database: back it up apart from it", path.display());
        }
        KeySource::Environment(_) => {
            tracing::info!("the key in WEBHOOK_ENCRYPTION_KEY opens the database: keep a copy of it apart from it");
        }
    }
    if let Some(file) = &ready.owner_code_file {
        let program = std::env::args_os().next().map_or_else(|| "provider-server".into(), PathBuf::from);
        tracing::info!("claim the first owner: {}", claim_command(&program, ready, file));
    }
}

/// What a shell on this machine takes as it is, but for the account's name and the file with its password.
fn claim_command(program: &Path, ready: &Ready, code_file: &Path) -> String {
    let mut server = ready.grpc;
    if server.ip().is_unspecified() {
        server.set_ip(if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let [program, token_file, code_file] =
        [program, &ready.data_dir.join("owner-token"), code_file].map(|path| quoted(&path.to_string_lossy()));
    format!(
        "{program} ctl owner claim --server {server} --pin {} --token-file {token_file} --code-file {code_file} \
         --username NAME --password-file FILE",
        ready.pin
    )
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// For readers with another working folder than ours.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn write_ready(target: &Path, ready: &Ready) -> Result<(), Failure> {
    let line = serde_json::to_string(ready).map_err(|error| Failure::internal(error.to_string()))?;
    if target == Path::new("-") {
        println!("{line}");
        return Ok(());
    }
    // Somebody chose this place, so that it is theirs to set right.
    write_private(target, format!("{line}\n").as_bytes())
        .map_err(|failure| Failure::config(format!("--ready-json: {failure}")))
}

async fn bind(field: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::config(format!("{field}: {address}: {error}")))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::internal(error.to_string()))
}

/// What codes name where nothing is set: the address listened on, or this machine's name.
fn public_address(grpc: SocketAddr) -> String {
    if !grpc.ip().is_unspecified() {
        return grpc.to_string();
    }
    let name = rustix::system::uname();
    format!("{}:{}", name.nodename().to_string_lossy(), grpc.port())
}

/// Writes the owner code while no owner exists; answers whether one waits.
async fn prepare_owner_code(store: &Store, file: &Path) -> Result<bool, Failure> {
    let mut conn = store.reader().await?;
    if staff::owner_exists(&mut conn).await? {
        if file.exists() {
            let _ = std::fs::remove_file(file);
        }
        return Ok(false);
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    if staff::is_owner_code(&mut conn, written.trim()).await? {
        return Ok(true);
    }
    drop(conn);
    let code = format!("owner-{}", hex::encode(store.shared().entropy.bytes::<16>()));
    write_private(file, format!("{code}\n").as_bytes())?;
    store.act(move |tx| Box::pin(async move { staff::set_owner_code(tx, &code).await })).await?;
    Ok(true)
}

async fn report_stop(health: tonic_health::server::HealthReporter, stopping: CancellationToken) {
    stopping.cancelled().await;
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
}

/// A core dump would hold keys.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .map_err(|error| Failure::internal(error.to_string()))?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claim_is_a_command_that_a_shell_takes() {
        let ready = |grpc: &str| Ready {
            pid: 1,
            grpc: grpc.parse().expect("an address"),
            ops: "127.0.0.1:2".parse().expect("an address"),
            pin: "ab".into(),
            data_dir: "/srv/it's here".into(),
            owner_code_file: None,
        };
        let told = claim_command(Path::new("bin/provider-server"), &ready("0.0.0.0:7443"), Path::new("/c"));
        let expected = "bin/provider-server ctl owner claim --server 127.0.0.1:7443 --pin ab --token-file \
                        '/srv/it'\\''s here/owner-token' --code-file /c --username NAME --password-file FILE";
        assert_eq!(told, expected);
        let told = claim_command(Path::new("p"), &ready("[::]:1"), Path::new("/c"));
        assert!(told.contains("--server [::1]:1 "), "{told}");
    }
}
