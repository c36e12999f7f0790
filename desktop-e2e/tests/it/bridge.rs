//! The consoles' commands as their pages make them: both programs, the real provider, the real keychain.

use anyhow::{Context, Result};
use desktop_e2e::{Keyring, Stage};
use serde_json::{Value, json};

use crate::support::{claim, free_port, program, provider, stop};

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
    console.until_told("log", |event| {
        let rows = event["message"]["attempts"].as_array();
        rows.is_some_and(|rows| rows.iter().any(|row| row["studentSourcedId"] == "S-2" && row["status"] == "delivered"))
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

/// A keychain that cannot keep a secret burns no code, and says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_nothing_is_redeemed() -> Result<()> {
    for (keyring, code) in [(Keyring::Absent, "keychain_absent")] {
        let stage = Stage::set(keyring).await?;
        let webhook = format!("127.0.0.1:{}", free_port()?);
        let desk = stage.open(&program("desktop-school")?, &["--listen", &webhook]).await?;
        desk.follow("receiver", "watch_receiver", json!({}), "changes").await?;
        desk.until_told("receiver", |state| state["state"] == "inside").await?;
        let refusal = desk.invoke("probe_keychain", json!({})).await?.expect_err("no keychain");
        assert_eq!(refusal["code"], code, "{refusal}");
        desk.kill().await?;
    }
    Ok(())
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
