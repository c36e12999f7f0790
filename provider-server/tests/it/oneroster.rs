//! OneRoster zips through the library's one door: real ones, written ones, broken ones.

mod broken;
mod hostile;
pub mod real;
mod round_trip;
mod school_file;
pub mod support;
