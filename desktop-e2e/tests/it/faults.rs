//! What goes wrong between a console and its server, on the real window.

use anyhow::{Result, ensure};
use desktop_e2e::{Keyring, Stage};
use serde_json::json;

use crate::{
    flows::PATIENCE,
    other_version::OtherVersion,
    staff::{become_owner, become_owner_at, open_school, register, until_said_after},
    support::{PASSWORD, program, provider, provider_at, stop},
    wire::Wire,
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
    ensure!(!console.text().await?.contains("reconnecting"), "nothing is tried again with another key");
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

/// A slow answer is waited for, in the shape of what comes. A server that says nothing any more is told as lost, with the
/// age of what is shown, and found again.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_waited_for_and_a_silent_one_is_told() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let server = provider(&stage).await?;
    let wire = Wire::to(server.ready.grpc).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner_at(&console, &server, &wire.address.to_string()).await?;

    wire.hold();
    console.press("link", "Staff and roles").await?;
    console.find("status", "Loading").await?;
    wire.release();
    console.find("row", "ada").await?;

    wire.hold();
    until_said_after(&console, PATIENCE, "Reconnecting…").await?;
    console.press("link", "Schools").await?;
    console.press("link", "Staff and roles").await?;
    until_said_after(&console, PATIENCE, "Showing data from").await?;
    console.find("row", "ada").await?;
    wire.release();
    until_said_after(&console, PATIENCE, "Connected").await?;
    console.kill().await?;
    stop(server).await
}

/// A server of another generation is told before anybody signs in, with who has to be updated.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_or_too_new_is_told_before_the_sign_in() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    for (version, words) in [
        ("0.0.9", "0.0.9 is too old for this console (0.1.0): update the server"),
        ("7.2.0", "7.2.0 is too new for this console (0.1.0): update the console"),
    ] {
        let server = OtherVersion::start(version).await?;
        console.fill("Server address", &server.address.to_string()).await?;
        console.until_said(words).await?;
        ensure!(
            console.look_for("button", "The fingerprint is right, continue").await?.is_none(),
            "it goes no further"
        );
    }
    console.kill().await
}

/// Somebody with a lower role sees which role a place takes, and no button that the server would refuse.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_too_low_is_told_with_the_one_it_takes() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let server = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &server).await?;
    register(&console, "Hill School", "school-1", "http://127.0.0.1:9/webhook").await?;
    let viewer = json!({ "username": "vera", "password": PASSWORD, "role": "ROLE_VIEWER", "districts": ["d-1"] });
    console.ask("StaffService/CreateStaff", viewer).await?;
    console.press("button", "ada").await?;
    console.press("menuitem", "Sign out").await?;
    console.fill("User name", "vera").await?;
    console.fill("Password", PASSWORD).await?;
    console.press("button", "Sign in").await?;

    // Not where the one before was, who had registered a school.
    console.find("heading", "Dashboard").await?;
    console.script("location.hash = '#/register-school'", vec![]).await?;
    console.until_said("Only an operator of the district or an owner can change this.").await?;
    ensure!(console.look_for("link", "Staff and roles").await?.is_none(), "a viewer has no such place");
    console.script("location.hash = '#/staff'", vec![]).await?;
    console.until_said("You need another role for this. Staff and roles takes the role owner.").await?;
    console.press("link", "Schools").await?;
    console.find("link", "Hill School").await?;
    ensure!(console.look_for("button", "Register a school").await?.is_none(), "a viewer registers no school");
    let refusal = console.call("SchoolService/PauseSchool", json!({ "school": "school-1" })).await?;
    ensure!(refusal.is_err_and(|refusal| refusal["code"] == "permission_denied"), "the server decides");
    console.kill().await?;
    stop(server).await
}
