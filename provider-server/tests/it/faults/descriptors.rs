//! No handle (open file) is left: nothing spins, nobody is blamed, and all goes on once there are some again.

use axum::{
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::time::Instant;

use super::support::{Site, is_embedded, until, within};
use crate::engine::support::{Receiver, Settings};

/// Standard input, output and error: every further handle is refused. Those that are open stay.
const NONE_LEFT: u64 = 3;

fn allow_handles(pid: Pid, most: Option<u64>) -> Option<u64> {
    let limit = prlimit(Some(pid), Resource::Nofile, Rlimit { current: most, maximum: most.and(hard_limit(pid)) });
    limit.expect("set").current
}

fn hard_limit(pid: Pid) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    line.split_whitespace().nth(4).and_then(|most| most.parse().ok())
}

/// The time that a process has had of the processors, in ticks of 10 ms.
fn ticks(pid: Pid) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("figures");
    let figures: Vec<&str> = stat.rsplit(')').next().expect("figures").split_whitespace().collect();
    [11, 12].iter().map(|index| figures[*index].parse::<u64>().expect("ticks")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_handles_nothing_spins_and_no_school_is_blamed() {
    if !is_embedded("handles") {
        return;
    }
    // Each delivery needs a connection of its own.
    let receiver =
        Receiver::start(|_, _| (StatusCode::NO_CONTENT, [(header::CONNECTION, "close")]).into_response()).await;
    let settings = Settings { max_tries: 2, delays: "50", timeout_ms: 1_500, ..Settings::default() };
    let site = Site::new(&[(&receiver, settings)]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-0", "Ada").await.expect("accepted");
    receiver.wait_for(1).await;

    let most = allow_handles(server.pid, Some(NONE_LEFT));
    let (begun, used) = (Instant::now(), ticks(server.pid));
    owner.put("s0", "S-1", "Ada").await.expect("who is connected is served");
    let reads = futures::future::join_all((0..16).map(|_| owner.versions("S-0"))).await;
    let refused: Vec<_> = reads.into_iter().filter_map(Result::err).collect();
    let asks_again = |status: &tonic::Status| status.code() == tonic::Code::Unavailable;
    assert!(refused.iter().all(asks_again), "who reads may have to ask again: {refused:?}");
    // Three attempts, where two would park it.
    let attempts = "SELECT COUNT(*) || '' FROM attempts WHERE cause = 'internal' AND detail = 'no_handles'
                        AND status = 'retrying' AND sequence = 2";
    let callers = (0..5).map(|_| server.dial());
    let callers = async { within("callers are let in", futures::future::join_all(callers)).await.len() };
    let short = async {
        until("attempts are made", async || site.texts(attempts).await[0].parse::<u32>().expect("a count") >= 3).await;
        let share = (ticks(server.pid) - used) as f64 / 100.0 / begun.elapsed().as_secs_f64();
        assert!(share < 0.25, "it used {:.0} % of a processor while it could do nothing", share * 100.0);
        assert_eq!(receiver.got().len(), 1);
        allow_handles(server.pid, most);
    };
    let (waited, ()) = tokio::join!(callers, short);
    assert_eq!(waited, 5, "they waited until there were handles");
    receiver.wait_for(2).await;
    assert_eq!(server.ready().await.0, 200);
    let delivered = "SELECT state || ' ' || automatic_tries || ' ' || was_parked FROM events WHERE sequence = 2";
    until("it is delivered", async || site.texts(delivered).await == ["delivered 0 0"]).await;
    assert_eq!(site.texts("SELECT health || ' ' || state FROM schools").await, ["ok active"]);

    allow_handles(server.pid, Some(NONE_LEFT));
    assert_eq!(server.terminate().await, Some(0), "a stop needs no new handle: {}", site.log());
    site.assert_sound().await;
}
