//! A disk that fails, fills up or is not to be written: what was accepted is kept, and nothing is there by half.

use std::collections::BTreeSet;

use axum::{http::StatusCode, response::IntoResponse as _};
use tokio::sync::Semaphore;
use tonic::Code;

use super::{
    machine::{Injected, ReadOnly, SmallDisk},
    support::{Site, is_embedded, until, within},
};
use crate::engine::support::{Receiver, Settings};

const STUDENTS: &str = "SELECT COUNT(*) || ' in version ' || MAX(version) FROM students";
const STATES: &str = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY 1";

/// What who met the fault is told: it may be found at the next start, and a repetition finds it.
const UNSURE: (Code, &str) = (Code::Internal, "not known");

/// The ids of the messages that a receiver got, and how many requests there were.
fn ids(receiver: &Receiver) -> (BTreeSet<String>, usize) {
    let got = receiver.got();
    (got.iter().map(|received| received.header("webhook-id").to_owned()).collect(), got.len())
}

/// While these calls fail, the server stops with 70, and the next start has all that was accepted.
async fn check_stops(test: &str, calls: &str, error: &str, path: Option<&str>, told: (Code, &str)) {
    if !is_embedded(test) || !Injected::is_possible(test) {
        return;
    }
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put_all("s0", 0..20).await;
    receiver.wait_for(20).await;

    // Nothing else writes then: the fault is met by a change.
    until("all is recorded", async || site.texts(STATES).await == ["delivered 20"]).await;
    let path = path.map(|name| site.file(name));
    let injected = Injected::into(server.pid, calls, &format!("error={error}"), path.as_deref()).await;
    let refused = async {
        let mut number = 20;
        // A checkpoint comes once in a while.
        loop {
            let student = format!("S-{number}");
            match owner.put("s0", &student, "Ada").await {
                Ok(_) => number += 1,
                Err(status) => return (number, status),
            }
        }
    };
    let (unsure, status) = within("a change meets the fault", refused).await;
    assert!(status.code() == told.0 && status.message().contains(told.1), "{status}\n{}", site.log());
    assert_eq!(server.ended().await, Some(70), "{}", site.log());
    injected.end().await;
    assert!(site.log().contains("the disk failed"), "{}", site.log());

    let (server, owner) = site.start_and_enter().await;
    let again = owner.put("s0", &format!("S-{unsure}"), "Ada").await.expect("accepted");
    assert_eq!(again.student.expect("a student").version, 1, "{test}: asked again, and done once");
    within("all are delivered", receiver.wait_for(unsure + 1)).await;
    until("all are there", async || ids(&receiver).0.len() > unsure).await;
    assert_eq!(server.terminate().await, Some(0));
    assert_eq!(site.texts(STUDENTS).await, [format!("{} in version 1", unsure + 1)]);
    assert_eq!(site.texts(STATES).await, [format!("delivered {}", unsure + 1)]);
    site.assert_sound().await;
}

#[tokio::test]
async fn a_failed_fsync_stops_the_server_and_what_was_accepted_is_kept() {
    check_stops("fsync", "fsync,fdatasync", "EIO", None, UNSURE).await;
}

#[tokio::test]
async fn a_failed_write_stops_the_server_and_what_was_accepted_is_kept() {
    check_stops("write", "pwrite64", "EIO", None, UNSURE).await;
}

#[tokio::test]
async fn a_disk_that_became_read_only_stops_the_server() {
    check_stops("read-only", "pwrite64", "EROFS", None, UNSURE).await;
}

#[tokio::test]
async fn what_is_under_way_when_the_disk_fails_is_sent_again() {
    let test = "under way";
    if !is_embedded(test) || !Injected::is_possible(test) {
        return;
    }
    static HANGS: Semaphore = Semaphore::const_new(0);
    let receiver = Receiver::hanging(&HANGS).await;
    let site = Site::new(&[(&receiver, Settings { timeout_ms: 15_000, ..Settings::default() })]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-0", "Ada").await.expect("accepted");
    receiver.wait_for(1).await;
    let injected = Injected::into(server.pid, "fsync,fdatasync", "error=EIO", None).await;
    owner.put("s0", "S-1", "Ada").await.expect_err("the disk fails");
    HANGS.add_permits(1);
    assert_eq!(server.ended().await, Some(70), "{}", site.log());
    injected.end().await;
    let in_vain = "attempts could not be recorded any more";
    assert!(site.log().contains(in_vain), "it does not wait for what it cannot do: {}", site.log());
    let server = site.start().await;
    until("it is sent again", async || {
        let got = receiver.got();
        got.iter().filter(|again| again.header("webhook-id") == got[0].header("webhook-id")).count() == 2
    })
    .await;
    assert_eq!(server.terminate().await, Some(0));
    site.assert_sound().await;
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_met_like_a_damaged_one() {
    let test = "reads";
    if !is_embedded(test) || !Injected::is_possible(test) {
        return;
    }
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put_all("s0", 0..20).await;
    receiver.wait_for(20).await;
    assert_eq!(server.terminate().await, Some(0));
    // What knows the caller is read already; what writes has read nothing yet.
    let server = site.start().await;
    let owner = owner.on(server.dial().await);
    owner.versions("S-0").await.expect("answered");
    let injected = Injected::into(server.pid, "pread64", "error=EIO", None).await;
    let status = owner.put("s0", "S-20", "Ada").await.expect_err("it cannot be read");
    assert!(status.code() == Code::Internal && status.message().contains("cannot be read"), "{status}");
    assert_eq!(server.ended().await, Some(65), "{}", site.log());
    injected.end().await;
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-20", "Ada").await.expect("accepted");
    receiver.wait_for(21).await;
    assert_eq!(server.terminate().await, Some(0));
    site.assert_sound().await;
}

/// The file gets what its log holds now and then, after the commits were answered.
#[tokio::test]
async fn a_failed_fsync_of_the_database_file_alone_stops_the_server() {
    check_stops("checkpoint", "fsync,fdatasync", "EIO", Some("rollcall.db"), (Code::Unavailable, "")).await;
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_recovers_by_itself() {
    let test = "full";
    if !is_embedded(test) {
        return;
    }
    let Some(disk) = SmallDisk::mount(test, 8) else { return };
    let receiver = Receiver::accepting().await;
    let site = Site::below(disk.folder.path(), &[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put_all("s0", 0..20).await;
    receiver.wait_for(20).await;

    disk.fill(128);
    // What is accepted until there is no block left stays accepted; a smaller change may still find a place in the log.
    let (mut accepted, mut refused) = (20, Vec::new());
    for number in 20.. {
        let student = format!("S-{number}");
        match owner.put("s0", &student, "Ada").await {
            Ok(_) => accepted += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                assert!(status.message().contains("disk is full"), "{status}");
                refused.push(student);
                disk.fill(0);
            }
        }
        if refused.len() == 6 {
            break;
        }
    }
    // What was accepted is sent, although that cannot be recorded.
    receiver.wait_for(accepted).await;

    disk.clear();
    for student in &refused {
        owner.put("s0", student, "Ada").await.expect("it recovers without a restart");
    }
    let total = accepted + refused.len();
    receiver.wait_for(total).await;
    assert_eq!(server.terminate().await, Some(0), "{}", site.log());
    let (distinct, requests) = ids(&receiver);
    assert_eq!((distinct.len(), requests), (total, total), "what was refused left nothing, and nothing came twice");
    assert_eq!(site.texts(STUDENTS).await, [format!("{total} in version 1")]);
    assert_eq!(site.texts(STATES).await, [format!("delivered {total}")]);
    site.assert_sound().await;
}

#[tokio::test]
async fn a_disk_that_refuses_for_a_while_is_answered_as_full() {
    let test = "no space";
    if !is_embedded(test) || !Injected::is_possible(test) {
        return;
    }
    let receiver = Receiver::start(|_, _| StatusCode::NO_CONTENT.into_response()).await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-0", "Ada").await.expect("accepted");
    receiver.wait_for(1).await;
    let injected = Injected::into(server.pid, "pwrite64", "error=ENOSPC", None).await;
    let status = owner.put("s0", "S-1", "Ada").await.expect_err("no space");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    injected.end().await;
    owner.put("s0", "S-1", "Ada").await.expect("it recovers");
    receiver.wait_for(2).await;
    assert_eq!(server.terminate().await, Some(0), "{}", site.log());
    assert_eq!(site.texts(STUDENTS).await, ["2 in version 1"]);
    site.assert_sound().await;
}

#[tokio::test]
async fn a_database_that_may_not_be_written_is_refused_with_78() {
    let test = "read-only file";
    if !is_embedded(test) {
        return;
    }
    let receiver = Receiver::accepting().await;
    let site = Site::new(&[(&receiver, Settings::default())]).await;
    let file = site.file("rollcall.db");
    let Some(read_only) = ReadOnly::make(test, &file) else { return };
    let ended = site.refused().await;
    assert!(ended.code == Some(78) && ended.words.contains("may not be written"), "{}", ended.words);
    drop(read_only);
    assert_eq!(site.start().await.terminate().await, Some(0));
}

#[tokio::test]
async fn a_start_on_a_disk_that_is_read_only_or_full_says_so() {
    let test = "start";
    if !is_embedded(test) {
        return;
    }
    let Some(disk) = SmallDisk::mount(test, 8) else { return };
    let receiver = Receiver::accepting().await;
    let site = Site::below(disk.folder.path(), &[(&receiver, Settings::default())]).await;
    disk.remount("ro");
    let ended = site.refused().await;
    assert!(ended.code == Some(78) && ended.words.contains("Read-only file system"), "{}", ended.words);
    disk.remount("rw");
    disk.fill(0);
    let ended = site.refused().await;
    assert!(ended.code == Some(70) && ended.words.contains("disk is full"), "{}", ended.words);
    disk.clear();
    let (server, owner) = site.start_and_enter().await;
    owner.put("s0", "S-0", "Ada").await.expect("accepted");
    receiver.wait_for(1).await;
    assert_eq!(server.terminate().await, Some(0));
    site.assert_sound().await;
}
