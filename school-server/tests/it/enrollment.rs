//! Enrollment against a small provider: real TLS, real gRPC, its answers by the book of the contract.

use std::{
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use rollcall_proto::{
    enrollment::EnrollmentCode,
    provider::v1::{
        ConfirmRequest, ConfirmResponse, InspectRequest, InspectResponse, RedeemRequest, RedeemResponse,
        enrollment_service_server::{EnrollmentService, EnrollmentServiceServer},
    },
    webhook::signature::SigningSecret,
};
use school_server::secrets::{Claim, KeptSecret};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{
    Request, Response, Status,
    transport::{Server, ServerTlsConfig, server::TcpIncoming},
};
use zeroize::Zeroizing;

use crate::{
    process::{Served, program},
    support::{Receiver, file_store, provider_identity, sign_at, student_event},
};

const NONCE: [u8; 16] = [5; 16];

/// One issued code.
#[derive(Default)]
struct State {
    claim_key: Option<Vec<u8>>,
    confirmed: bool,
    school: String,
    /// The state that Inspect tells.
    told: String,
}

#[derive(Clone, Default)]
struct Provider {
    state: Arc<Mutex<State>>,
    /// Answers of Redeem that get lost on the way.
    lose: Arc<AtomicU32>,
    lose_confirms: Arc<AtomicU32>,
    redeems: Arc<AtomicU32>,
}

fn secret() -> SigningSecret {
    SigningSecret::from_bytes(&[42; 32]).expect("32 bytes")
}

#[tonic::async_trait]
impl EnrollmentService for Provider {
    async fn inspect(&self, request: Request<InspectRequest>) -> Result<Response<InspectResponse>, Status> {
        let request = request.into_inner();
        if (request.code_id.as_str(), request.code_secret.as_slice()) != ("0101010101010101", &[2; 16]) {
            return Err(Status::not_found("no such code"));
        }
        let state = self.state.lock().expect("sound");
        Ok(Response::new(InspectResponse {
            school_name: "Seven".into(),
            school_sourced_id: state.school.clone(),
            district_name: "One".into(),
            issued_by: "ada".into(),
            state: state.told.clone(),
            ..InspectResponse::default()
        }))
    }

    async fn redeem(&self, request: Request<RedeemRequest>) -> Result<Response<RedeemResponse>, Status> {
        let request = request.into_inner();
        self.redeems.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().expect("sound");
        match &state.claim_key {
            Some(key) if *key != request.claim_key => {
                return Err(Status::already_exists("at 10:00 by host lab-3"));
            }
            _ => state.claim_key = Some(request.claim_key),
        }
        if self.lose.load(Ordering::SeqCst) > 0 {
            self.lose.fetch_sub(1, Ordering::SeqCst);
            return Err(Status::unavailable("the answer was lost"));
        }
        if state.confirmed {
            return Ok(Response::new(RedeemResponse {
                already_yours: true,
                fingerprint: secret().fingerprint(),
                secret_id: "sec_1".into(),
                school_id: "sch_x".into(),
                start_after_sequence: 40,
                ..RedeemResponse::default()
            }));
        }
        Ok(Response::new(RedeemResponse {
            secret: secret().reveal().to_string(),
            digest_key: vec![3; 32],
            installation_token: "token-canary".into(),
            nonce: NONCE.to_vec(),
            school_id: "sch_x".into(),
            school_sourced_id: state.school.clone(),
            school_name: "Seven".into(),
            district_sourced_id: "dist-1".into(),
            fingerprint: secret().fingerprint(),
            already_yours: false,
            secret_id: "sec_1".into(),
            start_after_sequence: 0,
        }))
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        let request = request.into_inner();
        let mut state = self.state.lock().expect("sound");
        if state.claim_key.as_deref() != Some(&request.claim_key) || request.proof != secret().prove(&NONCE) {
            return Err(Status::permission_denied("not the one that redeemed"));
        }
        state.confirmed = true;
        if self.lose_confirms.load(Ordering::SeqCst) > 0 {
            return Err(Status::unavailable("the answer was lost"));
        }
        Ok(Response::new(ConfirmResponse { start_after_sequence: 40 }))
    }
}

/// A provider that listens, and a code for it.
struct Setup {
    runtime: Runtime,
    provider: Provider,
    code: String,
    folder: TempDir,
}

impl Setup {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (identity, pin) = provider_identity();
        let provider = Provider::default();
        *provider.state.lock().expect("sound") =
            State { school: "sch-7".into(), told: "issued".into(), ..State::default() };
        let address: SocketAddr = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let address = listener.local_addr().expect("an address");
            let router = Server::builder()
                .tls_config(ServerTlsConfig::new().identity(identity))
                .expect("TLS")
                .add_service(EnrollmentServiceServer::new(provider.clone()));
            tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
            address
        });
        let code = encode(&address.to_string(), pin);
        Self { runtime, provider, code, folder: tempfile::tempdir().expect("a folder") }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_school-server"));
        command.args(arguments).arg("--data-dir").arg(self.folder.path()).env_remove("WEBHOOK_SECRET");
        command.stdin(Stdio::null()).output().expect("run")
    }

    fn enroll(&self, code: &str) -> Output {
        self.run(&["enroll", code, "--secret-store", "file", "--json"])
    }

    #[track_caller]
    fn refused(&self, code: &str, exit: i32, words: &str) {
        let output = self.enroll(code);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(said.contains(words), "{said}");
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).expect("JSON")
    }
}

pub fn encode(server: &str, pin: [u8; 32]) -> String {
    let code = EnrollmentCode { id: [1; 8], secret: Zeroizing::new([2; 16]), pin, server: server.to_owned() };
    code.encode().to_string()
}

#[test]
fn code_becomes_a_stored_confirmed_secret_and_is_never_shown() {
    let setup = Setup::new();
    setup.provider.lose.store(1, Ordering::SeqCst);
    let output = setup.enroll(&setup.code);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert_eq!(setup.provider.redeems.load(Ordering::SeqCst), 2, "a lost answer is asked for again");
    let line: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&line["school"], &line["fingerprint"]), (&"sch-7".into(), &secret().fingerprint().into()));
    assert!(told.contains("Seven"), "what the code is for is told: {told}");
    assert!(setup.provider.state.lock().expect("sound").confirmed);

    let status = setup.status();
    assert_eq!(status["enrolled"], true);
    assert_eq!(status["secretStore"], "file", "later commands need no flag");
    assert_eq!(status["contiguousSequence"], 40, "the window begins where the confirm says");
    let canaries = [secret().reveal().to_string(), "token-canary".to_owned(), hex::encode([42; 32])];
    let mut files = vec![setup.folder.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let bytes = std::fs::read(&path).expect("read");
        for canary in &canaries {
            assert!(!bytes.windows(canary.len()).any(|part| part == canary.as_bytes()), "a secret in {path:?}");
        }
    }
    for canary in &canaries {
        assert!(!said.contains(canary) && !told.contains(canary), "a secret was printed");
    }
}

#[test]
fn the_same_code_again_is_already_ours_and_undoes_nothing() {
    let setup = Setup::new();
    assert!(setup.enroll(&setup.code).status.success());
    let again = setup.run(&["enroll", &setup.code, "--secret-store", "file"]);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(said.contains("already yours") && said.contains(&secret().fingerprint()), "{said}");

    // A rotation came after it.
    let store = file_store(setup.folder.path());
    let mut enrollment = store.load().expect("opens").expect("stored");
    let newer = SigningSecret::from_bytes(&[43; 32]).expect("32 bytes");
    let kept = KeptSecret { id: "sec_2".into(), secret: newer.clone(), retires_at_ms: None };
    enrollment.secrets.insert(0, kept);
    store.save(&enrollment).expect("stored");
    for left in [2, 1] {
        enrollment.secrets.truncate(left);
        store.save(&enrollment).expect("stored");
        let again = setup.enroll(&setup.code);
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
        let line: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
        assert_eq!((&line["already_yours"], &line["fingerprint"]), (&true.into(), &newer.fingerprint().into()));
        let held = store.load().expect("opens").expect("stored").secrets;
        assert_eq!((held.len(), held[0].secret.fingerprint()), (left, newer.fingerprint()));
    }

    store.forget().expect("forgotten");
    setup.refused(&setup.code, 65, "its secret is gone");
}

#[test]
fn a_lost_answer_to_the_confirm_is_made_good_by_the_next_run() {
    let setup = Setup::new();
    setup.provider.lose_confirms.store(1, Ordering::SeqCst);
    assert_eq!(setup.enroll(&setup.code).status.code(), Some(69));
    assert_eq!(setup.status()["contiguousSequence"], 0, "nobody said where the window begins");
    // What looks for a rotation meanwhile has a claim key of its own.
    file_store(setup.folder.path()).claim_key(&Claim::Rotation).expect("made");
    let again = setup.enroll(&setup.code);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let status = setup.status();
    assert_eq!((&status["enrolled"], &status["contiguousSequence"]), (&true.into(), &40.into()));
    assert_eq!(status["fingerprints"], serde_json::json!([secret().fingerprint()]));
}

#[test]
fn running_receiver_takes_the_secret_without_a_restart() {
    let setup = Setup::new();
    let served = setup.runtime.block_on(Receiver::start_in(tempfile::tempdir().expect("a folder")));
    let output = Command::new(env!("CARGO_BIN_EXE_school-server"))
        .args(["enroll", &setup.code, "--secret-store", "file", "--data-dir"])
        .arg(served.folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    setup.runtime.block_on(async {
        let (id, body) = student_event(41, "created", "S-1", 1);
        let request = sign_at(&secret(), &id.to_string(), served.clock.now_ms() / 1_000, body);
        assert_eq!(served.post(&request).await.status.as_u16(), 200);
    });
    let Receiver { folder, running, .. } = served;
    setup.runtime.block_on(running.stop()).expect("a clean stop");
    let kept = file_store(folder.path()).load().expect("opens").expect("stored");
    assert_eq!(kept.secrets.len(), 1);
    assert_eq!(kept.identity.school_sourced_id, "sch-7");
}

#[test]
fn what_is_sealed_beside_a_running_receiver_opens_with_its_key() {
    let setup = Setup::new();
    let (folder, keys) = (setup.folder.path(), tempfile::tempdir().expect("a folder"));
    let key = |name: &str| keys.path().join(name).to_str().expect("UTF-8").to_owned();
    let served = Served::start_with(program(folder, &["serve", "--key-file", &key("ours")]));
    let other = setup.run(&["enroll", &setup.code, "--secret-store", "file", "--key-file", &key("other")]);
    let words = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(78), "{words}");
    assert!(words.contains(&key("ours")) && words.contains(&key("other")), "{words}");
    assert!(!keys.path().join("other").exists(), "nothing was sealed with it");
    assert_eq!(setup.provider.redeems.load(Ordering::SeqCst), 0);

    let adopted = setup.enroll(&setup.code);
    assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
    assert_eq!(served.terminate(), Some(0));
    assert!(!folder.join("secret.key").exists(), "there is one key");
    assert_eq!(setup.status()["enrolled"], true, "later commands need no flag");
}

#[test]
fn each_refusal_has_its_own_words_and_leaves_nothing() {
    let setup = Setup::new();
    let server = EnrollmentCode::parse(&setup.code).expect("a code").server;
    setup.refused(&encode(&server, [9; 32]), 77, "key differs");
    setup.refused(&encode("127.0.0.1:1", [9; 32]), 69, "cannot be reached");
    let mut typo = setup.code.clone();
    let last = typo.pop().expect("a character");
    typo.push(if last == '0' { '1' } else { '0' });
    setup.refused(&typo, 65, "typing error");
    let wrong = EnrollmentCode { secret: Zeroizing::new([3; 16]), ..EnrollmentCode::parse(&setup.code).expect("one") };
    setup.refused(&wrong.encode(), 65, "does not know this code");
    for (told, words) in
        [("expired", "expired"), ("revoked", "revoked"), ("locked", "locked"), ("compromised", "two parties")]
    {
        setup.provider.state.lock().expect("sound").told = told.into();
        setup.refused(&setup.code, 65, words);
    }
    assert_eq!(setup.provider.redeems.load(Ordering::SeqCst), 0, "nothing was redeemed so far");
    setup.provider.state.lock().expect("sound").told = "issued".into();
    setup.provider.state.lock().expect("sound").claim_key = Some(vec![0; 32]);
    setup.refused(&setup.code, 65, "lab-3");
    assert_eq!(setup.run(&["status", "--json", "--secret-store", "file"]).status.code(), Some(0));
    assert!(!setup.status()["enrolled"].as_bool().expect("a flag"));
    let read_only = setup.run(&["enroll", &setup.code, "--secret-store", "env"]);
    assert_eq!(read_only.status.code(), Some(78), "{}", String::from_utf8_lossy(&read_only.stderr));
}

#[test]
fn folder_of_another_school_is_found_before_the_code_is_burnt() {
    let setup = Setup::new();
    assert!(setup.enroll(&setup.code).status.success());
    let before = setup.provider.redeems.load(Ordering::SeqCst);
    *setup.provider.state.lock().expect("sound") =
        State { school: "sch-8".into(), told: "issued".into(), ..State::default() };
    setup.refused(&setup.code, 78, "sch-7");
    assert_eq!(setup.provider.redeems.load(Ordering::SeqCst), before);
}
