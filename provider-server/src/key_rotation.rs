//! A new key-encryption key for every data key.

use serde::{Deserialize, Serialize};

use crate::{
    config::KeySource,
    exit::Failure,
    key_file,
    sealing::{Keyring, SealingKey},
    store::{Store, keys},
};

/// What a rotation did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rotated {
    /// The id of the new key.
    pub key: String,
    /// How many data keys it wraps now.
    pub rewrapped: u64,
}

/// New key first in the file and durable, then every data key wrapped anew in one transaction, then the old ones out of
/// the file. A kill at any point leaves a file that opens everything.
pub async fn rotate(store: &Store, source: &KeySource) -> Result<Rotated, Failure> {
    let KeySource::File { path, .. } = source else {
        let words = "WEBHOOK_ENCRYPTION_KEY holds the key: move it to a key file first (--key-file)";
        return Err(Failure::config(words));
    };
    let old = key_file::read(path)?;
    let new = SealingKey::generate(store.now_ms(), &store.shared().entropy);
    let mut both = vec![new.clone()];
    both.extend(old);
    key_file::write(path, &both)?;
    let ring = Keyring::new(both);
    let rewrapped = store.act(move |tx| Box::pin(async move { keys::rewrap_all(tx, ring).await })).await?;
    key_file::write(path, std::slice::from_ref(&new))?;
    Ok(Rotated { key: new.id().to_string(), rewrapped })
}
