//! What a connection and a call may cost: each limit from both sides, with the limits that are shipped.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use rollcall_proto::{
    pinned::{Pin, client_config},
    provider::v1::{self as pb, student_service_client::StudentServiceClient},
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Code, Status};

use super::support::{PASSWORD, Server, with_token};

/// A handshake and the first bytes after it have 5 s each; the rest is for a busy machine.
const CLOSED_AFTER: Duration = Duration::from_secs(20);
/// A ping goes out after 30 s and is waited for 20 s.
const UNANSWERED_AFTER: Duration = Duration::from_secs(65);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// Frames of HTTP/2.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const REFUSED_STREAM: u32 = 7;

fn login(username: String) -> pb::LoginRequest {
    pb::LoginRequest { username, password: PASSWORD.into() }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_as_that_and_harms_nobody_else() {
    let server = Server::start().await;
    server.district("d-1").await;
    let large = |mib: usize| "x".repeat((mib << 20) - 1_024);
    let code = |answer: Result<_, Status>| answer.err().map_or(Code::Ok, |status| status.code());
    // Before anybody asks who calls, and within a stream.
    assert_eq!(code(server.staff().login(login(large(4))).await), Code::Unauthenticated);
    assert_eq!(code(server.staff().login(login(large(5))).await), Code::ResourceExhausted);
    let change =
        |tag, text: String| pb::Change { tag, district: "d-1".into(), idempotency_key: text, ..pb::Change::default() };
    let changes = futures::stream::iter([change(1, String::new()), change(2, large(5))]);
    let mut students = StudentServiceClient::new(server.channel.clone());
    let mut acks = students.apply(server.owned(changes)).await.expect("a stream").into_inner();
    assert_eq!(acks.message().await.expect("the first one is answered").expect("an answer").tag, 1);
    let ended = acks.message().await.expect_err("the second one is too large");
    assert_eq!(ended.code(), Code::ResourceExhausted, "{ended}");
    assert!(ended.message().contains("larger than this server takes"), "{ended}");
    server.login("ada").await;
    server.stop().await;
}

#[tokio::test]
async fn metadata_that_is_too_large_is_refused_and_its_connection_goes_on() {
    let server = Server::start().await;
    let mut districts = server.districts();
    for (bytes, taken) in [(8 << 10, true), (20 << 10, false), (200 << 10, false), (8 << 10, true)] {
        let mut request = with_token(pb::ListDistrictsRequest::default(), &server.owner);
        request.metadata_mut().insert("x-more", "x".repeat(bytes).parse().expect("a header"));
        let answer = timeout(CLOSED_AFTER, districts.list_districts(request)).await.expect("in time");
        assert_eq!(answer.is_ok(), taken, "{bytes} bytes");
    }
    server.stop().await;
}

async fn tls(server: &Server) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(server.running.ready.grpc).await.expect("connected");
    secured(server, socket).await.expect("a handshake")
}

async fn secured(server: &Server, socket: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::new(client_config(Pin(server.running.pin))));
    connector.connect(ServerName::try_from("localhost").expect("a name"), socket).await
}

/// Whether the server ends the connection within this time.
async fn is_closed(mut stream: impl AsyncRead + Unpin, limit: Duration) -> bool {
    let mut buffer = [0; 4_096];
    let reading = async { while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
    timeout(limit, reading).await.is_ok()
}

#[tokio::test]
async fn who_begins_and_says_no_more_is_closed() {
    let server = Server::start().await;
    let address = server.running.ready.grpc;
    let silent = TcpStream::connect(address).await.expect("connected");
    let mut half_hello = TcpStream::connect(address).await.expect("connected");
    half_hello.write_all(b"\x16\x03\x01\x02\x00\x01").await.expect("written");
    let no_preface = tls(&server).await;
    let mut half_preface = tls(&server).await;
    half_preface.write_all(&PREFACE[..10]).await.expect("written");
    let mut no_http2 = tls(&server).await;
    no_http2.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    let (plain, encrypted) = tokio::join!(
        join_all([silent, half_hello].map(|stream| is_closed(stream, CLOSED_AFTER))),
        join_all([no_preface, half_preface, no_http2].map(|stream| is_closed(stream, CLOSED_AFTER))),
    );
    let closed = [plain, encrypted].concat();
    assert_eq!(closed, [true; 5], "silent, half a hello, no preface, half a preface, HTTP/1.1");
    server.login("ada").await;
    server.stop().await;
}

#[tokio::test]
async fn who_answers_no_ping_is_closed() {
    let server = Server::start().await;
    let mut idle = tls(&server).await;
    idle.write_all(&[PREFACE, SETTINGS].concat()).await.expect("written");
    assert!(is_closed(idle, UNANSWERED_AFTER).await, "it is still open");
    server.stop().await;
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

async fn read_frame(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.expect("its payload");
    (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload)
}

#[tokio::test]
async fn the_201st_call_at_once_on_a_connection_is_refused_and_the_others_wait() {
    let server = Server::start().await;
    let mut stream = tls(&server).await;
    let path = b"/rollcall.provider.v1.StaffService/Login";
    // POST, https, the path as it is; no indexing, so that each block stands for itself.
    let block = [&[0x83, 0x87, 0x04, path.len() as u8][..], path].concat();
    let mut opening = [PREFACE, SETTINGS].concat();
    // Heads without bodies: each call waits for its message.
    for number in 0..210u32 {
        opening.extend(frame(HEADERS, 0x4, 2 * number + 1, &block));
    }
    stream.write_all(&opening).await.expect("written");
    let mut refused = Vec::new();
    while refused.len() < 10 {
        let (kind, id, payload) = timeout(CLOSED_AFTER, read_frame(&mut stream)).await.expect("a frame in time");
        if kind == RST_STREAM {
            assert_eq!(payload, REFUSED_STREAM.to_be_bytes());
            refused.push((id - 1) / 2 + 1);
        }
        assert_ne!(kind, HEADERS, "a call was answered");
    }
    assert_eq!(refused, (201..=210).collect::<Vec<_>>());
    server.login("ada").await;
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_takes_no_more_than_half_of_the_places() {
    let server = Server::start().await;
    // The whole of the network is this machine: another address of it stands for another machine.
    let elsewhere: SocketAddr = "127.0.0.9:0".parse().expect("an address");
    let mut held = Vec::new();
    for _ in 0..500 {
        held.push(served(&server, elsewhere).await.expect("a place"));
    }
    assert!(served(&server, elsewhere).await.is_none(), "it has its half");
    drop(server.dial().await);
    drop(held.pop());
    let again = async { while served(&server, elsewhere).await.is_none() {} };
    timeout(CLOSED_AFTER, again).await.expect("a place that is free again");
    server.stop().await;
}

/// A connection from an address that the server answers as one of HTTP/2.
async fn served(server: &Server, from: SocketAddr) -> Option<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(from).expect("a free port");
    let socket = socket.connect(server.running.ready.grpc).await.ok()?;
    let mut stream = secured(server, socket).await.ok()?;
    stream.write_all(&[PREFACE, SETTINGS].concat()).await.ok()?;
    stream.read_exact(&mut [0; 9]).await.ok()?;
    Some(stream)
}
