//! The program under a flood from other addresses, as it is shipped: what it refuses is answered as it must be, its memory
//! stays bounded, and every delivery that comes meanwhile, each over a connection of its own, is applied once.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt as _, future::join_all, stream};
use reqwest::Client;
use rollcall_proto::webhook::headers::MAX_BODY_BYTES;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use crate::{
    faults::held,
    process::{Served, now_ms},
    support::*,
};

const DELIVERIES: u64 = 300;
/// Deliveries at once.
const AT_ONCE: usize = 8;
/// What one address has of the 1,024 places.
const SHARE: usize = 512;
const MEMORY_BYTES: u64 = 64 << 20;
/// Nothing waits for longer: a body has 15 s, and the machine may be busy.
const LIMIT: Duration = Duration::from_secs(40);
/// Where the floods come from.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 3, 0, 1);
const FURTHER: Ipv4Addr = Ipv4Addr::new(127, 3, 0, 2);

/// The program, and what it was before the flood.
struct Scene {
    folder: TempDir,
    served: Served,
    address: SocketAddr,
    before_bytes: u64,
}

impl Scene {
    async fn new() -> Self {
        let folder = enrolled_folder();
        let served = Served::start(folder.path());
        let address = served.ready.webhook.replace("http://", "").replace("/webhook", "").parse().expect("an address");
        let mut scene = Self { folder, served, address, before_bytes: 0 };
        scene.deliver(1..50).await;
        scene.before_bytes = scene.memory_bytes("VmRSS:");
        scene
    }

    fn memory_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.served.child.id())).expect("it runs");
        let kib = status.lines().find_map(|line| line.strip_prefix(name)).expect("such a line");
        kib.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
    }

    /// Sends these events, each over a connection of its own; each must be applied.
    async fn deliver(&self, numbers: std::ops::Range<u64>) {
        let http = Client::builder().pool_max_idle_per_host(0).no_proxy().build().expect("a client");
        let (http, url) = (&http, &self.served.ready.webhook);
        let sending = stream::iter(numbers).map(|number| async move {
            let (id, body) = student_event(number, "created", &format!("S-{number:05}"), 1);
            let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
            let answer = post(http, url, &request).await.expect("answered");
            assert_eq!((answer.status.as_u16(), &answer.body["result"]), (200, &"applied".into()), "{number}");
        });
        sending.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// Whatever came of the flood: the deliveries are there, once, and the memory was not filled.
    fn ends_well(self, students: u64) {
        let grown_bytes = self.memory_bytes("VmHWM:").saturating_sub(self.before_bytes);
        println!("{} KiB more memory", grown_bytes >> 10);
        assert!(grown_bytes <= MEMORY_BYTES, "{} MiB", grown_bytes >> 20);
        assert_eq!(self.served.terminate(), Some(0));
        let all: BTreeSet<String> = (1..students).map(|number| student_line(&format!("S-{number:05}"), 1)).collect();
        assert!(held(self.folder.path()) == all, "what was delivered is there, and nothing else");
    }

    async fn connect(&self, from: Ipv4Addr) -> TcpStream {
        connect(self.address, from).await
    }
}

async fn connect(to: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("bound");
    socket.connect(to).await.expect("connected")
}

/// The first line of what comes until the other side closes; empty where it cuts the connection.
async fn first_line(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("it is closed");
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_and_slow_heads_of_one_address_have_its_share_and_no_more() {
    const BEYOND: usize = 88;
    let scene = Scene::new().await;
    let (closed, mut is_closed) = watch::channel(0);
    let mut holding = JoinSet::new();
    for number in 0..SHARE + BEYOND {
        let mut stream = scene.connect(ELSEWHERE).await;
        let closed = closed.clone();
        holding.spawn(async move {
            if number.is_multiple_of(2) {
                // As large as a head may be, and not at its end.
                let head = format!("POST /webhook HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(30 * 1_024));
                let _ = stream.write_all(head.as_bytes()).await;
            }
            let _ = stream.read_to_end(&mut Vec::new()).await;
            closed.send_modify(|closed| *closed += 1);
        });
    }
    let beyond = timeout(LIMIT, is_closed.wait_for(|closed| *closed >= BEYOND)).await;
    assert_eq!(*beyond.expect("those beyond the share are closed").expect("open"), BEYOND);
    scene.deliver(50..DELIVERIES).await;
    // Else the program would wait for them at its end.
    holding.shutdown().await;
    scene.ends_well(DELIVERIES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_that_come_slowly_take_turns_and_end() {
    let scene = Scene::new().await;
    let mut sending = JoinSet::new();
    for _ in 0..SHARE {
        let (from, mut to) = scene.connect(ELSEWHERE).await.into_split();
        let head = format!("POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n");
        to.write_all(head.as_bytes()).await.expect("written");
        sending.spawn(async move {
            let most = async {
                // All but the last byte.
                let _ = to.write_all(&vec![b' '; MAX_BODY_BYTES - 1]).await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                line = first_line(from) => line,
                () = most => unreachable!("it never ends"),
            }
        });
    }
    scene.deliver(50..DELIVERIES).await;
    let ends = sending.join_all().await;
    let slow = ends.iter().filter(|line| line.as_str() == "HTTP/1.1 408 Request Timeout").count();
    let cut = ends.iter().filter(|line| line.is_empty()).count();
    // Of a connection that is closed while more comes than is read an answer may be lost.
    assert!(slow > 0 && slow + cut == SHARE, "{slow} were told, {cut} cut: {ends:?}");
    scene.ends_well(DELIVERIES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_oversize_messages_are_refused_while_deliveries_are_applied() {
    const SENDERS: usize = 16;
    let scene = Scene::new().await;
    let (is_over, forged, oversize) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let goes_on = || !is_over.load(Ordering::Relaxed);
    let forge = async |sender: usize| {
        let http =
            Client::builder().local_address(std::net::IpAddr::V4(ELSEWHERE)).no_proxy().build().expect("a client");
        while goes_on() {
            let (id, body) = student_event(1_000_000 + sender as u64, "deleted", "S-00001", 9);
            let mut request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
            // Another length, so that it is read whole before it is refused.
            request.body.resize(20_000, b' ');
            let answer = post(&http, &scene.served.ready.webhook, &request).await.expect("answered");
            assert_eq!(answer.status.as_u16(), 401);
            forged.fetch_add(1, Ordering::Relaxed);
        }
    };
    let overload = async || {
        while goes_on() {
            let mut stream = scene.connect(FURTHER).await;
            let head = format!("POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", MAX_BODY_BYTES + 1);
            stream.write_all(head.as_bytes()).await.expect("written");
            assert_eq!(first_line(stream).await, "HTTP/1.1 413 Payload Too Large");
            oversize.fetch_add(1, Ordering::Relaxed);
        }
    };
    let deliver = async {
        scene.deliver(50..DELIVERIES).await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(join_all((0..SENDERS).map(forge)), join_all((0..SENDERS).map(|_| overload())), deliver);
    let counts = (forged.into_inner(), oversize.into_inner());
    println!("{} forged, {} oversize", counts.0, counts.1);
    assert!(counts.0 >= SENDERS && counts.1 >= SENDERS, "{counts:?}");
    scene.ends_well(DELIVERIES);
}
