//! Looks at a server before anybody signs in: whether it answers, which key it shows, its version, how far it is.

use std::time::{Duration, Instant};

use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{GetServerInfoRequest, staff_service_client::StaffServiceClient},
};
use serde::Serialize;
use tonic::transport::Channel;

use crate::{
    ErrorCode, ShellError,
    error::{ServerKeys, shown},
};

const TIMEOUT: Duration = Duration::from_secs(10);
/// What this program can talk to: the same first number of the version, and below 1.0 the same second one.
const OUR_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a look at a server found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCheck {
    /// SHA-256 of its public key, hex: to be compared with what the server printed at its start.
    pub pin: String,
    /// Its version.
    pub version: String,
    /// Whether this program fits it.
    pub compatible: bool,
    /// The first owner has still to be claimed.
    pub unclaimed: bool,
    /// One question and its answer.
    pub latency_ms: u32,
    /// Whether the key was known before.
    pub key_known: bool,
}

/// Looks at a server. With a known pin another key is an error; without one the key that it shows is answered, and
/// nothing but a public question was sent.
///
/// # Errors
/// [`ErrorCode::ServerKeyChanged`], [`ErrorCode::Unavailable`], [`ErrorCode::BadAddress`].
pub async fn check(address: &str, known: Option<Pin>) -> Result<ServerCheck, ShellError> {
    let (pin, channel) = match known {
        Some(pin) => (pin, connect(address, pin).await.map_err(|failed| failed.error)?),
        // No key fits this one, so the handshake ends with the key that is shown.
        None => match connect(address, Pin([0; 32])).await {
            Ok(channel) => (Pin([0; 32]), channel),
            Err(Failed { shown: Some(shown), .. }) => {
                (shown, connect(address, shown).await.map_err(|failed| failed.error)?)
            }
            Err(failed) => return Err(failed.error),
        },
    };
    let mut client = StaffServiceClient::new(channel);
    #[allow(clippy::disallowed_methods)]
    let asked_at = Instant::now(); // How far the server is: a measurement, not a decision.
    let info = client.get_server_info(GetServerInfoRequest {}).await.map_err(ShellError::from)?.into_inner();
    let latency_ms = u32::try_from(asked_at.elapsed().as_millis()).unwrap_or(u32::MAX);
    Ok(ServerCheck {
        pin: pin.to_string(),
        compatible: compatible(OUR_VERSION, &info.version),
        version: info.version,
        unclaimed: info.unclaimed,
        latency_ms,
        key_known: known.is_some(),
    })
}

struct Failed {
    error: ShellError,
    shown: Option<Pin>,
}

async fn connect(address: &str, pin: Pin) -> Result<Channel, Failed> {
    let bad = |error: &dyn std::fmt::Display| ShellError::new(ErrorCode::BadAddress, error.to_string());
    let endpoint = PinnedEndpoint::new(address, pin).map_err(|error| Failed { error: bad(&error), shown: None })?;
    endpoint.with_call_timeout(TIMEOUT).connect().await.map_err(|error| match shown(&error) {
        Some(shown) => {
            let keys = ServerKeys { expected: pin.to_string(), shown: shown.to_string() };
            let error = ShellError { keys: Some(Box::new(keys)), ..key_changed() };
            Failed { error, shown: Some(shown) }
        }
        None => {
            let words = format!("no answer from {address}: {}", innermost(&error));
            Failed { error: ShellError::new(ErrorCode::Unavailable, words), shown: None }
        }
    })
}

fn key_changed() -> ShellError {
    let words = "the server's key is not the one that was known: nothing was sent. Ask whoever runs the server whether \
                 its key was changed, before you trust the new one";
    ShellError::new(ErrorCode::ServerKeyChanged, words)
}

/// The cause at the bottom: what wraps it says only that there was one.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn compatible(ours: &str, theirs: &str) -> bool {
    let significant = |version: &str| {
        let mut parts = version.split(['.', '-', '+']).map(str::to_owned);
        let major = parts.next().unwrap_or_default();
        let minor = parts.next().unwrap_or_default();
        if major == "0" { (major, minor) } else { (major, String::new()) }
    };
    significant(ours) == significant(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_within_a_generation() {
        for (theirs, fits) in [("0.1.0", true), ("0.1.9", true), ("0.2.0", false), ("1.1.0", false), ("", false)] {
            assert_eq!(compatible("0.1.0", theirs), fits, "{theirs}");
        }
        assert!(compatible("1.4.0", "1.0.3") && !compatible("1.4.0", "2.0.0"));
    }
}
