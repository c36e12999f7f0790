//! Connections: to the provider (pinned TLS) and to the school's receiver (loopback, pairing token). A link connects at
//! its first call and again whenever it was lost; whether it holds is watched, so that a screen can say so.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use prost_reflect::{DynamicMessage, MethodDescriptor};
use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{GetServerInfoRequest, staff_service_client::StaffServiceClient},
    school::v1::{GetStatusRequest, receiver_service_client::ReceiverServiceClient},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::timeout};
use tonic::{
    Request, Response, Status, Streaming,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use zeroize::Zeroizing;

use crate::{ErrorCode, ShellError, codec::DynamicCodec};

/// An answer larger than this is refused.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// A call without a stream is given up after this.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at an idle link.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// Between two tries to reach a lost server, growing.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Who answers a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The provider's server.
    Provider,
    /// The school's receiver.
    Receiver,
}

impl Target {
    /// Who answers this method, by its package.
    pub fn of(method: &MethodDescriptor) -> Self {
        match method.parent_service().package_name() {
            "rollcall.school.v1" => Self::Receiver,
            _ => Self::Provider,
        }
    }
}

/// Whether a link holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// No server was chosen, or nobody is signed in.
    NotConnected,
    /// The last call was answered.
    Connected,
    /// The server does not answer; it is tried again by itself.
    Reconnecting,
    /// The server shows another key: nothing is sent until somebody decides.
    ServerKeyChanged,
}

/// A connection and what goes with each call. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    channel: Channel,
    bearer: Option<MetadataValue<Ascii>>,
    target: Target,
}

impl Link {
    /// To a provider whose key is known; connects at the first call.
    ///
    /// # Errors
    /// [`ErrorCode::BadAddress`].
    pub fn provider(address: &str, pin: Pin, token: Option<&str>) -> Result<Self, ShellError> {
        let endpoint = PinnedEndpoint::new(address, pin);
        let endpoint = endpoint.map_err(|error| ShellError::new(ErrorCode::BadAddress, error.to_string()))?;
        Ok(Self { channel: endpoint.connect_lazy(), bearer: token.map(bearer).transpose()?, target: Target::Provider })
    }

    /// To a receiver on this machine; connects at the first call.
    ///
    /// # Errors
    /// [`ErrorCode::BadAddress`] for any but a loopback address, because this link is not encrypted.
    pub fn receiver(address: &str, pairing_token: &str) -> Result<Self, ShellError> {
        let bad = || ShellError::new(ErrorCode::BadAddress, format!("`{address}` is not an address of this machine"));
        if !address.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback()) {
            return Err(bad());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| bad())?;
        let channel = endpoint.connect_timeout(CONNECT_TIMEOUT).connect_lazy();
        Ok(Self { channel, bearer: Some(bearer(pairing_token)?), target: Target::Receiver })
    }

    /// The channel, for the clients that the schema generates.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A request with this link's token.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        request
    }

    /// A call with one answer.
    pub async fn unary(&self, method: &MethodDescriptor, message: DynamicMessage) -> Result<DynamicMessage, Status> {
        let (mut grpc, path) = self.prepare(method).await?;
        let call = grpc.unary(self.request(message), path, DynamicCodec::answering(method.output()));
        let answer = timeout(CALL_TIMEOUT, call).await;
        answer.unwrap_or_else(|_| Err(Status::deadline_exceeded(""))).map(Response::into_inner)
    }

    /// A call with a stream of answers.
    pub async fn stream(
        &self,
        method: &MethodDescriptor,
        message: DynamicMessage,
    ) -> Result<Streaming<DynamicMessage>, Status> {
        let (mut grpc, path) = self.prepare(method).await?;
        let call = grpc.server_streaming(self.request(message), path, DynamicCodec::answering(method.output()));
        let answer = timeout(CALL_TIMEOUT, call).await;
        answer.unwrap_or_else(|_| Err(Status::deadline_exceeded(""))).map(Response::into_inner)
    }

    async fn prepare(&self, method: &MethodDescriptor) -> Result<(Grpc<Channel>, http::uri::PathAndQuery), Status> {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = path.parse().map_err(|_| Status::internal("the method has no path"))?;
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES);
        match timeout(CONNECT_TIMEOUT, grpc.ready()).await {
            Ok(Ok(())) => Ok((grpc, path)),
            Ok(Err(error)) => Err(Status::from_error(Box::new(error))),
            Err(_) => Err(Status::unavailable("")),
        }
    }

    /// Asks something cheap that needs no token and does not prolong a session.
    async fn look(&self) -> Result<(), Status> {
        let asked = async {
            match self.target {
                Target::Provider => {
                    StaffServiceClient::new(self.channel.clone()).get_server_info(GetServerInfoRequest {}).await?;
                }
                Target::Receiver => {
                    let request = self.request(GetStatusRequest {});
                    ReceiverServiceClient::new(self.channel.clone()).get_status(request).await?;
                }
            }
            Ok(())
        };
        timeout(CONNECT_TIMEOUT, asked).await.unwrap_or_else(|_| Err(Status::unavailable("")))
    }
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, ShellError> {
    let text = Zeroizing::new(format!("Bearer {}", token.trim()));
    let wrong = |_| ShellError::new(ErrorCode::Unauthenticated, "the kept token is damaged: sign in again");
    let mut value = MetadataValue::try_from(text.as_str()).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The links in use, one per target.
#[derive(Clone, Default)]
pub struct Links {
    provider: Arc<Slot>,
    receiver: Arc<Slot>,
}

struct Slot {
    link: RwLock<Option<Link>>,
    state: watch::Sender<LinkState>,
    /// Grows when the link is replaced.
    generation: watch::Sender<u64>,
    /// Grows when the server says that the token is of no use any more.
    ended: watch::Sender<u64>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            link: RwLock::new(None),
            state: watch::Sender::new(LinkState::NotConnected),
            generation: watch::Sender::new(0),
            ended: watch::Sender::new(0),
        }
    }
}

impl Links {
    /// Uses this link from now on; streams move over to it. `None` disconnects.
    pub fn set(&self, target: Target, link: Option<Link>) {
        let slot = self.slot(target);
        let state = if link.is_some() { LinkState::Connected } else { LinkState::NotConnected };
        *slot.link.write().expect("no holder of this lock panics") = link;
        slot.state.send_replace(state);
        slot.generation.send_modify(|generation| *generation += 1);
    }

    /// The link in use.
    ///
    /// # Errors
    /// [`ErrorCode::NotConnected`].
    pub fn get(&self, target: Target) -> Result<Link, ShellError> {
        let link = self.slot(target).link.read().expect("no holder of this lock panics").clone();
        link.ok_or_else(|| match target {
            Target::Provider => ShellError::new(ErrorCode::NotConnected, "no provider is connected: sign in first"),
            Target::Receiver => ShellError::new(ErrorCode::NotConnected, "the receiver does not run yet"),
        })
    }

    /// Whether the link holds, now and whenever that changes.
    pub fn state(&self, target: Target) -> watch::Receiver<LinkState> {
        self.slot(target).state.subscribe()
    }

    /// Changes when the link is replaced.
    pub(crate) fn generation(&self, target: Target) -> watch::Receiver<u64> {
        self.slot(target).generation.subscribe()
    }

    /// Changes when the server says that the session behind the link has ended.
    pub fn ended(&self, target: Target) -> watch::Receiver<u64> {
        self.slot(target).ended.subscribe()
    }

    /// Notes what a call told about the link.
    pub(crate) fn note(&self, target: Target, outcome: Result<(), &ShellError>) {
        if outcome.is_err_and(|error| error.code == ErrorCode::Unauthenticated) {
            self.slot(target).ended.send_modify(|times| *times += 1);
        }
        let state = match outcome {
            Err(error) if error.code == ErrorCode::ServerKeyChanged => LinkState::ServerKeyChanged,
            Err(error) if error.is_connection_loss() => LinkState::Reconnecting,
            _ => LinkState::Connected,
        };
        self.slot(target).state.send_if_modified(|held| {
            let changes = *held != LinkState::NotConnected && *held != state;
            if changes {
                *held = state;
            }
            changes
        });
    }

    /// Looks at the link now and then, and often while it is lost, until the program ends.
    pub async fn watch(self, target: Target) {
        let mut state = self.state(target);
        let mut wait = RETRY.0;
        loop {
            let held = *state.borrow_and_update();
            let pause = match held {
                LinkState::NotConnected => None,
                LinkState::Connected => Some(IDLE_LOOK),
                LinkState::Reconnecting => Some(wait),
                LinkState::ServerKeyChanged => Some(RETRY.1),
            };
            let changed = match pause {
                None => state.changed().await,
                Some(pause) => match timeout(pause, state.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => Ok(()),
                },
            };
            if changed.is_err() {
                return;
            }
            if state.has_changed().unwrap_or(false) || *state.borrow() != held {
                wait = RETRY.0;
                continue;
            }
            let Ok(link) = self.get(target) else { continue };
            let looked = link.look().await.map_err(ShellError::from);
            wait = if looked.is_ok() { RETRY.0 } else { (wait * 2).min(RETRY.1) };
            self.note(target, looked.as_ref().map(|_| ()));
        }
    }

    fn slot(&self, target: Target) -> &Slot {
        match target {
            Target::Provider => &self.provider,
            Target::Receiver => &self.receiver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ended_session_is_told_and_no_other_failure_is() {
        let links = Links::default();
        let ended = links.ended(Target::Provider);
        let failure = |code| ShellError::new(code, "");
        links.note(Target::Provider, Ok(()));
        links.note(Target::Provider, Err(&failure(ErrorCode::PermissionDenied)));
        links.note(Target::Provider, Err(&failure(ErrorCode::Unavailable)));
        links.note(Target::Receiver, Err(&failure(ErrorCode::Unauthenticated)));
        assert!(!ended.has_changed().expect("the links live"));
        links.note(Target::Provider, Err(&failure(ErrorCode::Unauthenticated)));
        assert!(ended.has_changed().expect("the links live"));
    }

    /// Nobody dials what was given up, and a late answer does not bring it back.
    #[tokio::test]
    async fn a_link_that_was_given_up_stays_so() {
        let links = Links::default();
        links.set(Target::Receiver, Some(Link::receiver("127.0.0.1:9", "token").expect("a loopback address")));
        links.set(Target::Receiver, None);
        links.note(Target::Receiver, Ok(()));
        links.note(Target::Receiver, Err(&ShellError::new(ErrorCode::Unavailable, "")));
        assert_eq!(*links.state(Target::Receiver).borrow(), LinkState::NotConnected);
        assert_eq!(links.get(Target::Receiver).err().map(|error| error.code), Some(ErrorCode::NotConnected));
    }
}
