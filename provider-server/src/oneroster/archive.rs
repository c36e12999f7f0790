//! The zip: what is in it, within limits, and the bytes of one file.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

use super::{
    code::Code,
    read::ReadError,
    report::{Problem, Severity},
};

/// The name problems of the zip itself go by.
pub const ZIP: &str = "(zip)";

/// What a zip may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Entries; OneRoster has 22 files.
    pub max_entries: usize,
    /// Bytes of all entries unpacked.
    pub max_unzipped_bytes: u64,
    /// Unpacked to packed size of an entry above 4 MiB. Rosters pack 4 to 30 times.
    pub max_ratio: u64,
    /// Rows of one file.
    pub max_rows: u64,
    /// Rows of `users.csv` or of roles that are kept for the join, about 60 bytes each.
    pub max_users: u64,
    /// Rows of `orgs.csv`, which are kept.
    pub max_orgs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 64,
            max_unzipped_bytes: 16 << 30,
            max_ratio: 200,
            max_rows: 100_000_000,
            max_users: 5_000_000,
            max_orgs: 100_000,
        }
    }
}

/// Below this an entry may be packed however well.
const RATIO_FREE_BYTES: u64 = 4 << 20;

/// An end of central directory with more comment than this is none.
const MAX_TAIL_BYTES: u64 = 22 + 65_535;

/// An open zip.
pub struct Archive<R> {
    zip: ZipArchive<R>,
    entries: BTreeMap<String, usize>,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory and refuses what no roster needs. Nothing is unpacked yet.
    ///
    /// # Errors
    /// [`ReadError::Refused`] for a zip outside the limits, [`ReadError::Io`] where it cannot be read.
    pub fn open(mut reader: R, limits: &Limits) -> Result<Self, ReadError> {
        check_entry_count(&mut reader, limits)?;
        let zip = ZipArchive::new(reader).map_err(|error| zip_error(ZIP, error))?;
        if zip.len() > limits.max_entries {
            return Err(refuse(ZIP, Code::ZipEntries));
        }
        if zip.has_duplicate_names() {
            return Err(refuse(ZIP, Code::ZipDuplicate));
        }
        let mut entries = BTreeMap::new();
        let mut unzipped_bytes = 0u64;
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(|error| zip_error(ZIP, error))?;
            let name = entry.name().map_err(|error| zip_error(ZIP, error))?.into_owned();
            let shown = shown(&name);
            if let Some(code) = path_fault(&name, entry.is_symlink()) {
                return Err(refuse(shown, code));
            }
            if entry.encrypted() {
                return Err(refuse(shown, Code::ZipEncrypted));
            }
            if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
                return Err(refuse(shown, Code::ZipMethod));
            }
            unzipped_bytes = unzipped_bytes.saturating_add(entry.size());
            if unzipped_bytes > limits.max_unzipped_bytes {
                return Err(refuse(shown, Code::ZipTooLarge));
            }
            if entry.size() > RATIO_FREE_BYTES && entry.size() / entry.compressed_size().max(1) > limits.max_ratio {
                return Err(refuse(shown, Code::ZipRatio));
            }
            if entries.insert(name, index).is_some() {
                return Err(refuse(shown, Code::ZipDuplicate));
            }
        }
        Ok(Self { zip, entries })
    }

    /// The names of all entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is such an entry.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The unpacked bytes of an entry; never more than its directory says.
    ///
    /// # Errors
    /// [`ReadError::Refused`] where it cannot be unpacked.
    pub fn file<'a>(&'a mut self, name: &'static str) -> Result<Box<dyn Read + 'a>, ReadError> {
        let index = *self.entries.get(name).ok_or_else(|| refuse(name, Code::ManifestFileMissing))?;
        let file = self.zip.by_index(index).map_err(|error| zip_error(name, error))?;
        let left_bytes = file.size();
        Ok(Box::new(Bounded { file, left_bytes }))
    }
}

/// SHA-256 of all bytes. Leaves the reader at the start.
///
/// # Errors
/// [`ReadError::Io`]
pub fn sha256(reader: &mut (impl Read + Seek)) -> Result<[u8; 32], ReadError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    reader.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Io(error)),
        }
    }
    reader.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
    Ok(hash.finalize().into())
}

/// An error met while unpacking: the machine's, or the zip's own fault.
pub fn unpack_error(file: &'static str, line: u64, error: io::Error) -> ReadError {
    // Errors of the operating system have a number; those that unpacking makes up have none.
    if error.raw_os_error().is_some() {
        return ReadError::Io(error);
    }
    ReadError::Refused(Box::new(Problem::new(Severity::Error, file, Code::ZipDamaged).line(line)))
}

fn zip_error(file: impl Into<std::borrow::Cow<'static, str>>, error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => ReadError::Io(error),
        _ => refuse(file, Code::ZipDamaged),
    }
}

fn refuse(file: impl Into<std::borrow::Cow<'static, str>>, code: Code) -> ReadError {
    ReadError::Refused(Box::new(Problem::new(Severity::Error, file, code)))
}

/// Refuses by the directory's own count, before memory is taken for its entries.
fn check_entry_count(reader: &mut (impl Read + Seek), limits: &Limits) -> Result<(), ReadError> {
    let size_bytes = reader.seek(SeekFrom::End(0)).map_err(ReadError::Io)?;
    let tail_bytes = size_bytes.min(MAX_TAIL_BYTES);
    reader.seek(SeekFrom::Start(size_bytes - tail_bytes)).map_err(ReadError::Io)?;
    let mut tail = Vec::new();
    reader.by_ref().take(tail_bytes).read_to_end(&mut tail).map_err(ReadError::Io)?;
    reader.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
    let too_many = tail.windows(22).filter(|window| window.starts_with(b"PK\x05\x06")).any(|end| {
        let count = u16::from_le_bytes([end[10], end[11]]);
        let directory_bytes = u32::from_le_bytes([end[12], end[13], end[14], end[15]]);
        // 0xFFFF and 0xFFFFFFFF stand for "see the 64-bit record", which no roster's directory needs.
        usize::from(count) > limits.max_entries || directory_bytes as usize > limits.max_entries * 1024
    });
    if too_many { Err(refuse(ZIP, Code::ZipEntries)) } else { Ok(()) }
}

fn path_fault(name: &str, symlink: bool) -> Option<Code> {
    let leads_out = name.is_empty()
        || name.contains('\0')
        || name.starts_with(['/', '\\'])
        || name.as_bytes().get(1) == Some(&b':')
        || name.split(['/', '\\']).any(|part| part == "..");
    if leads_out || symlink {
        return Some(Code::ZipPath);
    }
    name.contains(['/', '\\']).then_some(Code::ZipFolder)
}

/// An entry's name as it may stand in a report: up to the first character that has no place in a file's name. In a broken
/// zip a name may be anything, even a row with a student.
pub fn shown(name: &str) -> String {
    let has_place = |c: &char| c.is_alphanumeric() || " ._-/\\:()".contains(*c);
    let plain: String = name.chars().take_while(has_place).take(100).collect();
    if plain.len() == name.len() { plain } else { plain + "…" }
}

/// Stops where the directory said the file ends.
struct Bounded<F> {
    file: F,
    left_bytes: u64,
}

impl<F: Read> Read for Bounded<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left_bytes = self
            .left_bytes
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the entry is longer than its directory says"))?;
        if read == 0 && self.left_bytes > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_refused() {
        for (name, expected) in [
            ("users.csv", None),
            ("..users.csv", None),
            ("a/users.csv", Some(Code::ZipFolder)),
            ("a\\users.csv", Some(Code::ZipFolder)),
            ("a/", Some(Code::ZipFolder)),
            ("../users.csv", Some(Code::ZipPath)),
            ("a/../../users.csv", Some(Code::ZipPath)),
            ("..", Some(Code::ZipPath)),
            ("/etc/passwd", Some(Code::ZipPath)),
            ("C:users.csv", Some(Code::ZipPath)),
            ("\\\\host\\users.csv", Some(Code::ZipPath)),
            ("users.csv\0.txt", Some(Code::ZipPath)),
            ("", Some(Code::ZipPath)),
        ] {
            assert_eq!(path_fault(name, false), expected, "{name:?}");
        }
        assert_eq!(path_fault("users.csv", true), Some(Code::ZipPath));
    }
}
