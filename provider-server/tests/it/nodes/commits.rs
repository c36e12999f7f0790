//! A connection that is lost in a COMMIT: what became of it is looked up by its id, and nothing is done twice.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use provider_server::{
    clock::{Entropy, ManualClock},
    sealing::{Keyring, SealingKey},
    store::{Store, StoreError, Value},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
};

use super::is_shared;
use crate::support::{START_MS, TestDatabase, Upstream};

const PASS: u8 = 0;
/// The COMMIT arrives, its answer does not.
const CUT_AFTER: u8 = 1;
/// The COMMIT does not arrive.
const CUT_BEFORE: u8 = 2;

/// Stands between a server and its database, and cuts one connection in its next commit.
struct Proxy {
    address: std::net::SocketAddr,
    mode: Arc<AtomicU8>,
}

impl Proxy {
    async fn start(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mode = Arc::new(AtomicU8::new(PASS));
        let modes = mode.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, mode) = (upstream.clone(), modes.clone());
                tokio::spawn(async move {
                    match upstream {
                        Upstream::Socket(path) => {
                            pass(client, UnixStream::connect(path).await.expect("the server"), mode).await;
                        }
                        Upstream::Tcp(address) => {
                            pass(client, TcpStream::connect(address).await.expect("the server"), mode).await;
                        }
                    }
                });
            }
        });
        Self { address, mode }
    }
}

async fn pass(client: TcpStream, server: impl AsyncRead + AsyncWrite, mode: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(count) = read else { return };
                if count == 0 {
                    return;
                }
                let part = &asked[..count];
                let commits = part.windows(7).any(|window| window == b"COMMIT\0");
                match if commits { mode.swap(PASS, Ordering::SeqCst) } else { PASS } {
                    CUT_BEFORE => return,
                    CUT_AFTER => {
                        to_server.write_all(part).await.expect("passed on");
                        // The answer, which says that it is durable, goes nowhere.
                        assert!(from_server.read(&mut answered).await.expect("answered") > 0);
                        return;
                    }
                    _ => to_server.write_all(part).await.expect("passed on"),
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(count) = read else { return };
                if count == 0 || to_client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn note(store: &Store, name: &'static str) -> Result<u64, StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)";
    let values = vec![Value::from(name), vec![1].into()];
    store.act(move |tx| Box::pin(async move { tx.conn.execute(sql, values).await })).await
}

async fn noted(store: &Store) -> Vec<String> {
    let sql = "SELECT name FROM meta WHERE name LIKE 'note-%' ORDER BY name";
    let rows = store.reader().await.expect("a reader").query(sql, vec![]).await.expect("rows");
    rows.into_iter().map(|mut row| row.take(0).expect("a name")).collect()
}

#[tokio::test]
async fn an_unanswered_commit_is_looked_up_and_never_repeated() {
    if !is_shared("commits") {
        return;
    }
    let database = TestDatabase::new();
    let proxy = Proxy::start(database.upstream()).await;
    let entropy = Entropy::seeded(1);
    let keyring = Keyring::new(vec![SealingKey::generate(START_MS, &entropy)]);
    let clock = Arc::new(ManualClock::at(START_MS));
    let url = database.url_through(proxy.address);
    let (store, _committed) = Store::open(&url, [1; 16], keyring, clock, entropy).await.expect("the store opens");

    assert_eq!(note(&store, "note-1").await.expect("stored"), 1);
    proxy.mode.store(CUT_AFTER, Ordering::SeqCst);
    assert_eq!(note(&store, "note-2").await.expect("it was committed, and that was found out"), 1);
    proxy.mode.store(CUT_BEFORE, Ordering::SeqCst);
    let lost = note(&store, "note-3").await.expect_err("it was not committed, and that was found out");
    assert!(matches!(lost, StoreError::Unreachable), "{lost}");
    assert_eq!(noted(&store).await, ["note-1", "note-2"]);
    assert_eq!(note(&store, "note-3").await.expect("stored"), 1, "the next one has a connection again");
    assert_eq!(noted(&store).await, ["note-1", "note-2", "note-3"]);
    store.close().await;
}
