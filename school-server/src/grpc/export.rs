//! The roster's export. A file is written on a thread of its own, because a zip is written in one go, and goes out part by
//! part: a reader that is slow or gone makes the thread wait or end.

use std::io::{self, Write};

use futures::stream::BoxStream;
use rollcall_proto::school::v1::RosterChunk;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::desk::unreadable;
use crate::{
    roster_file::{self, Form, School},
    store::read::{HeldStudent, ReadStore},
};

/// One part of a file.
const PART_BYTES: usize = 64 * 1024;
/// Parts that wait for the reader.
const PARTS: usize = 4;

/// The parts of the file. A file that could not be finished ends with an error.
pub fn stream(store: ReadStore, form: Form, school: School) -> BoxStream<'static, Result<RosterChunk, Status>> {
    let (sender, parts) = mpsc::channel(PARTS);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut failed = None;
        let students =
            Students { store, runtime, page: Vec::new().into_iter(), after: Some(String::new()), failed: &mut failed };
        let out = Parts { sender: sender.clone(), part: Vec::with_capacity(PART_BYTES) };
        let written = roster_file::write(form, out, &school, students);
        let status = match (written, failed) {
            (_, Some(error)) => unreadable(error),
            (Err(error), None) if error.kind() == io::ErrorKind::InvalidData => {
                Status::data_loss("a stored record is damaged: fetch the roster again from the provider")
            }
            (Err(error), None) if error.kind() != io::ErrorKind::BrokenPipe => {
                tracing::error!(%error, "the roster could not be written to a file");
                Status::internal("the file could not be written")
            }
            // All is written, or the reader is gone.
            _ => return,
        };
        let _ = sender.blocking_send(Err(status));
    });
    Box::pin(ReceiverStream::new(parts))
}

/// The students, page by page.
struct Students<'a> {
    store: ReadStore,
    runtime: Handle,
    page: std::vec::IntoIter<HeldStudent>,
    /// Where the next page begins; `None` at the end.
    after: Option<String>,
    failed: &'a mut Option<sqlx::Error>,
}

impl Iterator for Students<'_> {
    type Item = io::Result<HeldStudent>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 {
            let after = self.after.take()?;
            match self.runtime.block_on(self.store.export(&after)) {
                Ok(page) => {
                    self.after = page.last().map(|last| last.sourced_id.clone());
                    self.page = page.into_iter();
                }
                Err(error) => {
                    *self.failed = Some(error);
                    return Some(Err(io::Error::other("the database could not be read")));
                }
            }
        }
        self.page.next().map(Ok)
    }
}

/// Hands parts on.
struct Parts {
    sender: mpsc::Sender<Result<RosterChunk, Status>>,
    part: Vec<u8>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let data = std::mem::replace(&mut self.part, Vec::with_capacity(PART_BYTES)).into();
        let sent = self.sender.blocking_send(Ok(RosterChunk { data }));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the reader is gone"))
    }
}
