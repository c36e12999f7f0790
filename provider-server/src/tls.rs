//! The server's TLS key: made at the first start, sealed in the database, known to schools by the SHA-256 of its public
//! key (the pin).

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};
use rustls::{ServerConfig, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    exit::Failure,
    sealing::Place,
    store::{Store, StoreError, Tx, keys::KeyCache, meta},
};

const SCOPE: &str = "tls";
const KEY: &str = "tls.key";
const CERTIFICATE: &str = "tls.certificate";

/// What the server shows and proves.
pub struct Identity {
    /// TLS 1.3 only, HTTP/2 only.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub pin: [u8; 32],
}

/// Reads the key and certificate, or makes them.
pub async fn load(store: &Store) -> Result<Identity, Failure> {
    let fresh = generate()?;
    let (key, certificate) = store.act(move |tx| Box::pin(load_or_store(tx, fresh))).await?;
    let unusable = |error: String| Failure::internal(format!("the TLS key is not usable: {error}"));
    let pair = KeyPair::try_from(key.as_slice()).map_err(|error| unusable(error.to_string()))?;
    let pin = Sha256::digest(pair.subject_public_key_info()).into();
    let key = PrivateKeyDer::try_from(key.to_vec()).map_err(|error| unusable(error.to_owned()))?;
    let certificate = CertificateDer::from(certificate);
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| unusable(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| unusable(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Identity { config: Arc::new(config), pin })
}

type KeyAndCertificate = (Zeroizing<Vec<u8>>, Vec<u8>);

/// A key with a certificate that says little: clients check the pin, not the name.
fn generate() -> Result<KeyAndCertificate, Failure> {
    let make = || -> Result<KeyAndCertificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, "Rollcall provider");
        let certificate = params.self_signed(&key)?;
        Ok((Zeroizing::new(key.serialize_der()), certificate.der().to_vec()))
    };
    make().map_err(|error| Failure::internal(format!("no TLS key could be made: {error}")))
}

async fn load_or_store(tx: &mut Tx<'_>, fresh: KeyAndCertificate) -> Result<KeyAndCertificate, StoreError> {
    let sealing = KeyCache::get_or_create(tx, SCOPE).await?;
    let place = Place { column: "meta.value", row: KEY.as_bytes() };
    if let Some(sealed) = meta::get(tx.conn, KEY).await? {
        let certificate = meta::get(tx.conn, CERTIFICATE).await?;
        let certificate = certificate.ok_or(StoreError::Corrupt("the TLS certificate is missing"))?;
        return Ok((sealing.open(place, &sealed)?, certificate));
    }
    let sealed = sealing.seal(place, &fresh.0, &tx.shared.entropy);
    meta::set(tx, KEY, sealed).await?;
    meta::set(tx, CERTIFICATE, fresh.1.clone()).await?;
    Ok(fresh)
}
