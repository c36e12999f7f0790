//! From a host to vetted addresses, and the steps of a connection for the address test. Exactly the vetted addresses are
//! dialled; there is no other way out (P10).

use std::{
    error::Error,
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::NetError,
};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as TlsError, InvalidMessage, PeerIncompatible,
    RootCertStore,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::egress::{Blocked, Policy};
use crate::model::outcome::{Cause, SHORTAGE};

/// The longest that a name may take to resolve.
const DNS_LIMIT: Duration = Duration::from_secs(2);
/// The longest that TCP and TLS may take together.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried, one after the other.
const MAX_ADDRESSES: usize = 4;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialError {
    /// dns, blocked, connect, tls or timeout.
    pub cause: Cause,
    /// A word that narrows it.
    pub detail: &'static str,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cause.as_str(), self.detail)
    }
}

impl Error for DialError {}

fn failed(cause: Cause, detail: &'static str) -> DialError {
    DialError { cause, detail }
}

/// The addresses of a name, or a word why there are none.
pub type Lookup = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, &'static str>> + Send>>;

/// Turns names into addresses.
pub trait Resolve: Send + Sync {
    /// All addresses of a name.
    fn lookup(&self, name: &str) -> Lookup;
}

/// The system's name servers, or a set one, and its hosts file.
pub struct SystemResolver(Option<Arc<TokioResolver>>);

impl SystemResolver {
    /// Asks this name server alone or, without one, those of the system's settings; where there are none, no name
    /// resolves.
    pub fn new(name_server: Option<SocketAddr>) -> Self {
        let builder = match name_server {
            Some(socket) => Ok(TokioResolver::builder_with_config(asking(socket), Default::default())),
            None => TokioResolver::builder_tokio(),
        };
        let built = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = DNS_LIMIT / 2;
            options.ip_strategy = hickory_resolver::config::LookupIpStrategy::Ipv4AndIpv6;
            options.use_hosts_file = hickory_resolver::config::ResolveHosts::Always;
            builder.build()
        });
        if let Err(error) = &built {
            tracing::warn!(%error, "the system names no name server: only addresses without a name can be reached");
        }
        Self(built.ok().map(Arc::new))
    }
}

fn asking(name_server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = name_server.port();
        connection
    });
    let server = NameServerConfig::new(name_server.ip(), true, connections.to_vec());
    ResolverConfig::from_name_servers(vec![server])
}

impl Resolve for SystemResolver {
    fn lookup(&self, name: &str) -> Lookup {
        let Some(resolver) = self.0.clone() else { return Box::pin(async { Err("no_resolver") }) };
        // A final dot keeps search domains out: the name is meant as it is written.
        let name = format!("{name}.");
        Box::pin(async move {
            match resolver.lookup_ip(name).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) if error.is_nx_domain() => Err("no_such_name"),
                Err(error) if error.is_no_records_found() => Err("no_address"),
                Err(NetError::Io(error)) if is_shortage(&error) => Err(SHORTAGE),
                Err(_) => Err("no_answer"),
            }
        })
    }
}

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    policy: Policy,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl Dialer {
    /// A dialer that trusts the system's certificate authorities and `more` beside them.
    pub fn new(policy: Policy, resolver: Arc<dyn Resolve>, more: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let (known, _) = roots.add_parsable_certificates(native.certs.into_iter().chain(more));
        if known == 0 {
            tracing::warn!("the system has no certificate authorities: no https endpoint will be trusted");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { policy, resolver, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// The TLS settings: the trusted authorities, TLS 1.2 and 1.3, HTTP/1.1.
    pub fn tls_config(&self) -> ClientConfig {
        (**self.tls.config()).clone()
    }

    /// The egress policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The addresses of a host and port, all of them vetted: one bad, all refused.
    pub async fn resolve(&self, host: &str, port: u16, plaintext: bool) -> Result<Vec<SocketAddr>, DialError> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let addresses = match bare.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => match timeout(DNS_LIMIT, self.resolver.lookup(host)).await {
                Ok(Err(SHORTAGE)) => return Err(failed(Cause::Internal, SHORTAGE)),
                Ok(found) => found.map_err(|why| failed(Cause::Dns, why))?,
                Err(_) => return Err(failed(Cause::Dns, "slow")),
            },
        };
        let sockets: Vec<SocketAddr> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        if sockets.is_empty() {
            return Err(failed(Cause::Dns, "no_address"));
        }
        for socket in &sockets {
            self.policy.vet(*socket, plaintext).map_err(|blocked: Blocked| failed(Cause::Blocked, blocked.as_str()))?;
        }
        let reached: Vec<SocketAddr> = sockets.into_iter().filter(has_way).collect();
        if reached.is_empty() { Err(failed(Cause::Connect, "unreachable")) } else { Ok(reached) }
    }

    /// TCP to the first address that answers.
    pub async fn connect_tcp(&self, sockets: &[SocketAddr]) -> Result<TcpStream, DialError> {
        let sockets = &sockets[..sockets.len().min(MAX_ADDRESSES)];
        let share = CONNECT_LIMIT / sockets.len().max(1) as u32;
        let mut last = failed(Cause::Connect, "no_address");
        for socket in sockets {
            match timeout(share, TcpStream::connect(socket)).await {
                Ok(Err(error)) if is_shortage(&error) => return Err(failed(Cause::Internal, SHORTAGE)),
                Ok(Ok(stream)) => {
                    // A failure leaves small packets waiting: slower, not wrong.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = failed(Cause::Connect, connect_detail(&error)),
                Err(_) => last = failed(Cause::Connect, "slow"),
            }
        }
        Err(last)
    }

    /// Tries TLS over a connection; the certificate must be for this host.
    pub async fn check_tls(&self, host: &str, tcp: TcpStream) -> Result<(), DialError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| failed(Cause::Tls, "wrong_name"))?;
        match timeout(CONNECT_LIMIT, self.tls.connect(name, tcp)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed(Cause::Tls, tls_detail(&error).unwrap_or("closed"))),
            Err(_) => Err(failed(Cause::Timeout, "tls")),
        }
    }
}

/// Whether this machine has an address of its own to reach it from. One without IPv6 has none for an IPv6 address, and a
/// connection would fail as if no port were left. Nothing is sent.
fn has_way(to: &SocketAddr) -> bool {
    to.is_ipv4() || std::net::UdpSocket::bind("[::]:0").and_then(|socket| socket.connect(to)).is_ok()
}

/// Whether this machine has no handle, memory or port left for a connection.
pub fn is_shortage(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        const SHORT: [Errno; 5] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
        Errno::from_io_error(error).is_some_and(|errno| SHORT.contains(&errno))
    }
    #[cfg(not(unix))]
    {
        error.kind() == std::io::ErrorKind::AddrNotAvailable
    }
}

/// A word for a failed TCP connection.
pub fn connect_detail(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "refused",
        std::io::ErrorKind::ConnectionReset
        | std::io::ErrorKind::ConnectionAborted
        | std::io::ErrorKind::BrokenPipe => "reset",
        std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable => "unreachable",
        std::io::ErrorKind::TimedOut => "slow",
        _ => "failed",
    }
}

/// A word for failed TLS; `None` where it was not TLS that failed.
pub fn tls_detail(error: &std::io::Error) -> Option<&'static str> {
    Some(tls_word(innermost(error).get_ref()?.downcast_ref::<TlsError>()?))
}

/// The I/O error inside of those that only wrap it: they hide its kind, and do not name it as their source.
pub fn innermost(error: &std::io::Error) -> &std::io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>());
    inner.map_or(error, innermost)
}

fn tls_word(error: &TlsError) -> &'static str {
    match error {
        TlsError::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not_yet_valid",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "wrong_name",
            CertificateError::UnknownIssuer => "unknown_issuer",
            CertificateError::Revoked => "revoked",
            _ => "bad_certificate",
        },
        TlsError::AlertReceived(AlertDescription::ProtocolVersion)
        | TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => "old_version",
        TlsError::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        ) => "too_large",
        TlsError::AlertReceived(_) | TlsError::PeerIncompatible(_) => "refused",
        _ => "protocol",
    }
}
