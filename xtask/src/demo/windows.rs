//! The consoles of the demo, already connected: the Provider Console by the keychain, School Desk by the folder of the
//! first school's receiver.

use anyhow::{Context, Result};
use desktop_e2e::{Group, Stage};

use super::DemoSchool;
use crate::{
    consoles::{Consoles, sign_in},
    progress::Progress,
    provider::Provider,
};

/// The open windows, in a session with a keychain of its own: what the person at this display keeps is not touched.
pub struct Windows {
    _consoles: Vec<Group>,
    // After the consoles, which need it.
    _stage: Stage,
}

impl Windows {
    /// Opens both consoles; where that fails the demo goes on, and says why.
    pub async fn open(
        consoles: &Consoles,
        provider: &Provider,
        schools: &[DemoSchool],
        progress: &Progress,
    ) -> Option<Self> {
        match Self::try_open(consoles, provider, schools).await {
            Ok(windows) => {
                progress.step("both consoles are open; they end with the demo");
                Some(windows)
            }
            Err(error) => {
                progress.step(format!("the consoles could not be opened: {error:#}"));
                None
            }
        }
    }

    async fn try_open(consoles: &Consoles, provider: &Provider, schools: &[DemoSchool]) -> Result<Self> {
        let stage = Stage::before_us().await?;
        sign_in(&stage, provider).await?;
        let school = schools.first().context("the demo has no school")?;
        let folder = school.receiver.data_dir.to_string_lossy().into_owned();
        let opened =
            vec![stage.start(&consoles.provider, &[])?, stage.start(&consoles.school, &["--data-dir", &folder])?];
        Ok(Self { _consoles: opened, _stage: stage })
    }
}
