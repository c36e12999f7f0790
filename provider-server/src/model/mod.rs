//! Plain domain types and pure rules. No IO, no SQL, no prost types; nothing here derives Serialize.

pub mod access;
pub mod change;
pub mod connection_test;
pub mod delivery;
pub mod projection;
pub mod student;
