//! An authority that the program is told to trust, and what its receivers show.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What all receivers with a certificate are called.
pub const HOST: &str = "school.test";

/// What a receiver shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A certificate that is in order.
    Good,
    Expired,
    NotYetValid,
    /// Of another name.
    WrongName,
    /// Its own issuer.
    SelfSigned,
    /// From an authority that nobody trusts.
    UnknownIssuer,
    /// In order, but it speaks HTTP/2 only.
    Http2Only,
    /// In order, in the older of the two versions of TLS that are spoken.
    Tls12Only,
    /// In order, and behind it more than is read of a handshake.
    EndlessChain,
    /// From nobody known, and behind it many that bear its issuer's name: each could have signed it.
    Lookalikes,
}

/// What nobody trusts is called.
const NOBODY: &str = "Nobody knows";
/// Certificates of about 400 bytes: more than 64 KiB.
const ENDLESS: usize = 400;
/// Certificates that fit, and more than are tried.
const LOOKALIKES: usize = 120;

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// How a receiver that shows this serves TLS.
    pub fn serves(&self, shown: Shown) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let name = if shown == Shown::WrongName { "other.test" } else { HOST };
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        match shown {
            Shown::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Shown::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            _ => {}
        }
        let certificate = match shown {
            Shown::SelfSigned => params.self_signed(&key),
            Shown::UnknownIssuer | Shown::Lookalikes => params.signed_by(&key, &Self::new(NOBODY).issuer),
            _ => params.signed_by(&key, &self.issuer),
        };
        let mut chain = vec![certificate.expect("a certificate").der().clone()];
        match shown {
            Shown::EndlessChain => chain.resize(ENDLESS, chain[0].clone()),
            Shown::Lookalikes => chain.extend((0..LOOKALIKES).map(|_| Self::new(NOBODY).certificate.der().clone())),
            _ => {}
        }
        let protocol: &[u8] = if shown == Shown::Http2Only { b"h2" } else { b"http/1.1" };
        let versions = if shown == Shown::Tls12Only { &[&version::TLS12][..] } else { ALL_VERSIONS };
        configure(chain, &key, protocol, versions)
    }
}

fn configure(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    protocol: &[u8],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}
