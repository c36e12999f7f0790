//! The one thread that talks to the keychain, and the bounded wait for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use crate::{KeychainError, store::Store};

/// Calls that may wait behind a blocked one.
const QUEUE: usize = 16;

type Job = Box<dyn FnOnce(&mut Option<Store>) + Send>;

/// Runs `call` on the keychain's thread and waits at most `timeout`. A call that nobody waits for any more is not
/// started, so that a prompt answered late changes nothing.
pub fn run<T, F>(timeout: Duration, call: F) -> Result<T, KeychainError>
where
    T: Send + 'static,
    F: FnOnce(&Store) -> Result<T, KeychainError> + Send + 'static,
{
    let given_up = Arc::new(AtomicBool::new(false));
    let (answer, answered) = mpsc::sync_channel(1);
    let job: Job = Box::new({
        let given_up = given_up.clone();
        move |store| {
            if !given_up.load(Ordering::Acquire) {
                // Nobody listening means that the wait has ended: the answer is dropped.
                let _ = answer.send(attempt(store, call));
            }
        }
    });
    let late = || KeychainError::Timeout(timeout.as_secs());
    match sender()?.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(late()),
        Err(TrySendError::Disconnected(_)) => return Err(KeychainError::Other("its thread has ended".into())),
    }
    match answered.recv_timeout(timeout) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            given_up.store(true, Ordering::Release);
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

fn sender() -> Result<&'static SyncSender<Job>, KeychainError> {
    static SENDER: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();
    let sender = SENDER.get_or_init(|| {
        let (sender, jobs) = mpsc::sync_channel::<Job>(QUEUE);
        let work = move || {
            let mut store = None;
            for job in jobs {
                job(&mut store);
            }
        };
        thread::Builder::new().name("keychain".into()).spawn(work).ok().map(|_| sender)
    });
    sender.as_ref().ok_or_else(|| KeychainError::Other("no thread could be started".into()))
}
