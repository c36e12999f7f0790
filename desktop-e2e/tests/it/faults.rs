//! What goes wrong between a console and its server, on the real window.

use anyhow::Result;
use desktop_e2e::{Keyring, Stage};
use serde_json::json;

use crate::{
    flows::PATIENCE,
    staff::{become_owner, open_school, register, until_said_after},
    support::{PASSWORD, program, provider, provider_at, stop},
};

/// The server goes: what is shown stays, with its time. It comes back: the console goes on. Another server in its place
/// is not believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_server_is_told_and_found_again_and_another_is_refused() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let first = provider(&stage).await?;
    let address = first.ready.grpc;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &first).await?;
    register(&console, "Hill School", "school-1", "http://127.0.0.1:9/webhook").await?;
    open_school(&console, "Hill School", "Overview").await?;

    stop(first).await?;
    until_said_after(&console, PATIENCE, "Reconnecting…").await?;
    until_said_after(&console, PATIENCE, "Showing data from").await?;
    console.until_said("Hill School").await?;
    let again = provider_at(&stage, "provider", address).await?;
    until_said_after(&console, PATIENCE, "Connected").await?;

    stop(again).await?;
    let other = provider_at(&stage, "another", address).await?;
    until_said_after(&console, PATIENCE, "the server's key is not the one that was known: nothing was sent").await?;
    console.kill().await?;
    stop(other).await
}

/// What the server refuses stands at its field; a session that was ended leads back to the sign-in, and from there on.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_stands_at_its_field_and_an_ended_session_is_taken_up_anew() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let server = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &server).await?;
    register(&console, "Hill School", "school-1", "http://127.0.0.1:9/webhook").await?;
    console.press("link", "Schools").await?;
    console.press("button", "Register a school").await?;
    console.fill("School name", "Dale School").await?;
    console.fill("sourcedId", "school-1").await?;
    console.press("button", "Create the school").await?;
    console.until_said("is taken by another school of this district").await?;

    console.ask("StaffService/RevokeSessions", json!({ "staff": "ada" })).await?;
    console.press("link", "Schools").await?;
    until_said_after(&console, PATIENCE, "Your session has ended").await?;
    console.fill("User name", "ada").await?;
    console.fill("Password", PASSWORD).await?;
    console.press("button", "Sign in").await?;
    console.until_said("Hill School").await?;
    console.kill().await?;
    stop(server).await
}
