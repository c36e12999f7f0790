//! A way to a server on which every byte can be held back: a server that is slow, or silent.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// The way. Ends with its value.
pub struct Wire {
    pub address: SocketAddr,
    held: watch::Sender<bool>,
    carrying: JoinHandle<()>,
}

impl Wire {
    pub async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let held = watch::Sender::new(false);
        let watched = held.subscribe();
        let carrying = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, watched.clone()));
                tokio::spawn(carry(from_server, to_client, watched.clone()));
            }
        });
        Ok(Self { address, held, carrying })
    }

    /// Keeps all that is under way until [`Wire::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    pub fn release(&self) {
        self.held.send_replace(false);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut held: watch::Receiver<bool>) -> Result<()> {
    let mut bytes = Vec::new();
    while from.read_buf(&mut bytes).await? > 0 {
        held.wait_for(|held| !held).await?;
        to.write_all(&bytes).await?;
        bytes.clear();
    }
    Ok(())
}
