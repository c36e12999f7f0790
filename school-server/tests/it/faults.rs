//! The program while its disk, its files and its handles fail under it: never a 2xx for what is not kept.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::Client;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tempfile::TempDir;

use crate::{
    process::{Served, SmallDisk, now_ms, program, run},
    support::*,
};

/// Sends one event; its code, none where nobody answers any more.
async fn send(http: &Client, url: &str, number: u64) -> Option<u16> {
    let (id, body) = student_event(number, "created", &format!("S-{number:05}"), 1);
    let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
    post(http, url, &request).await.ok().map(|answer| answer.status.as_u16())
}

/// The students of a stopped receiver.
pub fn held(folder: &Path) -> BTreeSet<String> {
    let exported = run(folder, &["roster", "export"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    String::from_utf8(exported.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// System calls of a running process that fail as long as this lives.
struct Injected(Child);

impl Injected {
    fn is_possible(test: &str) -> bool {
        let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
        let possible = traced.is_ok_and(|status| status.success());
        if !possible {
            eprintln!("{test}: skipped, no strace here, or it may not trace; `cargo xtask test` installs it");
        }
        possible
    }

    fn into(process: &Child, calls: &str, error: &str, path: Option<&Path>) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &process.id().to_string(), "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error={error}")]);
        command.args(path.iter().flat_map(|path| [Path::new("-P"), path]));
        let mut strace = command.stderr(Stdio::piped()).spawn().expect("strace starts");
        let mut lines = BufReader::new(strace.stderr.take().expect("piped")).lines();
        assert!(lines.any(|line| line.expect("words").contains(" attached")), "strace did not attach");
        std::thread::spawn(move || lines.for_each(drop));
        Self(strace)
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // It detaches; where the traced program has ended, so has it.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Starts it with its words kept.
fn served_with_words(folder: &Path) -> Served {
    let mut command = program(folder, &["serve", "--listen", "127.0.0.1:0", "--ready-json", "-", "--log", "warn"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    Served { ready: serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")), child }
}

/// How a program that stops by itself ended, and its words.
fn ended(mut served: Served) -> (Option<i32>, String) {
    let mut words = String::new();
    served.child.stderr.take().expect("piped").read_to_string(&mut words).expect("words");
    (served.child.wait().expect("ended").code(), words)
}

#[tokio::test]
async fn a_failing_disk_is_never_answered_2xx_and_stops_the_program_with_70() {
    if !Injected::is_possible("failing disk") {
        return;
    }
    for (calls, error, file) in [
        ("fsync,fdatasync", "EIO", None),
        ("pwrite64", "EIO", None),
        ("pwrite64", "EROFS", None),
        // The database gets what its log holds now and then.
        ("fsync,fdatasync", "EIO", Some("school.db")),
    ] {
        let folder = enrolled_folder();
        let served = served_with_words(folder.path());
        let (http, url) = (Client::new(), served.ready.webhook.clone());
        for number in 1..=20 {
            assert_eq!(send(&http, &url, number).await, Some(200));
        }
        let path = file.map(|file| folder.path().join(file));
        let injected = Injected::into(&served.child, calls, error, path.as_deref());
        let mut number = 20;
        let refused = loop {
            number += 1;
            match send(&http, &url, number).await {
                Some(200) => assert!(file.is_some() && number < 20_000, "{calls} {error}: {number} was answered 200"),
                refused => break refused,
            }
        };
        assert!([Some(503), None].contains(&refused), "{calls} {error}: {refused:?}");
        assert!(file.is_some() || refused == Some(503), "{calls} {error}: it was not answered");
        let (code, words) = ended(served);
        assert_eq!(code, Some(70), "{calls} {error}: {words}");
        assert!(words.contains("cannot be written safely"), "{words}");
        drop(injected);

        let served = Served::start(folder.path());
        assert_eq!(send(&http, &served.ready.webhook, number).await, Some(200), "{calls} {error}: sent again");
        assert_eq!(served.terminate(), Some(0));
        let all: BTreeSet<String> = (1..=number).map(|number| student_line(&format!("S-{number:05}"), 1)).collect();
        assert!(held(folder.path()) == all, "{calls} {error}: what was answered is there, once, and nothing else");
    }
}

#[test]
fn a_start_on_a_read_only_disk_says_so() {
    let Some(small) = SmallDisk::mount() else {
        eprintln!("skipped: this process may not mount a small disk");
        return;
    };
    let folder = small.folder.path().join("data");
    file_store(&folder).save(&enrollment()).expect("stored");
    assert_eq!(Served::start(&folder).terminate(), Some(0));
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(small.folder.path()).status();
    assert!(remounted.expect("run").success());
    let refused = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(78) && words.contains("Read-only file system"), "{words}");
}

#[test]
fn a_database_that_may_not_be_written_is_refused_with_78() {
    let folder = enrolled_folder();
    assert_eq!(Served::start(folder.path()).terminate(), Some(0));
    let file = folder.path().join("school.db");
    let mount = |arguments: &[&str]| {
        let mut command = Command::new(arguments[0]);
        command.args(&arguments[1..]).arg(&file).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !mount(&["mount", "--bind", file.to_str().expect("UTF-8")]) {
        eprintln!("skipped: this process may not mount");
        return;
    }
    assert!(mount(&["mount", "-o", "remount,bind,ro"]), "remounted");
    let refused = run(folder.path(), &["status"]);
    assert!(mount(&["umount"]), "unmounted");
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(78) && words.contains("may not be written"), "{words}");
}

/// A copy of a receiver's files.
fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("cp");
    assert!(command.args(["-a", "--"]).arg(folder.join(".")).arg(copy.path()).status().expect("run").success());
    let _ = fs::remove_file(copy.path().join("school.db-shm"));
    copy
}

/// The first page of a table, as an offset in the file.
fn root(folder: &Path, name: &str) -> u64 {
    let conn = rusqlite::Connection::open(folder.join("school.db")).expect("a database");
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    (conn.query_row(sql, [name], |row| row.get::<_, i64>(0)).expect("a page") as u64 - 1) * 4_096
}

fn overwrite(folder: &Path, at: u64, bytes: &[u8]) {
    let file = File::options().write(true).open(folder.join("school.db")).expect("a file");
    file.write_all_at(bytes, at).expect("overwritten");
}

#[tokio::test]
async fn damaged_files_are_refused_with_65_and_a_cut_log_holds_what_came_first() {
    let folder = enrolled_folder();
    let mut served = Served::start(folder.path());
    let http = Client::new();
    for number in 1..=30 {
        assert_eq!(send(&http, &served.ready.webhook, number).await, Some(200));
    }
    served.child.kill().expect("killed");
    served.child.wait().expect("ended");
    let log_bytes = fs::metadata(folder.path().join("school.db-wal")).expect("a log").len();
    for left in [log_bytes, log_bytes - 1, log_bytes / 2, 40] {
        let cut = copied(folder.path());
        let log = File::options().write(true).open(cut.path().join("school.db-wal")).expect("a log");
        log.set_len(left).expect("cut");
        let held = held(cut.path());
        let first: BTreeSet<String> =
            (1..=held.len()).map(|number| student_line(&format!("S-{number:05}"), 1)).collect();
        assert!(held == first, "{left} of {log_bytes} bytes hold what came first");
        assert_eq!(held.len() == 30, left == log_bytes, "{left} of {log_bytes} bytes hold {}", held.len());
    }

    assert_eq!(Served::start(folder.path()).terminate(), Some(0));
    let student = root(folder.path(), "student");
    for at in [0, student, root(folder.path(), "seen"), root(folder.path(), "_sqlx_migrations")] {
        let damaged = copied(folder.path());
        overwrite(damaged.path(), at, &[0xa5; 4_096]);
        let before = fs::read(damaged.path().join("school.db")).expect("a file");
        let refused = run(damaged.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(65), "{at}: {words}");
        assert!(words.contains("is damaged") && words.contains("enroll again"), "{at}: {words}");
        assert!(fs::read(damaged.path().join("school.db")).expect("a file") == before, "{at}: nothing was written");
    }

    // Met while serving: answered 503, and the program ends instead of writing on.
    let served = served_with_words(folder.path());
    overwrite(folder.path(), student, &[0xa5; 4_096]);
    assert_eq!(send(&http, &served.ready.webhook, 31).await, Some(503));
    let (code, words) = ended(served);
    assert!(code == Some(65) && words.contains("is damaged"), "{code:?}: {words}");
}

#[tokio::test]
async fn without_handles_who_is_connected_is_served_and_the_rest_waits() {
    let folder = enrolled_folder();
    let served = Served::start(folder.path());
    let (connected, url) = (Client::new(), served.ready.webhook.clone());
    assert_eq!(send(&connected, &url, 1).await, Some(200));
    let allow = |limit: Rlimit| prlimit(Some(Pid::from_child(&served.child)), Resource::Nofile, limit).expect("set");
    let usual = rustix::process::getrlimit(Resource::Nofile);
    // Standard input, output and error are open: every further handle is refused.
    allow(Rlimit { current: Some(3), ..usual });
    assert_eq!(send(&connected, &url, 2).await, Some(200));
    let (new, waits) = (Client::new(), tokio::sync::oneshot::channel());
    let later = async {
        let sent = send(&new, &url, 3);
        tokio::pin!(sent);
        // It is not answered while those that are connected are.
        for number in 4..40 {
            let early = tokio::select! {
                biased;
                early = sent.as_mut() => Some(early),
                code = send(&connected, &url, number) => { assert_eq!(code, Some(200)); None }
            };
            assert_eq!(early, None, "there is no handle for it");
        }
        waits.0.send(()).expect("heard");
        sent.await
    };
    let (answered, heard) = tokio::join!(later, async {
        let heard = waits.1.await;
        allow(usual);
        heard
    });
    heard.expect("told");
    assert_eq!(answered, Some(200), "it goes on once there are handles");
    assert_eq!(served.terminate(), Some(0));
    assert_eq!(held(folder.path()).len(), 39);
}
