//! An SMTP server with the protocol of a library, over plain sockets, TLS or STARTTLS. It keeps the mail that it took.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use mailin::{Action, AuthMechanism, Handler, Response, Session, SessionBuilder, response};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

pub const USERNAME: &str = "rollcall";
pub const PASSWORD: &str = "hunter2-of-mail";

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    StartTls,
    Wrapped,
}

/// A mail as it was taken.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and text, as they came over the wire.
    pub data: String,
    pub encrypted: bool,
}

impl Taken {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let prefix = format!("{name}: ");
        head.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).unwrap_or_default()
    }
}

/// A running server; it ends with this value.
pub struct Smtp {
    pub address: SocketAddr,
    taken: watch::Receiver<Vec<Taken>>,
    /// Mails that are refused before one is taken.
    refusals: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
    serving: JoinHandle<()>,
}

/// The authority and the key of the tests' servers.
pub struct Identity {
    folder: tempfile::TempDir,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A certificate of `localhost`.
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("an identity");
        Self { folder, config: Arc::new(config) }
    }

    /// The file of the authority.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Smtp {
    /// Starts at a free port.
    pub async fn start(mode: Mode, identity: &Identity) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), mode, identity).await
    }

    /// Starts at this address.
    pub async fn start_at(address: SocketAddr, mode: Mode, identity: &Identity) -> Self {
        let listener = TcpListener::bind(address).await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (keep, taken) = watch::channel(Vec::new());
        let (refusals, connections) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let serving = tokio::spawn(serve(
            listener,
            mode,
            TlsAcceptor::from(identity.config.clone()),
            Arc::new(keep),
            refusals.clone(),
            connections.clone(),
        ));
        Self { address, taken, refusals, connections, serving }
    }

    /// The next mails are refused, so many.
    pub fn refuse(&self, mails: u32) {
        self.refusals.store(mails, Ordering::SeqCst);
    }

    /// All mails so far, in the order of their coming.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.borrow().clone()
    }

    /// Waits until so many came.
    pub async fn wait_for(&mut self, mails: usize) -> Vec<Taken> {
        let came = self.taken.wait_for(|taken| taken.len() >= mails);
        let came = tokio::time::timeout(std::time::Duration::from_secs(60), came).await;
        came.expect("mail comes").expect("a server").clone()
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Ends; nothing listens there any more.
    pub async fn stop(self) {
        self.serving.abort();
        let ended = self.serving.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it served to its end");
    }
}

async fn serve(
    listener: TcpListener,
    mode: Mode,
    acceptor: TlsAcceptor,
    keep: Arc<watch::Sender<Vec<Taken>>>,
    refusals: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
) {
    loop {
        let (socket, peer) = listener.accept().await.expect("a connection");
        connections.fetch_add(1, Ordering::SeqCst);
        let desk = Desk { keep: keep.clone(), refusals: refusals.clone(), mail: Taken::default(), encrypted: false };
        // A client that goes away is its own affair.
        tokio::spawn(talk(socket, peer.ip(), mode, acceptor.clone(), desk));
    }
}

async fn talk(socket: TcpStream, peer: IpAddr, mode: Mode, acceptor: TlsAcceptor, mut desk: Desk) -> io::Result<()> {
    let mut builder = SessionBuilder::new("mail.test");
    if mode == Mode::StartTls {
        builder.enable_start_tls();
    }
    if mode != Mode::Plain {
        builder.enable_auth(AuthMechanism::Plain);
    }
    desk.encrypted = mode != Mode::Plain;
    let mut session = builder.build(peer, desk);
    if mode == Mode::Wrapped {
        let mut stream = BufReader::new(acceptor.accept(socket).await?);
        session.tls_active();
        stream.write_all(&session.greeting().buffer()?).await?;
        return lines(&mut stream, &mut session).await.map(drop);
    }
    let mut stream = BufReader::new(socket);
    stream.write_all(&session.greeting().buffer()?).await?;
    if lines(&mut stream, &mut session).await? {
        let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
        session.tls_active();
        lines(&mut stream, &mut session).await?;
    }
    Ok(())
}

/// Speaks until the end; true where the connection is to be encrypted from here on.
async fn lines<S>(stream: &mut BufReader<S>, session: &mut Session<Desk>) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await? > 0 {
        let answer = session.process(&line);
        line.clear();
        if answer.action != Action::NoReply {
            stream.write_all(&answer.buffer()?).await?;
            stream.flush().await?;
        }
        match answer.action {
            Action::UpgradeTls => return Ok(true),
            Action::Close => return Ok(false),
            Action::NoReply | Action::Reply => {}
        }
    }
    Ok(false)
}

/// Takes the mails of one connection.
struct Desk {
    keep: Arc<watch::Sender<Vec<Taken>>>,
    refusals: Arc<AtomicU32>,
    mail: Taken,
    encrypted: bool,
}

impl Handler for Desk {
    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("nobody@") { response::NO_MAILBOX } else { response::OK }
    }

    fn data_start(&mut self, _: &str, from: &str, _: bool, to: &[String]) -> Response {
        let one_less = |left: u32| left.checked_sub(1);
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return response::OUT_OF_SPACE;
        }
        let encrypted = self.encrypted;
        self.mail = Taken { from: from.into(), to: to.to_vec(), data: String::new(), encrypted };
        response::OK
    }

    fn data(&mut self, part: &[u8]) -> io::Result<()> {
        self.mail.data.push_str(std::str::from_utf8(part).map_err(io::Error::other)?);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let mail = std::mem::take(&mut self.mail);
        self.keep.send_modify(|taken| taken.push(mail));
        response::OK
    }

    fn auth_plain(&mut self, _: &str, username: &str, password: &str) -> Response {
        match (username, password) {
            (USERNAME, PASSWORD) => response::AUTH_OK,
            _ => response::INVALID_CREDENTIALS,
        }
    }
}
