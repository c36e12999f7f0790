//! What an enrollment handed over, and the four places where it may be kept.

mod file;
mod live;
mod read_only;
mod stored;

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use rollcall_keychain::{Keychain, KeychainError};
use rollcall_proto::{digest::DigestKey, webhook::signature::SigningSecret};
use zeroize::Zeroizing;

use crate::{clock::random_bytes, data_dir::DataDir, error::AppError};
pub use live::{Keys, LiveKeys, Problem};

/// Secrets kept beside each other at most: the newest, and older ones in their overlap.
pub const MAX_SECRETS: usize = 4;
const ENROLLMENT: &str = "enrollment";

/// What a claim key is for. Each kind has an entry of its own, so that neither ends what the other began.
#[derive(Clone, Debug)]
pub enum Claim {
    /// An enrollment code, by its id. Kept after its confirm, so that the same code again is known as ours.
    Code(String),
    /// A rotation.
    Rotation,
}

impl Claim {
    /// The name it is stored under.
    fn entry(&self) -> &'static str {
        match self {
            Self::Code(_) => "claim",
            Self::Rotation => "claim-rotation",
        }
    }

    /// What the stored key must be for.
    fn purpose(&self) -> &str {
        match self {
            Self::Code(id) => id,
            Self::Rotation => "rotation",
        }
    }
}

/// Everything that an enrollment handed over. Has neither Debug nor Serialize.
#[derive(Clone)]
pub struct Enrollment {
    /// Newest first; at least one.
    pub secrets: Vec<KeptSecret>,
    /// Keys the roster digest. Unknown where the secret came from a credential or the environment alone.
    pub digest_key: Option<Zeroizing<[u8; 32]>>,
    /// The school's own credential at the provider.
    pub installation_token: Option<Zeroizing<String>>,
    /// Whose data this is and who sends it.
    pub identity: Identity,
}

/// A signing secret and how long it counts.
#[derive(Clone)]
pub struct KeptSecret {
    /// `sec_…` at the provider; may be empty.
    pub id: String,
    pub secret: SigningSecret,
    /// From then on it no longer verifies, Unix ms.
    pub retires_at_ms: Option<i64>,
}

/// Whose data this is and who sends it; empty texts are unknown and not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    pub school_id: String,
    pub school_sourced_id: String,
    pub school_name: String,
    pub district_sourced_id: String,
    /// HOST:PORT of the provider's gRPC.
    pub provider_address: String,
    /// Hex of the SHA-256 of the provider's public key.
    pub provider_pin: String,
}

impl Enrollment {
    /// The key of the roster digest.
    pub fn digest(&self) -> Option<DigestKey> {
        self.digest_key.as_ref().map(|key| DigestKey::new(**key))
    }
}

/// Why a store did not do what was asked. The texts never hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `credential` and `env` cannot be written.
    #[error("the secret store `{0}` is read-only: enroll with --secret-store keychain or file")]
    ReadOnly(&'static str),
    /// The operating system's keychain.
    #[error(transparent)]
    Keychain(#[from] KeychainError),
    /// A file that must be fixed by the operator.
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: String },
    /// A setting's value is not what it must be.
    #[error("{name}: {problem}")]
    Value { name: &'static str, problem: String },
    /// What is stored was not written by us, or was altered.
    #[error("what the secret store holds cannot be read ({0}): enroll again")]
    Damaged(&'static str),
}

/// Where the secret is kept.
#[derive(Clone, Debug)]
pub enum SecretStore {
    /// The operating system's keychain, under this installation's name.
    Keychain { keychain: Keychain, instance: String },
    /// Files (0600), sealed with a key that lives in a file of its own.
    File(file::FileStore),
    /// A systemd credential.
    Credential(read_only::CredentialStore),
    /// Environment variables.
    Env,
}

impl SecretStore {
    /// The names that `--secret-store` knows.
    pub const NAMES: [&str; 4] = ["keychain", "file", "credential", "env"];

    /// The store of this name.
    pub fn named(name: &str, data_dir: &DataDir, key_file: Option<PathBuf>) -> Result<Self, AppError> {
        Ok(match name {
            "keychain" => {
                let keychain = Keychain::new("rollcall-school");
                Self::Keychain { keychain, instance: data_dir.instance()? }
            }
            "file" => {
                let key_file = key_file.unwrap_or_else(|| data_dir.default_key_file());
                Self::File(file::FileStore::new(data_dir.sealed_dir(), key_file))
            }
            "credential" => Self::Credential(read_only::CredentialStore::from_environment()?),
            "env" => Self::Env,
            other => {
                let known = Self::NAMES.join(", ");
                return Err(AppError::config(format!("secret_store: `{other}` is none of {known}")));
            }
        })
    }

    /// The store's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Keychain { .. } => "keychain",
            Self::File(_) => "file",
            Self::Credential(_) => "credential",
            Self::Env => "env",
        }
    }

    /// The key that seals the secret, in the store that has one.
    pub fn key_file(&self) -> Option<&Path> {
        match self {
            Self::File(store) => Some(store.key_file()),
            Self::Keychain { .. } | Self::Credential(_) | Self::Env => None,
        }
    }

    /// Reads the enrollment; none stored is `None`. Blocks.
    pub fn load(&self) -> Result<Option<Enrollment>, StoreError> {
        match self {
            Self::Credential(store) => store.load(),
            Self::Env => read_only::from_environment(),
            _ => self.get(ENROLLMENT)?.map(|bytes| stored::decode(&bytes)).transpose(),
        }
    }

    /// Writes the enrollment and reads it back. Blocks.
    pub fn save(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        self.set(ENROLLMENT, &stored::encode(enrollment))
    }

    /// Whether a secret could be kept: writes, reads back, deletes. Blocks.
    pub fn probe(&self) -> Result<(), StoreError> {
        match self {
            Self::Keychain { keychain, .. } => Ok(keychain.probe()?),
            Self::File(store) => store.probe(),
            Self::Credential(_) | Self::Env => Err(StoreError::ReadOnly(self.name())),
        }
    }

    /// The claim key, made and stored on first use, so that a lost answer can be asked for again. One for another code
    /// replaces it. Blocks.
    pub fn claim_key(&self, claim: &Claim) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let prefix = [claim.purpose().as_bytes(), b"\0"].concat();
        if let Some(kept) = self.get(claim.entry())?
            && let Some(key) = kept.strip_prefix(prefix.as_slice()).and_then(|rest| <[u8; 32]>::try_from(rest).ok())
        {
            return Ok(Zeroizing::new(key));
        }
        let key = random_bytes::<32>();
        self.set(claim.entry(), &Zeroizing::new([prefix.as_slice(), key.as_slice()].concat()))?;
        Ok(key)
    }

    /// Forgets the claim key of its kind. Blocks.
    pub fn forget_claim(&self, claim: &Claim) -> Result<(), StoreError> {
        self.delete(claim.entry())
    }

    /// Forgets the enrollment. Blocks.
    pub fn forget(&self) -> Result<(), StoreError> {
        self.delete(ENROLLMENT)
    }

    /// When the stored enrollment last changed, where that is cheap to see.
    pub fn changed_at(&self) -> Option<SystemTime> {
        match self {
            Self::File(store) => store.changed_at(ENROLLMENT),
            Self::Credential(store) => store.changed_at(),
            Self::Keychain { .. } | Self::Env => None,
        }
    }

    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self {
            Self::Keychain { keychain, instance } => match keychain.get(&format!("{instance}/{name}")) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(KeychainError::NoEntry) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::File(store) => store.get(name),
            Self::Credential(_) | Self::Env => Err(StoreError::ReadOnly(self.name())),
        }
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Keychain { keychain, instance } => Ok(keychain.set(&format!("{instance}/{name}"), value)?),
            Self::File(store) => store.set(name, value),
            Self::Credential(_) | Self::Env => Err(StoreError::ReadOnly(self.name())),
        }
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self {
            Self::Keychain { keychain, instance } => Ok(keychain.delete(&format!("{instance}/{name}"))?),
            Self::File(store) => store.delete(name),
            Self::Credential(_) | Self::Env => Err(StoreError::ReadOnly(self.name())),
        }
    }
}
