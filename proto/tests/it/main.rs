//! The contract from outside.

mod golden;
