//! What people do in the windows, by the names of what they press.

use std::time::Duration;

use anyhow::{Context, Result};
use desktop_e2e::{App, STEP, Stage, until};
use provider_server::app::Running;

use crate::support::{PASSWORD, free_port, program};

/// Connects to a new server, compares its key, becomes its owner and creates the first district.
pub async fn become_owner(console: &App, provider: &Running) -> Result<()> {
    become_owner_at(console, provider, &provider.ready.grpc.to_string()).await
}

/// The same where the server is reached at this address.
pub async fn become_owner_at(console: &App, provider: &Running, address: &str) -> Result<()> {
    let code = std::fs::read_to_string(provider.ready.owner_code_file.as_ref().context("unclaimed")?)?;
    console.fill("Server address", address).await?;
    console.until_said(&provider.ready.pin[..8]).await?;
    console.press("button", "The fingerprint is right, continue").await?;
    console.fill("Owner code", code.trim()).await?;
    console.fill("Your user name", "ada").await?;
    console.fill("New password", PASSWORD).await?;
    console.press("button", "Become the owner").await?;
    console.find("heading", "Dashboard").await?;
    console.press("link", "Schools").await?;
    console.press("button", "Register a school").await?;
    console.fill("District name", "North").await?;
    console.fill("District sourcedId", "d-1").await?;
    console.press("button", "Create the district").await?;
    console.find("textbox", "School name").await.map(drop)
}

/// Registers a school that receives with School Desk, up to the enrollment code; answers the code.
pub async fn register(console: &App, name: &str, sourced_id: &str, webhook: &str) -> Result<String> {
    console.press("link", "Schools").await?;
    console.press("button", "Register a school").await?;
    console.fill("School name", name).await?;
    console.fill("sourcedId", sourced_id).await?;
    console.press("button", "Create the school").await?;
    console.fill("Webhook address", webhook).await?;
    console.press("button", "Save the address").await?;
    console.press("button", "Create a code").await?;
    console.until_said("Waiting for the school").await?;
    shown_code(console).await
}

/// The code that stands on the screen.
pub async fn shown_code(console: &App) -> Result<String> {
    until("the code", STEP, async || {
        let code = console.script("return document.querySelector('[data-testid=enrollment-code]')?.innerText", vec![]);
        Ok(code.await?.as_str().map(str::to_owned))
    })
    .await
}

/// Opens a desk whose receiver runs inside it, on this port of the loopback.
pub async fn desk(stage: &Stage, port: u16) -> Result<App> {
    stage.open(&program("desktop-school")?, &["--listen", &format!("127.0.0.1:{port}")]).await
}

/// A port for a desk, and its webhook.
pub fn webhook() -> Result<(u16, String)> {
    let port = free_port()?;
    Ok((port, format!("http://127.0.0.1:{port}/webhook")))
}

/// Enters a code and confirms the school; answers the six words.
pub async fn enroll(desk: &App, code: &str, school: &str) -> Result<String> {
    desk.fill("Enrollment code or link", code).await?;
    desk.until_said("The code is complete").await?;
    desk.press("button", "Continue").await?;
    desk.until_said("Is this your school?").await?;
    desk.until_said(school).await?;
    desk.press("button", "Enroll this school").await?;
    desk.until_said("Secret stored in").await?;
    let words = desk.script("return document.querySelector('[data-testid=fingerprint]').innerText", vec![]).await?;
    let words = words.as_str().context("six words")?.to_owned();
    anyhow::ensure!(words.split('-').count() == 6, "{words}");
    Ok(words)
}

/// Adds a student of a school by the form.
pub async fn add_student(console: &App, sourced_id: &str, given: &str, family: &str, school: &str) -> Result<()> {
    console.press("link", "Students").await?;
    console.press("button", "Add a student").await?;
    console.fill("sourcedId", sourced_id).await?;
    console.fill("Given name", given).await?;
    console.fill("Family name", family).await?;
    console.choose("School", school).await?;
    console.press("button", "Review").await?;
    console.until_said("Sends student.created to 1 school").await?;
    console.press("button", "Save and send").await?;
    console.until_said("1 message is queued").await
}

/// Opens a school's page at one of its parts.
pub async fn open_school(console: &App, name: &str, part: &str) -> Result<()> {
    console.press("link", "Schools").await?;
    console.press("link", name).await?;
    console.press("tab", part).await
}

/// Waits for a text that comes at the servers' own pace, which may be slower than a step.
pub async fn until_said_after(app: &App, limit: Duration, text: &str) -> Result<()> {
    let said = until(text, limit, async || Ok(app.text().await?.contains(text).then_some(()))).await;
    match said {
        Ok(()) => Ok(()),
        Err(error) => anyhow::bail!("{error}; the page says: {}", app.text().await?),
    }
}
