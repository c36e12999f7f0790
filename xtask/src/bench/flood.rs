//! Row 15: what a flood costs the calls of those who are signed in: of sign-ins with wrong passwords, of connections that
//! say nothing, of messages that are too large. It comes from addresses of its own, as from other machines, and from a
//! thread of its own that leaves the processors to others: what is measured is the server under a flood, not the flood's maker.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http2, header::CONTENT_TYPE};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use provider_server::background;
use rollcall_proto::{
    pinned::client_config,
    provider::v1::{self as pb, staff_service_client::StaffServiceClient},
};
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    runtime,
    sync::oneshot,
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

use super::{
    Bed,
    figures::{Line, Report, percentile, rounded},
    ingest::put,
    stage::Stage,
};

/// Between two healthy calls.
const EVERY: Duration = Duration::from_millis(10);
/// After a connection that was refused, and between two messages of one caller.
const PAUSE: Duration = Duration::from_millis(320);
/// Callers of a flood of calls, each with a connection.
const CALLERS: u32 = 32;
/// Sign-ins that one address makes; after 100 it would be refused without a look at the password.
const OF_ADDRESS: u32 = 90;
/// Connections that are held open at once, all from one address, or tried to.
const CONNECTIONS: u32 = 2_000;
/// Larger than what is taken.
const OVERSIZE_BYTES: usize = 5 << 20;

#[derive(Clone, Copy)]
enum Flood {
    SignIns,
    Connections,
    Oversize,
}

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let mut alone_ms = 0.0;
    for (flood, key, name) in [
        (None, "flood_alone", "no flood"),
        (Some(Flood::SignIns), "flood_sign_ins", "wrong passwords"),
        (Some(Flood::Connections), "flood_connections", "silent connections"),
        (Some(Flood::Oversize), "flood_oversize", "messages too large"),
    ] {
        let (p50, p99, hits_per_s) = load(bed, flood, key, name).await?;
        if flood.is_none() {
            alone_ms = p99;
        }
        let ratio = p99 / alone_ms;
        let value = json!({
            "p50_ms": rounded(p50), "p99_ms": rounded(p99), "hits_per_s": rounded(hits_per_s),
            "ratio_to_alone": rounded(ratio),
        });
        let row = format!("15 calls at 100/s, {name} at {hits_per_s:.0}/s");
        let measured = format!("p50 {p50:.2} ms, p99 {p99:.2} ms");
        let (limit, ratio) = (format!("{alone_ms:.2} ms alone"), format!("{ratio:.2}"));
        report.other(key, value, Line { row: &row, measured, limit: &limit, ratio: &ratio, target: "≤ 2" });
    }
    Ok(())
}

/// Times of healthy calls, reads and changes in turns, ms: p50 and p99; and how often the flood hit in a second.
async fn load(bed: &Bed<'_>, flood: Option<Flood>, key: &str, name: &str) -> Result<(f64, f64, f64)> {
    let seconds = bed.amount(200).min(20);
    bed.progress.step(format!("floods: {name} for {seconds} s"));
    let stage = Stage::set(bed, key, 1, false).await?;
    stage.stream("warm", 100).await?;
    stage.until_recorded(100).await?;
    let target = Target::of(&stage)?;
    let flooding = flood.map(|flood| elsewhere(flood, target.clone())).transpose()?;
    let begun = Instant::now();
    let mut times = healthy(&stage, begun + Duration::from_secs(seconds)).await?;
    let hits_per_s = target.hits.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    drop(flooding);
    stage.kill_and_clear(bed.folder).await?;
    Ok((percentile(&mut times, 50.0), percentile(&mut times, 99.0), hits_per_s))
}

/// Floods until what it answers is dropped.
fn elsewhere(flood: Flood, target: Target) -> Result<oneshot::Sender<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (flooding, ended) = oneshot::channel();
    let make = async move {
        let mut floods = JoinSet::new();
        match flood {
            Flood::SignIns => (0..CALLERS).for_each(|_| drop(floods.spawn(sign_in(target.clone())))),
            Flood::Connections => {
                (0..CONNECTIONS).for_each(|number| drop(floods.spawn(hold(target.clone(), number))));
            }
            Flood::Oversize => {
                let message = oversize();
                (0..CALLERS).for_each(|_| drop(floods.spawn(overload(target.clone(), message.clone()))));
            }
        }
        // It ends by the drop of its sender.
        let _ = ended.await;
    };
    std::thread::Builder::new()
        .name("flood".into())
        .spawn(move || background::behind_others(|| runtime.block_on(make)))?;
    Ok(flooding)
}

async fn healthy(stage: &Stage, until: Instant) -> Result<Vec<f64>> {
    let (mut students, mut schools) = (stage.admin.students(), stage.admin.schools());
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::new();
    while Instant::now() < until {
        ticks.tick().await;
        let (called, number) = (Instant::now(), times.len() as u64);
        if number.is_multiple_of(2) {
            students.put_student(put(stage, "run", number)).await?;
        } else {
            let school = stage.schools[0].id.clone();
            schools.get_school(pb::GetSchoolRequest { school, ..Default::default() }).await?;
        }
        times.push(called.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// The server, as a flood sees it.
#[derive(Clone)]
struct Target {
    server: SocketAddr,
    tls: TlsConnector,
    /// Addresses that were used.
    addresses: Arc<AtomicU32>,
    hits: Arc<AtomicU64>,
}

impl Target {
    fn of(stage: &Stage) -> Result<Self> {
        let tls = TlsConnector::from(Arc::new(client_config(stage.provider.pin)));
        let server = stage.provider.server.parse()?;
        Ok(Self { server, tls, addresses: Arc::default(), hits: Arc::default() })
    }

    fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// An address of this machine that was not used before: from 127.1.0.0 on.
    fn new_address(&self) -> Ipv4Addr {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number % (1 << 16))
    }

    async fn tcp(&self, from: Ipv4Addr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        socket.connect(self.server).await
    }

    async fn tls(&self, from: Ipv4Addr) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::IpAddress(self.server.ip().into());
        self.tls.connect(name, self.tcp(from).await?).await
    }

    async fn channel(&self, from: Ipv4Addr) -> Result<Channel> {
        let this = self.clone();
        let connector = tower::service_fn(move |_| {
            let this = this.clone();
            async move { this.tls(from).await.map(TokioIo::new) }
        });
        Ok(Endpoint::from_shared(format!("http://{}", self.server))?.connect_with_connector(connector).await?)
    }
}

/// Wrong passwords of names that nobody has, each of which is hashed all the same.
async fn sign_in(target: Target) {
    loop {
        let from = target.new_address();
        let Ok(channel) = target.channel(from).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut staff = StaffServiceClient::new(channel);
        for number in 0..OF_ADDRESS {
            let request = pb::LoginRequest { username: format!("{from}-{number}"), password: "wrong horse".into() };
            let _ = staff.login(request).await;
            target.hit();
        }
    }
}

/// A connection that is silent until the server closes it, then another one: every second one after its handshake.
async fn hold(target: Target, number: u32) {
    let from = Ipv4Addr::new(127, 2, 0, 1);
    loop {
        let silent = async {
            if number.is_multiple_of(2) {
                target.tcp(from).await?.read_to_end(&mut Vec::new()).await
            } else {
                target.tls(from).await?.read_to_end(&mut Vec::new()).await
            }
        };
        let _ = silent.await;
        target.hit();
        tokio::time::sleep(PAUSE).await;
    }
}

/// A call of `Login` with a longer password than any message may be, as it goes over a connection of HTTP/2.
fn oversize() -> Bytes {
    let request = pb::LoginRequest { username: String::new(), password: "x".repeat(OVERSIZE_BYTES) };
    // A message is not compressed, and has its length before it: what the frames of gRPC begin with.
    let length = u32::try_from(request.encoded_len()).expect("a few MiB");
    [&[0][..], &length.to_be_bytes(), &request.encode_to_vec()].concat().into()
}

/// All callers together 100 a second at most: what is flooded is the server, not the machine that both share. The message is
/// made once, for the same reason.
async fn overload(target: Target, message: Bytes) {
    loop {
        let _ = overload_one(&target, &message).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Until the connection is gone, or the answer is another one than that the message is too large.
async fn overload_one(target: &Target, message: &Bytes) -> Result<()> {
    let stream = TokioIo::new(target.tls(target.new_address()).await?);
    let (mut calls, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let refused = (tonic::Code::ResourceExhausted as i32).to_string();
    loop {
        let call = Request::post(format!("https://{}/rollcall.provider.v1.StaffService/Login", target.server))
            .header(CONTENT_TYPE, "application/grpc")
            .body(Full::new(message.clone()))?;
        let answer = calls.send_request(call).await?;
        if answer.headers().get("grpc-status").is_none_or(|status| status != refused.as_str()) {
            bail!("another answer than that it is too large");
        }
        target.hit();
        tokio::time::sleep(PAUSE).await;
    }
}
