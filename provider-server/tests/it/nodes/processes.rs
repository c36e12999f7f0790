//! Real servers, one of them paused by the operating system past its lease.

use std::path::Path;

use rustix::process::Signal;
use tokio::sync::Semaphore;

use super::is_shared;
use crate::{
    engine::support::{Receiver, Rig, Settings},
    support::{
        TestStore,
        program::{self, Program},
    },
};

/// The shortest that may be set.
const LEASE_S: &str = "5";
const HELD: &str = "SELECT CAST(token AS TEXT) FROM lanes WHERE node_id IS NOT NULL";
const STATES: &str = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY 1";

/// A server that delivers.
async fn start(test: &TestStore, folder: &Path) -> Program {
    let mut command = program::command(test, folder);
    Program::start(command.args(["--allow-network", "127.0.0.0/8", "--node-lease", LEASE_S])).await
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
    let paused = start(&rig.test, folders[0].path()).await;
    rig.until(HELD, &["1"]).await;
    rig.put(0, "S-1", "Ada").await;
    receiver.wait_for(1).await;
    paused.signal(Signal::STOP);
    let other = start(&rig.test, folders[1].path()).await;
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
    paused.stop().await;
}
