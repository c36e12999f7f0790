//! Sealing at rest: AES-256-GCM with one data key per scope, each wrapped with the key-encryption key.
//!
//! Format 1 of a sealed value: `0x01 ‖ key id (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The associated data binds the
//! place (table, column, row, scope), so that a value that was moved to another row does not open.

use std::{collections::HashMap, sync::Arc};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use rollcall_proto::id::KeyId;
use zeroize::Zeroizing;

use crate::clock::Entropy;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + 16 + NONCE_BYTES;

/// Why a sealed value does not open. Says nothing about its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not in a known format.
    #[error("the sealed value has an unknown format")]
    Format,
    /// Sealed with a key that is not here.
    #[error("the key {0} is not in the key file: restore the key file that belongs to this database")]
    UnknownKey(KeyId),
    /// Altered, or moved from another place.
    #[error("the sealed value was altered or belongs elsewhere")]
    Altered,
}

/// The place of a sealed value, bound as associated data.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Logical `table.column`.
    pub column: &'a str,
    /// The row's typed id as bytes, never a rowid.
    pub row: &'a [u8],
}

impl Place<'_> {
    fn associated_data(&self, key_id: &KeyId) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.column.len() + self.row.len() + 17);
        data.extend_from_slice(self.column.as_bytes());
        data.push(0);
        data.extend_from_slice(self.row);
        data.extend_from_slice(key_id.as_bytes());
        data
    }
}

/// A key that seals and opens; its bytes never leave it but wrapped.
#[derive(Clone)]
pub struct SealingKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
    cipher: Arc<Aes256Gcm>,
}

impl SealingKey {
    /// A key of these bytes.
    pub fn new(id: KeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        let cipher = Arc::new(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*bytes)));
        Self { id, bytes, cipher }
    }

    /// A new random key.
    pub fn generate(now_ms: i64, entropy: &Entropy) -> Self {
        Self::new(KeyId::new(now_ms, entropy.bytes()), Zeroizing::new(entropy.bytes()))
    }

    /// The key's id; not secret.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key's bytes, for the key file and for wrapping.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Seals `plain` for this place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8], entropy: &Entropy) -> Vec<u8> {
        let nonce = entropy.bytes::<NONCE_BYTES>();
        let associated = place.associated_data(&self.id);
        let payload = Payload { msg: plain, aad: &associated };
        let ciphertext =
            self.cipher.encrypt(&Nonce::from(nonce), payload).expect("AES-GCM seals anything below 64 GiB");
        let mut sealed = Vec::with_capacity(HEADER_BYTES + ciphertext.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(self.id.as_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for this place with this key.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let key_id = sealed_with(sealed)?;
        if key_id != self.id {
            return Err(SealError::UnknownKey(key_id));
        }
        let nonce: [u8; NONCE_BYTES] = sealed[17..HEADER_BYTES].try_into().map_err(|_| SealError::Format)?;
        let associated = place.associated_data(&self.id);
        let payload = Payload { msg: &sealed[HEADER_BYTES..], aad: &associated };
        self.cipher.decrypt(&Nonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| SealError::Altered)
    }
}

/// The id of the key that sealed a value.
pub fn sealed_with(sealed: &[u8]) -> Result<KeyId, SealError> {
    if sealed.len() < HEADER_BYTES || sealed[0] != FORMAT {
        return Err(SealError::Format);
    }
    KeyId::from_slice(&sealed[1..17]).ok_or(SealError::Format)
}

/// The key-encryption keys: the first wraps, all open.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<SealingKey>,
    by_id: HashMap<KeyId, usize>,
}

impl Keyring {
    /// A ring of at least one key.
    pub fn new(keys: Vec<SealingKey>) -> Self {
        assert!(!keys.is_empty(), "a key ring has a key");
        let by_id = keys.iter().enumerate().map(|(index, key)| (key.id(), index)).collect();
        Self { keys, by_id }
    }

    /// The key that wraps.
    pub fn current(&self) -> &SealingKey {
        &self.keys[0]
    }

    /// Wraps a data key for its scope.
    pub fn wrap(&self, scope: &str, key: &SealingKey, entropy: &Entropy) -> Vec<u8> {
        let place = Place { column: "data_keys.wrapped", row: scope.as_bytes() };
        let mut plain = Zeroizing::new(Vec::with_capacity(48));
        plain.extend_from_slice(key.id().as_bytes());
        plain.extend_from_slice(key.expose_bytes());
        self.current().seal(place, &plain, entropy)
    }

    /// Opens a wrapped data key of this scope.
    pub fn unwrap(&self, scope: &str, wrapped: &[u8]) -> Result<SealingKey, SealError> {
        let wrapping = sealed_with(wrapped)?;
        let index = *self.by_id.get(&wrapping).ok_or(SealError::UnknownKey(wrapping))?;
        let place = Place { column: "data_keys.wrapped", row: scope.as_bytes() };
        let plain = self.keys[index].open(place, wrapped)?;
        let id = plain.get(..16).and_then(KeyId::from_slice).ok_or(SealError::Format)?;
        let bytes: [u8; 32] = plain.get(16..).and_then(|b| b.try_into().ok()).ok_or(SealError::Format)?;
        Ok(SealingKey::new(id, Zeroizing::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { column: "secrets.sealed", row: b"row-1" };

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_unaltered() {
        let entropy = Entropy::seeded(1);
        let key = SealingKey::generate(1, &entropy);
        let sealed = key.seal(PLACE, b"whsec", &entropy);
        assert_eq!(key.open(PLACE, &sealed).as_deref(), Ok(&b"whsec".to_vec()));
        let elsewhere = Place { row: b"row-2", ..PLACE };
        assert_eq!(key.open(elsewhere, &sealed), Err(SealError::Altered));
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(key.open(PLACE, &altered).is_err(), "byte {index}");
            assert!(key.open(PLACE, &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn an_old_wrapping_key_still_opens_and_a_missing_one_is_named() {
        let entropy = Entropy::seeded(2);
        let (old, new) = (SealingKey::generate(1, &entropy), SealingKey::generate(2, &entropy));
        let data = SealingKey::generate(3, &entropy);
        let wrapped = Keyring::new(vec![old.clone()]).wrap("school:1", &data, &entropy);
        let both = Keyring::new(vec![new.clone(), old.clone()]);
        assert!(both.unwrap("school:1", &wrapped).is_ok_and(|key| key.id() == data.id()));
        assert_eq!(both.unwrap("school:2", &wrapped).err(), Some(SealError::Altered));
        assert_eq!(Keyring::new(vec![new]).unwrap("school:1", &wrapped).err(), Some(SealError::UnknownKey(old.id())));
    }
}
