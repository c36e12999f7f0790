//! What is held, and what staff can do about it.

use provider_server::{
    model::import_run::RunState,
    oneroster::{Kind, StudentRow, generator::Changes},
    store::StoreError,
};

use super::support::{Act, Importing, ROSTER, bulk, counts, hold_codes, zip_of};
use crate::support::{origin, request};

async fn imported() -> (Importing, Vec<StudentRow>) {
    let importing = Importing::new().await;
    let students: Vec<_> = ROSTER.students().collect();
    assert_eq!(importing.import(&bulk(&students)).await.state, RunState::Applied);
    (importing, students)
}

#[tokio::test]
async fn an_older_file_waits() {
    let (importing, _) = imported().await;
    let delta = |at: &str, round| {
        let changes = Changes { round, updated: 3, ..Changes::default() };
        zip_of(Kind::Delta, &ROSTER.delta(changes, at.parse().expect("a time")))
    };
    // The orgs of a delta carry the writer's own time: only the newest of all rows counts.
    assert_eq!(importing.import(&delta("2026-11-23T06:00:00Z", 1)).await.state, RunState::Applied);
    let run = importing.import(&delta("2026-11-22T06:00:00Z", 2)).await;
    assert_eq!((run.state, hold_codes(&run)), (RunState::Held, vec!["older_file"]));
    assert_eq!(run.plan.holds[0].figure, 86_400);
}

#[tokio::test]
async fn many_deletions_wait_and_an_approval_applies_them() {
    let (importing, students) = imported().await;
    let run = importing.import(&bulk(&students[..500])).await;
    assert_eq!((run.state, hold_codes(&run)), (RunState::Held, vec!["deletions"]));
    assert_eq!((counts(&run), run.plan.holds[0].figure, run.applied), ((0, 0, 100, 500), 166, 0));
    let run = importing.approve(run.id, false).await;
    assert_eq!((run.state, counts(&run), run.applied), (RunState::Applied, (0, 0, 100, 500), 100));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 500);
}

#[tokio::test]
async fn an_approval_without_deletions_leaves_everybody() {
    let (importing, mut students) = imported().await;
    students.truncate(500);
    if let Some(fields) = &mut students[0].fields {
        fields.given_name = "Grace".into();
    }
    let run = importing.import(&bulk(&students)).await;
    assert_eq!((run.state, counts(&run)), (RunState::Held, (0, 1, 100, 499)));
    let run = importing.approve(run.id, true).await;
    assert_eq!((run.state, counts(&run), run.applied), (RunState::Applied, (0, 1, 0, 599), 1));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 600);
}

#[tokio::test]
async fn an_approval_of_figures_that_grew_holds_again() {
    let (importing, students) = imported().await;
    let run = importing.import(&bulk(&students[..500])).await;
    assert_eq!(run.state, RunState::Held);
    // Somebody new whom the file does not know, either: one more would be deleted than staff saw.
    let school = importing.test.texts("SELECT sourced_id FROM schools ORDER BY sourced_id").await.remove(0);
    let put = crate::support::put(importing.district, "S-new", "Ada", &[&school]);
    let queue = provider_server::store::changes::ChangeQueue::start(importing.test.store.clone());
    queue.submit(origin(), vec![put]).await.expect("stored").remove(0).expect("accepted");
    let run = importing.approve(run.id, false).await;
    assert_eq!((run.state, counts(&run).2, run.applied), (RunState::Held, 101, 0));
    let delete = request(importing.district, "S-new", provider_server::model::change::ChangeAct::Delete);
    queue.submit(origin(), vec![delete]).await.expect("stored").remove(0).expect("accepted");
    let run = importing.approve(run.id, false).await;
    assert_eq!((run.state, counts(&run).2), (RunState::Applied, 100));
}

#[tokio::test]
async fn a_school_that_is_missing_and_numbers_that_moved_are_named() {
    let (importing, students) = imported().await;
    let gone = &students[0].enrollments[0].school_sourced_id;
    let others: Vec<_> =
        students.iter().filter(|s| s.enrollments.iter().all(|e| e.school_sourced_id != *gone)).cloned().collect();
    let run = importing.import(&bulk(&others)).await;
    let holds = run.plan.holds;
    assert!(holds.iter().any(|hold| hold.code.as_str() == "school_missing" && hold.school == *gone));
    importing.act(run.id, Act::Discard).await.expect("discarded");

    let mut renumbered = students.clone();
    for student in renumbered.iter_mut().take(100) {
        let fields = student.fields.as_mut().expect("stated");
        fields.identifier = fields.identifier.as_ref().map(|old| format!("N{old}"));
    }
    let run = importing.import(&bulk(&renumbered)).await;
    assert_eq!((run.state, hold_codes(&run)), (RunState::Held, vec!["renumbered"]));
    importing.act(run.id, Act::Discard).await.expect("discarded");

    let mut other_keys = students;
    other_keys.iter_mut().take(70).for_each(|student| student.sourced_id.push_str("-new"));
    let run = importing.import(&bulk(&other_keys)).await;
    assert_eq!((run.state, hold_codes(&run)[..2].to_vec()), (RunState::Held, vec!["deletions", "renumbered"]));
}

#[tokio::test]
async fn a_cancelled_run_keeps_what_was_applied_and_says_so() {
    let importing = Importing::new().await;
    let roster = provider_server::oneroster::generator::Roster { students: 4_000, ..ROSTER };
    let run = importing.upload(&bulk(&roster.students().collect::<Vec<_>>())).await;
    importing.until(run.id, |run| run.applied > 0).await;
    importing.act(run.id, Act::Cancel).await.expect("cancelled");
    let run = importing.run(run.id).await;
    assert_eq!(run.state, RunState::Cancelled);
    let kept = importing.count("SELECT COUNT(*) FROM students").await;
    assert_eq!(kept, run.applied);
    let again = importing.act(run.id, Act::Cancel).await;
    assert!(matches!(again, Err(StoreError::Refused(_))));
    importing.act(run.id, Act::Undo).await.expect("taken");
    let run = importing.rests(run.id).await;
    assert_eq!((run.state, run.undo_skipped), (RunState::Undone, 0));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 0);
}
