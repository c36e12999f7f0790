//! The delivery machine, from a committed change to a real receiver on loopback and back into the log.

mod delivering;
mod recovering;
mod refusing;
mod simulation;
pub mod support;
