//! Files that are not as they were left: a log that was cut, pages that were overwritten, a newer version, another
//! process. What can be read is served; what cannot is refused, named, and not written to.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
};

use tonic::Code;

use super::support::{Site, is_embedded, until};
use crate::engine::support::{Receiver, Settings};

const PAGE: u64 = 4_096;

/// A site whose server was stopped after some students were delivered.
async fn stopped() -> (Site, Receiver) {
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put_all("s0", 0..40).await;
    owner.put("s0", "S-0", "Grace").await.expect("accepted");
    receiver.wait_for(41).await;
    assert_eq!(server.terminate().await, Some(0));
    (site, receiver)
}

/// The first page of a table or index, as an offset in the file.
async fn root(site: &Site, name: &str) -> u64 {
    let sql = format!("SELECT CAST(rootpage AS TEXT) FROM sqlite_master WHERE name = '{name}'");
    (site.texts(&sql).await[0].parse::<u64>().expect("a page") - 1) * PAGE
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(file).expect("a file");
    file.write_all_at(bytes, at).expect("overwritten");
}

#[tokio::test]
async fn a_log_that_was_cut_loses_the_newest_commits_whole_and_the_anchor_tells() {
    if !is_embedded("cut log") {
        return;
    }
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    for number in 0..30 {
        owner.put("s0", &format!("S-{number:02}"), "Ada").await.expect("accepted");
    }
    receiver.wait_for(30).await;
    // The newest commits record deliveries: without them messages are sent again, and no change is lost.
    until("all is recorded", async || site.texts("SELECT DISTINCT state FROM events").await == ["delivered"]).await;
    server.kill().await;
    let log_bytes = fs::metadata(site.file("rollcall.db-wal")).expect("a log").len();
    let whole = site.copied();
    let anchor = whole.file("anchor").display().to_string();
    let kept = whole.run(&["audit", "verify", "--anchor", &anchor]).await;
    assert_eq!(kept.code, Some(0), "{}", kept.words);

    let mut before = 31;
    for left in [log_bytes, log_bytes - 1, log_bytes / 2, log_bytes / 4, 40, 0] {
        let cut = site.copied();
        File::options().write(true).open(cut.file("rollcall.db-wal")).expect("a log").set_len(left).expect("cut");
        let server = cut.start().await;
        assert_eq!(server.terminate().await, Some(0), "{}", cut.log());
        cut.assert_sound().await;
        let held = cut.texts("SELECT sourced_id FROM students ORDER BY sourced_id").await;
        let all: Vec<String> = (0..held.len()).map(|number| format!("S-{number:02}")).collect();
        assert_eq!(held, all, "{left} of {log_bytes} bytes: those that were accepted first");
        assert!(held.len() < before || held.len() == 30, "{left} bytes hold {} after {before}", held.len());
        assert!(left < log_bytes - 1 || held.len() == 30, "{left} of {log_bytes} bytes hold {}", held.len());
        before = held.len().max(1);
        let verified = cut.run(&["audit", "verify", "--anchor", &anchor]).await;
        let expected = if held.len() == 30 { Some(0) } else { Some(1) };
        assert_eq!(verified.code, expected, "{left} of {log_bytes} bytes: {}", verified.words);
        assert!(held.len() == 30 || verified.words.contains("of the anchor is not in it"), "{}", verified.words);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_65_and_left_as_it_is_and_a_check_tells_of_it() {
    if !is_embedded("damaged") {
        return;
    }
    let (site, _receiver) = stopped().await;
    let garbage = [0xa5; PAGE as usize];
    type Damage = Box<dyn Fn(&Path)>;
    let at = async |name: &str| {
        let at = root(&site, name).await;
        Box::new(move |file: &Path| overwrite(file, at, &garbage)) as Damage
    };
    let damages: [(&str, Damage); 8] = [
        ("the header", Box::new(move |file| overwrite(file, 0, &garbage[..16]))),
        ("the first page", Box::new(move |file| overwrite(file, 0, &garbage))),
        ("the messages", at("events").await),
        ("an index of them", at("events_by_student").await),
        ("the audit log", at("audit").await),
        ("the migrations", at("_sqlx_migrations").await),
        (
            "its second half",
            Box::new(|file| {
                let size = fs::metadata(file).expect("a file").len();
                File::options().write(true).open(file).expect("a file").set_len(size / 2 / PAGE * PAGE).expect("cut");
            }),
        ),
        (
            "all of it",
            Box::new(|file| fs::write(file, "a text, and no database at all\n".repeat(400)).expect("written")),
        ),
    ];
    for (what, damage) in damages {
        let damaged = site.copied();
        let file = damaged.file("rollcall.db");
        damage(&file);
        let before = fs::read(&file).expect("a file");
        // What does not even begin as a database may be no database.
        let is_ours = fs::read(&file).expect("a file").starts_with(b"SQLite format 3\0");
        let checked = damaged.run(&["db", "check", "--json"]).await;
        for (ended, code) in [(damaged.refused().await, 65), (checked, if is_ours { 1 } else { 65 })] {
            assert_eq!(ended.code, Some(code), "{what}: {}", ended.words);
            let tells = ended.words.contains("damaged") && ended.words.contains("restore a backup");
            assert!(tells, "{what}: {}", ended.words);
            if code == 1 {
                let line = ended.words.lines().next().unwrap_or_default();
                let told: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e}: {line}"));
                assert_eq!(told["sound"], false, "{what}");
                assert!(told["complaints"].as_array().is_some_and(|all| !all.is_empty()), "{what}: {told}");
            }
        }
        assert!(fs::read(&file).expect("a file") == before, "{what}: nothing was written");
    }
    assert!(site.start().await.terminate().await == Some(0), "the one that was copied is as it was");
}

#[tokio::test]
async fn damage_that_is_met_while_serving_is_told_and_not_written_over() {
    if !is_embedded("met damage") {
        return;
    }
    let (site, _receiver) = stopped().await;
    let backup = site.copied();
    let (versions, events) = (root(&site, "student_versions").await, root(&site, "events_by_student").await);
    let file = site.file("rollcall.db");
    let (server, owner) = site.start_and_enter().await;

    // Read alone: the call fails and says why, monitors are told, and what is sound is served.
    overwrite(&file, versions, &[0xa5; PAGE as usize]);
    let status = owner.versions("S-0").await.expect_err("damaged");
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(status.message().contains("damaged") && status.message().contains("restore a backup"), "{status}");
    until("monitors are told", async || {
        server.ready().await == (503, "the database is damaged: restore a backup\n".into())
    })
    .await;
    owner.put("s0", "S-40", "Ada").await.expect("what is sound is served");
    assert_eq!(server.terminate().await, Some(0));
    assert_eq!(site.refused().await.code, Some(65), "the next start finds it");

    // Met by a change: the server ends, and does not write on.
    fs::copy(backup.file("rollcall.db"), &file).expect("restored");
    let (server, owner) = site.start_and_enter().await;
    overwrite(&file, events, &[0xa5; PAGE as usize]);
    let status = owner.put("s0", "S-40", "Ada").await.expect_err("damaged");
    assert!(status.message().contains("restore a backup"), "{status}");
    assert_eq!(server.ended().await, Some(65), "{}", site.log());
    assert_eq!(site.refused().await.code, Some(65));

    // As docs/operations.md says: put the backup back, check, start.
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(site.file(&format!("rollcall.db{ending}")));
    }
    fs::copy(backup.file("rollcall.db"), &file).expect("restored");
    site.assert_sound().await;
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-40", "Ada").await.expect("accepted");
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn a_newer_database_and_a_second_process_are_refused_by_their_own_codes() {
    if !is_embedded("refused") {
        return;
    }
    let (site, _receiver) = stopped().await;
    let server = site.start().await;
    let second = site.refused().await;
    let pid = format!("pid {}", server.pid.as_raw_nonzero());
    assert!(second.code == Some(75) && second.words.contains(&pid), "{:?} {}", second.code, second.words);
    assert_eq!(server.terminate().await, Some(0));

    let conn = rusqlite::Connection::open(site.file("rollcall.db")).expect("a database");
    let row = "INSERT INTO _sqlx_migrations VALUES (9999, 'later', '2030-01-01', 1, x'00', 1)";
    conn.execute(row, []).expect("a row");
    drop(conn);
    let newer = site.refused().await;
    assert!(newer.code == Some(65) && newer.words.contains("newer version (migration 9999)"), "{}", newer.words);
}
