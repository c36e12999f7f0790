//! Mail about what a person should look at: one digest for a school, or for a district's imports, when something changed
//! since the last one.
//!
//! What is told is the difference between how things are and what was told, and what was told is kept only once the server
//! took the mail: so a mail is told at least once, whatever ends between the two, and again and again until it is taken.

pub mod settings;
mod status;
mod transport;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    model::digest::{self, News, PARKED_AGAIN_MS, Subject, Told, Words},
    store::{Store, StoreError, chores, mail},
};
pub use status::MailStatus;
pub use transport::{Refused, Transport};

const CHORE: &str = "mail";
/// A server that looked after mail keeps it for so long.
const HOLD: Duration = Duration::from_secs(120);
/// No further mail is begun after this time in a round, so that the chore is still this server's when it ends.
const ROUND: Duration = Duration::from_secs(60);
/// The first wait after a mail that was not taken, and the longest, ms.
const WAITS_MS: (i64, i64) = (30_000, 900_000);

/// A wait that grows with each failure.
#[derive(Clone, Copy, Default)]
struct Wait {
    failures: u32,
    until_ms: i64,
}

impl Wait {
    fn failed(&mut self, now_ms: i64) {
        let wait_ms = WAITS_MS.0 << self.failures.min(10);
        self.failures += 1;
        self.until_ms = now_ms + wait_ms.min(WAITS_MS.1);
    }
}

/// A mail that is due.
struct Due {
    of: Subject,
    words: Words,
    id: String,
    after: Told,
}

/// Looks for what is to be told, and tells it.
pub struct Postman {
    store: Store,
    transport: Transport,
    status: MailStatus,
    /// How this server is named in mails.
    server_name: String,
    /// When something to tell of a subject was seen first, Unix ms. A restart looks anew.
    seen: HashMap<Subject, i64>,
    /// Subjects whose mail was refused.
    refused: HashMap<Subject, Wait>,
    /// The server, while it takes nothing.
    server: Wait,
}

impl Postman {
    /// One that has seen nothing yet.
    pub fn new(store: Store, transport: Transport, status: MailStatus, server_name: String) -> Self {
        let (seen, refused, server) = (HashMap::new(), HashMap::new(), Wait::default());
        Self { store, transport, status, server_name, seen, refused, server }
    }

    /// Looks, and tells what is due, until `stopping`.
    pub async fn run(mut self, stopping: CancellationToken) {
        let every = (self.transport.settings().window / 4).clamp(Duration::from_millis(250), Duration::from_secs(15));
        while tokio::time::timeout(every, stopping.cancelled()).await.is_err() {
            // A mail under way is told again after the next start.
            let round = tokio::select! {
                round = self.round() => round,
                () = stopping.cancelled() => return,
            };
            if let Err(error) = round {
                tracing::warn!(%error, "what mail has to tell is looked for again");
            }
        }
    }

    /// One look, and the mails that are due by it. Of several servers one looks.
    pub async fn round(&mut self) -> Result<(), StoreError> {
        if !chores::take(&self.store, CHORE, HOLD).await? {
            self.seen.clear();
            return Ok(());
        }
        let now_ms = self.store.now_ms();
        let due = self.look(now_ms).await?;
        self.status.waiting(due.len());
        let is_server_waited_for = now_ms < self.server.until_ms && !due.is_empty();
        if is_server_waited_for {
            return Ok(());
        }
        self.tell(due, now_ms).await?;
        if self.refused.is_empty() && self.server.failures == 0 {
            self.status.well();
        }
        Ok(())
    }

    async fn tell(&mut self, due: Vec<Due>, now_ms: i64) -> Result<(), StoreError> {
        let began = Instant::now();
        if due.is_empty() {
            // What could not be told has passed.
            self.server = Wait::default();
        }
        for due in due {
            if began.elapsed() > ROUND || now_ms < self.refused.get(&due.of).copied().unwrap_or_default().until_ms {
                continue;
            }
            let subject = due.of.id();
            match self.transport.send(&due.id, due.words).await {
                Ok(refused) => {
                    for why in refused {
                        tracing::warn!(subject, why, "a recipient of mail is refused for good; the others have it");
                    }
                    self.server = Wait::default();
                    self.refused.remove(&due.of);
                    self.seen.remove(&due.of);
                    let (of, after) = (due.of, due.after);
                    self.store.act(move |tx| Box::pin(mail::keep(tx, of, after, now_ms))).await?;
                    self.status.sent();
                    tracing::info!(subject, "mail was sent");
                }
                Err(Refused::Mail(why)) => {
                    self.refused.entry(due.of).or_default().failed(now_ms);
                    tracing::warn!(subject, why, "a mail was refused and is sent again later");
                    self.status.failed(now_ms, why);
                }
                Err(Refused::Server(why)) => {
                    self.server.failed(now_ms);
                    tracing::warn!(why, "mail cannot be sent and is tried again later");
                    self.status.failed(now_ms, why);
                    break;
                }
            }
        }
        Ok(())
    }

    /// What is due now.
    async fn look(&mut self, now_ms: i64) -> Result<Vec<Due>, StoreError> {
        let mut conn = self.store.reader().await?;
        let observation = mail::observe(&mut conn).await?;
        let window_ms = self.transport.settings().window.as_millis() as i64;
        let (mut due, mut quiet, mut with_news) = (Vec::new(), Vec::new(), HashSet::new());
        for observed in observation.subjects {
            let (news, after) = observed.told.news(&observed.now, now_ms);
            if news.is_empty() {
                if after != observed.told {
                    quiet.push((observed.of, after, observed.told_ms));
                }
                continue;
            }
            with_news.insert(observed.of);
            let seen_ms = *self.seen.entry(observed.of).or_insert(now_ms);
            let only_more_parked = news.iter().all(|one| matches!(one, News::Parked(_)));
            let is_soon = only_more_parked && now_ms - observed.told_ms < PARKED_AGAIN_MS;
            if now_ms - seen_ms < window_ms || is_soon {
                continue;
            }
            let waiting = mail::waiting(&mut conn, observed.of).await?;
            let at = jiff::Timestamp::from_second(now_ms.div_euclid(1_000)).unwrap_or_default().to_string();
            let words = digest::words(observed.of, &observed.called, &news, waiting, &at, &self.server_name);
            due.push(Due { of: observed.of, words, id: mail_id(observed.of, &after), after });
        }
        drop(conn);
        self.seen.retain(|of, _| with_news.contains(of));
        self.refused.retain(|of, _| with_news.contains(of));
        if !quiet.is_empty() || !observation.gone.is_empty() {
            self.keep_quietly(quiet, observation.gone).await?;
        }
        Ok(due)
    }

    /// What changed without being worth a mail.
    async fn keep_quietly(&self, quiet: Vec<(Subject, Told, i64)>, gone: Vec<String>) -> Result<(), StoreError> {
        let keep = self.store.act(move |tx| {
            Box::pin(async move {
                for (of, told, told_ms) in quiet {
                    mail::keep(tx, of, told, told_ms).await?;
                }
                mail::forget(tx, gone).await
            })
        });
        keep.await
    }
}

/// The same for the same news, so that a mail that is sent again is known as the same.
fn mail_id(of: Subject, after: &Told) -> String {
    let told = serde_json::to_vec(after).unwrap_or_default();
    let digest = Sha256::new().chain_update(of.id()).chain_update([0]).chain_update(told).finalize();
    hex::encode(&digest[..16])
}

/// A mail that says nothing but that mail works. Answers what [`Transport::send`] does.
pub async fn send_test(transport: &Transport, at: &str) -> Result<Vec<String>, Refused> {
    let words = Words {
        subject: "Rollcall: a test".into(),
        text: format!("Mail of Rollcall works. This was asked for with `provider-server mail test` at {at}.\n"),
    };
    transport.send(&hex::encode(&Sha256::digest(at)[..16]), words).await
}
