//! The operator's door of a running server: a Unix socket in the data folder, which only this user may enter. One line
//! asks, one line answers as JSON.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::KeySource,
    exit::Failure,
    key_rotation::{self, Rotated},
    store::Store,
};

const SOCKET: &str = "control.sock";
const ROTATE_KEYS: &str = "rotate keys";
const MAX_LINE_BYTES: u64 = 4_096;
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Rewrapping is one short transaction; it may wait for a large one before it.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Rotated(Rotated),
    Failed { code: u8, message: String },
}

/// Opens the door. What an earlier run left is removed: whoever holds the database's lock owns the folder.
pub fn listen(data_dir: &Path) -> Option<UnixListener> {
    let path = socket(data_dir);
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "`keys rotate` cannot reach this server"))
        .ok()
}

/// Answers one caller after the other until `stopping`.
pub async fn serve(listener: UnixListener, store: Store, keys: KeySource, stopping: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return,
        };
        if let Ok((stream, _)) = accepted {
            // A caller that went away needs no answer.
            let _ = answer(stream, &store, &keys).await;
        }
    }
}

async fn answer(mut stream: UnixStream, store: &Store, keys: &KeySource) -> std::io::Result<()> {
    let asked = tokio::time::timeout(ASK_LIMIT, read_line(&mut stream)).await??;
    let answer = if asked.trim() == ROTATE_KEYS {
        match key_rotation::rotate(store, keys).await {
            Ok(rotated) => Answer::Rotated(rotated),
            Err(Failure { code, message }) => Answer::Failed { code, message },
        }
    } else {
        Answer::Failed { code: crate::exit::DATA, message: "the server does not know this request".into() }
    };
    let line = serde_json::to_string(&answer).map_err(std::io::Error::other)?;
    tokio::time::timeout(ASK_LIMIT, stream.write_all(format!("{line}\n").as_bytes())).await?
}

/// Asks a running server for new keys; `None` where none answers.
pub async fn ask_to_rotate(data_dir: &Path) -> Result<Option<Rotated>, Failure> {
    let Ok(mut stream) = UnixStream::connect(socket(data_dir)).await else { return Ok(None) };
    let lost = |why: String| Failure::internal(format!("the running server did not answer: {why}; look into its log"));
    let asking = async {
        stream.write_all(format!("{ROTATE_KEYS}\n").as_bytes()).await?;
        read_line(&mut stream).await
    };
    let line = tokio::time::timeout(ANSWER_LIMIT, asking).await.map_err(|late| lost(late.to_string()))?;
    let line = line.map_err(|error| lost(error.to_string()))?;
    match serde_json::from_str(&line).map_err(|error| lost(error.to_string()))? {
        Answer::Rotated(rotated) => Ok(Some(rotated)),
        Answer::Failed { code, message } => Err(Failure::new(code, message)),
    }
}

async fn read_line(stream: &mut UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    Ok(line)
}

fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join(SOCKET)
}
