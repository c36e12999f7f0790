//! The receiver's folder: who may read it, who holds it, and the small files beside the database.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    clock::random_bytes,
    error::{AppError, Kind},
};

/// What `serve` tells others once it serves: `--ready-json`, and a file for the commands beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// The webhook's full URL.
    pub webhook: String,
    /// HOST:PORT of the gRPC for the desk.
    pub grpc: String,
    /// Holds the token for the gRPC; 0600.
    pub pairing_token_file: PathBuf,
    /// The folder.
    pub data_dir: PathBuf,
}

/// `serve.json`: beside what everybody is told, what only the commands on this folder need.
#[derive(Serialize, Deserialize)]
struct Announced {
    #[serde(flatten)]
    ready: Ready,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
}

/// Which store an enrollment used last, so that later commands need no flags.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RememberedStore {
    /// `keychain` or `file`.
    pub secret_store: String,
    /// The sealing key, where it is not the default one.
    pub key_file: Option<PathBuf>,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Held as long as this process owns the folder.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// What this process makes, and what is left of it where it breaks, is for this user alone.
pub fn keep_to_this_user() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Files that others make for us, the database's among them.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // A core dump would hold keys.
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

impl DataDir {
    /// Opens the folder; creates it (0700) where it is missing.
    pub fn open(root: &Path) -> Result<Self, AppError> {
        let problem = |error| AppError::config(format!("data_dir: {} cannot be used: {error}", root.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(problem)?;
        Ok(Self { root: fs::canonicalize(root).map_err(problem)? })
    }

    /// The folder's absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.root.join("school.db")
    }

    /// The database's files are for this user alone, in a folder too that others may enter. SQLite gives what it makes
    /// beside the database the same rights. What cannot be made or changed is told by whoever opens it.
    pub fn keep_database_private(&self) {
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(self.database());
        for name in ["school.db", "school.db-wal", "school.db-shm"] {
            let path = self.root.join(name);
            let Ok(mode) = fs::metadata(&path).map(|found| found.permissions().mode()) else { continue };
            if mode & 0o077 != 0 {
                // An older version made it.
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o700));
            }
        }
    }

    /// Where the token for the gRPC is kept.
    pub fn pairing_token_file(&self) -> PathBuf {
        self.root.join("pairing-token")
    }

    /// Where the file store keeps what it sealed.
    pub fn sealed_dir(&self) -> PathBuf {
        self.root.join("sealed")
    }

    /// The file store's key unless `--key-file` names another.
    pub fn default_key_file(&self) -> PathBuf {
        self.root.join("secret.key")
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// [`Kind::Locked`] where another process holds it.
    pub fn lock(&self) -> Result<DirLock, AppError> {
        let path = self.root.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|e| AppError::config(format!("data_dir: {} cannot be opened: {e}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(AppError::new(
                Kind::Locked,
                format!("{} is in use by another process: stop it first, or use another --data-dir", path.display()),
            )),
            Err(TryLockError::Error(error)) => Err(AppError::while_doing(Kind::Internal, "locking the folder", error)),
        }
    }

    /// The token for the gRPC; made on first use and kept, so that a paired desk stays paired.
    pub fn pairing_token(&self) -> Result<Zeroizing<String>, AppError> {
        let path = self.pairing_token_file();
        if let Some(token) = self.existing_pairing_token()? {
            return Ok(token);
        }
        let token = Zeroizing::new(hex::encode(random_bytes::<32>().as_slice()));
        write_private(&path, token.as_bytes())
            .map_err(|e| AppError::while_doing(Kind::Internal, "writing the pairing token", e))?;
        Ok(token)
    }

    fn existing_pairing_token(&self) -> Result<Option<Zeroizing<String>>, AppError> {
        let path = self.pairing_token_file();
        match read_private(&path) {
            Ok(bytes) => Ok(String::from_utf8(bytes.to_vec())
                .ok()
                .map(|token| Zeroizing::new(token.trim().to_owned()))
                .filter(|token| token.len() >= 32)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AppError::config(format!("{}: {error}", path.display()))),
        }
    }

    /// A random name of this installation, for its entries in the keychain; made on first use.
    pub fn instance(&self) -> Result<String, AppError> {
        let path = self.root.join("instance");
        match fs::read_to_string(&path) {
            Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
            _ => {
                let name = hex::encode(random_bytes::<8>().as_slice());
                write_private(&path, name.as_bytes())
                    .map_err(|e| AppError::while_doing(Kind::Internal, "naming this installation", e))?;
                Ok(name)
            }
        }
    }

    /// Tells the commands beside a running receiver where it listens, and which key seals its secret.
    pub fn announce(&self, ready: &Ready, key_file: Option<&Path>) -> Result<(), AppError> {
        let key_file = key_file.map(Path::to_owned);
        let text = serde_json::to_vec(&Announced { ready: ready.clone(), key_file }).expect("plain data");
        write_private(&self.root.join("serve.json"), &text)
            .map_err(|e| AppError::while_doing(Kind::Internal, "announcing the receiver", e))
    }

    /// Where the running receiver listens, as it announced.
    pub fn announced(&self) -> Option<Ready> {
        Some(self.announcement()?.ready)
    }

    /// The key file of the running receiver, where its secret is sealed with one.
    pub fn announced_key_file(&self) -> Option<PathBuf> {
        self.announcement()?.key_file
    }

    fn announcement(&self) -> Option<Announced> {
        serde_json::from_slice(&fs::read(self.root.join("serve.json")).ok()?).ok()
    }

    /// Remembers the store that an enrollment used.
    pub fn remember_store(&self, store: &RememberedStore) -> std::io::Result<()> {
        write_private(&self.root.join("store.json"), &serde_json::to_vec(store).expect("plain data"))
    }

    /// Forgets it again, with the enrollment; nothing there is no error.
    pub fn forget_store(&self) -> std::io::Result<()> {
        match fs::remove_file(self.root.join("store.json")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The store that an enrollment used.
    pub fn remembered_store(&self) -> Option<RememberedStore> {
        serde_json::from_slice(&fs::read(self.root.join("store.json")).ok()?).ok()
    }
}

/// Replaces a file as a whole, readable by its owner only, and safe against a power cut.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A bare name's parent is the empty path, which nothing can open.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", hex::encode(random_bytes::<4>().as_slice())));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary); // Best effort: the first error is the one to tell.
    }
    written
}

/// Reads a file that holds a secret.
///
/// # Errors
/// `PermissionDenied` where others than its owner may read it.
pub fn read_private(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        let words = format!("others may read it (mode {:o}): run chmod 600 on it", mode & 0o777);
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, words));
    }
    fs::read(path).map(Zeroizing::new)
}
