//! The delivery machine: claim → sign → send → settle → record. Never imports `grpc`: they meet in the store.

pub mod egress;
pub mod lane;
pub mod scheduler;
