//! Imports on a real database: counts, holds, undo, restarts, real rosters. The rpcs are in `platform::imports`.

mod flow;
mod holds;
mod real;
mod support;
mod undo;
