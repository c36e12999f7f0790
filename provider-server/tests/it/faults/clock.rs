//! A wall clock that jumps under the running program: nothing is lost, nothing storms, and nothing waits for the clock to
//! catch up.

use std::{fs, path::PathBuf};

use axum::{http::StatusCode, response::IntoResponse as _};
use rollcall_proto::{
    enrollment::EnrollmentCode,
    provider::v1::{
        self as pb, enrollment_service_client::EnrollmentServiceClient, school_service_client::SchoolServiceClient,
    },
};
use tonic::Code;

use super::support::{Owner, Server, Site, is_embedded, until};
use crate::{
    engine::support::{Receiver, Settings},
    platform::support::{inspect, with_token},
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Of the server, where several may share the database.
const LEASES: &str = "SELECT CAST(token AS TEXT) FROM lanes WHERE node_id IS NOT NULL ORDER BY 1";

/// A clock for programs, which may be set. Only the wall clock: time that passes goes on.
struct WallClock {
    library: PathBuf,
    setting: tempfile::NamedTempFile,
}

impl WallClock {
    /// Said where this machine has no such tool.
    fn find(test: &str) -> Option<Self> {
        let libraries = fs::read_dir("/usr/lib").expect("libraries").filter_map(|entry| Some(entry.ok()?.path()));
        let library = libraries.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
        if library.is_none() {
            eprintln!("{test}: skipped, no faketime here; `cargo xtask test` installs it");
        }
        let setting = tempfile::NamedTempFile::new().expect("a file");
        let clock = Self { library: library?, setting };
        clock.set("+0");
        Some(clock)
    }

    /// So far from the real time, such as `+3d`.
    fn set(&self, offset: &str) {
        // Renamed over, so that a reader sees one or the other.
        let beside = self.setting.path().with_extension("new");
        fs::write(&beside, offset).expect("written");
        fs::rename(beside, self.setting.path()).expect("renamed");
    }

    /// Starts the server with this clock.
    async fn start(&self, site: &Site) -> Server {
        let mut command = site.serve();
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.setting.path());
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        site.start_as(command).await
    }
}

/// The machine's own.
#[allow(clippy::disallowed_methods)] // What the tests measure the program's clock by.
fn real_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

async fn issue_code(owner: &Owner, school: &str) -> EnrollmentCode {
    let request = pb::IssueCodeRequest { school: school.into(), ttl_s: 0 };
    let mut schools = SchoolServiceClient::new(owner.channel.clone());
    let issued = schools.issue_code(with_token(request, &owner.token)).await.expect("a code").into_inner();
    EnrollmentCode::parse(&issued.code).unwrap_or_else(|error| panic!("{error}"))
}

async fn is_live(owner: &Owner, code: &EnrollmentCode) -> bool {
    let told = EnrollmentServiceClient::new(owner.channel.clone()).inspect(inspect(code)).await;
    told.expect("its holder is told").into_inner().state == "issued"
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_neither_storms_nor_stalls() {
    let Some(clock) = WallClock::find("clock") else { return };
    let failing = Receiver::start(|_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let waiting = Receiver::start(|_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let fine = Receiver::accepting().await;
    let site = Site::new(&[
        (&failing, Settings { delays: "3600000", max_tries: 9, ..Settings::default() }),
        (&waiting, Settings { delays: "1000", max_tries: 99, ..Settings::default() }),
        (&fine, Settings::default()),
    ])
    .await;
    let server = clock.start(&site).await;
    let owner = server.enter().await;
    let code = issue_code(&owner, "s2").await;
    assert!(is_live(&owner, &code).await);
    for student in ["A-1", "A-2", "A-3"] {
        owner.put("s0", student, "Ada").await.expect("accepted");
    }
    owner.put("s2", "C-1", "Ada").await.expect("accepted");
    failing.wait_for(3).await;
    fine.wait_for(1).await;

    // Their retries are counted from before the jump.
    until("all are recorded", async || site.texts("SELECT COUNT(*) || '' FROM attempts").await == ["4"]).await;

    let leases = site.texts(LEASES).await;

    clock.set("+3d");
    failing.wait_for(6).await;
    assert_eq!(owner.put("s2", "C-1", "Bo").await.expect_err("it is three days old").code(), Code::Unauthenticated);
    let owner = server.enter().await;
    assert!(!is_live(&owner, &code).await, "a code lives a day");
    owner.put("s1", "B-1", "Ada").await.expect("accepted");
    waiting.wait_for(2).await;
    let changed = owner.put("s2", "C-1", "Bo").await.expect("accepted");
    assert_eq!(changed.student.expect("a student").version, 2);
    fine.wait_for(2).await;
    assert_eq!(failing.got().len(), 6, "each was due once by the jump, and no more");

    clock.set("-1d");
    waiting.now_answers(|_, _| StatusCode::NO_CONTENT.into_response());
    let delivered = "SELECT state FROM events WHERE sourced_id = 'B-1'";
    until("a retry does not wait four days", async || site.texts(delivered).await == ["delivered"]).await;
    let later = "SELECT COUNT(*) || '' FROM events WHERE sourced_id LIKE 'A-%' AND due_ms > ";
    let soon_ms = real_ms() - DAY_MS + 2 * HOUR_MS;
    until("an hour is an hour", async || site.texts(&format!("{later}{soon_ms}")).await == ["0"]).await;
    assert_eq!(failing.got().len(), 6);
    let changed = owner.put("s2", "C-1", "Cy").await.expect("the session goes on");
    assert_eq!(changed.student.expect("a student").version, 3, "versions rise");
    fine.wait_for(3).await;
    assert!(!is_live(&owner, &code).await, "what has expired stays so");
    let code = issue_code(&owner, "s2").await;
    assert!(is_live(&owner, &code).await, "a new one is good");

    assert_eq!(site.texts(LEASES).await, leases, "no lease was lost, nor taken anew");
    assert_eq!(server.terminate().await, Some(0), "{}", site.log());
    let modified = "SELECT modified_ms || '' FROM (SELECT student_id, version, modified_ms FROM student_versions
            UNION SELECT student_id, version, modified_ms FROM students) AS known
        WHERE student_id = (SELECT student_id FROM students WHERE sourced_id = 'C-1') ORDER BY version";
    let modified: Vec<i64> = site.texts(modified).await.iter().map(|ms| ms.parse().expect("a time")).collect();
    assert!(modified.is_sorted(), "a later version is never older: {modified:?}");
    let versions: Vec<u64> =
        fine.got().iter().map(|got| got.json()["data"]["object"]["version"].as_u64().expect("a version")).collect();
    assert_eq!(versions, [1, 2, 3]);
    site.assert_sound().await;
}

#[tokio::test]
async fn a_start_after_the_clock_was_set_back_does_not_wait_for_it() {
    let test = "clock at a start";
    if !is_embedded(test) {
        return;
    }
    let Some(clock) = WallClock::find(test) else { return };
    let receiver = Receiver::start(|_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let site = Site::new(&[(&receiver, Settings { delays: "1000", max_tries: 99, ..Settings::default() })]).await;
    clock.set("+3d");
    let server = clock.start(&site).await;
    let owner = server.enter().await;
    owner.put("s0", "S-1", "Ada").await.expect("accepted");
    receiver.wait_for(2).await;
    assert_eq!(server.terminate().await, Some(0));
    clock.set("+0");
    receiver.now_answers(|_, _| StatusCode::NO_CONTENT.into_response());
    let server = clock.start(&site).await;
    let delivered = "SELECT state FROM events";
    until("a retry does not wait three days", async || site.texts(delivered).await == ["delivered"]).await;
    assert_eq!(server.terminate().await, Some(0));
    site.assert_sound().await;
}
