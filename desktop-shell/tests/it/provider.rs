//! The shell and a real provider in one process.

use std::sync::Arc;

use desktop_shell::{
    ErrorCode, Shell, Target,
    link::LinkState,
    session::{Credentials, Kept, Server, Sessions},
};
use provider_server::{
    app::{self, Running},
    clock::{Entropy, SystemClock},
    config::{Config, KeySource},
};
use rollcall_keychain::Keychain;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Key, Log, RULES, TestServer};

const PASSWORD: &str = "correct horse battery 9";

pub struct Desk {
    pub provider: Running,
    pub shell: Shell,
    sessions: Sessions,
    pub folder: TempDir,
}

impl Desk {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data_dir = folder.path().join("provider");
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            ops_listen: ([127, 0, 0, 1], 0).into(),
            public_address: None,
            database: data_dir.join("rollcall.db").into(),
            node_lease: provider_server::engine::run::LEASE,
            key_source: KeySource::File { path: data_dir.join("key"), may_generate: true },
            allow_networks: Vec::new(),
            name_server: None,
            keep: Default::default(),
            mail: None,
            ready_json: None,
            data_dir,
        };
        let provider = app::start(config, Arc::new(SystemClock), Entropy::seeded(1)).await.expect("starts");
        let shell = Shell::new(RULES);
        // A keychain that no test machine has: the session is kept in memory only.
        let keychain = Keychain::new("rollcall-shell-test").with_timeout(std::time::Duration::from_millis(200));
        let sessions = Sessions::new(shell.links.clone(), keychain, &folder.path().join("desk"));
        Self { provider, shell, sessions, folder }
    }

    fn server(&self) -> Server {
        Server { address: self.provider.ready.grpc.to_string(), pin: self.provider.ready.pin.clone() }
    }

    fn credentials(&self, username: &str, password: &str, owner_code: &str) -> Credentials {
        Credentials {
            server: self.server(),
            username: username.into(),
            password: password.into(),
            owner_code: owner_code.into(),
        }
    }

    pub async fn claim(&self) {
        let file = self.provider.ready.owner_code_file.clone().expect("unclaimed");
        let code = std::fs::read_to_string(file).expect("readable");
        self.sessions.sign_in(self.credentials("ada", PASSWORD, &code)).await.expect("the first owner");
    }

    pub async fn call(&self, method: &str, json: serde_json::Value) -> Result<serde_json::Value, ErrorCode> {
        self.shell.call("main", method, &json).await.map_err(|error| error.code)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_connects_claims_signs_in_and_out() {
    let desk = Desk::start().await;
    let seen = desk.sessions.check(&format!(" {} ", desk.server().address)).await.expect("answers");
    assert_eq!((seen.pin, seen.unclaimed, seen.key_known), (desk.server().pin, true, false));
    assert!(seen.compatible, "{}", seen.version);
    assert_eq!(desk.call("StaffService/WhoAmI", json!({})).await, Err(ErrorCode::NotConnected));

    desk.claim().await;
    let session = desk.sessions.current().expect("signed in");
    assert_eq!((session.staff["username"].as_str(), session.staff["role"].as_str()), (Some("ada"), Some("ROLE_OWNER")));
    assert!(session.expires_at.is_some_and(|at| at.ends_with('Z')));
    let told = serde_json::to_string(&desk.sessions.current()).expect("plain data");
    assert!(!told.contains("token") && !told.contains(PASSWORD), "{told}");
    assert!(desk.sessions.check(&desk.server().address).await.expect("answers").key_known);
    assert_eq!(desk.call("StaffService/WhoAmI", json!({})).await.expect("answered")["username"], "ada");
    assert_eq!(*desk.shell.links.state(Target::Provider).borrow(), LinkState::Connected);

    // A webview that asks for a token itself gets none, whatever the rules say.
    let login = json!({"username": "ada", "password": PASSWORD});
    assert_eq!(desk.call("StaffService/Login", login).await, Err(ErrorCode::SecretWithheld));

    desk.sessions.sign_out().await;
    assert_eq!(desk.call("StaffService/WhoAmI", json!({})).await, Err(ErrorCode::NotConnected));
    let wrong = desk.sessions.sign_in(desk.credentials("ada", "not the password", "")).await.expect_err("refused");
    assert_eq!(wrong.code, ErrorCode::Unauthenticated);
    desk.sessions.sign_in(desk.credentials("ada", PASSWORD, "")).await.expect("the right password");
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_elsewhere_says_so() {
    let desk = Desk::start().await;
    desk.claim().await;
    desk.call("StaffService/Logout", json!({})).await.expect("answered");
    assert_eq!(desk.call("StaffService/WhoAmI", json!({})).await, Err(ErrorCode::Unauthenticated));
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named_at_their_fields() {
    let desk = Desk::start().await;
    desk.claim().await;
    let weak = json!({"username": "X", "password": "short", "role": "ROLE_VIEWER"});
    let error = desk.shell.call("main", "StaffService/CreateStaff", &weak).await.expect_err("refused");
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    let fields: Vec<&str> = error.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert!(fields.contains(&"username") && fields.contains(&"password"), "{fields:?}");
    assert!(error.violations.iter().all(|violation| !violation.message.is_empty()));
    assert_eq!(
        desk.call("StudentService/GetStudent", json!({"district": "none", "sourcedId": "S"})).await,
        Err(ErrorCode::NotFound)
    );
    assert_eq!(desk.call("StaffService/WhoAmI", json!({"extra": 1})).await, Err(ErrorCode::InvalidArgument));
    assert_eq!(desk.call("AuditService/VerifyAudit", json!({})).await, Err(ErrorCode::NotAllowed));
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_at_a_known_address_is_told_before_anything_is_sent() {
    let desk = Desk::start().await;
    desk.claim().await;
    let known = desk.server();
    let impostor = TestServer::start(&Key::generate(), &Log::with_rows(0), None).await;
    let folder = desk.folder.path().join("desk");
    let moved = Server { address: impostor.address.to_string(), ..known };
    std::fs::write(folder.join("servers.json"), serde_json::to_vec(&[&moved]).expect("plain")).expect("written");
    let error = desk.sessions.check(&moved.address).await.expect_err("another key");
    assert_eq!(error.code, ErrorCode::ServerKeyChanged);
    assert_eq!(error.keys.expect("both keys").expected, moved.pin);
    let mut credentials = desk.credentials("ada", PASSWORD, "");
    credentials.server = moved;
    let error = desk.sessions.sign_in(credentials).await.expect_err("another key");
    assert_eq!(error.code, ErrorCode::ServerKeyChanged);
    let nobody = desk.sessions.check("127.0.0.1:1").await.expect_err("nobody listens");
    assert_eq!(nobody.code, ErrorCode::Unavailable);
    assert_eq!(desk.sessions.check("nonsense").await.expect_err("no address").code, ErrorCode::BadAddress);
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_keychain_lives_in_memory_and_says_so() {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() {
        eprintln!("skipped: this session may have a keychain");
        return;
    }
    let desk = Desk::start().await;
    desk.claim().await;
    let kept = desk.sessions.current().expect("signed in").kept;
    assert!(matches!(kept, Kept::No { ref error } if error.code != ErrorCode::Internal), "{kept:?}");
    assert!(desk.sessions.resume().await.is_err(), "nothing was written anywhere else");
    desk.provider.stop().await.expect("a clean stop");
}
