//! The two read-only stores: a systemd credential and the environment.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_proto::webhook::signature::SigningSecret;
use zeroize::Zeroizing;

use super::{Enrollment, Identity, KeptSecret, StoreError, stored};
use crate::error::AppError;

/// `$CREDENTIALS_DIRECTORY/webhook-secret`: `whsec_…`, one a line, newest first; or a whole stored enrollment.
#[derive(Clone, Debug)]
pub struct CredentialStore {
    folder: PathBuf,
}

impl CredentialStore {
    pub(super) fn from_environment() -> Result<Self, AppError> {
        let folder = env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()).ok_or_else(|| {
            AppError::config("secret_store: `credential` needs CREDENTIALS_DIRECTORY, which systemd sets")
        })?;
        Ok(Self { folder: folder.into() })
    }

    pub(super) fn load(&self) -> Result<Option<Enrollment>, StoreError> {
        let Some(secret) = read(&self.folder.join("webhook-secret"))? else { return Ok(None) };
        if secret.trim_start().starts_with('{') {
            return stored::decode(secret.as_bytes()).map(Some);
        }
        let digest_key = read(&self.folder.join("digest-key"))?;
        enrollment("webhook-secret", &secret, digest_key.as_deref().map(String::as_str)).map(Some)
    }

    pub(super) fn changed_at(&self) -> Option<SystemTime> {
        fs::metadata(self.folder.join("webhook-secret")).and_then(|m| m.modified()).ok()
    }
}

/// `ROLLCALL_WEBHOOK_SECRET` (or the old name `WEBHOOK_SECRET`), several separated by spaces, newest first;
/// `ROLLCALL_DIGEST_KEY` in base64.
pub(super) fn from_environment() -> Result<Option<Enrollment>, StoreError> {
    let secret = ["ROLLCALL_WEBHOOK_SECRET", "WEBHOOK_SECRET"].into_iter().find_map(|name| {
        env::var(name).ok().filter(|value| !value.trim().is_empty()).map(|value| (name, Zeroizing::new(value)))
    });
    let Some((name, secret)) = secret else { return Ok(None) };
    let digest_key = env::var("ROLLCALL_DIGEST_KEY").ok().filter(|text| !text.is_empty()).map(Zeroizing::new);
    enrollment(name, &secret, digest_key.as_deref().map(String::as_str)).map(Some)
}

fn enrollment(name: &'static str, secrets: &str, digest_key: Option<&str>) -> Result<Enrollment, StoreError> {
    let wrong = |name, problem: String| StoreError::Value { name, problem };
    let secrets = secrets.split_whitespace().take(super::MAX_SECRETS).map(|text| {
        let secret = SigningSecret::parse(text).map_err(|e| wrong(name, e.to_string()))?;
        Ok(KeptSecret { id: String::new(), secret, retires_at_ms: None })
    });
    let secrets: Vec<KeptSecret> = secrets.collect::<Result<_, StoreError>>()?;
    if secrets.is_empty() {
        return Err(wrong(name, "it is empty".into()));
    }
    let digest_key = digest_key.map(|text| {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).unwrap_or_default());
        let key: Result<[u8; 32], _> = bytes.as_slice().try_into();
        key.map(Zeroizing::new).map_err(|_| wrong("ROLLCALL_DIGEST_KEY", "it must be 32 bytes in base64".into()))
    });
    let known = |name| env::var(name).unwrap_or_default();
    let identity = Identity {
        school_sourced_id: known("ROLLCALL_SCHOOL_SOURCED_ID"),
        district_sourced_id: known("ROLLCALL_DISTRICT_SOURCED_ID"),
        ..Identity::default()
    };
    Ok(Enrollment { secrets, digest_key: digest_key.transpose()?, installation_token: None, identity })
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::File { path: path.to_owned(), problem: error.to_string() }),
    }
}
