//! A way to a session's bus that damages what the keychain gives back, as a faulty keychain would.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    task::JoinHandle,
};

/// The fixed part of a message (D-Bus Specification, "Message Format").
const FIXED: usize = 16;
const METHOD_RETURN: u8 = 2;
/// What `GetSecret` answers: session, parameters, value, content type (Secret Service API 0.2, "Secret").
const SECRET: &[u8] = b"(oayays)";

/// The way, for the programs whose bus address is the wire's. Ends with its value.
pub struct BusWire {
    /// The bus address to give to a program.
    pub address: String,
    damages: Arc<AtomicBool>,
    carrying: JoinHandle<()>,
}

impl BusWire {
    /// A way to the bus of this address, which listens in `folder`. It damages nothing yet.
    pub(crate) fn to(bus: &str, folder: &Path) -> Result<Self> {
        let path = bus.split([':', ',']).find_map(|part| part.strip_prefix("path=")).context("the bus has a path")?;
        let path = PathBuf::from(path);
        let socket = folder.join("bus-wire");
        let listener = UnixListener::bind(&socket)?;
        let damages = Arc::new(AtomicBool::new(false));
        let flag = damages.clone();
        let carrying = tokio::spawn(async move {
            while let Ok((program, _)) = listener.accept().await {
                let Ok(bus) = UnixStream::connect(&path).await else { return };
                let (mut from_program, to_program) = program.into_split();
                let (from_bus, mut to_bus) = bus.into_split();
                // Either end may go; the other notices.
                tokio::spawn(async move { copy(&mut from_program, &mut to_bus).await });
                tokio::spawn(answers(from_bus, to_program, flag.clone()));
            }
        });
        Ok(Self { address: format!("unix:path={}", socket.display()), damages, carrying })
    }

    /// From now on one bit of every secret that is read differs from what was written, or none any more.
    pub fn damages(&self, damages: bool) {
        self.damages.store(damages, Ordering::Release);
    }
}

impl Drop for BusWire {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

/// Passes on what the bus says, message by message.
async fn answers(mut bus: OwnedReadHalf, mut program: OwnedWriteHalf, damages: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut held = Vec::new();
    loop {
        while let Some(length) = first(&held) {
            if damages.load(Ordering::Acquire) {
                damage(&mut held[..length]);
            }
            program.write_all(&held[..length]).await?;
            held.drain(..length);
        }
        if bus.read_buf(&mut held).await? == 0 {
            return Ok(());
        }
    }
}

/// The length of the first line of the handshake or of the first message, once all of it is there.
fn first(held: &[u8]) -> Option<usize> {
    if *held.first()? != b'l' {
        return held.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
    }
    let length = body_at(held)? + number(held, 4)?;
    (held.len() >= length).then_some(length)
}

fn body_at(message: &[u8]) -> Option<usize> {
    Some(FIXED + number(message, 12)?.next_multiple_of(8))
}

fn number(message: &[u8], at: usize) -> Option<usize> {
    let bytes = message.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// Turns a bit of the parameters of an answered secret. They are the initialization vector of AES-CBC, so the same bit of
/// the value that is read turns, and nothing else.
fn damage(message: &mut [u8]) -> Option<()> {
    let body = body_at(message)?;
    let is_secret = message[..body].windows(SECRET.len()).any(|part| part == SECRET);
    if message[1] != METHOD_RETURN || !is_secret {
        return None;
    }
    let session = number(message, body)?;
    let parameters = body + (4 + session + 1).next_multiple_of(4) + 4;
    *message.get_mut(parameters)? ^= 1;
    Some(())
}
