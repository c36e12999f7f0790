//! An authority that the program is told to trust, and what its receivers show.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, version};
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
}

/// The authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
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
            Shown::UnknownIssuer => params.signed_by(&key, &Self::new("Nobody knows").issuer),
            _ => params.signed_by(&key, &self.issuer),
        };
        let protocol: &[u8] = if shown == Shown::Http2Only { b"h2" } else { b"http/1.1" };
        configure(certificate.expect("a certificate").der().clone(), &key, protocol)
    }
}

fn configure(certificate: CertificateDer<'static>, key: &KeyPair, protocol: &[u8]) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}
