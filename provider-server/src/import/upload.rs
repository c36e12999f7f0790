//! A file on its way in. It has no name on the disk, so that nothing of it is left whatever happens.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::Path,
};

use crate::error::{Refusal, RefusalKind};

/// A zip at most, bytes.
pub const MAX_UPLOAD_BYTES: u64 = 4 << 30;

/// See the module.
pub struct Upload {
    file: File,
    expected_bytes: u64,
    received_bytes: u64,
}

impl Upload {
    pub(super) fn new(folder: &Path, expected_bytes: u64) -> std::io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, expected_bytes, received_bytes: 0 })
    }

    /// Takes the next part.
    pub fn write(&mut self, part: &[u8]) -> Result<(), Refusal> {
        self.received_bytes += part.len() as u64;
        if self.received_bytes > self.expected_bytes {
            return Err(Refusal::field("sizeBytes", "the upload is longer than was said: nothing was kept"));
        }
        self.file.write_all(part).map_err(|error| {
            let message = format!("the upload could not be kept ({}): free some space and try again", error.kind());
            Refusal::new(RefusalKind::Exhausted, message)
        })
    }

    /// The whole file, from its beginning.
    pub fn finish(mut self) -> Result<File, Refusal> {
        if self.received_bytes != self.expected_bytes {
            let message = format!(
                "the upload ended after {} of {} bytes: nothing was kept, upload it again",
                self.received_bytes, self.expected_bytes
            );
            return Err(Refusal::field("sizeBytes", message));
        }
        let rewound = self.file.rewind();
        rewound
            .map_err(|error| Refusal::new(RefusalKind::Exhausted, format!("the upload is lost: {}", error.kind())))?;
        Ok(self.file)
    }
}
