//! The webhook contract (Standard Webhooks): headers, signature, and the events that bodies carry.

pub mod event;
pub mod headers;
pub mod signature;
