//! The real program, over the database of a test.

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{ClaimOwnerRequest, staff_service_client::StaffServiceClient},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};
use tonic::transport::Channel;

use super::TestStore;

/// A stop takes no longer: what is under way has 20 s.
const STOP_LIMIT: Duration = Duration::from_secs(25);
const PASSWORD: &str = "violin tundra ocean mint";

/// A running program; it ends with this value.
pub struct Program {
    child: Child,
    ready: serde_json::Value,
}

/// How it is started: on free ports, with this folder for its files, and with the keys of the test.
pub fn command(test: &TestStore, folder: &Path) -> Command {
    command_under::<&str>(&[], test, folder)
}

/// The same, run by another program, which becomes its parent or itself the program.
pub fn command_under<S: AsRef<OsStr>>(runner: &[S], test: &TestStore, folder: &Path) -> Command {
    let keys = folder.join("given-keys");
    test.write_keys(&keys);
    let program = OsStr::new(env!("CARGO_BIN_EXE_provider-server"));
    let mut words = runner.iter().map(AsRef::as_ref).chain([program]);
    let mut command = Command::new(words.next().expect("the program"));
    command
        .args(words)
        .args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--ready-json", "-", "--data-dir"])
        .arg(folder)
        .arg("--key-file")
        .arg(keys)
        .env("DATABASE_URL", test.database.address())
        .env("ROLLCALL_LOG", "warn")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Program {
    /// Starts it, and waits until it serves.
    pub async fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("a line").expect("it serves");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, ready }
    }

    /// What it said when it was ready.
    pub fn ready(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_default()
    }

    /// A connection for calls.
    pub async fn dial(&self) -> Channel {
        let pin: [u8; 32] = hex::decode(self.ready("pin")).expect("hex").try_into().expect("32 bytes");
        let endpoint = PinnedEndpoint::new(self.ready("grpc"), Pin(pin)).expect("an address");
        endpoint.connect().await.expect("connected")
    }

    /// Claims the owner; a token.
    pub async fn claim_owner(&self, channel: Channel) -> String {
        let code = std::fs::read_to_string(self.ready("owner_code_file")).expect("the owner code");
        let request = ClaimOwnerRequest { code, username: "ada".into(), password: PASSWORD.into() };
        StaffServiceClient::new(channel).claim_owner(request).await.expect("claimed").into_inner().token
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.ready["pid"].as_i64().and_then(|pid| Pid::from_raw(pid as i32)).expect("a process");
        kill_process(pid, signal).expect("signalled");
    }

    /// Stops it as an operator does, which must end well.
    pub async fn stop(mut self) {
        self.signal(Signal::TERM);
        let ended = timeout(STOP_LIMIT, self.child.wait()).await.expect("in time").expect("an end");
        assert!(ended.success(), "{ended}");
    }

    /// Memory that it has now, and the most that it ever had, bytes.
    #[cfg(target_os = "linux")]
    pub fn memory_bytes(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.ready["pid"])).expect("it runs");
        let line = |name: &str| {
            let kib = status.lines().find_map(|line| line.strip_prefix(name)).expect("such a line");
            kib.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
        };
        (line("VmRSS:"), line("VmHWM:"))
    }
}
