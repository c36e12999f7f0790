//! The file store: AES-256-GCM under a key that lives in a file of its own.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::SystemTime,
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::StoreError;
use crate::{
    clock::random_bytes,
    data_dir::{read_private, write_private},
};

/// Starts every sealed file; the digit is the format.
const MAGIC: &[u8] = b"RCS1";
const NONCE_BYTES: usize = 12;

/// Sealed files in a folder, and where their key is.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
    key_file: PathBuf,
}

impl FileStore {
    pub(super) fn new(folder: PathBuf, key_file: PathBuf) -> Self {
        Self { folder, key_file }
    }

    pub(super) fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// Reads and opens a sealed file; none is `None`.
    pub(super) fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let path = self.path(name);
        let sealed = match read_private(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.check_key_file().map(|()| None),
            Err(error) => return Err(problem(&path, error)),
        };
        let key = self.key()?.ok_or_else(|| problem(&self.key_file, "the key of the sealed secret is missing"))?;
        let rest = sealed.strip_prefix(MAGIC).filter(|rest| rest.len() > NONCE_BYTES);
        let (nonce, text) = rest.ok_or(StoreError::Damaged("not a sealed file"))?.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("split there");
        let payload = Payload { msg: text, aad: &associated(name) };
        let opened = key.decrypt(&Nonce::from(nonce), payload);
        let wrong = || problem(&self.key_file, "it is not the key that sealed the secret");
        opened.map(|bytes| Some(Zeroizing::new(bytes))).map_err(|_| wrong())
    }

    /// Seals and writes a file, then reads it back; makes the key on first use.
    pub(super) fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let key = match self.key()? {
            Some(key) => key,
            None => self.make_key()?,
        };
        let nonce = random_bytes::<NONCE_BYTES>();
        let payload = Payload { msg: value, aad: &associated(name) };
        let text = key.encrypt(&Nonce::from(*nonce), payload).map_err(|_| StoreError::Damaged("too long"))?;
        let path = self.path(name);
        write_private(&path, &[MAGIC, nonce.as_slice(), &text].concat()).map_err(|e| problem(&path, e))?;
        match self.get(name)? {
            Some(kept) if *kept == value => Ok(()),
            _ => Err(problem(&path, "it gave back something else than was written")),
        }
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(problem(&path, error)),
            _ => Ok(()),
        }
    }

    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.set("probe", b"probe")?;
        self.delete("probe")
    }

    pub(super) fn changed_at(&self, name: &str) -> Option<SystemTime> {
        fs::metadata(self.path(name)).and_then(|m| m.modified()).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.sealed"))
    }

    /// A key file that others may read is refused even before anything is sealed with it.
    fn check_key_file(&self) -> Result<(), StoreError> {
        self.key().map(|_| ())
    }

    fn key(&self) -> Result<Option<Aes256Gcm>, StoreError> {
        let text = match read_private(&self.key_file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(problem(&self.key_file, error)),
        };
        let wrong = || problem(&self.key_file, "it must hold 32 bytes in base64");
        let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).map_err(|_| wrong())?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        Ok(Some(cipher(key)))
    }

    fn make_key(&self) -> Result<Aes256Gcm, StoreError> {
        let key = random_bytes::<32>();
        let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
        write_private(&self.key_file, text.as_bytes()).map_err(|e| problem(&self.key_file, e))?;
        Ok(cipher(*key))
    }
}

fn cipher(key: [u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(key))
}

/// Binds a sealed text to its name, so that one file cannot stand in for another.
fn associated(name: &str) -> Vec<u8> {
    format!("rollcall school secret v1/{name}").into_bytes()
}

fn problem(path: &Path, error: impl ToString) -> StoreError {
    StoreError::File { path: path.to_owned(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store(folder: &Path) -> FileStore {
        FileStore::new(folder.join("sealed"), folder.join("secret.key"))
    }

    #[test]
    fn what_is_sealed_opens_only_under_its_name_and_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        assert!(store.get("a").expect("readable").is_none());
        store.set("a", b"canary").expect("written");
        assert_eq!(store.get("a").expect("opens").as_deref().map(Vec::as_slice), Some(&b"canary"[..]));
        let sealed = fs::read(store.path("a")).expect("a file");
        assert!(!sealed.windows(6).any(|part| part == b"canary"), "in plaintext");
        fs::copy(store.path("a"), store.path("b")).expect("copied");
        assert!(store.get("b").is_err(), "opened under another name");
        fs::remove_file(&store.key_file).expect("removed");
        store.make_key().expect("another key");
        let error = store.get("a").expect_err("opened with another key").to_string();
        assert!(error.contains("secret.key"), "{error}");
    }

    #[test]
    fn key_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        store.set("a", b"canary").expect("written");
        assert_eq!(fs::metadata(&store.key_file).expect("made").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&store.key_file, fs::Permissions::from_mode(0o644)).expect("changed");
        let error = store.get("a").expect_err("read").to_string();
        assert!(error.contains("644") && error.contains("chmod 600"), "{error}");
    }
}
