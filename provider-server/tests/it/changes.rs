//! A change commits whole: the record, its versions, the events of each school, the deliveries, the audit row.

use futures::future::join_all;
use provider_server::{
    model::change::{ChangeAct, ChangeOutcome, Idempotency},
    store::{
        Committed, StoreError, audit,
        changes::{self, ChangeQueue, MAX_BATCH, Outcomes},
        keys::{KeyCache, school_scope},
        roster, sync,
    },
};
use rollcall_proto::{
    id::{DistrictId, KeyId, SchoolId},
    webhook::event::{EventType, RawEnvelope, StudentData},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::support::{START_MS, TestStore, insert_school, on_postgres, origin, put, request};

fn deliveries(committed: Vec<Committed>) -> Vec<(u64, EventType, RawEnvelope)> {
    let new = committed.into_iter().filter_map(|c| match c {
        Committed::Deliveries(deliveries) => Some(deliveries),
        _ => None,
    });
    let parse = |body: &[u8]| serde_json::from_slice(body).expect("an envelope");
    new.flatten().map(|d| (d.sequence, d.event_type, parse(&d.body))).collect()
}

async fn submit(queue: &ChangeQueue, request: provider_server::model::change::ChangeRequest) -> ChangeOutcome {
    queue.submit(origin(), vec![request]).await.expect("stored").remove(0).expect("accepted")
}

#[tokio::test]
async fn a_transfer_tells_the_old_school_withdrawn_and_the_new_one_enrolled() {
    let mut test = TestStore::new().await;
    let (district, schools) = test.district(&["a", "b"]).await;
    for school in &schools {
        test.activate(*school).await;
    }
    let queue = ChangeQueue::start(test.store.clone());
    submit(&queue, put(district, "S-1", "Ada", &["a"])).await;
    let transfer = ChangeAct::Transfer { from: "a".into(), to: "b".into(), date: None, reason: Some("moved".into()) };
    let outcome = submit(&queue, request(district, "S-1", transfer)).await;
    assert_eq!((outcome.events, outcome.student.version), (2, 2));

    let events = deliveries(test.handed_over());
    let mut told: Vec<(String, u64, EventType)> =
        events.iter().map(|(sequence, kind, body)| (body.school.sourced_id.clone(), *sequence, *kind)).collect();
    told.sort();
    let expected = [
        ("a".to_owned(), 1, EventType::StudentCreated),
        ("a".to_owned(), 2, EventType::StudentWithdrawn),
        ("b".to_owned(), 1, EventType::StudentEnrolled),
    ];
    assert_eq!(told, expected);
    let changes: Vec<_> = events.iter().skip(1).map(|(_, _, body)| body.change_id).collect();
    assert_eq!(changes[0], changes[1], "one act, one change");
    let withdrawn = events.iter().find(|(_, kind, _)| *kind == EventType::StudentWithdrawn).expect("made");
    assert!(!withdrawn.2.data.get().contains("\"b\""), "the old school is not told where to");
    let sql =
        "SELECT e.state FROM events e JOIN schools s ON s.school_id = e.school_id ORDER BY s.sourced_id, e.sequence";
    let states = test.texts(sql).await;
    assert_eq!(states, ["superseded", "pending", "pending"], "the unsent created is pointless now");
}

#[tokio::test]
async fn a_school_that_was_never_connected_gets_a_sync_of_every_current_student_and_no_earlier_event() {
    let mut test = TestStore::new().await;
    let (district, schools) = test.district(&["a"]).await;
    let queue = ChangeQueue::start(test.store.clone());
    for number in 0..1_200 {
        let calls = vec![put(district, &format!("S-{number:04}"), "Ada", &["a"])];
        queue.submit(origin(), calls).await.expect("stored");
    }
    submit(&queue, request(district, "S-0000", ChangeAct::Delete)).await;
    assert!(deliveries(test.handed_over()).is_empty());

    assert_eq!(test.activate(schools[0]).await, 0);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(sync::run(test.store.clone(), stop.clone()));
    let mut events = Vec::new();
    while events.len() < 1_199 {
        let committed = test.committed.recv().await.expect("the store lives");
        events.extend(deliveries(vec![committed]));
    }
    stop.cancel();
    worker.await.expect("ends");
    let sequences: Vec<u64> = events.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(sequences, (1..=1_199).collect::<Vec<u64>>());
    assert!(
        events.iter().all(|(_, kind, body)| *kind == EventType::StudentEnrolled
            && body.source.as_ref().is_some_and(|s| s.kind == "sync"))
    );

    let mut reader = test.store.reader().await.expect("a reader");
    let lines = roster::page(&mut reader, schools[0], "").await.expect("a page");
    let sent: StudentData<Box<serde_json::value::RawValue>> =
        serde_json::from_str(events[0].2.data.get()).expect("a student");
    assert_eq!(lines[0].json, sent.object.get(), "the export's line is the bytes that were sent");
}

/// The first school's data key is gone, so that each of its pages fails.
#[tokio::test]
async fn a_sync_that_fails_keeps_no_other_school_waiting_and_is_tried_again() {
    let mut test = TestStore::new().await;
    let (district, mut schools) = test.district(&["a", "b"]).await;
    let queue = ChangeQueue::start(test.store.clone());
    submit(&queue, put(district, "S-1", "Ada", &["a", "b"])).await;
    schools.sort_unstable();
    let (store, scope) = (test.store.clone(), school_scope(schools[0]));
    let rename = async |from: &str, to: &str| {
        let values = vec![from.to_owned().into(), to.to_owned().into()];
        let sql = "UPDATE data_keys SET scope = $2 WHERE scope = $1";
        assert_eq!(store.act(move |tx| Box::pin(tx.conn.execute(sql, values))).await.expect("renamed"), 1);
    };
    rename(&scope, "hidden").await;
    test.store.shared().keys.forget_all();
    for school in &schools {
        test.activate(*school).await;
    }
    // What woke it for the activations: from here on it looks by itself.
    test.store.shared().sync_wake.notified().await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(sync::run(test.store.clone(), stop.clone()));
    let next = async |test: &mut TestStore| loop {
        let committed = test.committed.recv().await.expect("the store lives");
        if let Committed::Deliveries(deliveries) = committed {
            return deliveries.into_iter().map(|delivery| delivery.school).collect::<Vec<_>>();
        }
    };
    assert_eq!(next(&mut test).await, [schools[1]]);
    rename("hidden", &scope).await;
    assert_eq!(next(&mut test).await, [schools[0]], "without a word to the worker");
    stop.cancel();
    worker.await.expect("ends");
}

#[tokio::test]
async fn changes_keep_their_order_over_many_batches() {
    let test = TestStore::new().await;
    let (district, _) = test.district(&["a"]).await;
    let queue = ChangeQueue::start(test.store.clone());
    // Two such calls fit a batch, and a third one begins the next.
    const OF_A_CALL: u64 = MAX_BATCH as u64 * 2 / 5;
    let calls = (0..9).map(|call| {
        let change = |number: u64| put(district, "S-1", &format!("Ada {call}-{number}"), &["a"]);
        queue.submit(origin(), (0..OF_A_CALL).map(change).collect())
    });
    let answers: Vec<Outcomes> =
        join_all(calls).await.into_iter().collect::<Result<_, StoreError>>().expect("every call is stored");
    let versions: Vec<u64> =
        answers.into_iter().flatten().map(|outcome| outcome.expect("accepted").student.version).collect();
    assert_eq!(versions, (1..=9 * OF_A_CALL).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_call_is_kept_in_the_audit_chain_of_its_own_district() {
    let test = TestStore::new().await;
    let (one, _) = test.district(&["a"]).await;
    let (other, school) = (DistrictId::new(START_MS, test.entropy.bytes()), SchoolId::new(START_MS, [7; 10]));
    // Students of the same sourcedId, in one batch.
    let calls =
        [one, other].into_iter().map(|district| (origin(), vec![put(district, "S-1", "Ada", &["a"])])).collect();
    let act = test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "INSERT INTO districts (district_id, sourced_id, name, created_ms) VALUES ($1, $2, $3, $4)";
            tx.conn.execute(sql, vec![other.into(), "d-2".into(), "Other".into(), tx.now_ms.into()]).await?;
            insert_school(tx, other, school, "a".into()).await?;
            changes::apply(tx, calls).await
        })
    });
    for outcome in act.await.expect("stored").into_iter().flatten() {
        outcome.expect("accepted");
    }
    let mut expected = [one.to_string(), other.to_string()];
    expected.sort();
    assert_eq!(test.texts("SELECT chain FROM audit WHERE act = 'student.put' ORDER BY chain").await, expected);
}

#[tokio::test]
async fn an_act_that_fails_undoes_itself_alone_wherever_it_stands_in_its_group() {
    let test = TestStore::new().await;
    let ((begun, has_begun), (go, may_end)) = (oneshot::channel(), oneshot::channel());
    let store = test.store.clone();
    let first_group = tokio::spawn(async move {
        let act = store.act(|_| {
            Box::pin(async move {
                begun.send(()).expect("somebody waits");
                may_end.await.map_err(|_| StoreError::Stopping)
            })
        });
        act.await
    });
    has_begun.await.expect("the writer is at work");
    // These wait for it, and so share the next transaction where acts share one.
    let note = |name: &'static str, fails: bool| {
        test.store.act(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)";
                tx.conn.execute(sql, vec![name.into(), vec![1_u8].into()]).await?;
                if fails { Err(StoreError::Conflict) } else { Ok(()) }
            })
        })
    };
    let acts =
        [note("act 1", true), note("act 2", true), note("act 3", false), note("act 4", true), note("act 5", false)];
    let (outcomes, ()) = tokio::join!(join_all(acts), async { go.send(()).expect("the writer waits") });
    let failed: Vec<bool> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(failed, [true, true, false, true, false]);
    first_group.await.expect("runs").expect("is kept");
    let sql = "SELECT name FROM meta WHERE name LIKE 'act%' ORDER BY name";
    assert_eq!(test.texts(sql).await, ["act 3", "act 5"]);
}

/// A key that was made and used in an act that is undone seals nothing later: nobody could open it after a restart.
#[tokio::test]
async fn a_data_key_of_an_undone_act_is_forgotten() {
    let test = TestStore::new().await;
    let make = |fails: bool| {
        test.store.act(move |tx| {
            Box::pin(async move {
                KeyCache::get_or_create(tx, "district:undone").await?;
                let key = KeyCache::get_or_create(tx, "district:undone").await?;
                if fails { Err(StoreError::Conflict) } else { Ok(key.id()) }
            })
        })
    };
    assert!(make(true).await.is_err());
    let used = make(false).await.expect("made anew");
    let sql = "SELECT key_id FROM data_keys WHERE scope = 'district:undone'";
    let mut row = test.store.reader().await.expect("reads").query_optional(sql, vec![]).await.expect("reads");
    let stored: KeyId = row.as_mut().expect("the key is stored").take(0).expect("an id");
    assert_eq!(used, stored);
}

#[tokio::test]
async fn the_same_idempotency_key_answers_the_same_and_refuses_another_request() {
    let mut test = TestStore::new().await;
    let (district, schools) = test.district(&["a"]).await;
    test.activate(schools[0]).await;
    let queue = ChangeQueue::start(test.store.clone());
    let keyed = |name: &str| {
        let mut request = put(district, "S-1", name, &["a"]);
        request.idempotency = Some(Idempotency { key: "k-1".into(), request: name.as_bytes().to_vec() });
        request
    };
    let first = submit(&queue, keyed("Ada")).await;
    submit(&queue, put(district, "S-1", "Grace", &["a"])).await;
    for _ in 0..2 {
        let again = submit(&queue, keyed("Ada")).await;
        assert!(again.repeated);
        assert_eq!((again.student.version, again.change), (1, first.change));
        assert_eq!(again.student.fields.given_name, "Ada", "as it was answered then");
    }
    // Twice in one batch: the second is the repetition of the first.
    let mut other = keyed("Edsger");
    other.sourced_id = "S-2".into();
    let refused = queue.submit(origin(), vec![other]).await.expect("stored").remove(0);
    assert!(refused.is_err_and(|refusal| refusal.violations[0].field == "idempotencyKey"));
    assert_eq!(deliveries(test.handed_over()).len(), 2);
}

#[tokio::test]
async fn a_refused_change_names_its_field_and_does_not_stop_the_others() {
    let mut test = TestStore::new().await;
    let (district, schools) = test.district(&["a"]).await;
    test.activate(schools[0]).await;
    let queue = ChangeQueue::start(test.store.clone());
    let mut conflict = put(district, "S-1", "Grace", &["a"]);
    conflict.expected_version = Some(9);
    let calls = vec![
        put(district, "S-1", "Ada", &["a"]),
        put(district, "S 2", "Ada", &["a"]),
        put(district, "S-3", "", &["a"]),
        put(district, "S-4", "Ada", &["nowhere"]),
        conflict,
        put(district, "S-5", "Ada", &["a"]),
    ];
    let outcomes = queue.submit(origin(), calls).await.expect("stored");
    let fields: Vec<String> = outcomes
        .iter()
        .map(|o| match o {
            Ok(outcome) => format!("v{}", outcome.student.version),
            Err(refusal) => refusal.violations[0].field.clone(),
        })
        .collect();
    let expected = ["v1", "sourcedId", "givenName", "schoolEnrollments[0].schoolSourcedId", "version", "v1"];
    assert_eq!(fields, expected);
    let sequences: Vec<u64> = deliveries(test.handed_over()).iter().map(|d| d.0).collect();
    assert_eq!(sequences, [1, 2]);
}

#[tokio::test]
async fn many_callers_share_commits_and_every_sequence_is_gap_free() {
    let mut test = TestStore::new().await;
    let (district, schools) = test.district(&["a", "b"]).await;
    for school in &schools {
        test.activate(*school).await;
    }
    let queue = ChangeQueue::start(test.store.clone());
    let callers = (0..40).map(|caller| {
        let queue = queue.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                // Two callers share a student, so that versions must line up.
                let sourced_id = format!("S-{}", caller / 2);
                submit(&queue, put(district, &sourced_id, &format!("Name {caller} {round}"), &["a", "b"])).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no caller fails");
    }
    let events = deliveries(test.handed_over());
    for school in ["a", "b"] {
        let mine = events.iter().filter(|(_, _, body)| body.school.sourced_id == school);
        let sequences: Vec<u64> = mine.map(|(sequence, ..)| *sequence).collect();
        assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<u64>>());
    }
    let mut reader = test.store.reader().await.expect("a reader");
    let verdict = audit::verify(&mut reader, test.store.shared()).await.expect("verified");
    assert_eq!((verdict.entries, verdict.first_break), (400, None));
}

#[tokio::test]
async fn secrets_of_the_body_are_not_in_the_database_files() {
    let test = TestStore::new().await;
    let (district, schools) = test.district(&["a"]).await;
    test.activate(schools[0]).await;
    let queue = ChangeQueue::start(test.store.clone());
    submit(&queue, put(district, "S-1", "Ada", &["a"])).await;
    let sealed: Vec<String> = test.texts("SELECT hex(sealed) FROM event_bodies").await;
    assert_eq!(sealed.len(), 1);
    assert!(!sealed[0].contains(&hex::encode_upper("Nguyễn")));
    let test = test.reopen().await;
    assert_eq!(test.texts("SELECT state FROM events").await, ["pending"]);
    assert_eq!(test.folder().join("rollcall.db").exists(), !on_postgres());
    let complaints = test.store.database().integrity_check().await;
    assert!(complaints.is_ok_and(|lines| lines.is_empty()));
}

#[tokio::test]
async fn a_failing_act_undoes_itself_alone() {
    let test = TestStore::new().await;
    let failing = test.store.act(|tx| {
        Box::pin(async move {
            tx.conn.execute("INSERT INTO meta (name, value) VALUES ('a', $1)", vec![vec![1].into()]).await?;
            Err::<(), _>(StoreError::Refused(provider_server::error::Refusal::precondition("no")))
        })
    });
    let fine = test.store.act(|tx| {
        Box::pin(async move {
            tx.conn.execute("INSERT INTO meta (name, value) VALUES ('b', $1)", vec![vec![1].into()]).await
        })
    });
    let (failing, fine) = tokio::join!(failing, fine);
    assert!(matches!(failing, Err(StoreError::Refused(_))));
    assert_eq!(fine.expect("stored"), 1);
    assert_eq!(test.texts("SELECT name FROM meta ORDER BY name").await, ["b"]);
}

#[tokio::test]
async fn sort_keys_of_older_rows_are_made_at_the_next_start() {
    let test = TestStore::new().await;
    let (district, _) = test.district(&["a"]).await;
    let queue = ChangeQueue::start(test.store.clone());
    for (id, name) in [("S-1", "Zoë"), ("S-2", "ÉMILE")] {
        submit(&queue, put(district, id, name, &["a"])).await;
    }
    let sql = "SELECT given_key || ' ' || family_key FROM students ORDER BY sourced_id";
    let keys = ["zoe nguyen", "emile nguyen"];
    assert_eq!(test.texts(sql).await, keys);
    // As the migration leaves rows that it finds.
    let older = test.store.act(|tx| {
        Box::pin(async move {
            tx.conn.execute("UPDATE students SET family_key = '', given_key = ''", vec![]).await?;
            tx.conn.execute("INSERT INTO meta (name, value) VALUES ('name_keys_due', $1)", vec![vec![1].into()]).await
        })
    });
    older.await.expect("set");
    drop(queue);
    let test = test.reopen().await;
    assert_eq!(test.texts(sql).await, keys);
    assert!(test.texts("SELECT name FROM meta WHERE name = 'name_keys_due'").await.is_empty(), "once");
}
