//! What is read in more than one statement is of one moment, or says nothing that was never so: read again and again while
//! others write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use provider_server::{
    error::RefusalKind,
    model::access::Role,
    store::{
        StoreError, Tx, codes, connections,
        record::MessageUpdate,
        roster, school_connection, school_deletion,
        secrets::{self, Begin},
        staff::{self, NewStaff, StaffUpdate},
        students,
    },
};
use rollcall_proto::{
    id::{SchoolId, SecretId},
    provider::v1 as pb,
};
use tokio::sync::watch;
use tonic::Code;

use crate::{
    log::door::{Door, Log, failure},
    support::{TestStore, origin, put},
};

/// How often what is read changes.
const CHANGES: u64 = 200;

/// Tells readers that the changes are over.
struct Over(watch::Sender<bool>);

impl Over {
    fn new() -> (Self, impl Fn() -> bool) {
        let (sender, over) = watch::channel(false);
        (Self(sender), move || *over.borrow())
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Gives the school another secret and another version, as a rotation does; answers both.
async fn renew(tx: &mut Tx<'_>, school: SchoolId) -> Result<(u64, SecretId), StoreError> {
    tx.lock_schools([school]).await?;
    let secret = secrets::create(tx, school, Begin::Active).await?.1.info.id;
    secrets::end_others(tx, school, Some(secret)).await?;
    let sql = "UPDATE schools SET connection_version = connection_version + 1 WHERE school_id = $1
               RETURNING connection_version";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    Ok((row.expect("the school").take(0)?, secret))
}

/// An engine that has a version takes no other one of it: with secrets of an earlier one it would sign with these for good.
#[tokio::test]
async fn a_version_of_a_connection_comes_with_no_secret_of_an_earlier_one() {
    let test = TestStore::new().await;
    let (_, schools) = test.district(&["a"]).await;
    let school = schools[0];
    let made: Arc<Mutex<HashMap<SecretId, u64>>> = Arc::default();
    let (over, is_over) = Over::new();
    let changes = async {
        let _over = over;
        for _ in 0..CHANGES {
            let made = made.clone();
            let renewed = test.store.act(move |tx| {
                Box::pin(async move {
                    let (version, secret) = renew(tx, school).await?;
                    made.lock().expect("not poisoned").insert(secret, version);
                    Ok(())
                })
            });
            renewed.await.expect("renewed");
        }
    };
    let reads = async {
        let (mut seen, shared) = (Vec::new(), test.store.shared());
        while !is_over() {
            let mut conn = test.store.reader().await.expect("a reader");
            let one = connections::load(&mut conn, shared, school).await.expect("read").expect("the school");
            let all = connections::load_all(&mut conn, shared).await.expect("read");
            for read in std::iter::once(&one).chain(&all) {
                let secrets = read.connection.secrets.iter().map(|secret| secret.id).collect::<Vec<_>>();
                seen.push((read.connection.version, secrets));
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(changes, reads);
    let made = made.lock().expect("not poisoned");
    for (version, secrets) in seen {
        let first = made.values().min().is_some_and(|first| version < *first);
        assert!(first || !secrets.is_empty(), "version {version} has no secret");
        assert!(secrets.iter().all(|secret| made[secret] >= version), "version {version} has an earlier secret");
    }
}

/// Each change makes one student and one message.
#[tokio::test]
async fn a_rosters_digest_is_of_the_sequence_that_it_names() {
    let log = Log::new().await;
    let (over, is_over) = Over::new();
    let changes = async {
        let _over = over;
        for number in 0..CHANGES {
            let call = vec![put(log.district, &format!("S-{number}"), "Ada", &["a"])];
            log.changes.submit(origin(), call).await.expect("stored");
        }
    };
    let reads = async {
        while !is_over() {
            let (digest, head) = roster::digest(&log.test.store, log.schools[0]).await.expect("read");
            assert_eq!(u64::from(digest.students()), head);
        }
    };
    tokio::join!(changes, reads);
}

#[tokio::test]
async fn a_message_that_moves_between_groups_is_in_one() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let waits = MessageUpdate { state: "pending", reason: "", automatic_tries: 1, due_ms: 0 };
    let mut attempt = failure(&made);
    attempt.message = Some(waits);
    log.record(vec![attempt]).await;
    let client = log.operator().await;
    let (over, is_over) = Over::new();
    let changes = async {
        let _over = over;
        for number in 0..CHANGES {
            let (state, reason) = [("parked", "connection_down"), ("pending", "")][number as usize % 2];
            let moved = log.test.store.act(move |tx| {
                let sql = "UPDATE events SET state = $1, reason = $2";
                Box::pin(tx.conn.execute(sql, vec![state.into(), reason.into()]))
            });
            assert_eq!(moved.await.expect("moved"), 1);
        }
    };
    let reads = async {
        while !is_over() {
            let listed = client.clone().list_undelivered(pb::ListUndeliveredRequest::default()).await.expect("a list");
            let messages: Vec<u64> = listed.into_inner().groups.iter().map(|group| group.messages).collect();
            assert_eq!(messages, [1]);
        }
    };
    tokio::join!(changes, reads);
}

#[tokio::test]
async fn a_message_that_fails_again_meanwhile_is_replayed_with_what_failed() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let again = |try_number| {
        let waits = MessageUpdate { state: "pending", reason: "", automatic_tries: 1, due_ms: 0 };
        let mut attempt = failure(&made);
        (attempt.message, attempt.try_number) = (Some(waits), try_number);
        attempt
    };
    log.record(vec![again(1)]).await;
    let client = log.operator().await;
    let (over, is_over) = Over::new();
    let changes = async {
        let _over = over;
        for try_number in 2..CHANGES as u32 {
            log.record(vec![again(try_number)]).await;
        }
    };
    let reads = async {
        while !is_over() {
            let request = pb::ReplayRequest {
                school: "a".into(),
                filter: "code:503".into(),
                dry_run: true,
                ..Default::default()
            };
            let counted = client.clone().replay(request).await.expect("counted").into_inner();
            assert_eq!((counted.messages, counted.refused), (1, 0));
        }
    };
    tokio::join!(changes, reads);
}

#[tokio::test]
async fn a_students_versions_are_each_there_once() {
    let log = Log::new().await;
    let name = |number: u64| vec![put(log.district, "S-1", &format!("Ada {number}"), &["a"])];
    log.changes.submit(origin(), name(0)).await.expect("stored");
    let (over, is_over) = Over::new();
    let changes = async {
        let _over = over;
        for number in 1..CHANGES / 2 {
            log.changes.submit(origin(), name(number)).await.expect("stored");
        }
    };
    let reads = async {
        while !is_over() {
            let mut conn = log.test.store.reader().await.expect("a reader");
            let read = students::versions(&mut conn, log.district, "S-1").await.expect("read");
            let versions: Vec<u64> = read.iter().map(|version| version.student.version).collect();
            let newest = versions[0];
            assert_eq!(versions, (1..=newest).rev().collect::<Vec<_>>());
        }
    };
    tokio::join!(changes, reads);
}

/// The hash is looked up, then the password is verified for as long as that takes, then the session is opened.
#[tokio::test]
async fn a_password_that_was_reset_while_it_was_checked_opens_no_session() {
    let test = TestStore::new().await;
    let new =
        NewStaff { username: "vera".into(), password_hash: "old".into(), role: Role::Owner, districts: Vec::new() };
    let id = test.store.act(move |tx| Box::pin(staff::create(tx, "system", new))).await.expect("made").id;
    let open = |hash: &'static str| {
        test.store.act(move |tx| Box::pin(async move { staff::open_session(tx, id, hash.into(), &[]).await }))
    };
    open("old").await.expect("it is the password");
    let reset = StaffUpdate { password_hash: Some("new".into()), ..StaffUpdate::default() };
    let reset = test
        .store
        .act(move |tx| Box::pin(async move { staff::update(tx, "system", "vera", reset, None).await.map(drop) }));
    reset.await.expect("reset");
    match open("old").await {
        Err(StoreError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::Unauthenticated),
        _ => panic!("it was the password before"),
    }
    assert!(test.texts("SELECT 'one' FROM sessions").await.is_empty());
    open("new").await.expect("it is the password");
}

/// Two doors over one database, as two servers are: neither is told what the other one did.
#[tokio::test]
async fn a_stream_ends_where_another_server_revoked_its_session() {
    let log = Log::new().await;
    let elsewhere = Door::new(&log.test, &log.changes);
    let (mut client, _) = elsewhere.sign_in("vera", Role::Viewer, vec![log.district]).await;
    let request = pb::TailAttemptsRequest { school: "a".into(), ..Default::default() };
    let mut tail = client.tail_attempts(request).await.expect("a tail").into_inner();
    let revoked = log
        .test
        .store
        .act(|tx| Box::pin(async move { staff::revoke_sessions(tx, "system", "vera").await.map(|(id, _)| id) }));
    log.door.sessions.forget_staff(revoked.await.expect("revoked"));
    let ended = loop {
        match tail.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends with a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unauthenticated);
    let refused = client.tail_attempts(pb::TailAttemptsRequest { school: "a".into(), ..Default::default() }).await;
    assert_eq!(refused.expect_err("it has ended").code(), Code::Unauthenticated);
}

/// A call names a school, which is found, and deleted before the call acts.
#[tokio::test]
async fn a_school_that_was_deleted_meanwhile_gets_neither_a_code_nor_an_address() {
    let test = TestStore::new().await;
    let (district, schools) = test.district(&["a"]).await;
    let place = (schools[0], district);
    school_deletion::delete(&test.store, place, "staff:test".into(), "a".into()).await.expect("deleted");
    let settings = school_connection::Settings {
        url: "https://school.test/hook".into(),
        own_receiver: false,
        retry: None,
        max_in_flight: None,
        host: "school.test".into(),
    };
    let issued = test
        .store
        .act(move |tx| Box::pin(async move { codes::issue(tx, place, "staff:test", 60_000).await.map(drop) }));
    let connected = test
        .store
        .act(move |tx| Box::pin(async move { school_connection::connect(tx, place, "staff:test", settings).await }));
    for refused in [issued.await, connected.await] {
        match refused {
            Err(StoreError::Refused(refusal)) => assert_eq!(refusal.kind, RefusalKind::NotFound),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(test.texts("SELECT url || state FROM schools").await, ["deleted"]);
    assert!(test.texts("SELECT 'one' FROM codes").await.is_empty());
}
