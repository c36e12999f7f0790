//! An HTTP server that reads everything and answers 204: where the bench's messages end, and the limit of a receiver.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::timeout,
};

/// As a school's receiver has it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Nothing arrives for this long: something is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// A sink as a process of its own, started by the bench.
#[derive(Args)]
pub struct SinkProcess {
    #[arg(long)]
    ready_json: PathBuf,
}

impl SinkProcess {
    /// Until it is killed.
    pub async fn run(self) -> Result<ExitCode> {
        let sink = Sink::start(false).await?;
        let ready = serde_json::json!({ "pid": std::process::id(), "webhook": sink.url() });
        std::fs::write(&self.ready_json, ready.to_string())?;
        crate::process::interrupted().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A sink in this process.
pub struct Sink {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Messages whose body was read, answered or not.
    received: AtomicU64,
    /// Messages that were answered.
    count: AtomicU64,
    /// While true, nothing is answered.
    held: watch::Sender<bool>,
    /// When something was answered first after a hold.
    first: OnceLock<Instant>,
    changed: Notify,
    /// When each student's message came first, where that is wanted.
    arrivals: Option<Mutex<HashMap<String, Instant>>>,
}

impl Sink {
    /// Listens on a free port of the loopback; `timed` keeps each student's arrival.
    pub async fn start(timed: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen { arrivals: timed.then(Mutex::default), ..Seen::default() });
        tokio::spawn(serve(listener, seen.clone()));
        Ok(Self { address, seen })
    }

    pub fn url(&self) -> String {
        format!("http://{}/webhook", self.address)
    }

    /// Messages so far.
    pub fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// Waits until so many have come in all.
    pub async fn until(&self, count: u64) -> Result<()> {
        loop {
            let changed = self.seen.changed.notified();
            let before = self.count();
            if before >= count {
                return Ok(());
            }
            if timeout(STUCK, changed).await.is_err() && self.count() == before {
                bail!("only {before} of {count} messages came, and none for {STUCK:?}");
            }
        }
    }

    /// Answers nothing from now on, or everything again.
    pub fn hold(&self, hold: bool) {
        self.seen.held.send_replace(hold);
    }

    /// Waits until nobody waits for an answer: their connections are closed, where nothing is answered.
    pub async fn until_deserted(&self) -> Result<()> {
        // Each request that waits holds a receiver.
        timeout(STUCK, self.seen.held.closed()).await.context("requests are still open")
    }

    /// Bodies that were read, whether they were answered or not.
    pub fn received(&self) -> u64 {
        self.seen.received.load(Ordering::Relaxed)
    }

    /// When the first message was answered; waits for it. `None` where none comes.
    pub async fn first_answered(&self) -> Result<Option<Instant>> {
        self.until(1).await?;
        Ok(self.seen.first.get().copied())
    }

    /// Waits until messages of so many students came in all.
    pub async fn until_known(&self, count: u64) -> Result<()> {
        let known = || self.seen.arrivals.as_ref().map_or(0, |a| a.lock().expect("no holder panics").len() as u64);
        loop {
            let changed = self.seen.changed.notified();
            let before = known();
            if before >= count {
                return Ok(());
            }
            if timeout(STUCK, changed).await.is_err() && known() == before {
                bail!("messages of only {before} of {count} students came, and none for {STUCK:?}");
            }
        }
    }

    /// When the first message of a student came.
    pub fn arrival(&self, sourced_id: &str) -> Option<Instant> {
        let arrivals = self.seen.arrivals.as_ref()?;
        arrivals.lock().expect("no holder of this lock panics").get(sourced_id).copied()
    }
}

async fn serve(listener: TcpListener, seen: Arc<Seen>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let seen = seen.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &seen));
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, seen: &Seen) -> Result<Response<Empty<Bytes>>, Infallible> {
    // A body that breaks off is nobody's message.
    if let Ok(body) = request.into_body().collect().await {
        let now = Instant::now();
        if let Some(arrivals) = &seen.arrivals
            && let Ok(student) = sourced_id(&body.to_bytes())
        {
            arrivals.lock().expect("no holder of this lock panics").entry(student).or_insert(now);
        }
        seen.received.fetch_add(1, Ordering::Relaxed);
        let is_held = *seen.held.borrow();
        if is_held {
            // The one who holds lives as long as this.
            let _ = seen.held.subscribe().wait_for(|held| !held).await;
        }
        seen.first.get_or_init(Instant::now);
        seen.count.fetch_add(1, Ordering::Relaxed);
        seen.changed.notify_waiters();
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn sourced_id(body: &[u8]) -> Result<String> {
    let message: serde_json::Value = serde_json::from_slice(body)?;
    Ok(message["data"]["object"]["sourcedId"].as_str().context("no student")?.to_owned())
}
