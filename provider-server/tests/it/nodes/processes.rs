//! Real servers, one of them paused by the operating system past its lease.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Semaphore;

use super::is_shared;
use crate::{
    engine::support::{Receiver, Rig, Settings},
    support::TestStore,
};

/// The shortest that may be set.
const LEASE_S: &str = "5";
const HELD: &str = "SELECT CAST(token AS TEXT) FROM lanes WHERE node_id IS NOT NULL";
const STATES: &str = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY 1";

/// A server that delivers; it ends with the test.
struct Server(Child);

impl Server {
    fn start(test: &TestStore, folder: &Path) -> Self {
        let keys = folder.join("given-keys");
        test.write_keys(&keys);
        let child = Command::new(env!("CARGO_BIN_EXE_provider-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
            .args(["--allow-network", "127.0.0.0/8", "--node-lease", LEASE_S, "--data-dir"])
            .arg(folder)
            .arg("--key-file")
            .arg(keys)
            .env("DATABASE_URL", test.database.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the server starts"))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("signalled");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_a_paused_server_records_after_its_lease_is_refused() {
    if !is_shared("processes") {
        return;
    }
    static HANGS: Semaphore = Semaphore::const_new(0);
    let receiver = Receiver::hanging(&HANGS).await;
    // Accepts changes and delivers nothing itself.
    let rig = Rig::new(1).await;
    rig.connect(0, &receiver.url(), Settings { timeout_ms: 15_000, ..Settings::default() }).await;
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let paused = Server::start(&rig.test, folders[0].path());
    rig.until(HELD, &["1"]).await;
    rig.put(0, "S-1", "Ada").await;
    receiver.wait_for(1).await;
    paused.signal(Signal::STOP);
    let other = Server::start(&rig.test, folders[1].path());
    rig.until(HELD, &["2"]).await;
    rig.until(STATES, &["delivered 1"]).await;
    assert_eq!(receiver.got().len(), 2, "who took the work made the attempt anew");

    HANGS.add_permits(1);
    paused.signal(Signal::CONT);
    rig.put(0, "S-1", "Grace").await;
    rig.until(STATES, &["delivered 2"]).await;
    // The paused one takes over in its turn: it went on past its refused record.
    drop(other);
    rig.put(0, "S-1", "Mary").await;
    rig.until(STATES, &["delivered 3"]).await;
    rig.until(HELD, &["3"]).await;
    let log = "SELECT sequence || ' ' || try_number || ' ' || status FROM attempts ORDER BY log_sequence";
    assert_eq!(rig.test.texts(log).await, ["1 1 delivered", "2 1 delivered", "3 1 delivered"]);
    paused.signal(Signal::TERM);
    let ended = tokio::task::spawn_blocking(move || {
        let mut paused = paused;
        paused.0.wait().expect("an end")
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("in time").expect("no panic");
    assert!(ended.success(), "{ended}");
}
