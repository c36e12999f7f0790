//! An upload under way: a file without a name in the data folder, so that nothing is left of one that is cut short, not
//! even after a kill.

use std::{fs::File, io, path::Path};

use tokio::{io::AsyncWriteExt, sync::OwnedSemaphorePermit};

use crate::{
    error::{Refusal, RefusalKind},
    store::StoreError,
};

/// The largest zip that is taken. A million students pack to about 300 MB.
pub const MAX_UPLOAD_BYTES: u64 = 4 << 30;

/// See the module.
pub struct Upload {
    file: tokio::fs::File,
    size_bytes: u64,
    written_bytes: u64,
    _permit: OwnedSemaphorePermit,
}

impl Upload {
    /// Of exactly `size_bytes`.
    pub(super) async fn begin(
        folder: &Path,
        size_bytes: u64,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        if !(1..=MAX_UPLOAD_BYTES).contains(&size_bytes) {
            return Err(Refusal::field("sizeBytes", "must be the zip's length, at most 4 GiB").into());
        }
        let folder = folder.to_owned();
        let made = tokio::task::spawn_blocking(move || {
            crate::data_dir::create(&folder).map_err(|failure| io::Error::other(failure.message))?;
            tempfile::tempfile_in(folder)
        });
        let file = made.await.map_err(|_| StoreError::Stopping)?.map_err(|error| disk(&error))?;
        Ok(Self { file: file.into(), size_bytes, written_bytes: 0, _permit: permit })
    }

    /// Adds a part. More than was announced is refused.
    pub async fn write(&mut self, part: &[u8]) -> Result<(), StoreError> {
        self.written_bytes += part.len() as u64;
        if self.written_bytes > self.size_bytes {
            let message =
                format!("the upload is longer than its stated {} bytes: nothing was imported", self.size_bytes);
            return Err(Refusal::field("sizeBytes", message).into());
        }
        self.file.write_all(part).await.map_err(|error| disk(&error))
    }

    /// The whole file. One that ended early is void.
    pub(super) async fn finish(mut self) -> Result<File, StoreError> {
        if self.written_bytes != self.size_bytes {
            let message = format!(
                "the upload was cut short after {} of {} bytes: nothing was imported, upload it again",
                self.written_bytes, self.size_bytes
            );
            return Err(Refusal::field("data", message).into());
        }
        self.file.flush().await.map_err(|error| disk(&error))?;
        Ok(self.file.into_std().await)
    }
}

fn disk(error: &io::Error) -> StoreError {
    tracing::error!(%error, "an upload could not be written");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        _ => {
            Refusal::new(RefusalKind::Exhausted, "the upload could not be written to the disk: try again later").into()
        }
    }
}
