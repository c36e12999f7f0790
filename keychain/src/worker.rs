//! The thread that talks to the keychain, and the bounded wait for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use crate::{KeychainError, store::Store};

/// Calls that may wait behind a blocked one.
const QUEUE: usize = 16;
/// Threads at once: one that works, the others stuck in calls that nobody answers.
const MAX_THREADS: usize = 8;

type Job = Box<dyn FnOnce(&mut Option<Store>) + Send>;

/// Runs `call` on the keychain's thread and waits at most `timeout`. A call that nobody waits for any more is not
/// started, so that a prompt answered late changes nothing; a thread that is stuck in one is left to it, and the next
/// call gets another.
pub fn run<T, F>(timeout: Duration, call: F) -> Result<T, KeychainError>
where
    T: Send + 'static,
    F: FnOnce(&Store) -> Result<T, KeychainError> + Send + 'static,
{
    let (started, given_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (answer, answered) = mpsc::sync_channel(1);
    let job: Job = Box::new({
        let (started, given_up) = (started.clone(), given_up.clone());
        move |store| {
            started.store(true, Ordering::Release);
            if !given_up.load(Ordering::Acquire) {
                // Nobody listening means that the wait has ended: the answer is dropped.
                let _ = answer.send(attempt(store, call));
            }
        }
    });
    let late = || KeychainError::Timeout(timeout.as_secs());
    let (number, sender) = worker()?.ok_or_else(late)?;
    match sender.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(late()),
        Err(TrySendError::Disconnected(_)) => return Err(KeychainError::Other("its thread has ended".into())),
    }
    match answered.recv_timeout(timeout) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            given_up.store(true, Ordering::Release);
            if started.load(Ordering::Acquire) {
                replace(number);
            }
            Err(late())
        }
        Err(RecvTimeoutError::Disconnected) => Err(KeychainError::Other("its thread has ended".into())),
    }
}

/// One call with the open store; the store is opened again after a failure, so that "start it and retry" works.
fn attempt<T>(
    store: &mut Option<Store>,
    call: impl FnOnce(&Store) -> Result<T, KeychainError>,
) -> Result<T, KeychainError> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let opened = match store.take() {
            Some(opened) => opened,
            None => Store::open()?,
        };
        let result = call(&opened);
        if matches!(result, Ok(_) | Err(KeychainError::NoEntry)) {
            *store = Some(opened);
        }
        result
    }));
    result.unwrap_or_else(|_| Err(KeychainError::Other("its client library panicked".into())))
}

/// The thread that takes calls now, with its number.
static CURRENT: Mutex<(usize, Option<SyncSender<Job>>)> = Mutex::new((0, None));
/// Threads that live, stuck ones included.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// `None` where too many threads are stuck already.
fn worker() -> Result<Option<(usize, SyncSender<Job>)>, KeychainError> {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let (number, Some(sender)) = &*current {
        return Ok(Some((*number, sender.clone())));
    }
    if THREADS.load(Ordering::Acquire) >= MAX_THREADS {
        return Ok(None);
    }
    let (sender, jobs) = mpsc::sync_channel::<Job>(QUEUE);
    let work = move || {
        let mut store = None;
        for job in jobs {
            job(&mut store);
        }
        THREADS.fetch_sub(1, Ordering::AcqRel);
    };
    let started = thread::Builder::new().name("keychain".into()).spawn(work);
    started.map_err(|_| KeychainError::Other("no thread could be started".into()))?;
    THREADS.fetch_add(1, Ordering::AcqRel);
    *current = (current.0 + 1, Some(sender.clone()));
    Ok(Some((current.0, sender)))
}

/// The next call gets another thread; this one ends once its call does.
fn replace(number: usize) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.0 == number {
        current.1 = None;
    }
}
