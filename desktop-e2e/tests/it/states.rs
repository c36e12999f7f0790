//! What may go wrong around a console, and what its page is told then.

use anyhow::{Context, Result};
use desktop_e2e::{Keyring, Stage, until};
use school_server::{
    app::{self, Parts},
    cli::{Common, Serve},
    clock::Clock,
    config::Settings,
};
use serde_json::json;

use crate::{
    flows::{SCHOOL, end},
    staff::{become_owner, desk, register, webhook},
    support::{claim, program, provider, receiving, registered, stop, until_at},
};

/// A secret that somebody deleted from the keychain is told as such, and a new code mends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_is_told_and_a_new_code_mends_it() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    claim(&console, &provider).await?;
    let (desk, school, code) = registered(&stage, &console).await?;
    let redeem = |code| json!({"code": code, "schoolSourcedId": "school-1"});
    desk.must("redeem_code", redeem(code)).await?;
    desk.kill().await?;
    stage.empty_keychain("rollcall-school").await?;

    let (desk, webhook) = receiving(&stage).await?;
    let status = desk.ask("ReceiverService/GetStatus", json!({})).await?;
    assert_eq!((&status["enrolled"], &status["secretErrorReason"]), (&json!(false), &json!("secret_gone")), "{status}");
    assert_eq!(status["schoolSourcedId"], "school-1", "whose data it holds is still known");
    console.ask("SchoolService/ConnectSchool", json!({"school": school, "url": webhook})).await?;
    let code = console.ask("SchoolService/IssueCode", json!({"school": school})).await?["code"].clone();
    desk.must("redeem_code", redeem(code)).await?;
    let status = desk.ask("ReceiverService/GetStatus", json!({})).await?;
    assert_eq!((&status["enrolled"], &status["secretErrorReason"]), (&json!(true), &json!("")), "{status}");

    // A reset is meant, and no loss.
    desk.must("reset_enrollment", json!({})).await?;
    desk.until_told("receiver", |state| state["state"] == "inside").await?;
    let status = desk.ask("ReceiverService/GetStatus", json!({})).await?;
    assert_eq!((&status["enrolled"], &status["secretErrorReason"]), (&json!(false), &json!("")), "{status}");
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}

/// Beside the school's own receiver the desk receives nothing itself: it attaches, follows a restart, and uses the
/// school's credential from that receiver's store.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_beside_the_desk_is_attached_to() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let folder = stage.folder().join("own-receiver");
    let start = async || -> Result<app::Running> {
        let common = Common { data_dir: Some(folder.clone()), secret_store: Some("file".into()), ..Common::default() };
        let settings = Settings::load(&common).map_err(|e| anyhow::anyhow!("{e}"))?;
        let serve = Serve { listen: Some("127.0.0.1:0".into()), ..Serve::default() };
        let serve = settings.serve(&serve).map_err(|e| anyhow::anyhow!("{e}"))?;
        let lock = settings.data_dir.lock().map_err(|e| anyhow::anyhow!("{e}"))?;
        let Settings { data_dir, secret_store, .. } = settings;
        let parts = Parts { data_dir, secret_store, clock: Clock::system(), lock };
        app::start(parts, Some(serve)).await.map_err(|e| anyhow::anyhow!("{e}"))
    };
    let own = start().await?;
    let arguments = ["--data-dir", folder.to_str().context("a text")?, "--secret-store", "file"];
    let desk = stage.open(&program("desktop-school")?, &arguments).await?;
    desk.follow("receiver", "watch_receiver", json!({}), "changes").await?;
    let state = desk.until_told("receiver", |state| state["state"] == "beside").await?;
    assert_eq!(state["webhook"], own.ready.webhook);
    assert_eq!(desk.ask("ReceiverService/GetStatus", json!({})).await?["secretStore"], "file");
    let refusal = desk.invoke("reset_enrollment", json!({})).await?.expect_err("it is reset where it runs");
    assert_eq!(refusal["code"], "failed_precondition");

    let before = own.ready.grpc.clone();
    own.stop().await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let own = start().await?;
    assert_ne!(own.ready.grpc, before, "it listens elsewhere now");
    until("the desk finds it again", std::time::Duration::from_secs(60), async || {
        Ok(desk.call("ReceiverService/GetStatus", json!({})).await?.is_ok().then_some(()))
    })
    .await?;
    desk.kill().await?;
    own.stop().await.map_err(|e| anyhow::anyhow!("{e}"))
}

/// A link that starts the desk opens its place, also beside other arguments; a second start of the Provider Console shows
/// the first and hands over its link.
#[tokio::test(flavor = "multi_thread")]
async fn links_open_places_in_both_consoles() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let link = "rollcall-school://enroll?code=RC1-AAAAA-BBBBB";
    let desk = stage.open(&program("desktop-school")?, &["--listen", "127.0.0.1:0", link]).await?;
    until_at(&desk, "#/enroll").await?;
    desk.kill().await?;

    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    console.follow("places", "watch_places", json!({}), "changes").await?;
    let link = "rollcall://undelivered";
    let second = stage.command_for(&program("desktop-provider")?).arg(link).status();
    let ended = tokio::time::timeout(desktop_e2e::STEP, second).await.context("the second start ends")??;
    assert!(ended.success(), "{ended}");
    console.until_told("places", |place| place == link).await?;
    console.kill().await
}

/// A file is chosen in the system's own dialog; the page gets its name and size and never its path.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_chosen_in_the_systems_dialog() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let file = stage.folder().join("roster.zip");
    std::fs::write(&file, b"PK")?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    let choose = json!({"title": "Choose a roster", "extensions": ["zip"]});
    let (chosen, answered) =
        tokio::join!(console.must("choose_file", choose), stage.choose_file("Choose a roster", &file));
    answered?;
    let chosen = chosen?;
    assert_eq!((&chosen["name"], &chosen["sizeBytes"]), (&json!("roster.zip"), &json!(2)));
    assert!(!chosen.to_string().contains(stage.folder().to_str().context("a text")?), "{chosen}");
    console.kill().await
}

/// A keychain that gives back something else than was written: nothing is kept, the code stays good, and is used once
/// the keychain is mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_alters_what_it_keeps_burns_no_code() -> Result<()> {
    let (stage, wire) = Stage::set(Keyring::Unlocked).await?.over_wire()?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    become_owner(&console, &provider).await?;
    let (port, url) = webhook()?;
    let desk = desk(&stage, port).await?;
    let code = register(&console, SCHOOL, "school-1", &url).await?;
    const DIFFERS: &str = "The keychain gave back something else than was written";

    // Already when it is tried out, and once more at the secret itself.
    wire.damages(true);
    desk.fill("Enrollment code or link", &code).await?;
    desk.press("button", "Continue").await?;
    desk.until_said(DIFFERS).await?;
    wire.damages(false);
    desk.press("button", "Try again").await?;
    desk.until_said("Is this your school?").await?;
    wire.damages(true);
    desk.press("button", "Enroll this school").await?;
    desk.until_said(DIFFERS).await?;
    desk.until_said("the code was not used up").await?;
    console.until_said("Waiting for the school").await?;

    wire.damages(false);
    desk.press("button", "Try again").await?;
    desk.press("button", "Enroll this school").await?;
    desk.until_said("Secret stored in GNOME Keyring").await?;
    console.until_said("Redeemed on").await?;
    end(desk, console, provider).await
}
