//! PostgreSQL itself fails: its disk fills up, lets nobody write or cannot be read, an fsync of it fails, it is killed, it
//! has no place for another client. What was acknowledged is kept, who was told that nothing was done was told the truth,
//! and all goes on by itself afterwards.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::future::join_all;
use sqlx::{Connection as _, PgConnection};
use tonic::{Code, Status};

use super::{
    machine::Injected,
    postgres_server::{CLIENTS, Postgres, Small},
    support::{Owner, Server, Site, until},
};
use crate::engine::support::{Receiver, Settings};

const STUDENTS: &str = "SELECT COUNT(*) || ' in version ' || MAX(version) FROM students";
const STATES: &str = "SELECT state || ' ' || COUNT(*) FROM events GROUP BY state ORDER BY 1";
/// Callers at the same time: more than there are connections to write with.
const CALLERS: usize = 8;
/// Changes under way before a fault.
const BEFORE: usize = 40;

/// One school with its receiver, a server on a PostgreSQL of its own, and its owner.
struct Scene {
    postgres: Postgres,
    receiver: Receiver,
    site: Site,
    server: Server,
    owner: Owner,
}

impl Scene {
    async fn new(test: &str, small: Small) -> Option<Self> {
        let postgres = Postgres::start(test, small).await?;
        let receiver = Receiver::accepting().await;
        let site = Site::on(postgres.database(), &[(&receiver, Settings::default())]).await;
        let (server, owner) = site.start_and_enter().await;
        Some(Self { postgres, receiver, site, server, owner })
    }

    /// Callers call while `fault` happens to PostgreSQL, and until it is over: each change is asked for until it is
    /// accepted. Answers how many there were, and what callers were told.
    async fn under_load(&mut self, fault: impl AsyncFnOnce(&mut Postgres, &Server)) -> (usize, Vec<Status>) {
        let (next, is_over, refusals) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
        let Self { postgres, site, server, owner, .. } = self;
        let (site, owner) = (&*site, &*owner);
        let call = async || {
            while !is_over.load(Ordering::Relaxed) {
                let student = format!("S-{}", next.fetch_add(1, Ordering::Relaxed));
                let ask = async || match owner.put("s0", &student, "Ada").await {
                    Ok(put) => {
                        assert_eq!(put.student.expect("a student").version, 1, "asked again, and done once");
                        true
                    }
                    Err(status) => {
                        refusals.lock().expect("not poisoned").push(status);
                        was_not_done(site, &student).await;
                        false
                    }
                };
                until("the change is accepted in the end", ask).await;
            }
        };
        let fail = async {
            until("changes are under way", async || next.load(Ordering::Relaxed) >= BEFORE).await;
            fault(postgres, server).await;
            is_over.store(true, Ordering::Relaxed);
        };
        tokio::join!(join_all((0..CALLERS).map(|_| call())), fail);
        (next.into_inner(), refusals.into_inner().expect("not poisoned"))
    }

    /// All of so many students are there and delivered, once, and the server stops in order.
    async fn has_all(self, total: usize) {
        until("all are delivered", async || self.site.texts(STATES).await == [format!("delivered {total}")]).await;
        let mut ids: Vec<String> = self.receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), total, "each arrived");
        assert_eq!(self.server.terminate().await, Some(0), "{}", self.site.log());
        assert_eq!(self.site.texts(STUDENTS).await, [format!("{total} in version 1")]);
        self.site.assert_sound().await;
    }
}

/// Who is refused is told that nothing was done: so it is, also after PostgreSQL has recovered.
async fn was_not_done(site: &Site, student: &str) {
    let sql = format!("SELECT sourced_id FROM students WHERE sourced_id = '{student}'");
    until("the database answers", async || match site.ask(&sql).await {
        Ok(found) => {
            assert!(found.is_empty(), "{student} was refused, and is there");
            true
        }
        Err(_) => false,
    })
    .await;
}

fn assert_asks_again(refusals: &[Status]) {
    for status in refusals {
        assert!(status.code() == Code::Unavailable && status.message().contains("try again"), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_and_started_again_loses_nothing() {
    let Some(mut scene) = Scene::new("killed", Small::Nothing).await else { return };
    let (total, refusals) = scene
        .under_load(async |postgres, server| {
            let starts = postgres.starts();
            postgres.kill().await;
            until("monitors are told", async || server.ready().await == (503, "the database does not answer\n".into()))
                .await;
            postgres.serves_again(starts).await;
        })
        .await;
    assert_asks_again(&refusals);
    assert!(!refusals.is_empty(), "nobody noticed");
    scene.has_all(total).await;
}

/// While these calls of all of its processes fail, PostgreSQL panics, which is how it answers such a fault.
async fn check_panics(test: &str, calls: &str, how: &str, act: Option<&'static str>, check: fn(&[Status])) {
    if !Injected::is_possible(test) {
        return;
    }
    let Some(mut scene) = Scene::new(test, Small::Nothing).await else { return };
    let (total, refusals) = scene
        .under_load(async |postgres, _| {
            let starts = postgres.starts();
            let injected = Injected::into_all(&postgres.pids(), calls, how, None).await;
            if let Some(act) = act {
                let mut conn = PgConnection::connect(&postgres.url()).await.expect("let in");
                sqlx::raw_sql(act).execute(&mut conn).await.expect_err("the disk fails");
            }
            until("PostgreSQL panics", async || postgres.log().contains("PANIC:  could not ")).await;
            injected.end().await;
            postgres.serves_again(starts).await;
        })
        .await;
    check(&refusals);
    scene.has_all(total).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fsync_of_its_log_leaves_no_commit_in_doubt() {
    check_panics("fsync of the log", "fdatasync", "error=EIO", None, assert_asks_again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_fsync_of_its_tables_loses_nothing() {
    check_panics("fsync of tables", "fsync", "error=EIO", Some("CHECKPOINT"), assert_asks_again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lets_nobody_write_stops_postgres_and_loses_nothing() {
    // A table that cannot grow fails its statement, before the log that cannot be written ends PostgreSQL.
    let check = |refusals: &[Status]| {
        let fails =
            |status: &Status| status.code() == Code::Internal && status.message().contains("nothing was changed");
        let others: Vec<Status> = refusals.iter().filter(|status| !fails(status)).cloned().collect();
        assert_asks_again(&others);
    };
    check_panics("read-only disk", "pwrite64,pwritev", "error=EROFS", None, check).await;
}

#[tokio::test]
async fn a_table_that_cannot_be_read_fails_the_calls_that_need_it_alone() {
    const TEST: &str = "unreadable table";
    if !Injected::is_possible(TEST) {
        return;
    }
    let Some(mut scene) = Scene::new(TEST, Small::Nothing).await else { return };
    scene.owner.put_all("s0", 0..20).await;
    until("all are delivered", async || scene.site.texts(STATES).await == ["delivered 20"]).await;
    let mut conn = PgConnection::connect(&scene.postgres.url()).await.expect("let in");
    let table = "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('students')";
    let table: String = sqlx::query_scalar(table).fetch_one(&mut conn).await.expect("a file");
    // What it has in memory it does not read: all is brought to the disk, and it starts anew.
    sqlx::raw_sql("CHECKPOINT").execute(&mut conn).await.expect("done");
    let starts = scene.postgres.starts();
    scene.postgres.kill().await;
    scene.postgres.serves_again(starts).await;

    let calls = "pread64,preadv,preadv2";
    let injected = Injected::into_all(&scene.postgres.pids(), calls, "error=EIO", Some(Path::new(&table))).await;
    until("the fault is met", async || match scene.owner.put("s0", "S-20", "Ada").await {
        Ok(_) => panic!("the table was in memory"),
        Err(status) if status.code() == Code::Unavailable => false,
        Err(status) => {
            assert!(status.code() == Code::Internal && status.message().contains("nothing was changed"), "{status}");
            true
        }
    })
    .await;
    assert!(scene.site.log().contains("could not read block"), "who looks after it is told why: {}", scene.site.log());
    until("calls that need no student are served", async || scene.server.ready().await.0 == 200).await;
    injected.end().await;
    was_not_done(&scene.site, "S-20").await;
    scene.owner.put("s0", "S-20", "Ada").await.expect("it recovers without a restart");
    scene.has_all(21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_finds_no_room_stops_postgres_and_loses_nothing() {
    let Some(mut scene) = Scene::new("full log", Small::Log).await else { return };
    let (total, refusals) = scene
        .under_load(async |postgres, _| {
            let starts = postgres.starts();
            postgres.disk.as_ref().expect("a small disk").fill(0);
            until("PostgreSQL panics", async || postgres.log().contains("No space left on device")).await;
            postgres.disk.as_ref().expect("a small disk").clear();
            postgres.serves_again(starts).await;
        })
        .await;
    assert_asks_again(&refusals);
    scene.has_all(total).await;
}

#[tokio::test]
async fn tables_that_find_no_room_refuse_changes_until_there_is_some() {
    let Some(scene) = Scene::new("full tables", Small::Tables).await else { return };
    scene.owner.put_all("s0", 0..20).await;
    scene.receiver.wait_for(20).await;
    let disk = scene.postgres.disk.as_ref().expect("a small disk");
    disk.fill(0);
    let (mut number, mut refused) = (20, Vec::new());
    // Tables have some room within until they must grow.
    while refused.len() < 6 {
        let student = format!("S-{number}");
        if let Err(status) = scene.owner.put("s0", &student, "Ada").await {
            assert!(status.code() == Code::ResourceExhausted && status.message().contains("disk is full"), "{status}");
            was_not_done(&scene.site, &student).await;
            refused.push(student);
        }
        number += 1;
        assert!(number < 20_000, "the disk is never full");
    }
    assert_eq!(scene.server.ready().await.0, 200, "what is there can be read");
    // What was accepted is sent, although that cannot be recorded.
    scene.receiver.wait_for(number - refused.len()).await;
    disk.clear();
    for student in &refused {
        scene.owner.put("s0", student, "Ada").await.expect("it recovers without a restart");
    }
    scene.has_all(number).await;
}

/// Takes all places for clients that are left.
async fn occupy(postgres: &Postgres, held: &mut Vec<PgConnection>) {
    for _ in 0..=CLIENTS {
        match PgConnection::connect(&postgres.url()).await {
            Ok(conn) => held.push(conn),
            Err(error) => {
                assert!(error.to_string().contains("too many clients"), "{error}");
                return;
            }
        }
    }
    panic!("there is always a place");
}

#[tokio::test]
async fn without_a_place_for_a_client_it_is_named_and_all_goes_on_with_one() {
    const TOO_MANY: &str = "too many clients already";
    let Some(scene) = Scene::new("clients", Small::Nothing).await else { return };
    scene.owner.put("s0", "S-0", "Ada").await.expect("accepted");
    scene.receiver.wait_for(1).await;
    let mut held = vec![PgConnection::connect(&scene.postgres.url()).await.expect("let in")];
    until("the server has lost its places", async || {
        occupy(&scene.postgres, &mut held).await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollcall'";
        let ended = sqlx::query(sql).fetch_all(&mut held[0]).await.expect("asked");
        ended.is_empty()
    })
    .await;
    let status = scene.owner.put("s0", "S-1", "Ada").await.expect_err("no place");
    assert_asks_again(&[status]);
    assert_eq!(scene.server.ready().await, (503, "the database does not answer\n".into()));
    // At first it may only say that it was sent away.
    until("who looks after it is told why", async || scene.site.log().contains(TOO_MANY)).await;
    let second = scene.site.copied().refused().await;
    assert!(second.code == Some(69) && second.words.contains(TOO_MANY), "{:?} {}", second.code, second.words);

    drop(held);
    until("a change is accepted", async || scene.owner.put("s0", "S-1", "Ada").await.is_ok()).await;
    until("monitors are told", async || scene.server.ready().await.0 == 200).await;
    scene.has_all(2).await;
}
