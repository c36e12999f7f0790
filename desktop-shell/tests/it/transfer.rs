//! Files go past the webview, whole or not at all.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use desktop_shell::{
    ErrorCode,
    streams::StreamEvent,
    transfer::{Ticket, Upload},
};
use provider_server::oneroster::{
    Kind,
    generator::Roster,
    writer::{WriteOptions, write},
};
use serde_json::json;

use crate::{provider::Desk, support::Events};

const STUDENTS: u32 = 3_000;

fn roster(desk: &Desk) -> PathBuf {
    let path = desk.folder.path().join("roster.zip");
    let roster = Roster { seed: 1, schools: 3, students: STUDENTS, year: 2026 };
    let at = "2026-08-17T06:00:00Z".parse().expect("a time");
    let options = WriteOptions { kind: Kind::Bulk, at, birth_dates: false };
    write(File::create(&path).expect("a file"), &options, &roster.orgs(), roster.students()).expect("written");
    path
}

fn upload(ticket: &Ticket) -> Upload {
    Upload { ticket: ticket.ticket.clone(), district: "d-1".into(), profile: String::new(), hold_for_review: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_file_is_uploaded_and_the_run_is_watched_to_its_end() {
    let desk = Desk::start().await;
    desk.claim().await;
    desk.call("DistrictService/CreateDistrict", json!({"name": "North", "sourcedId": "d-1"})).await.expect("created");
    let path = roster(&desk);
    let ticket = desk.shell.files.choose(&path).await.expect("readable");
    let size_bytes = std::fs::metadata(&path).expect("a file").len();
    assert_eq!((ticket.name.as_str(), ticket.size_bytes), ("roster.zip", size_bytes));
    let told = serde_json::to_string(&ticket).expect("plain data");
    assert!(!told.contains(desk.folder.path().to_str().expect("a text")), "a window learns no path: {told}");

    let sent = Arc::new(AtomicU64::new(0));
    let seen = sent.clone();
    let run = desk.shell.start_import("main", upload(&ticket), move |bytes| seen.store(bytes, Ordering::SeqCst)).await;
    let run = run.expect("registered");
    assert_eq!(sent.load(Ordering::SeqCst), size_bytes);
    let (sink, mut events) = Events::collect();
    let watch = json!({"run": run["id"]});
    desk.shell.streams.open(&desk.shell.rules, "main", "ImportService/WatchImport", &watch, sink).expect("opens");
    let mut last = json!({});
    loop {
        match events.next().await {
            StreamEvent::Message { message } => last = message,
            StreamEvent::End => break,
            StreamEvent::Open => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(last["state"], "IMPORT_STATE_APPLIED", "{last}");
    assert_eq!(last["counts"]["created"], STUDENTS.to_string());

    let target = desk.folder.path().join("problems.csv");
    let saved = desk.shell.save("main", "ImportService/ExportProblems", &watch, &target).await.expect("saved");
    let text = std::fs::read_to_string(&target).expect("a file");
    assert_eq!(saved, text.len() as u64);
    assert!(text.starts_with("severity,file,line,"), "{text}");
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_chosen_or_not_allowed_is_not_read_or_written() {
    let desk = Desk::start().await;
    desk.claim().await;
    let path = roster(&desk);
    let invented = Ticket { ticket: path.display().to_string(), name: String::new(), size_bytes: 0 };
    let code = |result: Result<serde_json::Value, desktop_shell::ShellError>| result.expect_err("refused").code;
    assert_eq!(code(desk.shell.start_import("main", upload(&invented), |_| ()).await), ErrorCode::File);
    let folder = desk.shell.files.choose(desk.folder.path()).await.expect_err("a folder");
    assert_eq!(folder.code, ErrorCode::File);
    let ticket = desk.shell.files.choose(&path).await.expect("readable");
    assert_eq!(code(desk.shell.start_import("secret-once", upload(&ticket), |_| ()).await), ErrorCode::NotAllowed);
    // Unknown district: the server says so, and nothing hangs.
    assert_eq!(code(desk.shell.start_import("main", upload(&ticket), |_| ()).await), ErrorCode::NotFound);

    let target = desk.folder.path().join("out.csv");
    let nothing = json!({"run": "run_0"});
    for method in ["ImportService/GetImport", "ImportService/WatchImport"] {
        let error = desk.shell.save("main", method, &nothing, &target).await.expect_err("no file");
        assert_eq!(error.code, ErrorCode::NotAllowed, "{method}");
    }
    desk.shell.save("main", "ImportService/ExportProblems", &nothing, &target).await.expect_err("no such run");
    assert!(!target.exists() && !target.with_file_name("out.csv.part").exists(), "nothing is left behind");
    desk.provider.stop().await.expect("a clean stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schools_log_is_saved_by_a_window_that_may_read_it() {
    let desk = Desk::start().await;
    desk.claim().await;
    desk.call("DistrictService/CreateDistrict", json!({"name": "North", "sourcedId": "d-1"})).await.expect("created");
    let school = json!({"district": "d-1", "name": "Hill", "sourcedId": "sch-7"});
    desk.call("SchoolService/CreateSchool", school).await.expect("created");
    let target = desk.folder.path().join("log.csv");
    let ask = |school: &str, format: &str| json!({"school": school, "filter": "status:failed", "format": format});
    let save = async |window: &str, request: &serde_json::Value| {
        desk.shell.save(window, "LogService/ExportAttempts", request, &target).await.map_err(|error| error.code)
    };
    assert_eq!(save("secret-once", &ask("sch-7", "csv")).await, Err(ErrorCode::NotAllowed));
    assert_eq!(save("main", &ask("sch-8", "csv")).await, Err(ErrorCode::NotFound));
    assert_eq!(save("main", &ask("sch-7", "xlsx")).await, Err(ErrorCode::InvalidArgument));
    assert!(!target.exists() && !target.with_file_name("log.csv.part").exists(), "nothing is left behind");

    let saved = save("main", &ask("sch-7", "csv")).await.expect("saved");
    let text = std::fs::read_to_string(&target).expect("a file");
    assert_eq!(saved, text.len() as u64);
    assert!(text.starts_with("logSequence,at,messageId,") && text.lines().count() == 1, "{text}");
    // A school that nothing was sent to yet: a file, and nothing in it.
    assert_eq!(save("main", &ask("sch-7", "ndjson")).await, Ok(0));
    assert_eq!(std::fs::metadata(&target).expect("a file").len(), 0);
    desk.provider.stop().await.expect("a clean stop");
}
