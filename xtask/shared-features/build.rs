//! Nothing to do: it makes cargo compile what `[build-dependencies]` names.

fn main() {}
