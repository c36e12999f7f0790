//! A member of staff's session: which server, its key, who is signed in. The token stays in memory and in the
//! operating system's keychain; the webview learns who and where, and never the token.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rollcall_keychain::{Keychain, KeychainError};
use rollcall_proto::{
    pinned::Pin,
    provider::v1::{
        ClaimOwnerRequest, LoginRequest, LogoutRequest, SessionGrant, Staff, WhoAmIRequest,
        staff_service_client::StaffServiceClient,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    ErrorCode, Link, Links, ShellError, Target,
    check::{ServerCheck, check},
    transfer::message_json,
};

/// Where the keychain keeps the session of the Provider Console.
pub const KEYCHAIN_SERVICE: &str = "rollcall-provider-console";
/// The account there.
pub const ACCOUNT: &str = "session";
const TIMEOUT: Duration = Duration::from_secs(20);
/// Servers that are remembered.
const MAX_SERVERS: usize = 20;

/// A server whose key is known, like a line of known hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `host:port`.
    pub address: String,
    /// SHA-256 of its public key, hex.
    pub pin: String,
}

/// What the webview knows of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionInfo {
    /// Where.
    pub server: Server,
    /// The account (`Staff` of the schema).
    pub staff: Value,
    /// When the token ends at the latest; RFC 3339.
    pub expires_at: Option<String>,
    /// Whether the next start finds it; else why not.
    pub kept: Kept,
}

/// Whether the session was put into the keychain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
pub enum Kept {
    /// It is there.
    Keychain,
    /// It ends with the program, because of this.
    No { error: ShellError },
}

/// Credentials as the webview hands them over; overwritten after use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The server, with the key that was shown to and accepted by the person.
    pub server: Server,
    pub username: String,
    pub password: String,
    /// The one-time owner code, where the first owner is claimed.
    #[serde(default)]
    pub owner_code: String,
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.password.zeroize();
        self.owner_code.zeroize();
    }
}

/// What the keychain holds. No Debug.
#[derive(Serialize, Deserialize)]
struct Stored {
    server: Server,
    token: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

/// What the keychain holds for a session, for programs that hand one over through it.
pub fn keychain_value(server: &Server, token: &str) -> Zeroizing<Vec<u8>> {
    let stored = Stored { server: server.clone(), token: token.to_owned() };
    Zeroizing::new(serde_json::to_vec(&stored).expect("plain data"))
}

/// Opens, resumes and ends the session. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    links: Links,
    keychain: Keychain,
    servers_file: PathBuf,
    now: Arc<Mutex<Option<SessionInfo>>>,
}

impl Sessions {
    /// `folder` holds what is not secret: the known servers.
    pub fn new(links: Links, keychain: Keychain, folder: &Path) -> Self {
        Self { links, keychain, servers_file: folder.join("servers.json"), now: Arc::default() }
    }

    /// The session, if somebody is signed in.
    pub fn current(&self) -> Option<SessionInfo> {
        self.now.lock().expect("no holder of this lock panics").clone()
    }

    /// Servers that somebody signed in to, the last one first.
    pub fn servers(&self) -> Vec<Server> {
        let read = std::fs::read(&self.servers_file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.unwrap_or_default()
    }

    /// Looks at a server, with its key if it is known.
    ///
    /// # Errors
    /// As [`check`].
    pub async fn check(&self, address: &str) -> Result<ServerCheck, ShellError> {
        let address = address.trim();
        let known = self.servers().into_iter().find(|server| server.address == address);
        check(address, known.and_then(|server| server.pin.parse().ok())).await
    }

    /// Signs in, or claims the first owner where an owner code is given.
    ///
    /// # Errors
    /// As the server answered.
    pub async fn sign_in(&self, credentials: Credentials) -> Result<SessionInfo, ShellError> {
        let link = link(&credentials.server, None)?;
        let mut client = StaffServiceClient::new(link.channel());
        let granted = if credentials.owner_code.trim().is_empty() {
            let request =
                LoginRequest { username: credentials.username.clone(), password: credentials.password.clone() };
            answer(client.login(request)).await
        } else {
            let request = ClaimOwnerRequest {
                code: credentials.owner_code.trim().to_owned(),
                username: credentials.username.clone(),
                password: credentials.password.clone(),
            };
            answer(client.claim_owner(request)).await
        };
        let SessionGrant { token, expires_at, staff } = granted?;
        let token = Zeroizing::new(token);
        let kept = self.keep(&credentials.server, &token).await;
        self.remember(&credentials.server);
        let expires_at = expires_at.map(|at| at.to_string());
        self.begin(credentials.server.clone(), &token, staff.unwrap_or_default(), expires_at, kept)
    }

    /// Takes up the session that the keychain holds. `None`: there is none, or it has ended.
    ///
    /// # Errors
    /// Where the keychain or the server cannot be asked; the session may still be good then.
    pub async fn resume(&self) -> Result<Option<SessionInfo>, ShellError> {
        let keychain = self.keychain.clone();
        let stored = match blocking(move || keychain.get(ACCOUNT)).await {
            Ok(bytes) => serde_json::from_slice::<Stored>(&bytes).ok(),
            Err(KeychainError::NoEntry) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(stored) = stored else { return Ok(None) };
        let link = link(&stored.server, Some(&stored.token))?;
        match answer(StaffServiceClient::new(link.channel()).who_am_i(link.request(WhoAmIRequest {}))).await {
            Ok(staff) => self.begin(stored.server.clone(), &stored.token, staff, None, Kept::Keychain).map(Some),
            Err(error) if error.code == ErrorCode::Unauthenticated => {
                self.forget().await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the session here and at the server. It is over here even if the server cannot be reached.
    pub async fn sign_out(&self) {
        if let Ok(link) = self.links.get(Target::Provider) {
            // Best effort: an unreachable server ends it after 30 idle minutes.
            let _ = answer(StaffServiceClient::new(link.channel()).logout(link.request(LogoutRequest {}))).await;
        }
        self.end();
        self.forget().await;
    }

    /// The server said that the session has ended.
    pub fn end(&self) {
        self.links.set(Target::Provider, None);
        *self.now.lock().expect("no holder of this lock panics") = None;
    }

    fn begin(
        &self,
        server: Server,
        token: &str,
        staff: Staff,
        expires_at: Option<String>,
        kept: Kept,
    ) -> Result<SessionInfo, ShellError> {
        self.links.set(Target::Provider, Some(link(&server, Some(token))?));
        let info = SessionInfo { server, staff: message_json(&staff), expires_at, kept };
        *self.now.lock().expect("no holder of this lock panics") = Some(info.clone());
        Ok(info)
    }

    async fn keep(&self, server: &Server, token: &str) -> Kept {
        let bytes = keychain_value(server, token);
        let keychain = self.keychain.clone();
        match blocking(move || keychain.set(ACCOUNT, &bytes)).await {
            Ok(()) => Kept::Keychain,
            Err(error) => Kept::No { error: error.into() },
        }
    }

    async fn forget(&self) {
        let keychain = self.keychain.clone();
        if let Err(error) = blocking(move || keychain.delete(ACCOUNT)).await {
            tracing::warn!("the ended session stays in the keychain: {error}");
        }
    }

    /// Notes the server; a list that cannot be written only costs a question at the next start.
    fn remember(&self, server: &Server) {
        let mut servers = self.servers();
        servers.retain(|known| known.address != server.address);
        servers.insert(0, server.clone());
        servers.truncate(MAX_SERVERS);
        let written = serde_json::to_vec_pretty(&servers).map_err(std::io::Error::other).and_then(|bytes| {
            if let Some(folder) = self.servers_file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&self.servers_file, bytes)
        });
        if let Err(error) = written {
            tracing::warn!("the server's key could not be remembered: {error}");
        }
    }
}

fn link(server: &Server, token: Option<&str>) -> Result<Link, ShellError> {
    let bad = |error: rollcall_proto::pinned::InvalidPin| ShellError::new(ErrorCode::BadAddress, error.to_string());
    let pin: Pin = server.pin.parse().map_err(bad)?;
    Link::provider(server.address.trim(), pin, token)
}

/// An answer within a bounded time.
async fn answer<T>(call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>) -> Result<T, ShellError> {
    let answered = tokio::time::timeout(TIMEOUT, call).await;
    let answered = answered.unwrap_or_else(|_| Err(tonic::Status::unavailable("the server did not answer in time")));
    Ok(answered?.into_inner())
}

/// A call on the keychain, off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeychainError> {
    let called = tokio::task::spawn_blocking(call).await;
    called.unwrap_or_else(|_| Err(KeychainError::Other("using it broke".into())))
}
