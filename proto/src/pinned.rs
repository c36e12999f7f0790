//! The channel to a provider whose key is known: TLS 1.3, the server's public key must be the pinned one **and** the
//! handshake must be signed by it. A mismatch stops everything before anything is sent.

use std::{fmt, future::Future, pin::Pin as Boxed, str::FromStr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};

/// Longest wait for DNS, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A silent connection is asked this often whether it still lives, also between calls.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// … and is given up after this.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of one answer, in bytes.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// SHA-256 of a server's public key (SubjectPublicKeyInfo).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a certificate; `None` where it cannot be read.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        Some(Self(Sha256::digest(parsed.subject_public_key_info().as_ref()).into()))
    }
}

/// Why a text is not a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pin is the 64 hex digits that the server prints at its start")]
pub struct InvalidPin;

impl FromStr for Pin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<Self, InvalidPin> {
        let text = text.trim();
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidPin);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| InvalidPin)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidPin)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The server showed another key than the pinned one. Found in the source chain of a failed connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's key is not the pinned one: expected {expected}, it showed {shown}")]
pub struct PinMismatch {
    /// What was asked for.
    pub expected: Pin,
    /// What the server showed.
    pub shown: Pin,
}

impl PinMismatch {
    /// The mismatch that made this error, if one did.
    pub fn find(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(current) = next {
            if let Some(found) = current.downcast_ref::<Self>() {
                return Some(*found);
            }
            let tls = current
                .downcast_ref::<rustls::Error>()
                .or_else(|| current.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>());
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = tls
                && let Some(found) = other.0.downcast_ref::<Self>()
            {
                return Some(*found);
            }
            next = current.source();
        }
        None
    }
}

/// Whether a call failed because the connection was lost or refused, and not by an answer of the server: whether it was
/// carried out is unknown, and it may be made again where it can be repeated.
pub fn is_connection_loss(status: &tonic::Status) -> bool {
    // A status that came over the wire has no source; one that was made here tells what it was made from.
    status.code() == tonic::Code::Unavailable || std::error::Error::source(status).is_some()
}

/// A `host:port` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a server address: expected host:port")]
pub struct InvalidServer(String);

/// The endpoint and its connector, for `connect` (now) or `connect_lazy` (at the first call).
pub struct PinnedEndpoint {
    endpoint: Endpoint,
    connector: PinnedConnector,
}

impl PinnedEndpoint {
    /// `server` is `host:port`; an IPv6 address stands in brackets.
    pub fn new(server: &str, pin: Pin) -> Result<Self, InvalidServer> {
        let invalid = || InvalidServer(server.to_owned());
        let (host, port) = server.rsplit_once(':').ok_or_else(invalid)?;
        let port: u16 = port.parse().map_err(|_| invalid())?;
        let bare_host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare_host.to_owned()).map_err(|_| invalid())?;
        // The scheme is `http` because the connector below does the TLS itself.
        let endpoint = Endpoint::from_shared(format!("http://{host}:{port}"))
            .map_err(|_| invalid())?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .http2_max_header_list_size(MAX_HEADER_BYTES);
        let connector = PinnedConnector { host: bare_host.into(), port, name, tls: Arc::new(client_config(pin)) };
        Ok(Self { endpoint, connector })
    }

    /// Every call fails after this time.
    pub fn with_call_timeout(self, timeout: Duration) -> Self {
        Self { endpoint: self.endpoint.timeout(timeout), ..self }
    }

    /// Connects now, so that an unreachable server and a wrong key are told apart at once.
    pub async fn connect(self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint.connect_with_connector(self.connector).await
    }

    /// Connects at the first call, and again whenever the connection was lost.
    pub fn connect_lazy(self) -> Channel {
        self.endpoint.connect_with_connector_lazy(self.connector)
    }
}

/// TLS 1.3, HTTP/2, and no certificate authority but the pin.
pub fn client_config(pin: Pin) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("aws-lc-rs knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinVerifier { pin, provider }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[derive(Debug)]
struct PinVerifier {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown =
            Pin::of_certificate(end_entity).ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if bool::from(shown.0.ct_eq(&self.pin.0)) {
            return Ok(ServerCertVerified::assertion());
        }
        let mismatch = PinMismatch { expected: self.pin, shown };
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(mismatch)))))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Clone)]
struct PinnedConnector {
    host: Arc<str>,
    port: u16,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl tower::Service<Uri> for PinnedConnector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = Boxed<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let tcp = TcpStream::connect((&*this.host, this.port)).await?;
            tcp.set_nodelay(true)?;
            Ok(TokioIo::new(TlsConnector::from(this.tls).connect(this.name, tcp).await?))
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server that ends the handshake and then waits; its address and its pin.
    async fn server(versions: &[&'static rustls::SupportedProtocolVersion]) -> (String, Pin) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()])
            .expect("parameters")
            .self_signed(&key)
            .expect("a certificate");
        let pin = Pin::of_certificate(certificate.der()).expect("readable");
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a private key"),
            )
            .expect("a configuration");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((tcp, _)) = listener.accept().await {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    open.push(tls);
                }
            }
        });
        (address, pin)
    }

    async fn handshake(address: &str, pin: Pin) -> Result<(), std::io::Error> {
        let mut connector = PinnedEndpoint::new(address, pin).expect("an address").connector;
        tower::Service::call(&mut connector, Uri::from_static("http://localhost")).await.map(|_| ())
    }

    #[tokio::test]
    async fn only_the_pinned_key_is_spoken_to() {
        let (address, pin) = server(&[&rustls::version::TLS13]).await;
        handshake(&address, pin).await.expect("the pinned key is accepted");

        let mut other = pin;
        other.0[31] ^= 1;
        let error = handshake(&address, other).await.expect_err("one bit off is refused");
        assert_eq!(PinMismatch::find(&error), Some(PinMismatch { expected: other, shown: pin }));
        let error = PinnedEndpoint::new(&address, other).expect("an address").connect().await.expect_err("refused");
        assert!(PinMismatch::find(&error).is_some(), "the reason survives the channel: {error:?}");
    }

    #[tokio::test]
    async fn an_older_tls_is_refused() {
        let (address, pin) = server(&[&rustls::version::TLS12]).await;
        let error = handshake(&address, pin).await.expect_err("TLS 1.2 is refused");
        assert_eq!(PinMismatch::find(&error), None);
    }

    #[test]
    fn a_pin_and_an_address_are_read_strictly() {
        let pin = Pin([0xab; 32]);
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!("ab".parse::<Pin>(), Err(InvalidPin));
        assert_eq!("+f".repeat(32).parse::<Pin>(), Err(InvalidPin));
        for bad in ["", "host", "host:", "host:99999", "a b:1", ":1"] {
            assert!(PinnedEndpoint::new(bad, pin).is_err(), "{bad}");
        }
        for good in ["localhost:1", "127.0.0.1:443", "[::1]:50051", "provider.example.org:8443"] {
            assert!(PinnedEndpoint::new(good, pin).is_ok(), "{good}");
        }
    }
}
