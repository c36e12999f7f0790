//! What the program makes, takes and answers as a command: files, the environment, exit codes.

use std::{
    fs::{Permissions, metadata, set_permissions},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use school_server::data_dir::{DataDir, Ready, RememberedStore};

use crate::{
    enrollment::encode,
    process::{Served, now_ms, program, run},
    support::*,
};

#[track_caller]
fn ended(output: &Output, exit: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn bare_file_names_are_files_of_the_working_directory() {
    let (folder, place) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let code = encode("127.0.0.1:1", [9; 32]);
    let mut enroll = program(folder.path(), &["enroll", &code, "--key-file", "kf"]);
    let enrolled = enroll.current_dir(place.path()).stdin(Stdio::null()).output().expect("run");
    ended(&enrolled, 69, "cannot be reached");
    assert!(place.path().join("kf").exists(), "the key was made before anybody was asked");

    let flags = ["serve", "--key-file", "kf", "--ready-json", "ready.json", "--listen", "127.0.0.1:0"];
    let mut serve = program(folder.path(), &flags);
    serve.env_remove("ROLLCALL_LOG").current_dir(place.path()).stderr(Stdio::piped());
    let mut child = serve.spawn().expect("started");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    log.find(|line| line.as_ref().is_ok_and(|line| line.contains("serving"))).expect("it serves").expect("a line");
    // It writes the file before it looks at signals.
    kill_process(Pid::from_child(&child), Signal::TERM).expect("signalled");
    let rest: Vec<String> = log.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("ended").code(), Some(0), "{rest:?}");
    let ready = std::fs::read(place.path().join("ready.json")).expect("written");
    let ready: Ready = serde_json::from_slice(&ready).expect("JSON");
    assert_eq!(ready.pid, child.id());
}

#[test]
fn the_database_is_for_this_user_alone() {
    let folder = enrolled_folder();
    set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("changed");
    let serve = || {
        let plain = program(folder.path(), &["serve"]);
        let mut command = Command::new("sh");
        command.args(["-c", "umask 022; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
        Served::start_with(command)
    };
    let check = |when: &str| {
        for name in ["school.db", "school.db-wal", "school.db-shm"] {
            let mode = metadata(folder.path().join(name)).expect(name).permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name} {when}: {mode:o}");
        }
    };
    let served = serve();
    check("made by us");
    #[cfg(target_os = "linux")]
    {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.child.id())).expect("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    }
    assert_eq!(served.terminate(), Some(0));
    set_permissions(folder.path().join("school.db"), Permissions::from_mode(0o644)).expect("changed");
    let served = serve();
    check("made by an older version");
    assert_eq!(served.terminate(), Some(0));
}

#[test]
fn who_reads_our_output_may_stop_at_any_time() {
    let folder = enrolled_folder();
    let served = Served::start(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (id, body) = student_event(1, "created", "S-1", 1);
    let request = sign_at(&secret(), &id.to_string(), now_ms() / 1_000, body);
    let answer = runtime.block_on(post(&reqwest::Client::new(), &served.ready.webhook, &request)).expect("answered");
    assert_eq!(answer.status.as_u16(), 200);
    for arguments in [&["roster", "export"][..], &["students", "list"], &["events", "list", "--json"], &["status"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = program(folder.path(), arguments).stdout(writer).output().expect("run");
        ended(&output, 0, "");
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(served.terminate(), Some(0));
}

#[test]
fn wrong_flags_exit_2_and_a_missing_header_is_named() {
    let folder = enrolled_folder();
    ended(&run(folder.path(), &["events", "list", "--verdict", "nonsense"]), 2, "bad_signature");
    ended(&run(folder.path(), &["events", "list", "--follow", "--verdict", "nonsense"]), 2, "bad_signature");
    ended(&run(folder.path(), &["events", "list", "--verdict", "too_old", "--verdict", "rejected"]), 0, "");
    let missing = folder.path().join("no-body");
    ended(&run(folder.path(), &["check-signature", "--body", missing.to_str().expect("UTF-8")]), 2, "no-body");
    ended(&run(folder.path(), &["check-signature", "--received-at", "soon"]), 2, "--received-at");
    ended(&run(folder.path(), &["status", "--key-file", ""]), 2, "--key-file");
    let output = run(folder.path(), &["check-signature", "--json"]);
    ended(&output, 1, "does not verify");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["likelyCause"], "missing_headers");
    let advice = found["advice"].as_str().expect("words");
    assert!(advice.starts_with("webhook-id, webhook-timestamp, webhook-signature"), "{advice}");
}

#[test]
fn an_empty_variable_of_the_environment_is_as_good_as_none() {
    let folder = enrolled_folder();
    let remembered = RememberedStore { secret_store: "file".into(), key_file: None };
    DataDir::open(folder.path()).expect("opened").remember_store(&remembered).expect("remembered");
    let program = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_school-server"));
        command.args(arguments).stdin(Stdio::null());
        for name in ["DATA_DIR", "SECRET_STORE", "KEY_FILE", "CONFIG", "LOG", "WEBHOOK_SECRET", "DIGEST_KEY"] {
            command.env(format!("ROLLCALL_{name}"), "");
        }
        command.env("WEBHOOK_SECRET", "").env_remove("XDG_DATA_HOME").env("HOME", folder.path());
        command
    };
    let status = |command: &mut Command| {
        let output = command.output().expect("run");
        ended(&output, 0, "");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let path = folder.path().to_str().expect("UTF-8");
    let there = status(&mut program(&["status", "--json", "--data-dir", path]));
    assert_eq!((&there["enrolled"], &there["secretStore"]), (&true.into(), &"file".into()));
    let home = status(&mut program(&["status", "--json", "--secret-store", "file"]));
    assert_eq!(home["enrolled"], false);
    assert!(Path::new(path).join(".local/share/rollcall-school/school.db").exists());
}
