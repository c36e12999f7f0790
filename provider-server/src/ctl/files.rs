//! Files that hold secrets: passwords and codes that are read, tokens and secrets that are written (0600, whole or not
//! at all).

use std::{
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

use super::failure::{Failure, exit};

/// No password, code or token is longer.
const MAX_BYTES: u64 = 4096;

/// The first line of a small file, or of stdin for `-`.
pub fn read_line(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let result = if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    result.map_err(|error| Failure::usage(format!("cannot read the {what} from {}: {error}", path.display())))?;
    let line = text.lines().next().unwrap_or_default();
    if line.trim().is_empty() {
        return Err(Failure::usage(format!("{} is empty; it should hold the {what}", path.display())));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The token as the metadata value `Bearer …`. Warns where others may read the file.
pub fn read_token(path: &Path) -> Result<MetadataValue<Ascii>, Failure> {
    let token = read_line(path, "session token")?;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        eprintln!("warning: {0} can be read by others; run `chmod 600 {0}`", path.display());
    }
    let mut value: MetadataValue<Ascii> = Zeroizing::new(format!("Bearer {}", token.trim()))
        .parse()
        .map_err(|_| Failure::usage(format!("{} does not hold a session token", path.display())))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A file that will hold a secret. Made before the secret is asked for, so that one that is answered only once is not
/// lost to a missing folder or a full disk; the path itself changes only in `commit`.
pub struct SecretFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl SecretFile {
    /// Makes sure that `path` can be written.
    pub fn prepare(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |error| Failure::usage(format!("cannot write {}: {error}", path.display()));
        if path.is_dir() {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        // Temporary files are 0600 from their birth.
        let mut temporary = NamedTempFile::new_in(folder).map_err(failed)?;
        temporary.write_all(&[b'\n'; 512]).and_then(|()| temporary.as_file().sync_all()).map_err(failed)?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Writes the secret and a newline, durably, in place of whatever was there.
    pub fn commit(mut self, secret: &str) -> Result<(), Failure> {
        let failed =
            |error| Failure::new(exit::INTERNAL, format!("the secret could not be written, it is lost: {error}"));
        let write = |file: &mut std::fs::File| {
            use std::io::Seek;
            file.rewind()?;
            writeln!(file, "{secret}")?;
            file.set_len(secret.len() as u64 + 1)?;
            file.sync_all()
        };
        write(self.temporary.as_file_mut()).map_err(failed)?;
        self.temporary.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_private_and_appears_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "old").expect("written");
        let file = SecretFile::prepare(&path).expect("writable");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "old", "untouched until the commit");
        file.commit("whsec_x").expect("committed");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "whsec_x\n");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is left over");
    }

    #[test]
    fn an_unwritable_place_is_found_before_the_secret_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().to_owned(), folder.path().join("missing/secret")] {
            assert_eq!(SecretFile::prepare(&path).err().map(|failure| failure.code), Some(2), "{}", path.display());
        }
    }

    #[test]
    fn an_empty_password_file_is_a_usage_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "\n").expect("written");
        assert_eq!(read_line(&path, "password").expect_err("empty").code, 2);
        std::fs::write(&path, "correct horse battery\r\n").expect("written");
        assert_eq!(read_line(&path, "password").expect("read").as_str(), "correct horse battery");
    }
}
