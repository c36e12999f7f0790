//! The webhook's listener: HTTP/1.1, optional TLS, every wait and the number of connections bounded.

use std::{convert::Infallible, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rollcall_proto::incoming::Places;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Receiver;
use crate::error::AppError;

/// A request's head must have arrived by then; an idle connection is closed by the same limit.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head, and of what is read ahead, for each connection.
const MAX_BUFFER_BYTES: usize = 32 * 1024;
/// How long open requests may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(20);

/// A bound socket that is not served yet.
pub struct WebhookListener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    max_connections: usize,
}

impl WebhookListener {
    /// Binds the socket.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        max_connections: usize,
    ) -> Result<Self, AppError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| AppError::config(format!("listen: {address} cannot be used: {error}")))?;
        Ok(Self { listener, tls: tls.map(TlsAcceptor::from), max_connections })
    }

    /// The webhook's full URL.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}/webhook", self.listener.local_addr()?))
    }

    /// Serves until `stop`, then lets open requests end.
    pub async fn serve(self, receiver: Arc<Receiver>, stop: CancellationToken) {
        // Of one address no more than half: whoever floods from there leaves the rest to others.
        let places = Places::new(self.max_connections, self.max_connections.div_ceil(2));
        let tasks = TaskTracker::new();
        let mut is_short = false;
        loop {
            // Beyond the limit connections wait in the socket's own queue.
            let free = tokio::select! {
                () = stop.cancelled() => break,
                free = places.free() => free,
            };
            let (stream, address) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => {
                        is_short = false;
                        accepted
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut is_short, true) {
                            tracing::warn!(%error, "senders have to wait: no connection can be accepted");
                        }
                        sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let Some(place) = places.take(free, address.ip()).await else { continue };
            let (receiver, stop, tls) = (receiver.clone(), stop.clone(), self.tls.clone());
            tasks.spawn(async move {
                connection(stream, tls, receiver, stop).await;
                drop(place);
            });
        }
        drop(self.listener);
        tasks.close();
        if timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("some requests did not end in time and are cut");
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, receiver: Arc<Receiver>, stop: CancellationToken) {
    // Answers are small: waiting for more of them helps nobody.
    let _ = stream.set_nodelay(true);
    match tls {
        None => requests(stream, receiver, stop).await,
        Some(acceptor) => match timeout(TLS_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, receiver, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn requests<S>(stream: S, receiver: Arc<Receiver>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let receiver = receiver.clone();
        async move { Ok::<_, Infallible>(receiver.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Reads a certificate chain and its key.
pub fn tls_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, AppError> {
    let problem = |name: &str, path: &Path, error: &dyn std::fmt::Display| {
        AppError::config(format!("{name}: {} cannot be used: {error}", path.display()))
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(|certificates| certificates.collect())
        .map_err(|error| problem("tls_cert", cert, &error))?;
    crate::data_dir::read_private(key).map_err(|error| problem("tls_key", key, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| problem("tls_key", key, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| problem("tls_cert", cert, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| problem("tls_cert", cert, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
