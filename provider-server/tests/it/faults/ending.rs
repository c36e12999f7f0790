//! SIGTERM under load, again and again: each time the server ends by itself with 0, nothing is sent twice, and nothing
//! that was accepted is lost (P8). On PostgreSQL, too, where a server gives its schools back at its end.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::Signal;
use tokio::{sync::watch, time::Instant};
use tonic::Code;

use super::support::{Owner, Site, within};
use crate::engine::support::{Receiver, Settings};

const RESTARTS: usize = 100;
/// Callers at the same time.
const CALLERS: usize = 8;
/// Changes that each restart waits for before the signal: more are under way then.
const BEFORE: usize = 12;

/// Puts students, one after the other, until the server is gone; answers those that were accepted, and the one that was
/// not answered.
async fn call(
    owner: Owner,
    next: &AtomicUsize,
    again: Option<usize>,
    done: &watch::Sender<usize>,
) -> (Vec<usize>, usize) {
    let mut accepted = Vec::new();
    let mut number = again.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
    loop {
        match owner.put("s0", &format!("S-{number}"), "Ada").await {
            Ok(_) => accepted.push(number),
            // Not accepted, or the answer was lost: asked again at the next start, with the same key.
            Err(status) => {
                // The client calls it INTERNAL where its own connection ended under a call.
                let is_gone = matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown);
                assert!(is_gone || status.message().starts_with("h2 protocol error"), "{status}");
                return (accepted, number);
            }
        }
        done.send_modify(|done| *done += 1);
        number = next.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_restarts_under_load_lose_nothing_and_send_nothing_twice() {
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (mut server, mut owner) = site.start_and_enter().await;
    let next = AtomicUsize::new(0);
    let (mut accepted, mut again) = (BTreeSet::new(), vec![None; CALLERS]);
    let mut slowest = std::time::Duration::ZERO;
    for restart in 0..RESTARTS {
        let (done, mut is_done) = watch::channel(0);
        let callers = again.iter().map(|again| call(owner.clone(), &next, *again, &done));
        let stop = async {
            within("some are accepted", is_done.wait_for(|done| *done >= BEFORE)).await.expect("callers call");
            let begun = Instant::now();
            server.signal(Signal::TERM);
            (server.ended().await, begun.elapsed())
        };
        let (called, (code, took)) = tokio::join!(futures::future::join_all(callers), stop);
        assert_eq!(code, Some(0), "restart {restart}: {}", site.log());
        slowest = slowest.max(took);
        again.clear();
        for (numbers, unanswered) in called {
            accepted.extend(numbers);
            again.push(Some(unanswered));
        }
        server = site.start().await;
        owner = owner.on(server.dial().await);
    }
    assert!(slowest.as_secs() < 20, "P8 gives a stop 20 s, and one took {slowest:?}");
    for number in again.into_iter().flatten() {
        owner.put("s0", &format!("S-{number}"), "Ada").await.expect("accepted");
        accepted.insert(number);
    }
    let total = accepted.len();
    let got = receiver.wait_for(total).await;
    assert_eq!(server.terminate().await, Some(0));
    let ids: BTreeSet<&str> = got.iter().map(|received| received.header("webhook-id")).collect();
    assert_eq!((ids.len(), receiver.got().len()), (total, total), "each arrived, and once");
    assert_eq!(total, next.into_inner(), "every number was accepted in the end");
    assert_eq!(site.texts("SELECT COUNT(*) || ' ' || MAX(version) FROM students").await, [format!("{total} 1")]);
    site.assert_sound().await;
    eprintln!("{RESTARTS} restarts, {total} changes, the slowest stop took {slowest:?}");
}
