//! The desk's gRPC: loopback, a pairing token, limits. The schema's types appear in this folder and in the clients.

pub mod desk;
mod events;
mod export;
mod history;

use std::{io, net::SocketAddr, time::Duration};

use futures::{Stream, stream};
use rollcall_proto::{
    incoming::{Incoming, Places},
    oversize,
    school::v1::receiver_service_server::ReceiverServiceServer,
};
use subtle::ConstantTimeEq;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, transport::Server};
use tower::util::MapResponseLayer;
use zeroize::Zeroizing;

use crate::error::AppError;
use desk::Desk;

const MAX_REQUEST_BYTES: usize = 1024 * 1024;
const MAX_STREAMS: u32 = 64;
/// A desk needs one or two; whatever else runs on this computer waits.
const MAX_CONNECTIONS: usize = 64;
/// Who is silent is asked after this time, and closed where it does not answer in that time.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(20);
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long open calls may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Binds and serves until `stop`. Answers the bound address.
pub async fn serve(
    address: SocketAddr,
    desk: Desk,
    token: Zeroizing<String>,
    stop: CancellationToken,
) -> Result<(SocketAddr, JoinHandle<()>), AppError> {
    let unusable = |error: std::io::Error| AppError::config(format!("grpc_listen: {address} cannot be used: {error}"));
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let bound = listener.local_addr().map_err(unusable)?;
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_serving::<ReceiverServiceServer<Desk>>().await;
    let service = ReceiverServiceServer::new(desk).max_decoding_message_size(MAX_REQUEST_BYTES);
    let guard = move |request: Request<()>| check_token(request, &token);
    let router = Server::builder()
        .layer(MapResponseLayer::new(oversize::response))
        .timeout(CALL_TIMEOUT)
        .concurrency_limit_per_connection(MAX_STREAMS as usize)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_LIMIT))
        .add_service(health)
        .add_service(tonic::service::interceptor::InterceptedService::new(service, guard));
    let server = tokio::spawn(async move {
        let signal = stop.clone();
        let serving = router.serve_with_incoming_shutdown(connections(listener), signal.cancelled_owned());
        let limit = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            result = serving => if let Err(error) = result {
                tracing::error!(%error, "the desk's gRPC ended");
            },
            () = limit => {}
        }
    });
    Ok((bound, server))
}

/// Connections as they come, each in a place.
fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<Incoming<TcpStream>>> {
    let places = Places::new(MAX_CONNECTIONS, MAX_CONNECTIONS);
    stream::unfold((listener, places), |(listener, places)| async move {
        loop {
            let free = places.free().await;
            let Ok((socket, address)) = listener.accept().await else {
                // Out of file handles: wait for some to be closed.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            if let Some(place) = places.take(free, address.ip()).await {
                let _ = socket.set_nodelay(true);
                return Some((Ok(Incoming::new(socket, place)), (listener, places)));
            }
        }
    })
}

/// `authorization: Bearer <pairing token>`, compared in constant time.
fn check_token(request: Request<()>, token: &str) -> Result<Request<()>, Status> {
    let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
        Ok(request)
    } else {
        Err(Status::unauthenticated("the pairing token is missing or wrong: it is in the file pairing-token"))
    }
}
