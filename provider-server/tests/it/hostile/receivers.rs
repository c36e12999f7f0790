//! Receivers on real sockets that do what a list of steps says, to each connection anew.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Between two drops of what drips.
const DRIP: Duration = Duration::from_millis(50);
/// A connection that is not made by then finds no place.
const NO_PLACE: Duration = Duration::from_millis(300);

/// One step of what a receiver does. After the last one it closes.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads the request, head and body.
    Read,
    /// Reads whatever comes first, of TLS or anything.
    ReadSome,
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Sends these bytes again and again, slowly, until the other side leaves.
    Drip(&'static [u8]),
    /// Sends these bytes again and again, as fast as they go, until the other side leaves.
    Flood(Vec<u8>),
    /// Says nothing until the other side leaves.
    Hang,
    /// Ends the connection with a reset.
    Reset,
}

/// How a receiver is reached.
#[derive(Clone)]
pub enum Door {
    Plain,
    Tls(Arc<ServerConfig>),
    /// Listens, but accepts nobody, and nobody finds a place in its queue any more.
    Full,
}

/// A running receiver; it ends with this value.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicU32,
    longest: Mutex<Duration>,
}

impl Receiver {
    /// Listens; does nothing before the gate is open.
    pub async fn start(door: Door, steps: Vec<Step>, gate: watch::Receiver<bool>) -> Self {
        if let Door::Full = door {
            let (address, serving) = fill().await;
            return Self { address, seen: Arc::default(), serving };
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener, door, steps, gate)
    }

    /// The same on this socket.
    pub fn on(listener: TcpListener, door: Door, steps: Vec<Step>, gate: watch::Receiver<bool>) -> Self {
        let (address, seen) = (listener.local_addr().expect("bound"), Arc::new(Seen::default()));
        let serving = tokio::spawn(serve(listener, door, steps.into(), gate, seen.clone()));
        Self { address, seen, serving }
    }

    /// Connections that came.
    pub fn connections(&self) -> u32 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// How long one of them was kept at most.
    pub fn longest(&self) -> Duration {
        *self.seen.longest.lock().expect("not poisoned")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, door: Door, steps: Arc<[Step]>, gate: watch::Receiver<bool>, seen: Arc<Seen>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        seen.connections.fetch_add(1, Ordering::Relaxed);
        let (door, steps, mut gate, seen) = (door.clone(), steps.clone(), gate.clone(), seen.clone());
        tokio::spawn(async move {
            let begun = Instant::now();
            let _ = gate.wait_for(|open| *open).await;
            // That the other side leaves is what most steps wait for.
            let _ = attend(stream, door, &steps).await;
            let mut longest = seen.longest.lock().expect("not poisoned");
            *longest = begun.elapsed().max(*longest);
        });
    }
}

async fn attend(mut stream: TcpStream, door: Door, steps: &[Step]) -> io::Result<()> {
    match door {
        Door::Tls(config) => {
            let mut stream = TlsAcceptor::from(config).accept(stream).await?;
            play(&mut stream, steps).await
        }
        _ => {
            play(&mut stream, steps).await?;
            if matches!(steps.last(), Some(Step::Reset)) { stream.set_zero_linger() } else { Ok(()) }
        }
    }
}

async fn play(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match step {
            Step::Read => read_request(stream).await?,
            Step::ReadSome => _ = stream.read(&mut [0; 4_096]).await?,
            Step::Say(bytes) => stream.write_all(bytes).await?,
            Step::Drip(bytes) => {
                let mut drops = tokio::time::interval(DRIP);
                loop {
                    drops.tick().await;
                    stream.write_all(bytes).await?;
                }
            }
            Step::Flood(bytes) => loop {
                stream.write_all(bytes).await?;
            },
            Step::Hang => while stream.read(&mut [0; 4_096]).await? > 0 {},
            Step::Reset => {}
        }
        stream.flush().await?;
    }
    Ok(())
}

/// Reads all of it: what is left unread would make the end of a connection a reset.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = request.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let body_bytes: usize = length.map_or(0, |length| length.trim().parse().expect("a length"));
        if request.len() >= head + 4 + body_bytes {
            return Ok(());
        }
    }
}

/// A listener whose queue is full, and what fills it.
async fn fill() -> (SocketAddr, JoinHandle<()>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("bound");
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(NO_PLACE, TcpStream::connect(address)).await {
        waiting.push(stream.expect("a place"));
        assert!(waiting.len() < 100, "the queue is never full");
    }
    let holding = tokio::spawn(async move {
        let _held = (listener, waiting);
        std::future::pending().await
    });
    (address, holding)
}
