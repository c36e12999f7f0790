//! The receiver through its real doors: sockets, gRPC, the program itself.

mod catalogue;
mod commands;
mod convergence;
mod desk;
mod enrollment;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod flood;
mod history;
mod limits;
mod process;
mod rotation;
mod successor;
mod support;
