//! Both consoles on real windows. Needs them built: `cargo build -p desktop-provider -p desktop-school`.

mod accessible;
mod bridge;
mod faults;
mod flows;
mod other_version;
mod staff;
mod states;
mod support;
mod tail;
mod tray;
mod wire;
