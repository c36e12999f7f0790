//! The delivery log through its door: pages, filters, the live tail, messages, and acts on messages.

mod acts;
mod audit;
pub mod door;
mod figures;
mod filters;
mod groups;
mod live;
mod messages;
mod pages;
mod retention;
