//! Whole flows through the real windows, by what people press and read.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use desktop_e2e::{App, Keyring, Stage};
use provider_server::app::Running;
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::{
    staff::{add_student, become_owner, desk, enroll, open_school, register, until_said_after, webhook},
    support::{program, provider, stop, until_at},
};

pub const SCHOOL: &str = "Hill School";
/// For what waits for a server's own pace.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Sign in, register, enroll, a student arrives; the desk is started again and receives without asking. No secret and no
/// token was ever in a page.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_through_both_consoles() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    console.record_answers().await?;
    become_owner(&console, &provider).await?;
    let (port, url) = webhook()?;
    let school_desk = desk(&stage, port).await?;
    school_desk.record_answers().await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;

    let words = enroll(&school_desk, &code, SCHOOL).await?;
    console.until_said("Redeemed on").await?;
    console.until_said(&words).await?;
    ensure!(!console.text().await?.contains(&code), "a used code is no longer on the screen");
    let kept = stage.all_kept("rollcall-school").await?;
    ensure!(!kept.is_empty(), "another program of the session sees the secret in the keychain");

    add_student(&console, "S-1", "Zoë", "Nguyễn", SCHOOL).await?;
    school_desk.press("link", "Roster").await?;
    school_desk.until_said("Zoë").await?;
    school_desk.press("link", "Received events").await?;
    school_desk.until_said("Verified").await?;
    open_school(&console, SCHOOL, "Deliveries").await?;
    console.until_said("p95 latency").await?;
    delivered(&console, 1).await?;
    console.press("button", "Open webhook log").await?;
    console.other_window().await?;
    console.find("grid", "Delivery attempts").await?;
    console.until_said("student.created").await?;
    console.until_said("Delivered").await?;
    ensure!(!console.page_holds("whsec_").await?, "the log window holds a secret");
    console.main_window().await?;

    let session = stage.kept("rollcall-provider-console", "session").await?.context("the session is kept")?;
    let mut canaries = vec!["whsec_".to_owned(), session.clone()];
    canaries.push(token_of(&session)?);
    for (name, app) in [("Provider Console", &console), ("School Desk", &school_desk)] {
        for canary in &canaries {
            ensure!(!app.page_holds(canary).await?, "{name}: a secret stands in the page or its storage");
            let (held, answers) = app.answers_hold(canary).await?;
            ensure!(answers > 10, "{name}: only {answers} answers were seen");
            ensure!(!held, "{name}: a secret was in an answer to the page");
        }
    }

    school_desk.kill().await?;
    let school_desk = desk(&stage, port).await?;
    school_desk.until_said("Receiver listening").await?;
    school_desk.until_said(SCHOOL).await?;
    add_student(&console, "S-2", "Łukasz", "Demir", SCHOOL).await?;
    school_desk.press("link", "Roster").await?;
    school_desk.until_said("Łukasz").await?;
    end(school_desk, console, provider).await
}

/// The receiver stops: the log window tells the cause in words and the message is parked. It comes back: sent again
/// from the log window, the attempt is green and nothing is parked any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_receiver_is_told_and_a_message_is_sent_again() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let (provider, console, school_desk, port) = enrolled(&stage).await?;
    // No probe of its own while the test lasts.
    wait_briefly(&console, port, 3_600_000).await?;

    school_desk.kill().await?;
    add_student(&console, "S-1", "Zoë", "Nguyễn", SCHOOL).await?;
    open_school(&console, SCHOOL, "Deliveries").await?;
    counted(&console, "Parked", 1).await?;
    console.press("button", "Open webhook log").await?;
    console.other_window().await?;
    console.until_said("student.created").await?;
    // The newest attempt, by the keyboard.
    console.script("document.querySelector('[role=grid]').focus()", vec![]).await?;
    console.key("j").await?;
    console.key(Key::Enter + "").await?;
    console.until_said("refused the connection").await?;
    ensure!(edge(&console).await?.contains("parked"), "the last try has its mark");

    let school_desk = desk(&stage, port).await?;
    school_desk.press("link", "Roster").await?;
    console.press("button", "Send again").await?;
    until_said_after(&console, PATIENCE, "Delivered by attempt").await?;
    ensure!(edge(&console).await?.contains("delivered"), "the row is green now");
    until_said_after(&school_desk, PATIENCE, "Zoë").await?;
    console.main_window().await?;
    counted(&console, "Parked", 0).await?;
    delivered(&console, 1).await?;
    end(school_desk, console, provider).await
}

/// The receiver stops and comes back: the provider notices by itself, and everything arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_comes_back_gets_everything_by_itself() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let (provider, console, school_desk, port) = enrolled(&stage).await?;
    wait_briefly(&console, port, 1_000).await?;

    school_desk.kill().await?;
    add_student(&console, "S-1", "Zoë", "Nguyễn", SCHOOL).await?;
    open_school(&console, SCHOOL, "Deliveries").await?;
    until_said_after(&console, PATIENCE, "Connection refused").await?;
    counted(&console, "Parked", 1).await?;

    let school_desk = desk(&stage, port).await?;
    school_desk.press("link", "Roster").await?;
    until_said_after(&school_desk, PATIENCE, "Zoë").await?;
    counted(&console, "Parked", 0).await?;
    delivered(&console, 1).await?;
    end(school_desk, console, provider).await
}

/// A locked keychain burns no code: unlocked, the same code is good.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_is_unlocked_and_the_code_is_good() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    let (port, url) = webhook()?;
    let school_desk = desk(&stage, port).await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;
    school_desk.fill("Enrollment code or link", &code).await?;
    stage.lock_keyring().await?;
    school_desk.press("button", "Continue").await?;
    school_desk.until_said("The keychain is locked").await?;
    school_desk.until_said("the code was not used up").await?;
    stage.answer_prompt().await?;
    school_desk.press("button", "Unlock and try again").await?;
    school_desk.press("button", "Enroll this school").await?;
    school_desk.until_said("Secret stored in GNOME Keyring").await?;
    console.until_said("Redeemed on").await?;
    end(school_desk, console, provider).await
}

/// Without a keychain there is no enrollment, no plain file, and the code stays good.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_there_is_no_enrollment() -> Result<()> {
    let stage = Stage::set(Keyring::Absent).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    console.until_said("You stay signed in only until you close the console").await?;
    let (port, url) = webhook()?;
    let school_desk = desk(&stage, port).await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;
    school_desk.until_said("This session has no keychain").await?;
    school_desk.press("link", "Enroll").await?;
    school_desk.fill("Enrollment code or link", &code).await?;
    school_desk.press("button", "Continue").await?;
    school_desk.until_said("This machine has no keychain").await?;
    school_desk.until_said("The code was not used up").await?;
    console.until_said("Waiting for the school").await?;
    end(school_desk, console, provider).await
}

/// A code that somebody else presents again is refused there, and both consoles of the school raise the alarm; the
/// desktop's notification leads to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reused_code_alarms_both_consoles() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let notifications = stage.notifications().await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    let (port, url) = webhook()?;
    let school_desk = desk(&stage, port).await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;
    enroll(&school_desk, &code, SCHOOL).await?;
    school_desk.press("button", "Go to Status and run a check").await?;

    // Another machine: its own session, keychain and folder.
    let elsewhere = Stage::set(Keyring::Unlocked).await?;
    let other = desk(&elsewhere, webhook()?.0).await?;
    other.fill("Enrollment code or link", &code).await?;
    other.press("button", "Continue").await?;
    other.press("button", "Enroll this school").await?;
    other.until_said("The code was used already").await?;
    other.kill().await?;

    until_said_after(&school_desk, PATIENCE, "The provider raised an alarm").await?;
    let alarm = notifications.until_shown("Somebody else used the enrollment code").await?;
    ensure!(!alarm.words.contains(&code), "a notification shows the code");
    school_desk.press("link", "Roster").await?;
    until_at(&school_desk, "#/roster").await?;
    notifications.press(&alarm).await?;
    school_desk.find("heading", "Status").await?;
    open_school(&console, SCHOOL, "Overview").await?;
    until_said_after(&console, PATIENCE, "presented again by a second party").await?;
    end(school_desk, console, provider).await
}

/// A roster is imported by the system's file dialog, looked at, approved, and applied while its progress is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_roster_is_imported_with_its_plan_and_progress() -> Result<()> {
    let Some(zip) = roster("district-small-bulk-1.2.zip") else {
        eprintln!("SKIPPED: the shared rosters are not on this machine");
        return Ok(());
    };
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    console.press("link", "Imports").await?;
    console.press("button", "Choose a file").await?;
    stage.choose_file("Choose a OneRoster zip", &zip).await?;
    console.until_said("district-small-bulk-1.2.zip").await?;
    console.press("button", "Upload and check").await?;
    until_said_after(&console, PATIENCE, "Look at the plan, then decide").await?;
    console.until_said("OneRoster 1.2, bulk").await?;
    console.press("button", "Approve").await?;
    until_said_after(&console, PATIENCE, "Applied: ").await?;
    console.press("link", "Students").await?;
    console.until_said("students shown, more below").await?;
    console.kill().await?;
    stop(provider).await
}

/// From a new server to a stored secret without a pointer.
#[tokio::test(flavor = "multi_thread")]
async fn the_path_to_the_secret_by_keyboard_alone() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    let code = std::fs::read_to_string(provider.ready.owner_code_file.as_ref().context("unclaimed")?)?;
    typed(&console, "Server address", &provider.ready.grpc.to_string()).await?;
    entered(&console, "button", "The fingerprint is right, continue").await?;
    typed(&console, "Owner code", code.trim()).await?;
    typed(&console, "Your user name", "ada").await?;
    typed(&console, "New password", crate::support::PASSWORD).await?;
    console.key(Key::Enter + "").await?;
    console.find("heading", "Dashboard").await?;

    let (port, url) = webhook()?;
    let school_desk = desk(&stage, port).await?;
    entered(&console, "link", "Schools").await?;
    entered(&console, "button", "Register a school").await?;
    typed(&console, "District name", "North").await?;
    typed(&console, "District sourcedId", "d-1").await?;
    console.key(Key::Enter + "").await?;
    typed(&console, "School name", SCHOOL).await?;
    typed(&console, "sourcedId", "school-1").await?;
    console.key(Key::Enter + "").await?;
    typed(&console, "Webhook address", &url).await?;
    console.key(Key::Enter + "").await?;
    entered(&console, "button", "Create a code").await?;
    let code = crate::staff::shown_code(&console).await?;

    typed(&school_desk, "Enrollment code or link", &code).await?;
    school_desk.until_said("The code is complete").await?;
    school_desk.key(Key::Enter + "").await?;
    entered(&school_desk, "button", "Enroll this school").await?;
    school_desk.until_said("Secret stored in GNOME Keyring").await?;
    console.until_said("Redeemed on").await?;
    end(school_desk, console, provider).await
}

/// Goes to a field by the tab key and types.
async fn typed(app: &App, label: &str, text: &str) -> Result<()> {
    app.tab_to("textbox", label).await?;
    app.key(text).await
}

/// Goes to a control by the tab key and presses Enter.
async fn entered(app: &App, role: &str, name: &str) -> Result<()> {
    app.tab_to(role, name).await?;
    app.key(Key::Enter + "").await
}

/// A provider, a console that is signed in, and a desk that is enrolled.
pub async fn enrolled(stage: &Stage) -> Result<(Running, App, App, u16)> {
    let provider = provider(stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    let (port, url) = webhook()?;
    let school_desk = desk(stage, port).await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;
    enroll(&school_desk, &code, SCHOOL).await?;
    Ok((provider, console, school_desk, port))
}

/// Sets waits that a test can sit through; the form for them has seconds.
async fn wait_briefly(console: &App, port: u16, probe_ms: u64) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/webhook");
    let retry = json!({"maxTries": 2, "delaysMs": [200], "probeMs": probe_ms, "timeoutMs": 5_000});
    let connect = json!({"school": "school-1", "url": url, "retry": retry});
    console.ask("SchoolService/ConnectSchool", connect).await.map(drop)
}

/// The classes of the bar at the edge of the open row.
async fn edge(console: &App) -> Result<String> {
    let row = console.script("return document.querySelector('[role=row][aria-selected=true]')?.className", vec![]);
    Ok(row.await?.as_str().context("a row is open")?.to_owned())
}

/// Waits until the school's page counts so many messages as delivered.
async fn delivered(console: &App, count: u64) -> Result<()> {
    counted(console, "Delivered", count).await
}

/// Waits until the facts of the page say this figure.
async fn counted(console: &App, name: &str, count: u64) -> Result<()> {
    const SCRIPT: &str =
        "const term = [...document.querySelectorAll('dt')].find((dt) => dt.innerText === arguments[0]);
        return term?.nextElementSibling?.innerText ?? null";
    desktop_e2e::until(&format!("{name} {count}"), PATIENCE, async || {
        let shown = console.script(SCRIPT, vec![json!(name)]).await?;
        Ok((shown == json!(count.to_string())).then_some(()))
    })
    .await
}

/// The token inside what the keychain holds of a session.
pub fn token_of(session: &str) -> Result<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let stored: Value = serde_json::from_slice(&STANDARD.decode(session)?)?;
    Ok(stored["token"].as_str().context("a session has a token")?.to_owned())
}

/// A file of the shared rosters, which lie beside the repository.
fn roster(name: &str) -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("shared/rosters").join(name)).find(|file| file.is_file())
}

pub async fn end(school_desk: App, console: App, provider: Running) -> Result<()> {
    school_desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}
