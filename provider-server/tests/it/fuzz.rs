//! What comes from outside, as bytes: each target is a plain function that no input may make panic, and that says more
//! where something independent knows what is right. Fed with the inputs kept in `tests/fuzz`, and with changed ones.

mod address;
mod code;
mod config;
mod envelope;
mod feed;
mod retry_after;
mod roster;
mod signature;
