//! OneRoster zips through the library's one door: real ones, written ones, broken ones.

mod broken;
mod hostile;
mod real;
mod round_trip;
mod support;
