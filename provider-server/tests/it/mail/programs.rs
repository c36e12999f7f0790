//! The command line's part of it.

use std::process::{Output, Stdio};

use super::server::{Identity, Mode, PASSWORD, Smtp, USERNAME};

async fn run(args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_provider-server"));
    command.args(args).stdin(Stdio::null()).env("HOME", "/nowhere").env_remove("DATABASE_URL");
    command.output().await.expect("it runs")
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn mail_test_sends_a_mail_with_the_settings_in_force() {
    let identity = Identity::new();
    let smtp = Smtp::start(Mode::StartTls, &identity).await;
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = folder.path().join("credentials");
    provider_server::key_file::write_private(&credentials, format!("{USERNAME}\n{PASSWORD}\n").as_bytes())
        .expect("written");
    let server = format!("localhost:{}", smtp.address.port());
    let (ca, credentials) = (identity.ca_file().display().to_string(), credentials.display().to_string());
    let with = |command: &[&str], server: &str| {
        let mail = ["--mail-server", server, "--mail-from", "rollcall@a.example", "--mail-to", "it@a.example"];
        let files = ["--mail-ca", &ca, "--mail-credentials", &credentials];
        let args: Vec<String> = [command, &mail, &files].concat().into_iter().map(str::to_owned).collect();
        async move { run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let sent = with(&["mail", "test"], &server).await;
    assert_eq!(sent.status.code(), Some(0), "{}", words(&sent));
    let taken = smtp.taken();
    assert_eq!((taken.len(), taken[0].header("Subject").as_str()), (1, "Rollcall: a test"));
    assert_eq!((taken[0].to.as_slice(), taken[0].encrypted), (["it@a.example".to_owned()].as_slice(), true));
    smtp.stop().await;
    let failed = with(&["mail", "test", "--json"], &server).await;
    assert_eq!(failed.status.code(), Some(69), "{}", words(&failed));
    assert!(words(&failed).contains("did not take the mail"), "{}", words(&failed));

    let printed = with(&["config", "print"], &server).await;
    assert_eq!(printed.status.code(), Some(0), "{}", words(&printed));
    assert!(words(&printed).contains(&format!("mail_credentials = \"{credentials}\"")), "{}", words(&printed));
    for output in [&sent, &failed, &printed] {
        assert!(!words(output).contains(PASSWORD));
    }
    let unset = run(&["mail", "test"]).await;
    assert_eq!(unset.status.code(), Some(78), "{}", words(&unset));
    assert!(words(&unset).contains("mail_server: is not set"), "{}", words(&unset));
}
