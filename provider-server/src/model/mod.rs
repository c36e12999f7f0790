//! Plain domain types and pure rules. No IO, no SQL, no prost types; nothing here derives Serialize.

pub mod access;
pub mod attention;
pub mod breaker;
pub mod buckets;
pub mod change;
pub mod connection;
pub mod connection_test;
pub mod delivery;
pub mod digest;
pub mod enrollment;
pub mod explanation;
pub mod holds;
pub mod import_run;
pub mod latency;
pub mod log_filter;
pub mod outcome;
pub mod planned_change;
pub mod projection;
pub mod retention;
pub mod retry;
pub mod school;
pub mod settlement;
pub mod source_row;
pub mod student;
