//! The program itself while its disk, its files, its clock and its handles fail under it. Each fault is a real one: made
//! by the kernel, by a tool beside the program, or by a byte that was changed.
//!
//! What a machine cannot do (no mount, no strace, no faketime) is skipped with a word; `cargo xtask test` brings the tools.

mod clock;
mod damaged;
mod descriptors;
mod disk;
mod ending;
mod importing;
mod machine;
mod postgres;
mod postgres_server;
mod support;
