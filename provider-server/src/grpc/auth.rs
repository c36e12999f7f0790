//! Who may call: every rpc passes here once, a stream at its start. The schema's `access` option decides; an rpc
//! without it is refused.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use rollcall_proto::{access::ACCESS, json::POOL, oversize, provider::v1::Role as RpcRole};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::{sessions::Sessions, status};
use crate::{
    metrics::{Metrics, Rpc},
    model::access::{Caller, Role},
};

pub use super::sessions::Identity;

/// A call that takes no stream is answered within this time.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// Served by the health service of tonic; tells nothing but whether the server serves.
const HEALTH: &str = "/grpc.health.v1.Health/";
/// The same for a missing, an unknown, an expired and a revoked token.
const NO_TOKEN: &str = "sign in: the token is missing or not valid";

/// The caller behind a request, for handlers of rpcs that need a token.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    identity(request).map(|identity| identity.caller.clone())
}

/// The caller with token and account.
pub fn identity<T>(request: &tonic::Request<T>) -> Result<Arc<Identity>, Status> {
    request.extensions().get::<Arc<Identity>>().cloned().ok_or_else(|| Status::unauthenticated(NO_TOKEN))
}

/// Paths of the schema's rpcs that take or answer a stream.
struct Streams {
    taken: HashSet<String>,
    answered: HashSet<String>,
}

static STREAMS: LazyLock<Streams> = LazyLock::new(|| {
    let mut streams = Streams { taken: HashSet::new(), answered: HashSet::new() };
    for method in POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        if method.is_client_streaming() {
            streams.taken.insert(path.clone());
        }
        if method.is_server_streaming() {
            streams.answered.insert(path);
        }
    }
    streams
});

/// Whether a role may call an rpc that allows these. An owner may call whatever any staff role may.
fn may_call(role: Role, allowed: &[RpcRole]) -> bool {
    let named = match role {
        Role::Owner => return allowed.iter().any(|role| !matches!(role, RpcRole::Unspecified | RpcRole::School)),
        Role::Operator => RpcRole::Operator,
        Role::Viewer => RpcRole::Viewer,
        Role::Auditor => RpcRole::Auditor,
        Role::School => RpcRole::School,
    };
    allowed.contains(&named)
}

/// Wraps all services with the check.
#[derive(Clone)]
pub struct AuthLayer {
    access: &'static HashMap<String, Vec<RpcRole>>,
    sessions: Sessions,
    metrics: Metrics,
    stopping: CancellationToken,
}

impl AuthLayer {
    /// The check by the schema.
    pub fn new(sessions: Sessions, metrics: Metrics, stopping: CancellationToken) -> Self {
        Self { access: &ACCESS, sessions, metrics, stopping }
    }

    async fn admit(&self, path: &str, headers: &HeaderMap) -> Result<Option<Arc<Identity>>, Status> {
        if path.starts_with(HEALTH) {
            return Ok(None);
        }
        let Some(allowed) = self.access.get(path) else {
            return Err(Status::permission_denied("this call is not open to anyone"));
        };
        if allowed.contains(&RpcRole::Public) {
            return Ok(None);
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        let found = match token {
            Some(token) => self.sessions.find(token).await.map_err(status::to_status)?,
            None => None,
        };
        let identity = found.ok_or_else(|| Status::unauthenticated(NO_TOKEN))?;
        if !may_call(identity.role, allowed) {
            self.sessions.record_denial(&identity, path);
            let message = format!("the role {} may not do this", identity.role.as_str());
            return Err(Status::permission_denied(message));
        }
        Ok(Some(identity))
    }
}

impl AuthLayer {
    fn count(&self, path: String, response: &Response<Body>, began: Instant) {
        let code = response.headers().get(Status::GRPC_STATUS).and_then(|code| code.to_str().ok()?.parse().ok());
        // Only names of the schema become labels.
        let method = if self.access.contains_key(&path) { path } else { String::new() };
        self.metrics.rpcs.get_or_create(&Rpc { method, code: code.unwrap_or(0) }).inc();
        self.metrics.rpc_seconds.observe(began.elapsed().as_secs_f64());
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Checked<S>;

    fn layer(&self, inner: S) -> Checked<S> {
        Checked { inner, auth: self.clone() }
    }
}

/// A service behind the check.
#[derive(Clone)]
pub struct Checked<S> {
    inner: S,
    auth: AuthLayer,
}

impl<S> Service<Request<Body>> for Checked<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The clone stays behind; the one that said it is ready is used.
        let waiting = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, waiting);
        let auth = self.auth.clone();
        Box::pin(async move {
            let began = Instant::now();
            let path = request.uri().path().to_owned();
            let answer = match auth.admit(&path, request.headers()).await {
                Err(status) => Ok(status.into_http()),
                Ok(None) => run(&path, inner.call(request)).await,
                Ok(Some(identity)) => {
                    request.extensions_mut().insert(identity.clone());
                    let stopping = (!STREAMS.taken.contains(&path)).then(|| auth.stopping.clone());
                    let answer = run(&path, inner.call(request)).await;
                    let ended = |response| auth.sessions.end_with_session(identity, response, stopping);
                    if STREAMS.answered.contains(&path) { answer.map(ended) } else { answer }
                }
            };
            if let Ok(response) = &answer {
                auth.count(path, response, began);
            }
            answer
        })
    }
}

/// Runs a handler: bounded in time where it takes no stream, and its panic ends its own call alone.
async fn run<E>(path: &str, call: impl Future<Output = Result<Response<Body>, E>>) -> Result<Response<Body>, E> {
    let call = AssertUnwindSafe(call).catch_unwind();
    let answer = if STREAMS.taken.contains(path) {
        call.await
    } else {
        match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(answer) => answer,
            Err(_) => return Ok(Status::deadline_exceeded("the call took longer than 60 s").into_http()),
        }
    };
    answer.map(|answer| answer.map(oversize::response)).unwrap_or_else(|_| {
        tracing::error!(path, "a handler panicked");
        Ok(status::fault().into_http())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_no_school_and_a_school_is_no_staff() {
        assert!(may_call(Role::Owner, &[RpcRole::Viewer]));
        assert!(!may_call(Role::Owner, &[RpcRole::School]));
        assert!(!may_call(Role::Owner, &[RpcRole::Unspecified]));
        assert!(!may_call(Role::School, &[RpcRole::Viewer, RpcRole::Operator]));
        assert!(!may_call(Role::Viewer, &[RpcRole::Operator]));
        assert!(may_call(Role::School, &[RpcRole::School]));
    }

    #[test]
    fn streams_are_known_from_the_schema() {
        assert!(STREAMS.taken.contains("/rollcall.provider.v1.StudentService/Apply"));
        assert!(STREAMS.answered.contains("/rollcall.provider.v1.LogService/TailAttempts"));
        assert!(!STREAMS.taken.contains("/rollcall.provider.v1.StudentService/PutStudent"));
    }
}
