//! The two consoles as programs: built around their UI, shown on a display, and handed the session of the demo.

use std::path::PathBuf;

use anyhow::{Context, Result};
use desktop_e2e::Stage;
use desktop_shell::session::{ACCOUNT, KEYCHAIN_SERVICE, Server, keychain_value};

use crate::{
    build::{self, Profile},
    provider::Provider,
    setup, ui,
};

/// The consoles' programs.
#[derive(Clone)]
pub struct Consoles {
    pub provider: PathBuf,
    pub school: PathBuf,
}

impl Consoles {
    /// Installs what their windows need, builds the UI and compiles both.
    pub fn build(profile: Profile) -> Result<Self> {
        setup::ensure(&setup::WINDOWS)?;
        setup::ensure(&setup::KEYCHAIN)?;
        ui::build()?;
        let [provider, school] = build::consoles(profile)?;
        Ok(Self { provider, school })
    }
}

/// Hands the session of `ctl` to the Provider Console the way in which it finds its own: by the keychain, here that of
/// a stage. The console has no other door.
pub async fn sign_in(stage: &Stage, provider: &Provider) -> Result<()> {
    let token = std::fs::read_to_string(&provider.token_file).context("no session token")?;
    let server = Server { address: provider.server.clone(), pin: provider.pin.to_string() };
    stage.keep(KEYCHAIN_SERVICE, ACCOUNT, &keychain_value(&server, token.trim())).await
}
