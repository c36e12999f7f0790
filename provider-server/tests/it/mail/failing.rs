use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use provider_server::{
    mail::{
        Refused, Transport, send_test,
        settings::{MailSettings, Tls},
    },
    ops,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    server::{Identity, Mode, PASSWORD, Smtp, USERNAME},
    support::{Town, WINDOW, postman, settings},
};

#[tokio::test]
async fn a_mail_waits_for_its_server_through_restarts_and_comes_once() {
    let mut town = Town::new().await;
    let identity = Identity::new();
    let smtp = Smtp::start(Mode::Plain, &identity).await;
    let (address, settings) = (smtp.address, settings(&smtp, Tls::None));
    smtp.stop().await;
    town.park("north", "1").await;
    let (mut first, status, metrics) = postman(&town.test, settings.clone());
    first.round().await.expect("a look");
    assert_eq!(status.failing(), None, "nothing is due yet");
    town.advance(WINDOW);
    first.round().await.expect("a look");
    let since_ms = status.failing().expect("it fails").0;
    assert_eq!(since_ms, town.test.store.now_ms());
    let text = metrics.text();
    for line in ["rollcall_mails_waiting 1", "rollcall_mail_failing 1", "rollcall_mail_failures_total 1"] {
        assert!(text.contains(line), "{text}");
    }
    // Monitors hear of it; calls and deliveries go on, so the server stays ready.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let ops_address = listener.local_addr().expect("an address");
    let stopping = CancellationToken::new();
    let serving = ops::serve(listener, town.test.store.clone(), metrics.clone(), status.clone(), stopping.clone());
    let serving = tokio::spawn(serving);
    let ready = reqwest::get(format!("http://{ops_address}/readyz")).await.expect("an answer");
    assert!(ready.status().is_success());
    let ready = ready.text().await.expect("a text");
    assert!(ready.starts_with("ready\nmail is not taken since 2025-"), "{ready}");
    stopping.cancel();
    serving.await.expect("ended");

    let smtp = Smtp::start_at(address, Mode::Plain, &identity).await;
    first.round().await.expect("a look");
    assert_eq!(smtp.connections(), 0, "it waits before it tries again");
    // Killed before it could: the next one begins anew, and what was not told is still due.
    drop(first);
    let (mut second, status, _) = postman(&town.test, settings.clone());
    second.round().await.expect("a look");
    town.advance(WINDOW);
    second.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 1);
    assert_eq!(status.failing(), None);
    let (mut third, _, _) = postman(&town.test, settings);
    for _ in 0..3 {
        third.round().await.expect("a look");
        town.advance(WINDOW);
    }
    assert_eq!(smtp.taken().len(), 1, "what was told is kept");
}

#[tokio::test]
async fn tries_are_made_less_and_less_often_until_the_server_is_back() {
    let mut town = Town::new().await;
    let identity = Identity::new();
    let smtp = Smtp::start(Mode::Plain, &identity).await;
    let (address, settings) = (smtp.address, settings(&smtp, Tls::None));
    smtp.stop().await;
    town.park("north", "1").await;
    let (mut postman, status, metrics) = postman(&town.test, settings);
    let mut tries = Vec::new();
    let mut failures = 0;
    for second in (0..3_600u64).step_by(10) {
        postman.round().await.expect("a look");
        let count =
            metrics.text().lines().find_map(|line| line.strip_prefix("rollcall_mail_failures_total ")?.parse().ok());
        let count: u64 = count.expect("a counter");
        if count > failures {
            failures = count;
            tries.push(second);
        }
        town.advance(Duration::from_secs(10));
    }
    assert_eq!(tries, [60, 90, 150, 270, 510, 990, 1_890, 2_790], "30 s, doubled, at most 15 minutes");
    let smtp = Smtp::start_at(address, Mode::Plain, &identity).await;
    town.advance(Duration::from_secs(900));
    postman.round().await.expect("a look");
    assert_eq!((smtp.taken().len(), status.failing()), (1, None));
}

#[tokio::test]
async fn a_refused_mail_does_not_hold_up_the_others() {
    let mut town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut postman, status, _) = postman(&town.test, settings(&smtp, Tls::None));
    town.park("north", "1").await;
    town.park("south", "2").await;
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    smtp.refuse(1);
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 1, "one was refused");
    assert!(status.failing().is_some_and(|(_, why)| why.contains("452")));
    town.advance(Duration::from_secs(29));
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 1);
    town.advance(Duration::from_secs(1));
    postman.round().await.expect("a look");
    let mut subjects: Vec<String> = smtp.taken().iter().map(|mail| mail.header("Subject")).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["Rollcall: north: 1 message parked", "Rollcall: south: 1 message parked"]);
    assert_eq!(status.failing(), None);
}

#[tokio::test]
async fn a_recipient_that_does_not_exist_keeps_no_mail_from_the_others() {
    let mut town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let mut settings = settings(&smtp, Tls::None);
    settings.to.push("nobody@district.example".parse().expect("an address"));
    let (mut postman, status, _) = postman(&town.test, settings.clone());
    town.park("north", "1").await;
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    for _ in 0..2 {
        postman.round().await.expect("a look");
        let mut to: Vec<Vec<String>> = smtp.taken().into_iter().map(|mail| mail.to).collect();
        to.sort_unstable();
        assert_eq!(to, [["ada@district.example"], ["it@district.example"]], "each once");
        assert_eq!(status.failing(), None);
    }
    let refused = test(settings.clone()).await.expect("taken for the others");
    assert!(refused.len() == 1 && refused[0].starts_with("nobody@district.example: "), "{refused:?}");

    let nobody = settings.to.pop().expect("the third");
    settings.to = vec![nobody.clone(), nobody];
    let refused = test(settings).await;
    assert!(matches!(&refused, Err(Refused::Mail(why)) if why.contains("550")), "{refused:?}");
    assert_eq!(smtp.taken().len(), 4);
}

async fn test(settings: MailSettings) -> Result<Vec<String>, Refused> {
    let transport = Transport::new(settings).unwrap_or_else(|failure| panic!("{failure}"));
    send_test(&transport, "now").await
}

fn signed_in(settings: MailSettings, identity: &Identity, password: &str) -> MailSettings {
    let credentials = Some(Credentials::new(USERNAME.into(), password.into()));
    MailSettings { credentials, ca_file: Some(identity.ca_file()), ..settings }
}

#[tokio::test]
async fn where_tls_is_asked_for_nothing_goes_out_without_it() {
    let (identity, other) = (Identity::new(), Identity::new());
    let plain = Smtp::start(Mode::Plain, &identity).await;
    for tls in [Tls::StartTls, Tls::Wrapped] {
        let refused = test(signed_in(settings(&plain, tls), &identity, PASSWORD)).await;
        assert!(matches!(refused, Err(Refused::Server(_))), "{refused:?}");
    }
    assert_eq!((plain.taken().len(), plain.connections()), (0, 2));

    for (mode, tls) in [(Mode::StartTls, Tls::StartTls), (Mode::Wrapped, Tls::Wrapped)] {
        let smtp = Smtp::start(mode, &identity).await;
        let strange = test(signed_in(settings(&smtp, tls), &other, PASSWORD)).await;
        assert!(matches!(&strange, Err(Refused::Server(why)) if why.contains("certificate")), "{strange:?}");
        let wrong = test(signed_in(settings(&smtp, tls), &identity, "wrong-password")).await;
        assert!(
            matches!(&wrong, Err(Refused::Server(why)) if why.contains("535") && !why.contains("wrong-password")),
            "{wrong:?}"
        );
        assert!(smtp.taken().is_empty());
        let refused = test(signed_in(settings(&smtp, tls), &identity, PASSWORD)).await.expect("taken");
        assert_eq!(refused, [""; 0]);
        let taken = smtp.taken();
        assert!(taken.len() == 1 && taken[0].encrypted);
        assert!(taken[0].data.contains("Mail of Rollcall works."), "{}", taken[0].data);
    }
}

#[test]
fn an_authority_that_is_none_is_found_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let with = |ca_file| MailSettings {
        server: ("localhost".into(), 25),
        tls: Tls::StartTls,
        from: "a@b.example".parse().expect("an address"),
        to: vec![],
        credentials_file: None,
        credentials: None,
        ca_file: Some(ca_file),
        window: WINDOW,
    };
    let missing = Transport::new(with(file.clone())).err().expect("missing");
    assert!(missing.code == 78 && missing.message.contains("mail_ca"), "{missing}");
    std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\n").expect("written");
    let wrong = Transport::new(with(file)).err().expect("no certificate");
    assert!(wrong.message.contains("no certificate"), "{wrong}");
}
