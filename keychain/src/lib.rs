//! The operating system's keychain behind one small interface.
//!
//! Calls run on one dedicated thread (they may panic inside an async runtime) and every wait ends: a locked keychain
//! on a desktop blocks until somebody answers its prompt. Values are kept as base64 text, because some keychains hold
//! UTF-8 only. Whatever goes wrong is a [`KeychainError`]; its texts never hold a value.

mod store;
mod worker;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// How long a call waits for the keychain, prompts included, unless told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the keychain did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// It is there, but does not open: locked, never set up, or the prompt was dismissed.
    #[error("the keychain is locked or was never set up ({0}): unlock it and try again")]
    Locked(String),
    /// This session has no keychain service.
    #[error("this session has no keychain service ({0}): sign in to a desktop session, or use another secret store")]
    NoService(String),
    /// Nothing is stored under this account.
    #[error("the keychain holds nothing under this name")]
    NoEntry,
    /// It did not answer in time, most likely because it waits for somebody to unlock it.
    #[error("the keychain did not answer within {0} s: it may be waiting to be unlocked")]
    Timeout(u64),
    /// What was written is not what is read.
    #[error("the keychain gave back something else than was written: nothing was kept")]
    ReadBackDiffers,
    /// Anything else.
    #[error("the keychain failed: {0}")]
    Other(String),
}

/// One service's entries in the keychain, by account.
#[derive(Clone, Debug)]
pub struct Keychain {
    service: String,
    timeout: Duration,
}

impl Keychain {
    /// The entries of `service`, such as `rollcall-school`.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), timeout: DEFAULT_TIMEOUT }
    }

    /// Waits at most this long for each call.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads the value under `account`.
    ///
    /// # Errors
    /// [`KeychainError::NoEntry`] where nothing is stored; the other kinds as they say.
    pub fn get(&self, account: &str) -> Result<Zeroizing<Vec<u8>>, KeychainError> {
        let (service, account) = (self.service.clone(), account.to_owned());
        worker::run(self.timeout, move |store| read(store, &service, &account))
    }

    /// Writes `value` under `account` and reads it back.
    ///
    /// # Errors
    /// [`KeychainError::ReadBackDiffers`] where the keychain did not keep it; the other kinds as they say.
    pub fn set(&self, account: &str, value: &[u8]) -> Result<(), KeychainError> {
        let (service, account) = (self.service.clone(), account.to_owned());
        let value = Zeroizing::new(value.to_vec());
        worker::run(self.timeout, move |store| {
            let text = Zeroizing::new(STANDARD.encode(value.as_slice()));
            let entry = store.entry(&service, &account)?;
            entry.set_password(&text).map_err(store::reason)?;
            match entry.get_secret().map(Zeroizing::new) {
                Ok(kept) if *kept == *text.as_bytes() => Ok(()),
                Ok(_) => Err(KeychainError::ReadBackDiffers),
                Err(error) => Err(store::reason(error)),
            }
        })
    }

    /// Removes what is under `account`; nothing there is no error.
    ///
    /// # Errors
    /// The kinds as they say.
    pub fn delete(&self, account: &str) -> Result<(), KeychainError> {
        let (service, account) = (self.service.clone(), account.to_owned());
        worker::run(self.timeout, move |store| {
            match store.entry(&service, &account)?.delete_credential().map_err(store::reason) {
                Ok(()) | Err(KeychainError::NoEntry) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// Writes a value of its own, reads it back and deletes it: whether a secret could be kept here.
    ///
    /// # Errors
    /// The reason why it could not.
    pub fn probe(&self) -> Result<(), KeychainError> {
        const ACCOUNT: &str = "probe";
        self.set(ACCOUNT, b"probe")?;
        self.delete(ACCOUNT)
    }
}

fn read(store: &store::Store, service: &str, account: &str) -> Result<Zeroizing<Vec<u8>>, KeychainError> {
    let text = Zeroizing::new(store.entry(service, account)?.get_password().map_err(store::reason)?);
    let value = STANDARD.decode(text.as_bytes()).map_err(|_| KeychainError::Other("the entry is not ours".into()))?;
    Ok(Zeroizing::new(value))
}
