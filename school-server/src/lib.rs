//! The school's receiver: verifies each signed message over its raw bytes and applies it exactly once.
//!
//! `main` → `cli` → `commands` → `app` → {`receive`, `grpc`} → `inbox` → `store`. Only `store` has SQL, only `grpc`,
//! `commands`, `enroll` and `rotation` see the schema's types, only the `inbox`'s writer writes.

pub mod app;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod enroll;
pub mod error;
pub mod grpc;
pub mod inbox;
pub mod metrics;
pub mod provider_link;
pub mod receive;
pub mod roster_file;
pub mod rotation;
pub mod secrets;
pub mod signature_check;
pub mod store;
