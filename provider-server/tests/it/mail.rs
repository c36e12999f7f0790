//! Mail through a real SMTP server: what is told, once for each school, and what becomes of it when the server is not there.

mod digests;
mod failing;
mod programs;
mod server;
mod support;
