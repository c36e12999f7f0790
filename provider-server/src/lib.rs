//! The provider's service: accepts changes of students durably, and delivers each to the schools concerned, signed.

pub mod clock;
pub mod engine;
pub mod error;
pub mod model;
pub mod sealing;
pub mod store;
