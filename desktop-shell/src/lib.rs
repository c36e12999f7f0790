//! What both consoles share. The webview knows a method's name and JSON; everything else lives here, outside of it:
//! the server's address and key, the session's token, the connection, files.
//!
//! A click goes `call` → [`rules`] (may this window?) → [`codec`] (JSON to a message, by the schema) → [`link`] (pinned
//! channel, token) → the server, and back through [`secrets`] (may this window see it?). Live rows come over
//! [`streams`], files go through [`transfer`]. Nothing here knows Tauri but `host`, which exists with the feature
//! `tauri` only.

mod calls;
pub mod check;
pub mod codec;
#[cfg(all(feature = "tauri", target_os = "linux"))]
mod drawing;
pub mod error;
#[cfg(feature = "tauri")]
pub mod host;
pub mod link;
pub mod places;
pub mod rules;
pub mod secrets;
pub mod session;
pub mod streams;
pub mod transfer;

pub use calls::Shell;
pub use error::{ErrorCode, ShellError};
pub use link::{Link, Links, Target};
pub use rules::Rules;
