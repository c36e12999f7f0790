//! What a connection and a call may cost the receiver: each limit as it is shipped.

use std::{net::Ipv4Addr, time::Duration};

use futures::FutureExt as _;
use reqwest::StatusCode;
use rollcall_proto::school::v1::{CheckSignatureRequest, GetStatusRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{interval, timeout},
};
use tonic::Code;

use crate::support::*;

/// A body has 15 s; the rest is for a busy machine.
const BODY_ENDS: Duration = Duration::from_secs(25);
/// A head has 60 s, and so has silence.
const HEAD_ENDS: Duration = Duration::from_secs(75);
/// A desk's connection begins within 5 s.
const BEGINS: Duration = Duration::from_secs(15);

/// Begins a request, and goes on with these bytes now and then where there are any; what was answered until the
/// receiver closed, which it must within this time.
async fn drip(address: String, begin: &'static str, drop: &'static [u8], limit: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(begin.as_bytes()).await.expect("written");
    let (mut from, mut to) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(200));
        while !drop.is_empty() && to.write_all(drop).await.is_ok() {
            ticks.tick().await;
        }
        // The other half stays open.
        to
    });
    let mut answer = Vec::new();
    let read = timeout(limit, from.read_to_end(&mut answer)).await;
    // Where more was sent than was read the end is a reset, which is an end, too.
    let _ = read.unwrap_or_else(|_| panic!("{begin:?} is still open"));
    dripping.abort();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_slow_upload_a_slow_head_and_silence_end() {
    let receiver = Receiver::start().await;
    let address = receiver.running.ready.webhook.replace("http://", "").replace("/webhook", "");
    let head = "POST /webhook HTTP/1.1\r\nhost: x\r\n";
    let body = "POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
    let chunks = "POST /webhook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let answered = tokio::join!(
        drip(address.clone(), body, b"", BODY_ENDS),
        drip(address.clone(), body, b" ", BODY_ENDS),
        drip(address.clone(), chunks, b"1\r\n{\r\n", BODY_ENDS),
        drip(address.clone(), "", b"", HEAD_ENDS),
        drip(address.clone(), head, b"", HEAD_ENDS),
        drip(address.clone(), head, b"x: y\r\n", HEAD_ENDS),
    );
    let slow = "HTTP/1.1 408 Request Timeout";
    assert_eq!([&answered.0, &answered.1, &answered.2], [slow; 3]);
    let no_answer_or = |line: &str| line.is_empty() || line == slow;
    for line in [&answered.3, &answered.4, &answered.5] {
        assert!(no_answer_or(line), "{line}");
    }
    let (id, body) = student_event(1, "created", "S-1", 1);
    assert_eq!(receiver.post(&receiver.sign(id, body)).await.status, StatusCode::OK);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let receiver = Receiver::start().await;
    let address = receiver.running.ready.webhook.replace("http://", "").replace("/webhook", "");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!("POST /webhook HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(40 * 1_024));
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0; 12];
    timeout(BODY_ENDS, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 431");
    receiver.running.stop().await.expect("a clean stop");
}

/// A connection from 127.0.0.`from`, as from another machine.
async fn connect_from(from: u8, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).expect("bound");
    socket.connect(address.parse().expect("an address")).await.expect("connected")
}

#[tokio::test]
async fn beyond_their_number_connections_wait_until_one_ends() {
    let receiver = Receiver::with_connections(4).await;
    let address = receiver.running.ready.webhook.replace("http://", "").replace("/webhook", "");
    let ask = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let answered = async |stream: &mut TcpStream| {
        stream.write_all(ask).await.expect("written");
        stream.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0)
    };
    let mut idle = Vec::new();
    for from in [1, 1, 2, 2] {
        let mut stream = connect_from(from, &address).await;
        assert!(answered(&mut stream).await, "each has its place");
        idle.push(stream);
    }
    let mut waiting = connect_from(3, &address).await;
    waiting.write_all(ask).await.expect("written");
    // Meanwhile the others are served, again and again.
    for _ in 0..100 {
        assert!(answered(&mut idle[0]).await);
    }
    let mut buffer = [0; 1_024];
    assert!(waiting.read(&mut buffer).now_or_never().is_none(), "there was no place for a fifth one");
    drop(idle.pop());
    let read = timeout(BODY_ENDS, waiting.read(&mut buffer)).await.expect("in time").expect("an answer");
    assert!(read > 0, "its turn came");
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn the_desks_door_is_bounded_too() {
    let receiver = Receiver::start().await;
    let mut silent = TcpStream::connect(&receiver.running.ready.grpc).await.expect("connected");
    let mut desk = receiver.desk().await;
    let request = CheckSignatureRequest { body: vec![b' '; 2 << 20], ..CheckSignatureRequest::default() };
    let refused = desk.check_signature(request).await.expect_err("2 MiB");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    desk.get_status(GetStatusRequest {}).await.expect("its connection goes on");
    // It is greeted, and closed for its silence.
    let _ = timeout(BEGINS, silent.read_to_end(&mut Vec::new())).await.expect("it was closed");
    receiver.running.stop().await.expect("a clean stop");
}
