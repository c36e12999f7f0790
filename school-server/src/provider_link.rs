//! The pinned channel to a provider: TLS 1.3, the server's public key must be the pinned one, and the server must prove
//! in the handshake that it holds that key. Names, issuers and dates of the certificate do not matter.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nobody answers there.
    #[error("the provider at {address} cannot be reached: {problem}")]
    Unreachable { address: String, problem: String },
    /// Somebody answers who holds another key. Nothing was sent.
    #[error(
        "the server at {address} is not the provider that made the code: its key differs. Nothing was sent. Ask the \
         provider for a new code, and tell them about this"
    )]
    WrongKey { address: String },
    /// The address is none.
    #[error("`{0}` is not HOST:PORT")]
    Address(String),
}

/// Opens a channel to `HOST:PORT` whose key has this SHA-256.
///
/// # Errors
/// [`LinkError::WrongKey`] where another key answers; then nothing was sent.
pub async fn connect(address: &str, pin: [u8; 32]) -> Result<Channel, LinkError> {
    let invalid = || LinkError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let port: u16 = port.parse().map_err(|_| invalid())?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // The scheme stays http: our connector adds the TLS.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| invalid())?;
    let endpoint = endpoint.timeout(CALL_TIMEOUT).http2_max_header_list_size(16 * 1024);
    let failure: Arc<Mutex<Option<LinkError>>> = Arc::default();
    let connector = tower::service_fn({
        let (failure, address, config) = (failure.clone(), address.to_owned(), Arc::new(client_config(pin)));
        move |_| {
            let (failure, address, host, config) = (failure.clone(), address.clone(), host.clone(), config.clone());
            async move {
                let opened = open(&address, &host, port, config).await;
                opened.map(TokioIo::new).inspect_err(|error| {
                    *failure.lock().expect("no holder of this lock panics") = Some(error.clone());
                })
            }
        }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| {
        let known = failure.lock().expect("no holder of this lock panics").take();
        known.unwrap_or_else(|| LinkError::Unreachable { address: address.to_owned(), problem: error.to_string() })
    })
}

async fn open(
    address: &str,
    host: &str,
    port: u16,
    config: Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, LinkError> {
    let unreachable = |problem: String| LinkError::Unreachable { address: address.to_owned(), problem };
    let late = || unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()));
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await;
    let stream = stream.map_err(|_| late())?.map_err(|error| unreachable(error.to_string()))?;
    let _ = stream.set_nodelay(true); // Only speed is lost.
    let name = ServerName::try_from(host.to_owned()).map_err(|_| LinkError::Address(address.to_owned()))?;
    let handshake = timeout(CONNECT_TIMEOUT, TlsConnector::from(config).connect(name, stream)).await;
    handshake.map_err(|_| late())?.map_err(|error| {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match tls {
            Some(TlsError::InvalidCertificate(_)) => LinkError::WrongKey { address: address.to_owned() },
            _ => unreachable(error.to_string()),
        }
    })
}

/// TLS 1.3 with the pinned key and HTTP/2.
pub fn client_config(pin: [u8; 32]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(PinnedKey { pin, provider: provider.clone() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider knows TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Accepts one public key, whatever certificate carries it, and still verifies the handshake's signature.
#[derive(Debug)]
struct PinnedKey {
    pin: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let found = Sha256::digest(key.as_ref());
        if bool::from(found[..].ct_eq(&self.pin)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
