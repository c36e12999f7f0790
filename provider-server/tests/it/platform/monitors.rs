//! The port of monitors: its connections are few, and none is kept for long.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::support::Server;

/// A head has 5 s; the rest is for a busy machine.
const HEAD_ENDS: Duration = Duration::from_secs(20);
const PLACES: usize = 64;

#[tokio::test]
async fn silent_monitors_leave_and_make_room() {
    let server = Server::start().await;
    let address = server.running.ready.ops;
    let connect = async |begin: &[u8]| {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(begin).await.expect("written");
        stream
    };
    let mut slow = Vec::new();
    for number in 0..PLACES {
        slow.push(connect(if number % 2 == 0 { b"" } else { b"GET /livez HTTP/1.1\r\nhost:" }).await);
    }
    // One that has no place is closed at once, which says that the others have theirs.
    let mut beyond = connect(b"").await;
    let read = timeout(HEAD_ENDS, beyond.read(&mut [0; 64])).await.expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let ends = slow.into_iter().map(|mut stream| async move {
        let mut told = Vec::new();
        let _ = timeout(HEAD_ENDS, stream.read_to_end(&mut told)).await.expect("closed");
        String::from_utf8_lossy(&told).lines().next().unwrap_or_default().to_owned()
    });
    for told in join_all(ends).await {
        assert!(told.is_empty() || told.contains("408"), "{told}");
    }
    let mut asking = connect(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut answer = String::new();
    asking.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop().await;
}
