//! The command line: what its commands leave behind, how they end, and what they tell.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::support::{TestDatabase, TestStore, program::Program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_provider-server");

/// A command of a user whose files everybody may read, as is usual.
fn shell(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask 022; {script}"), PROGRAM]).current_dir(folder).stdin(Stdio::null());
    for name in ["DATABASE_URL", "WEBHOOK_ENCRYPTION_KEY", "ROLLCALL_LOG"] {
        command.env_remove(name);
    }
    command
}

async fn run(script: &str, folder: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = shell(script, folder).output().await.expect("it runs");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[tokio::test]
async fn a_copy_makes_its_folder_and_nobody_else_can_read_it() {
    let test = TestStore::on(TestDatabase::embedded()).await;
    test.district(&["a"]).await;
    let source = test.folder().join("rollcall.db").display().to_string();
    let _closed = test.closed().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (code, words) = run(&format!("\"$0\" copy --from 'sqlite:{source}' --to sqlite:new/r.db"), folder.path()).await;
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = run(&format!("\"$0\" copy --from 'sqlite:{source}' --to sqlite:r.db"), folder.path()).await;
    assert_eq!(code, Some(0), "{words}");
    for name in ["new", "new/r.db", "r.db"] {
        let mode = fs::metadata(folder.path().join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}

#[tokio::test]
async fn a_wrong_argument_ends_with_2_and_a_place_that_cannot_be_written_with_78() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, words) = run("exec \"$0\" copy --from nonsense --to sqlite:r.db", folder.path()).await;
    assert!(code == Some(2) && words.contains("--from: expected sqlite:PATH"), "{code:?} {words}");
    let serve = "exec \"$0\" serve --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --data-dir P";
    let (code, words) = run(&format!("{serve} --ready-json nodir/x"), folder.path()).await;
    assert!(code == Some(78) && words.contains("--ready-json: nodir/x could not be written"), "{code:?} {words}");
}

#[tokio::test]
async fn a_start_tells_where_things_are_and_how_to_claim_the_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    let serve = "exec \"$0\" serve --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --data-dir P --ready-json - 2> log";
    let server = Program::start(&mut shell(serve, &root)).await;
    assert_eq!(server.ready("data_dir"), root.join("P").display().to_string());
    assert_eq!(server.ready("owner_code_file"), root.join("P/owner-code").display().to_string());
    let log = fs::read_to_string(root.join("log")).expect("a log");
    assert!(log.contains(&format!("the key file {} opens the database", root.join("P/keys").display())), "{log}");

    let claim = log.split("claim the first owner: ").nth(1).and_then(|rest| rest.split('"').next());
    let claim = claim.unwrap_or_else(|| panic!("{log}")).replace("NAME", "ada").replace("FILE", "pw");
    fs::write(root.join("pw"), "violin tundra ocean mint\n").expect("written");
    let (code, words) = run(&claim, &root).await;
    assert_eq!(code, Some(0), "{claim}\n{words}");

    let login = claim.split(" --code-file").next().unwrap_or_default().replace("owner claim", "login");
    fs::write(root.join("pw"), "another one, and wrong\n").expect("written");
    let (code, words) = run(&format!("{login} --username ada --password-file pw"), &root).await;
    assert_eq!((code, words.trim()), (Some(77), "error: the name or the password is wrong"));
    server.stop().await;
}

#[tokio::test]
async fn a_key_in_the_environment_is_not_told_to_be_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let serve = "exec \"$0\" serve --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --data-dir P --ready-json - 2> log";
    let mut command = shell(serve, folder.path());
    command.env("WEBHOOK_ENCRYPTION_KEY", "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=");
    let server = Program::start(&mut command).await;
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(log.contains("the key in WEBHOOK_ENCRYPTION_KEY opens the database") && !log.contains("key file"), "{log}");
    server.stop().await;
}
