//! The way back.

use provider_server::{
    model::{change::ChangeAct, holds::HoldCode, import_run::RunState},
    oneroster::{Kind, generator::Changes},
    store::{StoreError, changes::ChangeQueue},
};

use super::support::{Act, Importing, ROSTER, bulk, zip_of};
use crate::support::{origin, request};

/// Students without their versions, which only grow.
fn states(students: Vec<String>) -> Vec<String> {
    let part = |student: &String| {
        let parts: Vec<&str> = student.splitn(4, ' ').collect();
        format!("{} {} {}", parts[0], parts[1], parts[3])
    };
    students.iter().map(part).collect()
}

#[tokio::test]
async fn an_undo_brings_back_everyone_who_is_as_the_run_left_them() {
    let importing = Importing::new().await;
    importing.import(&bulk(&ROSTER.students().collect::<Vec<_>>())).await;
    let before = states(importing.students().await);

    let changes = Changes { round: 1, created: 5, updated: 20, transferred: 4, deleted: 3 };
    let delta = ROSTER.delta(changes, "2026-11-23T06:00:00Z".parse().expect("a time"));
    let run = importing.import(&zip_of(Kind::Delta, &delta)).await;
    assert_eq!((run.state, run.applied), (RunState::Applied, 32));
    // Somebody changes one of them afterwards: that one is left alone.
    let touched = delta[0].sourced_id.clone();
    let queue = ChangeQueue::start(importing.test.store.clone());
    let change = request(importing.district, &touched, ChangeAct::Delete);
    queue.submit(origin(), vec![change]).await.expect("stored").remove(0).expect("accepted");

    importing.act(run.id, Act::Undo).await.expect("taken");
    let run = importing.rests(run.id).await;
    assert_eq!((run.state, run.undo_skipped), (RunState::Undone, 1));
    let after = states(importing.students().await);
    let kept = after.iter().filter(|student| before.contains(student)).count();
    assert_eq!(kept, 599, "all but the one that was touched");
    assert_eq!(after.len(), 605);
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 599);
    assert_eq!(importing.count("SELECT COUNT(*) FROM import_changes").await, 600, "those of the first run");
    assert!(importing.act(run.id, Act::Undo).await.is_err(), "undone already");
    // What was undone is no reason to call a later file older.
    let changes = Changes { round: 2, updated: 2, ..Changes::default() };
    let run = importing
        .import(&zip_of(Kind::Delta, &ROSTER.delta(changes, "2026-11-22T06:00:00Z".parse().expect("a time"))))
        .await;
    assert!(run.plan.holds.iter().all(|hold| hold.code != HoldCode::OlderFile));
}

#[tokio::test]
async fn an_undo_goes_on_after_a_restart_and_ends_with_its_day() {
    let mut importing = Importing::new().await;
    let roster = provider_server::oneroster::generator::Roster { students: 3_000, ..ROSTER };
    let run = importing.import(&bulk(&roster.students().collect::<Vec<_>>())).await;
    importing.act(run.id, Act::Undo).await.expect("taken");
    importing = importing.restart().await;
    let run = importing.rests(run.id).await;
    assert_eq!((run.state, run.undo_skipped), (RunState::Undone, 0));
    assert_eq!(
        importing.count("SELECT COUNT(*) FROM students WHERE status = 'tobedeleted' AND version = 2").await,
        3_000
    );

    let students: Vec<_> = roster.students().collect();
    let run = importing.import(&bulk(&students[..2_900])).await;
    assert_eq!((run.state, run.applied), (RunState::Applied, 2_900));
    importing.test.clock.advance(24 * 3_600_000 + 1);
    let late = importing.act(run.id, Act::Undo).await;
    assert!(matches!(late, Err(StoreError::Refused(refusal)) if refusal.message.contains("24 h")));
}
