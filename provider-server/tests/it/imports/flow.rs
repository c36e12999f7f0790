//! Bulk, delta, again, restarts, and files that cannot be used.

use provider_server::{
    model::import_run::RunState,
    oneroster::{Kind, generator::Changes},
    store::audit,
};
use rollcall_proto::id::SchoolId;

use super::support::{Importing, ROSTER, bulk, counts, hold_codes, zip_of};
use crate::oneroster::support::{bulk_1_1, bulk_1_2, delta_1_2};

#[tokio::test]
async fn a_bulk_and_then_a_delta_do_what_they_say() {
    let mut importing = Importing::new().await;
    let students: Vec<_> = ROSTER.students().collect();
    let run = importing.import(&bulk(&students)).await;
    assert_eq!((run.state, run.error.as_str()), (RunState::Applied, ""));
    assert_eq!(counts(&run), (600, 0, 0, 0));
    assert_eq!((run.applied, run.plan.schools_created, run.version.as_str()), (600, 3, "1.2"));
    let at_schools: u64 = run.plan.schools.iter().map(|school| school.counts.created).sum();
    let enrollments = students.iter().map(|student| student.enrollments.len() as u64).sum::<u64>();
    assert_eq!((at_schools, run.plan.schools.len()), (enrollments, 3));
    importing.cleaned().await;

    let schools = importing.test.texts("SELECT hex(school_id) FROM schools ORDER BY school_id").await;
    for school in schools {
        let id = SchoolId::from_slice(&hex::decode(school).expect("hex")).expect("an id");
        importing.test.activate(id).await;
    }
    importing.test.handed_over();
    let changes = Changes { round: 1, created: 5, updated: 20, transferred: 4, deleted: 3 };
    let delta = ROSTER.delta(changes, "2026-11-21T06:00:00Z".parse().expect("a time"));
    let run = importing.import(&zip_of(Kind::Delta, &delta)).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (5, 24, 3, 0)));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 602);
    let sources: Vec<serde_json::Value> = importing
        .test
        .handed_over()
        .into_iter()
        .filter_map(|c| match c {
            provider_server::store::Committed::Deliveries(deliveries) => Some(deliveries),
            _ => None,
        })
        .flatten()
        .map(|d| serde_json::from_slice::<serde_json::Value>(&d.body).expect("an envelope")["source"].clone())
        .collect();
    assert!(sources.len() >= 32);
    for source in sources {
        assert_eq!((source["kind"].as_str(), source["runId"].as_str()), (Some("import"), Some(&*run.id.to_string())));
        assert!(source["line"].as_u64().is_some_and(|line| line > 1));
    }
    let acts = importing.test.texts("SELECT act FROM audit ORDER BY number").await;
    assert_eq!(acts.iter().filter(|act| *act == "import.applied").count(), 2, "one row a run, not one a batch");
    assert!(!acts.iter().any(|act| act == "student.apply"));
    let mut conn = importing.test.store.reader().await.expect("a reader");
    let verdict = audit::verify(&mut conn, importing.test.store.shared()).await.expect("verified");
    assert_eq!(verdict.first_break, None);
}

#[tokio::test]
async fn the_same_roster_in_another_zip_changes_nobody_and_who_is_absent_comes_back() {
    let importing = Importing::new().await;
    let students: Vec<_> = ROSTER.students().collect();
    importing.import(&bulk(&students)).await;
    let before = importing.students().await;

    let fewer = &students[..590];
    let run = importing.import(&bulk(fewer)).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (0, 0, 10, 590)));
    let run = importing.import(&bulk(&students)).await;
    assert_eq!((run.state, counts(&run)), (RunState::Applied, (10, 0, 0, 590)), "{:?}", hold_codes(&run));
    let after = importing.students().await;
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!((changed, after.len()), (10, 600));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active' AND version = 3").await, 10);
}

#[tokio::test]
async fn a_rejected_row_is_never_taken_for_absent() {
    let importing = Importing::new().await;
    importing.import(&bulk_1_2().zip()).await;
    // The row of S2 cannot be read; nor can be told whose row the nameless one is.
    let broken = bulk_1_2().replace("users.csv", "\"O'Canary, Jr.\"", "");
    let run = importing.import(&broken.zip()).await;
    assert_eq!((run.state, hold_codes(&run)), (RunState::Held, vec!["errors"]));
    assert_eq!((counts(&run), run.plan.rejected), ((0, 0, 0, 1), 1));
    assert_eq!(importing.problems(run.id).await, [("value.required".to_owned(), 3)]);
    let run = importing.approve(run.id, false).await;
    assert_eq!((run.state, run.applied), (RunState::Applied, 0));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE status = 'active'").await, 2);

    let hidden = bulk_1_2().replace("users.csv", "S2,,,", ",,,").replace("roles.csv", "R4,,,T1", "R4,,,S1");
    let run = importing.import(&hidden.zip()).await;
    assert_eq!(run.plan.counts.deleted, 0, "the hidden row may be that of the absent one");
}

#[tokio::test]
async fn a_1_1_file_leaves_what_it_cannot_say() {
    let importing = Importing::new().await;
    importing.import(&bulk_1_2().zip()).await;
    let run = importing.import(&bulk_1_1().zip()).await;
    // S1's dates are gone, and S2 is no more at A: both changed, so it waits.
    assert_eq!((run.state, run.version.as_str()), (RunState::Held, "1.1"));
    importing.approve(run.id, false).await;
    let students = importing.students().await;
    assert!(students[1].contains("Canarypref"), "1.1 has no preferred names");
    assert!(students[1].contains(r#""z":true"#), "the enrollment that is absent has ended");
    assert!(!students[0].contains("2026-08-17"), "dates that are absent are absent");
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on_exactly() {
    let mut importing = Importing::new().await;
    let roster = provider_server::oneroster::generator::Roster { students: 4_000, ..ROSTER };
    let students: Vec<_> = roster.students().collect();
    let id = importing.upload(&bulk(&students)).await.id;
    let mut restarts = 0;
    for least in [1, 1_000, 2_500] {
        let run = importing.until(id, |run| run.applied >= least || run.state == RunState::Applied).await;
        if run.state == RunState::Applying {
            importing = importing.restart().await;
            restarts += 1;
        }
    }
    assert!(restarts > 0, "it was stopped in the middle");
    let run = importing.rests(id).await;
    assert_eq!((run.state, run.applied, counts(&run)), (RunState::Applied, 4_000, (4_000, 0, 0, 0)));
    assert_eq!(importing.count("SELECT COUNT(*) FROM students WHERE version = 1").await, 4_000);
    assert_eq!(importing.count("SELECT COUNT(*) FROM import_changes WHERE version_before = 0").await, 4_000);
    assert_eq!(importing.count("SELECT COUNT(*) FROM schools").await, 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_fails_with_its_reason_and_changes_nothing() {
    let importing = Importing::new().await;
    let good = bulk_1_2().zip();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("cut", good[..good.len() / 2].to_vec(), "zip"),
        ("no zip", b"sourcedId,status".repeat(10), "zip"),
        ("manifest", bulk_1_2().without("manifest.csv").zip(), "manifest.csv"),
        ("header", bulk_1_2().replace("users.csv", "enabledUser", "enableduser").zip(), "users.csv"),
        ("missing", bulk_1_2().without("roles.csv").zip(), "roles.csv"),
    ];
    for (name, zip, word) in cases {
        let run = importing.import(&zip).await;
        assert_eq!(run.state, RunState::Failed, "{name}");
        assert!(run.error.contains(word), "{name}: {}", run.error);
        assert!(!importing.problems(run.id).await.is_empty(), "{name}");
        assert!(run.finished_ms.is_some());
    }
    assert_eq!(importing.count("SELECT COUNT(*) FROM students").await, 0);
    assert_eq!(importing.count("SELECT COUNT(*) FROM schools").await, 0);
    assert_eq!(importing.import(&good).await.state, RunState::Applied, "a failed run stands in nobody's way");
}

#[tokio::test]
async fn a_row_that_the_record_refuses_is_counted_and_listed_once() {
    let importing = Importing::new().await;
    importing.import(&bulk_1_2().zip()).await;
    // Somebody new who is at no school: nothing wrong with the rows, but there is no such record.
    let files = delta_1_2().replace("users.csv", "S2,tobedeleted", "S7,active");
    let files = files.append("roles.csv", b"R9,tobedeleted,2026-11-23T06:00:00.000Z,S7,primary,student,,,A,\n");
    let run = importing.import(&files.zip()).await;
    assert_eq!((run.state, hold_codes(&run)), (RunState::Held, vec!["errors"]));
    let (rejected, errors) = (run.plan.rejected, run.plan.errors);
    let listed = importing.problems(run.id).await;
    let refused: Vec<u64> = listed.iter().filter(|(code, _)| code == "record.refused").map(|(_, line)| *line).collect();
    assert_eq!((refused, run.plan.refused), (vec![3], 1), "{listed:?}");
    let run = importing.approve(run.id, false).await;
    assert_eq!((run.state, run.plan.rejected, run.plan.errors), (RunState::Applied, rejected, errors));
    assert_eq!(importing.problems(run.id).await, listed, "planned twice and applied, told once");
}
