//! One integration binary: every module goes through a real door of the server to a real database.

mod audit;
mod changes;
#[cfg(unix)]
mod commands;
mod engine;
#[cfg(target_os = "linux")]
mod faults;
mod fuzz;
mod golden;
#[cfg(target_os = "linux")]
mod hostile;
mod imports;
mod log;
mod mail;
mod moments;
mod nodes;
mod oneroster;
mod platform;
mod support;
