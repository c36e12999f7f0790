//! Long computing that gives way to everything else.

/// A tenth of what another thread gets, where both want the processor all the time.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Does the work in this thread with a low priority, which stays: let the thread be made for the work.
///
/// A low priority alone does not do it. A thread that used more than its share of a processor just before, and is woken up
/// on that of the work, is not let in before the system looks again who runs: Linux 6.18 does so at its tick, 4 ms later,
/// and a call waits for several threads one after another. So the work keeps to one processor, and a thread that sleeps
/// for most of the time is woken up there each millisecond: when it falls asleep again, the system looks.
#[cfg(target_os = "linux")]
pub fn behind_others<T>(work: impl FnOnce() -> T) -> T {
    use std::{
        sync::mpsc::{self, RecvTimeoutError},
        thread,
        time::Duration,
    };

    use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

    const BEAT: Duration = Duration::from_millis(1);

    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    let (working, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        // Where any of it is refused, the work is felt.
        if sched_setaffinity(None, &here).is_ok() {
            // It has the processor of this thread, and the priority that this thread has still.
            let beat = move || while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {};
            let _ = thread::Builder::new().name("beat".into()).spawn_scoped(scope, beat);
        }
        let _ = rustix::process::nice(NICE);
        let done = work();
        drop(working);
        done
    })
}

/// Elsewhere a priority would be that of the whole process.
#[cfg(not(target_os = "linux"))]
pub fn behind_others<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_and_only_its_own_thread_steps_back() {
        let priority = || rustix::process::nice(0).unwrap();
        let before = priority();
        let within = std::thread::spawn(move || behind_others(priority)).join().unwrap();
        assert_eq!(priority(), before);
        assert_eq!(within, (before + NICE).min(19));
    }

    #[test]
    fn a_panic_of_the_work_ends_the_beat_too() {
        let panicked = std::thread::spawn(|| behind_others(|| panic!("by the test"))).join();
        assert!(panicked.is_err());
    }
}
