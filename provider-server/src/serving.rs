//! gRPC over TLS 1.3: accepts connections, bounds what each may cost, and lets calls finish at a stop.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rollcall_proto::incoming::{Incoming, Places};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{
    service::Routes,
    transport::{Server, server::Connected},
};

use crate::{
    grpc::{PeerAddress, auth::AuthLayer},
    metrics::Metrics,
};

const MAX_CONNECTIONS: usize = 1_000;
/// Of them those of one address: whoever floods from there leaves the rest to others.
const MAX_OF_ADDRESS: usize = MAX_CONNECTIONS / 2;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// Calls of one connection at once.
const MAX_STREAMS: u32 = 200;
const MAX_HEADER_BYTES: u32 = 16 * 1_024;
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(20);
/// Flow control: what a peer may have on its way, per stream and per connection, bytes. A message that is too large is
/// refused at its first bytes, and what was sent of it until then is read for nothing; over a way of 50 ms there and back
/// a stream still carries 10,000 changes a second.
const STREAM_WINDOW: u32 = 1 << 18;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What a stop means for open connections: first they finish, then they are cut.
#[derive(Clone, Default)]
pub struct Stop {
    /// No new calls; open ones finish.
    pub begun: CancellationToken,
    /// Whatever is still open ends now.
    pub cut: CancellationToken,
}

/// Serves until the stop has begun and every connection is done or cut.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    routes: Routes,
    auth: AuthLayer,
    metrics: Metrics,
    stop: Stop,
) {
    let (accepted, connections) = mpsc::channel(64);
    let accepting = accept(listener, tls, accepted, metrics, stop.clone());
    let mut server = Server::builder()
        .layer(auth)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_LIMIT))
        .http2_max_pending_accept_reset_streams(Some(64))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let serving = server
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), stop.begun.clone().cancelled_owned());
    let (served, ()) = tokio::join!(serving, accepting);
    if let Err(error) = served {
        tracing::error!(%error, "gRPC ended");
    }
}

async fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    accepted: mpsc::Sender<io::Result<Connection>>,
    metrics: Metrics,
    stop: Stop,
) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Places::new(MAX_CONNECTIONS, MAX_OF_ADDRESS);
    let mut is_short = false;
    loop {
        let place = tokio::select! {
            place = places.free() => place,
            () = stop.begun.cancelled() => return,
        };
        let socket = tokio::select! {
            socket = listener.accept() => socket,
            () = stop.begun.cancelled() => return,
        };
        let was_short = std::mem::replace(&mut is_short, socket.is_err());
        let Ok((socket, address)) = socket.inspect_err(|error| {
            if !was_short {
                tracing::warn!(%error, "callers have to wait: no connection can be accepted");
            }
        }) else {
            // Out of file handles: wait for some to be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(place) = places.take(place, address.ip()).await else { continue };
        let (acceptor, accepted, metrics) = (acceptor.clone(), accepted.clone(), metrics.clone());
        let cut = stop.cut.clone();
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(socket)).await else { return };
            metrics.connections.inc();
            let cut = Box::pin(cut.cancelled_owned());
            let tls = Incoming::new(tls, place);
            let connection = Connection { tls, peer: PeerAddress(address), cut, metrics };
            let _ = accepted.send(Ok(connection)).await;
        });
    }
}

/// An accepted connection.
struct Connection {
    tls: Incoming<TlsStream<TcpStream>>,
    peer: PeerAddress,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    metrics: Metrics,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerAddress;

    fn connect_info(&self) -> PeerAddress {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
