//! The provider's service: accepts changes of students durably, and delivers each to the schools concerned, signed.

pub mod app;
pub mod background;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(unix)]
mod control;
mod crash;
pub mod ctl;
mod data_dir;
pub mod engine;
pub mod error;
pub mod exit;
pub mod grpc;
pub mod import;
pub mod key_file;
mod key_rotation;
pub mod logging;
pub mod mail;
pub mod metrics;
pub mod model;
pub mod offline;
pub mod oneroster;
pub mod ops;
pub mod passwords;
pub mod purging;
pub mod sealing;
mod serving;
pub mod store;
mod tls;
mod workers;
