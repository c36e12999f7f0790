//! What the roster's target takes from the tests of OneRoster.

#[path = "../../tests/it/oneroster/support.rs"]
pub mod support;
