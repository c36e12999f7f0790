//! A stage for the real programs: a display, a session bus and a keychain that exist for one test only, and WebDriver
//! to look at the windows and press their buttons.

mod app;
mod bus_wire;
mod notifications;
mod page;
mod process;
mod session;
mod stage;
mod tray;

pub use app::App;
pub use bus_wire::BusWire;
pub use notifications::{Notification, Notifications};
pub use process::{Group, until};
pub use session::has_display;
pub use stage::{Keyring, Stage};
pub use tray::Tray;

use std::time::Duration;

/// No step of a flow takes longer.
pub const STEP: Duration = Duration::from_secs(60);
/// Between two looks at something that cannot tell by itself.
pub const LOOK: Duration = Duration::from_millis(50);
