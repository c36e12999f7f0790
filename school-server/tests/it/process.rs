//! The program itself: exit codes, kill -9 under load, a clean stop.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use futures::{StreamExt, stream};
use reqwest::{Client, StatusCode};
use school_server::data_dir::Ready;
use tempfile::TempDir;

use crate::support::*;

pub fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_school-server"));
    command.args(arguments).arg("--data-dir").arg(folder).args(["--secret-store", "file"]);
    command.env_remove("ROLLCALL_CONFIG").env_remove("WEBHOOK_SECRET");
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).stdin(Stdio::null()).output().expect("run")
}

/// A serving program; killed when dropped.
pub struct Served {
    pub child: Child,
    pub ready: Ready,
}

impl Served {
    pub fn start(folder: &Path) -> Self {
        Self::start_with(program(folder, &["serve"]))
    }

    /// Of a command that ends after `serve` and its own flags.
    pub fn start_with(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--ready-json", "-", "--log", "warn"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, ready }
    }

    pub fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
        self.child.wait().expect("ended").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn now_ms() -> i64 {
    school_server::clock::Clock::system().now_ms()
}

#[test]
fn second_process_on_one_folder_exits_75_and_commands_use_the_running_one() {
    let folder = enrolled_folder();
    let served = Served::start(folder.path());
    let second = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
    let status = run(folder.path(), &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["webhookAddress"], served.ready.webhook.as_str());
    assert_eq!(served.terminate(), Some(0));
    let offline = run(folder.path(), &["status", "--json"]);
    let offline: serde_json::Value = serde_json::from_slice(&offline.stdout).expect("JSON");
    assert_eq!((&offline["enrolled"], &offline["webhookAddress"]), (&true.into(), &"".into()));
}

#[test]
fn wrong_settings_exit_78_and_are_named() {
    let folder = enrolled_folder();
    let config = folder.path().join("config.toml");
    let key = folder.path().join("secret.key");
    let check = |arguments: &[&str], name: &str| {
        let output = run(folder.path(), arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {words}");
        assert!(words.contains(name), "{arguments:?}: {words}");
    };
    std::fs::write(&config, "listen_on = '127.0.0.1:0'").expect("written");
    check(&["serve", "--config", config.to_str().expect("UTF-8")], "listen_on");
    check(&["serve", "--listen", "nowhere"], "listen");
    check(&["serve", "--grpc-listen", "0.0.0.0:0"], "grpc_listen");
    check(&["serve", "--log", "a=b=c"], "log");
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, readable).expect("changed");
    check(&["serve", "--listen", "127.0.0.1:0"], "secret.key");
    assert_eq!(run(folder.path(), &["sing"]).status.code(), Some(2));
    let typo = run(folder.path(), &["enroll", "RC1-AAAAA-AAAAA"]);
    assert_eq!(typo.status.code(), Some(65), "{}", String::from_utf8_lossy(&typo.stderr));
}

#[test]
fn newer_database_is_refused() {
    let folder = enrolled_folder();
    assert_eq!(run(folder.path(), &["status"]).status.code(), Some(0));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use sqlx::{Connection, SqliteConnection};
        let url = format!("sqlite://{}", folder.path().join("school.db").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("opened");
        let row = "INSERT INTO _sqlx_migrations VALUES (9999, 'x', '2030-01-01', 1, x'00', 1)";
        sqlx::query(row).execute(&mut connection).await.expect("a row");
    });
    let output = run(folder.path(), &["status"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(65), "{words}");
    assert!(words.contains("newer version"), "{words}");
}

/// Sends events until the server is gone; answers the numbers that were answered 200.
async fn load(http: &Client, url: &str, numbers: std::ops::Range<u64>) -> HashSet<u64> {
    stream::iter(numbers)
        .map(|number| async move {
            let (id, body) = student_event(number, "created", &format!("S-{number:05}"), 1);
            let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
            match post(http, url, &request).await {
                Ok(answer) => (answer.status == StatusCode::OK).then_some(number),
                Err(_) => None,
            }
        })
        .buffer_unordered(32)
        .filter_map(std::future::ready)
        .collect()
        .await
}

#[tokio::test]
async fn kill_9_under_load_loses_nothing_that_was_answered_and_doubles_nothing() {
    const EVENTS: u64 = 1_500;
    let folder = enrolled_folder();
    let mut answered = HashSet::new();
    for round in 0..3u64 {
        let http = Client::new();
        let mut served = Served::start(folder.path());
        let url = served.ready.webhook.clone();
        let pid = rustix::process::Pid::from_child(&served.child);
        let killer = {
            let url = url.clone();
            async move {
                // Half of this round's events are answered before the kill, the rest meets it.
                let first = load(&Client::new(), &url, round * EVENTS + 1..round * EVENTS + EVENTS / 2).await;
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
                first
            }
        };
        let second = load(&http, &url, round * EVENTS + EVENTS / 2..(round + 1) * EVENTS + 1);
        let (first, second) = tokio::join!(killer, second);
        assert!(!first.is_empty());
        answered.extend(first);
        answered.extend(second);
        served.child.wait().expect("ended");
    }
    let exported = run(folder.path(), &["roster", "export"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let exported = String::from_utf8(exported.stdout).expect("UTF-8");
    let held: Vec<&str> = exported.lines().collect();
    let set: HashSet<&str> = held.iter().copied().collect();
    assert_eq!(held.len(), set.len(), "a student is held twice");
    for number in &answered {
        assert!(set.contains(student_line(&format!("S-{number:05}"), 1).as_str()), "{number} was answered and lost");
    }

    // The provider sends everything again: what was applied is a duplicate, the rest is applied, nothing is missing.
    let served = Served::start(folder.path());
    let all = load(&Client::new(), &served.ready.webhook, 1..3 * EVENTS + 1).await;
    assert_eq!(all.len() as u64, 3 * EVENTS);
    assert_eq!(served.terminate(), Some(0));
    let status = run(folder.path(), &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["students"], 3 * EVENTS);
    assert_eq!(
        (&status["contiguousSequence"], &status["highestSequence"]),
        (&(3 * EVENTS).into(), &(3 * EVENTS).into())
    );
}

#[test]
fn full_disk_is_answered_503_and_recovers() {
    let Some(small) = SmallDisk::mount() else {
        eprintln!("skipped: this process may not mount a small disk");
        return;
    };
    let folder = small.folder.path().join("data");
    file_store(&folder).save(&enrollment()).expect("stored");
    let served = Served::start(&folder);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let http = Client::new();
        let mut applied = 0u64;
        let send = async |number: u64| {
            let (id, body) = student_event(number, "created", &format!("S-{number:06}"), 1);
            let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
            post(&http, &served.ready.webhook, &request).await.expect("answered").status.as_u16()
        };
        let ballast = small.folder.path().join("ballast");
        assert_eq!(send(1).await, 200);
        small.fill(&ballast);
        let mut refused = None;
        for number in 2..5_000 {
            match send(number).await {
                200 => applied = number,
                503 => {
                    refused = Some(number);
                    break;
                }
                other => panic!("answered {other}"),
            }
        }
        let refused = refused.expect("the disk is full at some point");
        assert_eq!(send(refused).await, 503, "it stays full");
        std::fs::remove_file(&ballast).expect("removed");
        assert_eq!(send(refused).await, 200, "it recovers without a restart");
        assert!(applied < refused);
    });
    assert_eq!(served.terminate(), Some(0));
}

/// A tmpfs of 4 MiB.
pub struct SmallDisk {
    pub folder: TempDir,
}

impl SmallDisk {
    pub fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    /// Leaves no free block.
    pub fn fill(&self, ballast: &Path) {
        use std::io::Write;
        let mut file = std::fs::File::create(ballast).expect("created");
        let block = [0u8; 4096];
        while file.write_all(&block).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[test]
fn events_follow_prints_what_arrives() {
    let folder = enrolled_folder();
    let served = Served::start(folder.path());
    let mut follow = program(folder.path(), &["events", "list", "--follow", "--json"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().expect("started");
    let mut out = BufReader::new(follow.stdout.take().expect("piped"));
    let (line_sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        let _ = out.read_line(&mut line);
        let _ = line_sender.send(line);
        let _ = out.read_to_end(&mut Vec::new());
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The tail begins when it is connected, so messages are sent until one of them shows.
    let http = Client::new();
    let mut number = 0;
    let line = loop {
        number += 1;
        assert!(number < 2_000, "nothing was printed");
        let (id, body) = student_event(number, "created", "S-1", number);
        let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
        let answer = runtime.block_on(post(&http, &served.ready.webhook, &request)).expect("answered");
        assert_eq!(answer.status, StatusCode::OK);
        if let Ok(line) = lines.recv_timeout(std::time::Duration::from_millis(10)) {
            break line;
        }
    };
    let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&event["result"], &event["studentSourcedId"]), (&"applied".into(), &"S-1".into()));
    follow.kill().expect("killed");
    follow.wait().expect("ended");
    reader.join().expect("ended");
    assert_eq!(served.terminate(), Some(0));
}
