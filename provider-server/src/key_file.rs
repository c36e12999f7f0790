//! The key-encryption keys: a file with lines `id base64`, mode 0600. The first wraps, all open.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rollcall_proto::id::KeyId;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    clock::Entropy,
    config::KeySource,
    exit::Failure,
    sealing::{Keyring, SealingKey},
};

const MAX_BYTES: u64 = 64 * 1024;

/// Reads the keys, or makes the first one where no database exists yet. `database_exists` forbids making one: a new
/// key would not open anything in it.
pub fn load(source: &KeySource, database_exists: bool, now_ms: i64, entropy: &Entropy) -> Result<Keyring, Failure> {
    match source {
        KeySource::Environment(bytes) => Ok(Keyring::new(vec![environment_key(bytes)])),
        KeySource::File { path, may_generate } => {
            if path.exists() {
                return Ok(Keyring::new(read(path)?));
            }
            if database_exists || !may_generate {
                let path = path.display();
                let words = if database_exists {
                    format!("the key file {path} does not exist, but a database does: restore it from its backup")
                } else {
                    format!(
                        "the key file {path} does not exist: restore it from its backup or, for a new database, make \
                         one with `(umask 077; openssl rand -base64 32 > {path})` and give all servers the same"
                    )
                };
                return Err(Failure::config(words));
            }
            let key = SealingKey::generate(now_ms, entropy);
            write(path, std::slice::from_ref(&key))?;
            Ok(Keyring::new(vec![key]))
        }
    }
}

/// A key without a name, as in `WEBHOOK_ENCRYPTION_KEY`; its id follows from its bytes.
fn environment_key(bytes: &Zeroizing<[u8; 32]>) -> SealingKey {
    let digest = Sha256::new().chain_update(b"rollcall key id\0").chain_update(bytes.as_slice()).finalize();
    let id = KeyId::from_slice(&digest[..16]).expect("16 bytes make an id");
    SealingKey::new(id, bytes.clone())
}

/// Reads all keys of a file, which nobody else may read.
pub fn read(path: &Path) -> Result<Vec<SealingKey>, Failure> {
    let wrong = |what: &str| Failure::config(format!("the key file {}: {what}", path.display()));
    let file = File::open(path).map_err(|error| wrong(&error.to_string()))?;
    check_private(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    (&file).take(MAX_BYTES).read_to_string(&mut text).map_err(|error| wrong(&error.to_string()))?;
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = parse_line(line);
        keys.push(key.ok_or_else(|| wrong(&format!("line {} is not `key_… base64 of 32 bytes`", index + 1)))?);
    }
    if keys.is_empty() { Err(wrong("it holds no key")) } else { Ok(keys) }
}

/// `id base64`, or the base64 alone of a key that was made by hand.
fn parse_line(line: &str) -> Option<SealingKey> {
    if !line.contains(char::is_whitespace) {
        let bytes = Zeroizing::new(STANDARD.decode(line).ok()?);
        return Some(environment_key(&Zeroizing::new(bytes.as_slice().try_into().ok()?)));
    }
    let (id, encoded) = line.split_once(char::is_whitespace)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    Some(SealingKey::new(id.parse().ok()?, Zeroizing::new(bytes.as_slice().try_into().ok()?)))
}

/// Refuses a file that others can read.
#[cfg(unix)]
pub(crate) fn check_private(file: &File, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(|error| Failure::config(error.to_string()))?.permissions().mode();
    // A systemd credential is 0400 or 0440, in a folder that only this service enters.
    if mode & 0o007 != 0 || (mode & 0o070 != 0 && mode & 0o200 != 0) {
        let path = path.display();
        return Err(Failure::config(format!(
            "the file {path} can be read by others (mode {:o}): run `chmod 600 {path}`",
            mode & 0o777
        )));
    }
    Ok(())
}

/// Refuses a file that others can read.
#[cfg(not(unix))]
pub(crate) fn check_private(_: &File, _: &Path) -> Result<(), Failure> {
    Ok(())
}

/// Writes the keys, first one first, whole or not at all, and durable.
pub fn write(path: &Path, keys: &[SealingKey]) -> Result<(), Failure> {
    let mut text = Zeroizing::new(String::new());
    for key in keys {
        let encoded = Zeroizing::new(STANDARD.encode(key.expose_bytes()));
        text.push_str(&Zeroizing::new(format!("{} {}\n", key.id(), *encoded)));
    }
    write_private(path, text.as_bytes())
}

/// Writes a file that only this user can read: beside it first, then renamed over it, both fsynced.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = folder.join(name);
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        sync_folder(folder)
    };
    write().map_err(|error| Failure::internal(format!("{} could not be written: {error}", path.display())))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_file_and_a_readable_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let source = KeySource::File { path: path.clone(), may_generate: true };
        let entropy = Entropy::seeded(1);
        assert_eq!(load(&source, true, 1, &entropy).err().map(|f| f.code), Some(78), "never beside a database");
        let made = load(&source, false, 1, &entropy).expect("made");
        let read_again = load(&source, true, 2, &entropy).expect("read");
        assert_eq!(made.current().expose_bytes(), read_again.current().expose_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
            let failure = load(&source, true, 3, &entropy).err().expect("refused");
            assert_eq!(failure.code, 78);
            assert!(failure.message.contains("chmod 600"));
        }
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let key = SealingKey::generate(1, &Entropy::seeded(1));
        write(&path, std::slice::from_ref(&key)).expect("written");
        let mut text = std::fs::read_to_string(&path).expect("read");
        let by_hand = STANDARD.encode([5; 32]);
        text.push_str(&format!("{by_hand}\n"));
        write_private(&path, text.as_bytes()).expect("written");
        let named = environment_key(&Zeroizing::new([5; 32]));
        assert_eq!(read(&path).expect("read")[1].id(), named.id(), "the same key as in the environment");
        let mut text = text.replace(&format!("{by_hand}\n"), "");
        text.push_str("key_nonsense AAAA\n");
        write_private(&path, text.as_bytes()).expect("written");
        let failure = read(&path).err().expect("refused");
        assert!(failure.message.contains("line 2"), "{failure}");
    }
}
