//! Imports through the server's own door to a real database: expected counts, holds, undo, restarts, broken files.

mod flow;
mod holds;
mod real;
mod support;
mod undo;
