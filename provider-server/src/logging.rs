//! Structured logs on stderr: readable on a terminal, JSON lines elsewhere. Never student data, never secrets.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging; `ROLLCALL_LOG` is a filter like `info,provider_server=debug`. A panic is logged by its place, not by
/// its text, which may quote data.
pub fn start() {
    let filter = EnvFilter::try_from_env("ROLLCALL_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}
