//! Files go past the webview: somebody chooses one, the webview gets a ticket with its name and size, and the bytes are
//! read and written here.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value as Field};
use rollcall_proto::provider::v1::{
    ImportStart, StartImportRequest, import_service_client::ImportServiceClient, start_import_request::Part,
};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{
    ErrorCode, Shell, ShellError, Target,
    codec::{from_json, pool, to_json},
};

/// Chosen files that are remembered; the oldest ticket is void then.
const MAX_TICKETS: usize = 32;
/// One message of an upload.
const PART_BYTES: usize = 256 * 1024;
/// A file above this is no OneRoster zip.
const MAX_IMPORT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// What a file that we write holds at most.
const MAX_SAVED_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// A file that somebody chose, as the webview knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// To be given back with the upload.
    pub ticket: String,
    /// Its name without folders.
    pub name: String,
    /// Its length.
    pub size_bytes: u64,
}

/// Files that somebody chose in this run of the program. Cheap to clone.
#[derive(Clone, Default)]
pub struct Files {
    chosen: Arc<Mutex<VecDeque<(String, PathBuf)>>>,
    next: Arc<AtomicU64>,
}

impl Files {
    /// Remembers a file that somebody chose in a dialog or dropped on a window.
    ///
    /// # Errors
    /// [`ErrorCode::File`] where it cannot be read or is a folder.
    pub async fn choose(&self, path: &Path) -> Result<Ticket, ShellError> {
        let meta = fs::metadata(path).await.map_err(|error| unusable("the file cannot be read", &error))?;
        if !meta.is_file() {
            return Err(ShellError::new(ErrorCode::File, "this is a folder: choose the zip file itself"));
        }
        let ticket = format!("file-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let mut chosen = self.chosen.lock().expect("no holder of this lock panics");
        chosen.push_back((ticket.clone(), path.to_owned()));
        if chosen.len() > MAX_TICKETS {
            chosen.pop_front();
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().chars().take(255).collect();
        Ok(Ticket { ticket, name, size_bytes: meta.len() })
    }

    fn path(&self, ticket: &str) -> Result<PathBuf, ShellError> {
        let chosen = self.chosen.lock().expect("no holder of this lock panics");
        let found = chosen.iter().find(|(known, _)| known == ticket).map(|(_, path)| path.clone());
        found.ok_or_else(|| ShellError::new(ErrorCode::File, "choose the file again"))
    }
}

/// What is asked of an import.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upload {
    /// Of a chosen file.
    pub ticket: String,
    /// Id, sourcedId or name.
    pub district: String,
    /// strict or lenient; empty means lenient.
    #[serde(default)]
    pub profile: String,
    /// Hold the run once it is planned, so that staff see the plan first.
    #[serde(default)]
    pub hold_for_review: bool,
}

impl Shell {
    /// Uploads a chosen file as an import and answers the run's JSON. `progress` gets the bytes handed over so far.
    ///
    /// # Errors
    /// As the server answered, or [`ErrorCode::File`]. Dropping the future makes the upload void.
    pub async fn start_import(
        &self,
        window: &str,
        upload: Upload,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Value, ShellError> {
        self.rules.method(window, "ImportService/StartImport")?;
        let path = self.files.path(&upload.ticket)?;
        let file = File::open(&path).await.map_err(|error| unusable("the file cannot be read", &error))?;
        let size_bytes = file.metadata().await.map_err(|error| unusable("the file cannot be read", &error))?.len();
        if size_bytes > MAX_IMPORT_BYTES {
            return Err(ShellError::new(ErrorCode::File, "the file is larger than 4 GiB"));
        }
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().chars().take(255).collect();
        let Upload { district, profile, hold_for_review, .. } = upload;
        let start = ImportStart { district, file_name, profile, size_bytes, hold_for_review };
        let (parts, received) = mpsc::channel(2);
        let reading = tokio::spawn(read_parts(file, start, parts, progress));
        let link = self.links.get(Target::Provider)?;
        let stream =
            futures::stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
        let answer = ImportServiceClient::new(link.channel()).start_import(link.request(stream)).await;
        // A reader that failed ended the upload early; its error says more than the server's.
        let read = if answer.is_ok() { Ok(()) } else { reading.await.unwrap_or(Ok(())) };
        let run = match (read, answer) {
            (Err(error), _) => return Err(unusable("the file cannot be read", &error)),
            (Ok(()), answer) => answer.map_err(ShellError::from),
        };
        self.links.note(Target::Provider, run.as_ref().map(|_| ()));
        Ok(message_json(&run?.into_inner()))
    }

    /// Writes the bytes of a stream (`ExportProblems`, `ExportRoster`, `ExportAttempts`) to a file that somebody named, as a
    /// whole or not at all, readable by its owner only. Answers its length.
    ///
    /// # Errors
    /// As the server answered, or [`ErrorCode::File`].
    pub async fn save(&self, window: &str, method: &str, json: &Value, path: &Path) -> Result<u64, ShellError> {
        let method = self.rules.method(window, method)?;
        let mut bytes =
            method.output().fields().filter(|field| matches!(field.kind(), Kind::Bytes)).collect::<Vec<_>>();
        let (Some(field), true) = (bytes.pop(), bytes.is_empty() && method.is_server_streaming()) else {
            return Err(ShellError::new(ErrorCode::NotAllowed, "this call answers no file"));
        };
        let request = from_json(&method.input(), json)?;
        let link = self.links.get(Target::of(&method))?;
        let mut parts = link.stream(&method, request).await.map_err(ShellError::from)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let temporary = path.with_file_name(name);
        let problem = |error: std::io::Error| unusable("the file cannot be written", &error);
        let written = async {
            let mut options = fs::OpenOptions::new();
            options.create(true).truncate(true).write(true);
            #[cfg(unix)]
            options.mode(0o600);
            let mut file = options.open(&temporary).await.map_err(problem)?;
            let mut size_bytes = 0;
            while let Some(part) = parts.message().await.map_err(ShellError::from)? {
                let Field::Bytes(part) = part.get_field(&field).into_owned() else { continue };
                size_bytes += part.len() as u64;
                if size_bytes > MAX_SAVED_BYTES {
                    return Err(ShellError::new(ErrorCode::File, "the file would be larger than 8 GiB"));
                }
                file.write_all(&part).await.map_err(problem)?;
            }
            file.sync_all().await.map_err(problem)?;
            fs::rename(&temporary, path).await.map_err(problem)?;
            Ok(size_bytes)
        };
        let written = written.await;
        if written.is_err() {
            let _ = fs::remove_file(&temporary).await; // Best effort: the first error is the one to tell.
        }
        written
    }
}

async fn read_parts(
    mut file: File,
    start: ImportStart,
    parts: mpsc::Sender<StartImportRequest>,
    progress: impl Fn(u64),
) -> std::io::Result<()> {
    if parts.send(StartImportRequest { part: Some(Part::Start(start)) }).await.is_err() {
        return Ok(());
    }
    let mut sent = 0;
    loop {
        let mut part = vec![0; PART_BYTES];
        let length = file.read(&mut part).await?;
        if length == 0 {
            return Ok(());
        }
        part.truncate(length);
        // Nobody takes it any more: the server has answered already.
        if parts.send(StartImportRequest { part: Some(Part::Data(Bytes::from(part))) }).await.is_err() {
            return Ok(());
        }
        sent += length as u64;
        progress(sent);
    }
}

/// A generated message in the same JSON as [`crate::codec::to_json`].
pub(crate) fn message_json<M: prost::Message + prost::Name>(message: &M) -> Value {
    let descriptor = pool().get_message_by_name(&M::full_name()).expect("every generated message is in the pool");
    let mut dynamic = DynamicMessage::new(descriptor);
    debug_assert_eq!(dynamic.descriptor().full_name(), M::full_name());
    match prost::Message::merge(&mut dynamic, message.encode_to_vec().as_slice()) {
        Ok(()) => to_json(&dynamic),
        Err(_) => Value::Null,
    }
}

fn unusable(what: &str, error: &std::io::Error) -> ShellError {
    // The system's words name no path.
    ShellError::new(ErrorCode::File, format!("{what}: {error}"))
}
