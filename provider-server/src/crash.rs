//! Named points at which a test may end this process by kill -9, to try what a power cut at just that moment does. Only
//! programs compiled with debug assertions have them: a shipped one cannot be told to die.

/// Dies here where `ROLLCALL_CRASH_AT` is `NAME:N` and this is the N-th time that the point is passed.
#[cfg(all(debug_assertions, unix))]
pub fn point(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let wanted = std::env::var("ROLLCALL_CRASH_AT").ok()?;
        let (name, pass) = wanted.split_once(':')?;
        Some((name.to_owned(), pass.parse().ok()?))
    });
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let Some((wanted, pass)) = &*WANTED else { return };
    if wanted == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *pass {
        // Nothing is flushed, closed or told: that is the point.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing: this program has no such points.
#[cfg(not(all(debug_assertions, unix)))]
pub fn point(_name: &str) {}
