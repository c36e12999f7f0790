//! The data folder: only this user may enter it, and only one process may use its database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    clock::Entropy,
    exit::{Failure, LOCKED},
    key_file::write_private,
};

/// Makes the folder, 0700, where it is missing.
pub fn create(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Failure::config(format!("data_dir: {}: {error}", path.display())))
}

/// The name of the server of this folder among those that share a database; made at its first start. Whoever holds the
/// folder's lock knows that the one before with this name is dead.
pub fn node_id(folder: &Path, entropy: &Entropy) -> Result<[u8; 16], Failure> {
    let path = folder.join("node-id");
    let known = std::fs::read_to_string(&path).ok().and_then(|text| hex::decode(text.trim()).ok()?.try_into().ok());
    if let Some(known) = known {
        return Ok(known);
    }
    let made = entropy.bytes::<16>();
    write_private(&path, format!("{}\n", hex::encode(made)).as_bytes())?;
    Ok(made)
}

/// The right to use a database; ends with the process at the latest.
pub struct Lock {
    _file: File,
}

/// Takes the lock beside a database, or fails with exit code 75.
pub fn lock(database: &Path) -> Result<Lock, Failure> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let wrong = |error: std::io::Error| Failure::config(format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(32).read_to_string(&mut holder);
            let message = format!(
                "{} is in use by another process (pid {}): stop it first",
                database.display(),
                holder.trim().split(' ').next().unwrap_or("unknown")
            );
            return Err(Failure::new(LOCKED, message));
        }
        Err(TryLockError::Error(error)) => return Err(wrong(error)),
    }
    // The pid is for people; the lock itself is the kernel's, and is held on a full disk, too.
    let pid = std::process::id().to_string();
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_holder_is_told_who_is_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("rollcall.db");
        let first = lock(&database).expect("free");
        let failure = lock(&database).err().expect("taken");
        assert_eq!(failure.code, 75);
        assert!(failure.message.contains(&std::process::id().to_string()));
        drop(first);
        assert!(lock(&database).is_ok());
    }
}
