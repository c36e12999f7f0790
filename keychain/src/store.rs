//! The platform's credential store, opened directly so that the true reason of a failure is seen.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};

use crate::KeychainError;

/// An open connection to the platform's store.
pub struct Store(Arc<CredentialStore>);

impl Store {
    /// Connects; fails where the session has no such service.
    pub fn open() -> Result<Self, KeychainError> {
        platform().map(Self).map_err(|error| match reason(error) {
            KeychainError::Other(text) => KeychainError::NoService(text),
            other => other,
        })
    }

    /// The entry of an account; nothing is read yet.
    pub fn entry(&self, service: &str, account: &str) -> Result<Entry, KeychainError> {
        self.0.build(service, account, None).map_err(reason)
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

/// Our kind of a store's error. Variants that carry bytes of the value are named without them.
pub fn reason(error: Error) -> KeychainError {
    match error {
        Error::NoEntry => KeychainError::NoEntry,
        Error::NoStorageAccess(source) => KeychainError::Locked(source.to_string()),
        Error::PlatformFailure(source) => KeychainError::Other(source.to_string()),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => KeychainError::Other("the entry is not ours".into()),
        Error::TooLong(name, limit) => KeychainError::Other(format!("{name} is longer than {limit} characters")),
        Error::Ambiguous(_) => KeychainError::Other("several entries have this name: remove all but one".into()),
        other => KeychainError::Other(other.to_string()),
    }
}
