//! Tokens that were looked up lately. A revocation takes effect at once: it forgets the entry and ends its streams. At other
//! servers of the same database it does so when they look again.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Frame, SizeHint};
use rollcall_proto::id::{SchoolId, StaffId};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};

use crate::{
    model::access::{Caller, Role, Scope},
    store::{
        Store, StoreError,
        audit::{self, AuditAct},
        tokens::{self, Holder, TokenHash},
    },
};

/// A looked-up token is asked for again after this time, and while a stream of it goes on; ms.
const FRESH_MS: i64 = 5_000;
const MAX_ENTRIES: usize = 10_000;
/// A caller's refusals of one rpc make one audit row in this time, ms.
const DENIAL_MS: i64 = 60_000;
const MAX_DENIALS: usize = 1_000;

/// A caller whose token was accepted, as the request carries it.
pub struct Identity {
    /// What handlers need.
    pub caller: Caller,
    /// What may be called.
    pub role: Role,
    /// The account, for staff.
    pub staff: Option<StaffId>,
    /// Names the session.
    pub token: TokenHash,
    expires_ms: i64,
    read_ms: i64,
    last_used_ms: AtomicI64,
    revoked: CancellationToken,
}

#[derive(Default)]
struct Entries {
    by_token: HashMap<TokenHash, Arc<Identity>>,
    /// Grows with every revocation, so that a lookup that began before one is not kept.
    generation: u64,
    denials: HashMap<(String, String), i64>,
}

/// What became of a token that was looked up.
enum Kept {
    Yes(Arc<Identity>),
    Ended,
    /// Something was revoked since: look again.
    Outdated,
}

/// The cache; cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    entries: Arc<Mutex<Entries>>,
}

impl Sessions {
    /// An empty cache over the store.
    pub fn new(store: Store) -> Self {
        Self { store, entries: Arc::default() }
    }

    /// The holder of a token, `None` where it is not valid.
    pub async fn find(&self, token: &str) -> Result<Option<Arc<Identity>>, StoreError> {
        let (hash, now_ms) = (tokens::hash_token(token), self.store.now_ms());
        loop {
            let generation = {
                let entries = self.entries();
                if let Some(known) = entries.by_token.get(&hash).filter(|known| known.is_fresh(now_ms)) {
                    let known = known.clone();
                    drop(entries);
                    self.touch(&known, now_ms);
                    return Ok(Some(known));
                }
                entries.generation
            };
            let holder = tokens::find_holder(&mut self.store.reader().await?, token, now_ms).await?;
            match self.keep(hash, holder, now_ms, generation) {
                Kept::Yes(identity) => {
                    self.touch(&identity, now_ms);
                    return Ok(Some(identity));
                }
                Kept::Ended => return Ok(None),
                // What was revoked meanwhile may be this one, and nothing would end a stream of it.
                Kept::Outdated => {}
            }
        }
    }

    fn keep(&self, hash: TokenHash, holder: Option<Holder>, now_ms: i64, generation: u64) -> Kept {
        let mut entries = self.entries();
        let Some(holder) = holder else {
            if let Some(known) = entries.by_token.remove(&hash) {
                known.revoked.cancel();
            }
            return Kept::Ended;
        };
        if entries.generation != generation {
            return Kept::Outdated;
        }
        let before = entries.by_token.get(&hash);
        let identity = Arc::new(Identity {
            caller: holder.caller,
            role: holder.role,
            staff: holder.staff,
            token: hash,
            expires_ms: holder.expires_ms,
            read_ms: now_ms,
            last_used_ms: holder.last_used_ms.into(),
            // Streams that began with the earlier entry end with this one too.
            revoked: before.map_or_else(CancellationToken::new, |before| before.revoked.clone()),
        });
        if entries.by_token.len() >= MAX_ENTRIES {
            entries.by_token.retain(|_, known| known.is_fresh(now_ms));
        }
        entries.by_token.insert(hash, identity.clone());
        Kept::Yes(identity)
    }

    /// Ends once another server has revoked the token; a stream that goes on is a use of it.
    async fn revoked_elsewhere(&self, identity: &Identity) {
        loop {
            tokio::time::sleep(Duration::from_millis(FRESH_MS as u64)).await;
            let now_ms = self.store.now_ms();
            let held = async {
                let mut conn = self.store.reader().await?;
                tokens::is_held(&mut conn, identity.token, identity.staff.is_some(), now_ms).await
            };
            match held.await {
                Ok(true) => self.touch(identity, now_ms),
                Ok(false) => return self.forget_token(&identity.token),
                // Whether the stream goes on without the database is its own affair.
                Err(error) => tracing::debug!(%error, "whether a session still holds is not known"),
            }
        }
    }

    /// An answered stream that ends when the token does, or when the server stops.
    pub(super) fn end_with_session(
        &self,
        identity: Arc<Identity>,
        response: Response<Body>,
        stopping: Option<CancellationToken>,
    ) -> Response<Body> {
        let sessions = self.clone();
        let left_ms = identity.expires_ms.saturating_sub(identity.read_ms).clamp(0, 30 * 86_400_000) as u64;
        let ended = Box::pin(async move {
            let stopped = async {
                match stopping {
                    Some(stopping) => stopping.cancelled_owned().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopped => return Status::unavailable("the server is stopping: try again"),
                () = identity.revoked.cancelled() => {}
                () = sessions.revoked_elsewhere(&identity) => {}
                () = tokio::time::sleep(Duration::from_millis(left_ms)) => {}
            }
            Status::unauthenticated("sign in again: the session has ended")
        });
        response.map(|inner| Body::new(UntilEnded { inner, ended, done: false }))
    }

    /// Ends one session at once; its row is gone already.
    pub fn forget_token(&self, token: &TokenHash) {
        self.forget(|known| known.token == *token);
    }

    /// Ends the sessions of an account at once; their rows are gone already.
    pub fn forget_staff(&self, staff: StaffId) {
        self.forget(|known| known.staff == Some(staff));
    }

    /// Ends the tokens of a school's installations at once; the row has changed already.
    pub fn forget_school(&self, school: SchoolId) {
        self.forget(|known| matches!(known.caller.scope, Scope::School(_, own) if own == school));
    }

    fn forget(&self, ended: impl Fn(&Identity) -> bool) {
        let mut entries = self.entries();
        entries.generation += 1;
        entries.by_token.retain(|_, known| {
            let ends = ended(known);
            if ends {
                known.revoked.cancel();
            }
            !ends
        });
    }

    fn touch(&self, identity: &Identity, now_ms: i64) {
        let last = identity.last_used_ms.load(Ordering::Relaxed);
        let due = identity.staff.is_some() && now_ms - last >= tokens::TOUCH_MS;
        let mine = || identity.last_used_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if due && mine().is_ok() {
            let (store, token) = (self.store.clone(), identity.token);
            tokio::spawn(async move {
                if let Err(error) = store.act(move |tx| Box::pin(tokens::touch(tx, token))).await {
                    tracing::warn!(%error, "the last use of a session was not written down");
                }
            });
        }
    }

    /// Keeps that a role was refused an rpc, at most once a minute for each caller and rpc.
    pub fn record_denial(&self, identity: &Identity, path: &str) {
        let now_ms = self.store.now_ms();
        {
            let denials = &mut self.entries().denials;
            denials.retain(|_, at_ms| now_ms - *at_ms < DENIAL_MS);
            let key = (identity.caller.actor.clone(), path.to_owned());
            if denials.len() >= MAX_DENIALS || denials.insert(key, now_ms).is_some() {
                return;
            }
        }
        let act = AuditAct::in_installation(&identity.caller.actor, "access.denied", path);
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.act(move |tx| Box::pin(audit::append(tx, vec![act]))).await {
                tracing::warn!(%error, "a refused call was not written down");
            }
        });
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().expect("no holder of this lock panics")
    }
}

impl Identity {
    fn is_fresh(&self, now_ms: i64) -> bool {
        (0..FRESH_MS).contains(&(now_ms - self.read_ms)) && now_ms < self.expires_ms
    }
}

struct UntilEnded {
    inner: Body,
    ended: Pin<Box<dyn Future<Output = Status> + Send>>,
    done: bool,
}

impl hyper::body::Body for UntilEnded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.done {
            return Poll::Ready(None);
        }
        if let Poll::Ready(status) = self.ended.as_mut().poll(context) {
            self.done = true;
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers)?;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
