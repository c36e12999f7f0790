//! The delivery machine: claim → sign → send → settle → record. Never imports `grpc`: they meet in the store.

pub mod client;
pub mod counters;
pub mod dial;
pub mod egress;
pub mod lane;
pub mod membership;
pub mod message;
pub mod pace;
pub mod run;
pub mod scheduler;
pub mod sign;
pub mod tester;
