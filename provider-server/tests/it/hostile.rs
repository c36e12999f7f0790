//! Receivers, certificates and names that mean us ill, against the real program: it goes on, nothing waits for long, and
//! nothing is dialled that must not be.

mod cases;
mod catalogue;
mod certificates;
mod egress;
mod names;
mod receivers;
