//! Both consoles on real windows. Needs them built: `cargo build -p desktop-provider -p desktop-school`.

mod bridge;
mod states;
mod support;
