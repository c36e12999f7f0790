//! School Desk in the tray: a closed window leaves the receiver running.

use anyhow::{Result, ensure};
use desktop_e2e::{Keyring, STEP, Stage, until};
use tokio::net::TcpStream;

use crate::{
    flows::{SCHOOL, enrolled},
    support::stop,
};

const TITLE: &str = "School Desk";
const EXPLAINED: &str = "Still receiving";

/// The first close is explained, the second is not; both leave the receiver running. The tray's menu brings the window
/// back, also with a check one press away, and ends the program.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_window_goes_to_the_tray_and_the_receiver_stays() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let tray = stage.tray().await?;
    let (provider, console, desk, port) = enrolled(&stage).await?;
    let menu = tray.menu().await?;
    ensure!(menu == ["Open School Desk", "Run check…", "Quit (stops receiving)"], "{menu:?}");
    desk.press("link", "Roster").await?;

    stage.close_window(TITLE).await?;
    stage.until_visible(EXPLAINED, true).await?;
    stage.close_window(EXPLAINED).await?;
    stage.until_visible(TITLE, false).await?;
    crate::staff::add_student(&console, "S-1", "Zoë", "Nguyễn", SCHOOL).await?;
    tray.choose("Open School Desk").await?;
    stage.until_visible(TITLE, true).await?;
    desk.until_said("Zoë").await?;

    stage.close_window(TITLE).await?;
    stage.until_visible(TITLE, false).await?;
    tray.choose("Run check…").await?;
    stage.until_visible(TITLE, true).await?;
    stage.until_visible(EXPLAINED, false).await?;
    desk.find("heading", "Status").await?;
    until("the check's button has the focus", STEP, async || {
        let focused = desk.script("return document.activeElement.innerText.trim()", vec![]).await?;
        Ok((focused == "Run check").then_some(()))
    })
    .await?;

    tray.choose("Quit (stops receiving)").await?;
    until("the receiver stops", crate::flows::PATIENCE, async || {
        Ok(TcpStream::connect(("127.0.0.1", port)).await.is_err().then_some(()))
    })
    .await?;
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}
