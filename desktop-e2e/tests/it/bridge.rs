//! The consoles' commands as their pages make them: both programs, the real provider, the real keychain.

use anyhow::{Context, Result};
use desktop_e2e::{Keyring, Stage};
use serde_json::{Value, json};

use crate::support::{claim, free_port, program, provider, receiving, registered, stop};

/// Sign in → register a school → enroll → a student arrives → green in the log window → the desk is started again and
/// receives without asking.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_through_both_programs() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    assert_eq!(console.must("resume_session", json!({})).await?, Value::Null, "nobody was signed in");
    let session = claim(&console, &provider).await?;
    assert_eq!((&session["staff"]["username"], &session["kept"]["kept"]), (&json!("ada"), &json!("keychain")));
    assert!(stage.kept("rollcall-provider-console", "session").await?.is_some(), "another program sees it there");

    let district = console.ask("DistrictService/CreateDistrict", json!({"name": "North", "sourcedId": "d-1"})).await?;
    let create = json!({"district": district["id"], "name": "Hill School", "sourcedId": "school-1"});
    let school = console.ask("SchoolService/CreateSchool", create).await?["id"].clone();

    let webhook = format!("127.0.0.1:{}", free_port()?);
    let desk_program = program("desktop-school")?;
    let desk = stage.open(&desk_program, &["--listen", &webhook]).await?;
    desk.follow("receiver", "watch_receiver", json!({}), "changes").await?;
    let running = desk.until_told("receiver", |state| state["state"] == "inside").await?;
    let connect = json!({"school": school, "url": running["webhook"]});
    console.ask("SchoolService/ConnectSchool", connect).await?;
    let code = console.ask("SchoolService/IssueCode", json!({"school": school})).await?["code"].clone();

    let typo = code.as_str().context("a text")?.replace("RC1-", "RC1-Z");
    let refusal = desk.invoke("check_code", json!({"code": typo})).await?.expect_err("a typing error");
    assert_eq!((&refusal["code"], &refusal["reason"]), (&json!("code"), &json!("code_typo")));
    let seen = desk.must("inspect_code", json!({"code": code})).await?;
    assert_eq!((&seen["schoolName"], &seen["secretStore"]), (&json!("Hill School"), &json!("keychain")));
    let enrolled = desk.must("redeem_code", json!({"code": code, "schoolSourcedId": seen["schoolSourcedId"]})).await?;
    let shown = console.ask("SchoolService/GetSchool", json!({"school": school})).await?;
    assert_eq!(shown["connection"]["secrets"][0]["fingerprint"], enrolled["fingerprint"], "both show the same words");
    assert_eq!(shown["connection"]["state"], "CONNECTION_STATE_ACTIVE");

    console.must("open_log_window", json!({"school": school, "title": "Hill School"})).await?;
    console.other_window().await?;
    let tail = json!({"method": "LogService/TailAttempts", "request": {"school": school, "afterLogSequence": "0"}});
    console.follow("log", "open_stream", tail, "events").await?;
    console.main_window().await?;
    let put = json!({"district": district["id"], "student": student("S-1", "Zoë")});
    console.ask("StudentService/PutStudent", put).await?;
    console.other_window().await?;
    let row = console.until_told("log", |event| event["message"]["attempts"][0]["status"] == "delivered").await?;
    assert_eq!(row["message"]["attempts"][0]["eventType"], "student.created");
    let held = desk.ask("ReceiverService/ListStudents", json!({})).await?;
    assert_eq!(held["students"][0]["givenName"], "Zoë");

    // A window does what its capability file names, and no more.
    let refusal = console.invoke("sign_out", json!({})).await?.expect_err("not for a log window");
    assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{refusal}");
    let refusal = console.call("StudentService/ListStudents", json!({})).await?.expect_err("not for a log window");
    assert_eq!(refusal["code"], "not_allowed");
    console.main_window().await?;
    for method in ["SchoolService/ShowSecretOnce", "StaffService/Login", "EnrollmentService/Redeem"] {
        assert_eq!(console.call(method, json!({})).await?.expect_err(method)["code"], "not_allowed");
    }
    for method in ["ReceiverService/InstallSecret", "SchoolLinkService/PullSecret"] {
        assert_eq!(desk.call(method, json!({})).await?.expect_err(method)["code"], "not_allowed");
    }
    for page in [&console, &desk] {
        assert!(!page.page_holds("whsec_").await?);
    }

    desk.kill().await?;
    let desk = stage.open(&desk_program, &["--listen", &webhook]).await?;
    desk.follow("receiver", "watch_receiver", json!({}), "changes").await?;
    desk.until_told("receiver", |state| state["state"] == "inside").await?;
    let status = desk.ask("ReceiverService/GetStatus", json!({})).await?;
    assert_eq!((&status["enrolled"], &status["secretStore"]), (&json!(true), &json!("keychain")));
    let put = json!({"district": district["id"], "student": student("S-2", "Łukasz")});
    console.ask("StudentService/PutStudent", put).await?;
    console.other_window().await?;
    console
        .until_told("log", |event| {
            let rows = event["message"]["attempts"].as_array();
            rows.is_some_and(|rows| {
                rows.iter().any(|row| row["studentSourcedId"] == "S-2" && row["status"] == "delivered")
            })
        })
        .await?;
    let connection = desk.ask("SchoolLinkService/GetConnection", json!({})).await?;
    assert_eq!(connection["name"], "Hill School");

    console.main_window().await?;
    console.must("sign_out", json!({})).await?;
    assert_eq!(console.windows().await?, 1, "the log window closed with the session");
    assert_eq!(stage.kept("rollcall-provider-console", "session").await?, None);
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}

fn student(sourced_id: &str, given_name: &str) -> Value {
    json!({
        "sourcedId": sourced_id, "status": "STUDENT_STATUS_ACTIVE", "givenName": given_name, "familyName": "Nguyễn",
        "grades": ["07"], "schoolEnrollments": [{"schoolSourcedId": "school-1"}],
    })
}

/// Without a keychain no code is redeemed, and a session lives in memory only.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_nothing_is_redeemed() -> Result<()> {
    let stage = Stage::set(Keyring::Absent).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    let session = claim(&console, &provider).await?;
    assert_eq!(session["kept"]["error"]["code"], "keychain_absent", "{session}");
    let (desk, school, code) = registered(&stage, &console).await?;
    for command in ["probe_keychain", "inspect_code", "redeem_code"] {
        let refusal = desk.invoke(command, json!({"code": code, "schoolSourcedId": "school-1"})).await?;
        assert_eq!(refusal.expect_err("nothing can be kept")["code"], "keychain_absent", "{command}");
    }
    let shown = console.ask("SchoolService/GetSchool", json!({"school": school})).await?;
    assert_eq!(shown["connection"]["code"]["state"], "issued", "the code was not burnt");
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}

/// A locked keychain burns no code; once it is unlocked, the same code is good.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_burns_no_code() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    claim(&console, &provider).await?;
    let (desk, school, code) = registered(&stage, &console).await?;
    stage.lock_keyring().await?;
    let redeem = json!({"code": code, "schoolSourcedId": "school-1"});
    let refusal = desk.invoke("redeem_code", redeem.clone()).await?.expect_err("nobody unlocks it");
    assert_eq!((&refusal["code"], &refusal["reason"]), (&json!("keychain_locked"), &json!("keychain_locked")));
    let shown = console.ask("SchoolService/GetSchool", json!({"school": school})).await?;
    assert_eq!(shown["connection"]["code"]["state"], "issued", "the code was not burnt");
    stage.answer_prompt().await?;
    desk.must("redeem_code", redeem).await?;
    let shown = console.ask("SchoolService/GetSchool", json!({"school": school})).await?;
    assert_eq!(shown["connection"]["code"]["state"], "confirmed");
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}

/// A code that was redeemed is refused at another desk, with the alarm on the provider's side.
#[tokio::test(flavor = "multi_thread")]
async fn a_reused_code_is_refused_and_raises_an_alarm() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    claim(&console, &provider).await?;
    let (desk, school, code) = registered(&stage, &console).await?;
    desk.must("redeem_code", json!({"code": code, "schoolSourcedId": "school-1"})).await?;
    // Another machine: its own session, keychain and folder.
    let elsewhere = Stage::set(Keyring::Unlocked).await?;
    let other = receiving(&elsewhere).await?.0;
    let refusal = other.invoke("redeem_code", json!({"code": code, "schoolSourcedId": "school-1"})).await?;
    let refusal = refusal.expect_err("it is used");
    assert_eq!((&refusal["code"], &refusal["reason"]), (&json!("code"), &json!("code_used")), "{refusal}");
    let status = other.ask("ReceiverService/GetStatus", json!({})).await?;
    assert_eq!(status["enrolled"], false);
    let audit = console.ask("AuditService/ListAudit", json!({"district": "d-1"})).await?;
    let acts: Vec<&str> =
        audit["entries"].as_array().context("a list")?.iter().filter_map(|e| e["act"].as_str()).collect();
    assert_eq!(acts.first(), Some(&"school.code_presented_again"), "{acts:?}");
    let shown = console.ask("SchoolService/GetSchool", json!({"school": school})).await?;
    assert_eq!(shown["connection"]["state"], "CONNECTION_STATE_ACTIVE", "the confirmed secret stays");
    other.kill().await?;
    desk.kill().await?;
    console.kill().await?;
    stop(provider).await
}

/// A second start shows the first, and hands over its link; a link opens a place and acts on nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_a_place_in_the_running_desk() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let (desk, _) = receiving(&stage).await?;
    desk.follow("places", "watch_places", json!({}), "changes").await?;
    let link = "rollcall-school://enroll?code=RC1-AAAAA-BBBBB";
    let second = stage.command_for(&program("desktop-school")?).arg(link).status();
    let ended = tokio::time::timeout(desktop_e2e::STEP, second).await.context("the second start ends")??;
    assert!(ended.success(), "{ended}");
    desk.until_told("places", |place| place == link).await?;
    assert_eq!(desk.ask("ReceiverService/GetStatus", json!({})).await?["enrolled"], false);
    desk.kill().await
}

/// The secret of a school with its own receiver is seen in its window, once, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_in_its_own_window_only() -> Result<()> {
    let stage = Stage::set(Keyring::Unlocked).await?;
    let provider = provider(&stage).await?;
    let console = stage.open(&program("desktop-provider")?, &[]).await?;
    claim(&console, &provider).await?;
    let district = console.ask("DistrictService/CreateDistrict", json!({"name": "North", "sourcedId": "d-1"})).await?;
    let create = json!({"district": district["id"], "name": "Own", "sourcedId": "school-1"});
    let school = console.ask("SchoolService/CreateSchool", create).await?["id"].clone();
    let url = format!("http://127.0.0.1:{}/webhook", free_port()?);
    console.ask("SchoolService/ConnectSchool", json!({"school": school, "url": url, "ownReceiver": true})).await?;

    console.must("open_secret_window", json!({"school": school, "rotate": false})).await?;
    console.other_window().await?;
    let shown = console.ask("SchoolService/ShowSecretOnce", json!({"school": school})).await?;
    let secret = shown["secret"].as_str().context("a text")?.to_owned();
    assert!(secret.starts_with("whsec_"));
    assert!(console.call("SchoolService/ShowSecretOnce", json!({"school": school})).await?.is_err(), "once");
    let refusal = console.invoke("session", json!({})).await?.expect_err("this window makes one call");
    assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{refusal}");

    console.main_window().await?;
    let rotated = console.call("SchoolService/RotateSecret", json!({"school": school, "revokeNow": true})).await?;
    assert_eq!(rotated.expect_err("the answer carries a secret")["code"], "secret_withheld");
    assert!(!console.page_holds("whsec_").await?);
    console.kill().await?;
    stop(provider).await
}
