//! Limits: what the same machine does when it does nothing but the one thing.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use bytes::Bytes;
use rollcall_proto::webhook::signature::SigningSecret;
use sqlx::{
    AssertSqlSafe, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::figures::percentile;

/// A request that takes longer is an error, as for the provider.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Of a limit.
const ROUNDS: usize = 5;

/// The plain client that every driver uses: no proxy, no redirects.
pub fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(256)
        .build()?)
}

/// A signed request, ready to be sent.
pub struct Message {
    pub id: String,
    pub body: Bytes,
}

/// Signs and posts `total` messages over so many connections; messages per second. `make` answers the message of a number.
pub async fn signed_posts<F>(url: &str, secret: &SigningSecret, connections: u64, total: u64, make: F) -> Result<f64>
where
    F: Fn(u64) -> Message + Send + Sync + 'static,
{
    let (client, make, next) = (client()?, Arc::new(make), Arc::new(AtomicU64::new(0)));
    let timestamp_s = unix_s();
    let begun = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (client, make, next, secret, url) =
            (client.clone(), make.clone(), next.clone(), secret.clone(), url.to_owned());
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return Ok(());
                }
                let Message { id, body } = make(number);
                let signature = secret.sign(&id, timestamp_s, &body);
                let answer = client
                    .post(&url)
                    .header("content-type", "application/json")
                    .header("webhook-id", id)
                    .header("webhook-timestamp", timestamp_s)
                    .header("webhook-signature", signature)
                    .body(body)
                    .send()
                    .await?;
                if !answer.status().is_success() {
                    bail!("message {number} was answered with {}", answer.status());
                }
            }
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(total as f64 / begun.elapsed().as_secs_f64())
}

/// The median of a few rounds: by which thread meets which, one round has twice the figure of another.
pub async fn median(round: impl AsyncFn() -> Result<f64>) -> Result<f64> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round().await?);
    }
    Ok(percentile(&mut rounds, 50.0))
}

/// Seconds since 1970, for the timestamps of signatures.
#[allow(clippy::disallowed_methods, reason = "a driver stands in the real time of the servers that it drives")]
pub fn unix_s() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The median of a bare durable commit of one small row, in µs.
pub async fn bare_commit_us(folder: &Path, commits: u64) -> Result<f64> {
    let mut database = database(&folder.join("commit.db")).await?;
    let mut times = Vec::new();
    for number in 0..commits {
        let begun = Instant::now();
        let mut transaction = database.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO message (id, body) VALUES ($1, $2)")
            .bind(i64::try_from(number)?)
            .bind(vec![7_u8; 500])
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    database.close().await?;
    Ok(percentile(&mut times, 50.0))
}

/// Rows of a message and of its delivery, in durable batches of 100; messages per second.
pub async fn batched_rows_per_s(folder: &Path, total: u64) -> Result<f64> {
    const BATCH: u64 = 100;
    let mut database = database(&folder.join("batches.db")).await?;
    let pairs = |columns: &str| -> String {
        let places: Vec<String> = (0..BATCH).map(|row| format!("(${}, ${})", row * 2 + 1, row * 2 + 2)).collect();
        format!("INSERT INTO {columns} VALUES {}", places.join(", "))
    };
    let (messages, deliveries) = (pairs("message (id, body)"), pairs("delivery (message, state)"));
    let begun = Instant::now();
    for batch in 0..total / BATCH {
        let mut transaction = database.begin_with("BEGIN IMMEDIATE").await?;
        let mut insert = sqlx::query(AssertSqlSafe(messages.as_str()));
        for row in 0..BATCH {
            insert = insert.bind(i64::try_from(batch * BATCH + row)?).bind(vec![7_u8; 500]);
        }
        insert.execute(&mut *transaction).await?;
        let mut insert = sqlx::query(AssertSqlSafe(deliveries.as_str()));
        for row in 0..BATCH {
            insert = insert.bind(i64::try_from(batch * BATCH + row)?).bind(0_i64);
        }
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    let per_s = (total / BATCH * BATCH) as f64 / begun.elapsed().as_secs_f64();
    database.close().await?;
    Ok(per_s)
}

async fn database(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut database = SqliteConnection::connect_with(&options).await?;
    for table in
        ["message (id INTEGER PRIMARY KEY, body BLOB)", "delivery (message INTEGER PRIMARY KEY, state INTEGER)"]
    {
        sqlx::query(AssertSqlSafe(format!("CREATE TABLE {table}"))).execute(&mut database).await?;
    }
    Ok(database)
}
