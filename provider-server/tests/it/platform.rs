//! Districts, schools, enrollment, rotation and audit through the real gRPC door of a server of its own.

mod access;
mod alarms;
mod connection;
mod ending;
mod enrollment;
pub mod imports;
mod limits;
mod matrix;
mod monitors;
mod real_school;
mod review;
mod rotation;
mod students;
pub mod support;
