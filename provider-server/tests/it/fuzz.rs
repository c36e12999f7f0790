//! What comes from outside, as bytes: each target has a plain function, `check`, that no input may make panic, and that
//! says more where something independent knows what is right. Here they are fed with the inputs kept in `tests/fuzz`, and
//! with changed ones; cargo-fuzz drives the same functions out of the same files (`provider-server/fuzz`).

mod address;
mod code;
mod config;
mod dictionary;
mod envelope;
mod feed;
mod retry_after;
mod roster;
mod signature;
