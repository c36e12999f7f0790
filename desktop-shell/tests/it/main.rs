//! The shell without Tauri, against real servers.

mod provider;
mod streams;
mod support;
mod transfer;
