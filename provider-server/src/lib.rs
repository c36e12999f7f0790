//! The provider's service: accepts changes of students durably, and delivers each to the schools concerned, signed.

pub mod clock;
pub mod error;
pub mod grpc;
pub mod model;
pub mod sealing;
pub mod store;
pub mod oneroster;
