//! The receiver through its real doors: sockets, gRPC, the program itself.

mod catalogue;
mod convergence;
mod desk;
mod enrollment;
mod history;
mod process;
mod support;
