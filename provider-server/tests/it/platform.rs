//! Districts, schools, enrollment, rotation and audit through the real gRPC door of a server of its own.

mod enrollment;
mod support;
