//! The delivery log through its door: pages, filters, the live tail, messages, and acts on messages.

mod acts;
mod audit;
mod cancels;
mod counts;
pub mod door;
mod exports;
mod figures;
mod filters;
mod groups;
mod live;
mod messages;
mod pages;
mod requests;
mod retention;
