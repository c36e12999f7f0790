//! The channel to the provider that a code names, and why there may be none.

use std::time::Duration;

use rollcall_proto::pinned::{Pin, PinMismatch, PinnedEndpoint};
use tonic::transport::Channel;

/// A call that takes longer failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nobody answers there.
    #[error("the provider at {address} cannot be reached: {problem}")]
    Unreachable { address: String, problem: String },
    /// Somebody answers who holds another key. Nothing was sent.
    #[error(
        "the server at {address} is not the provider that made the code: its key differs. Nothing was sent. Ask the \
         provider for a new code, and tell them about this"
    )]
    WrongKey { address: String, expected: String, shown: String },
    /// The address is none.
    #[error("`{0}` is not HOST:PORT")]
    Address(String),
}

/// Opens a channel to `HOST:PORT` whose key has this SHA-256.
///
/// # Errors
/// [`LinkError::WrongKey`] where another key answers; then nothing was sent.
pub async fn connect(address: &str, pin: [u8; 32]) -> Result<Channel, LinkError> {
    let endpoint = PinnedEndpoint::new(address, Pin(pin)).map_err(|_| LinkError::Address(address.to_owned()))?;
    endpoint.with_call_timeout(CALL_TIMEOUT).connect().await.map_err(|error| match PinMismatch::find(&error) {
        Some(PinMismatch { expected, shown }) => LinkError::WrongKey {
            address: address.to_owned(),
            expected: expected.to_string(),
            shown: shown.to_string(),
        },
        None => LinkError::Unreachable { address: address.to_owned(), problem: innermost(&error) },
    })
}

/// The cause at the bottom: what wraps it says only that there was one.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
