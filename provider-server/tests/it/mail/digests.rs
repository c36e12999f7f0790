use std::time::Duration;

use axum::{http::StatusCode, response::IntoResponse as _};
use provider_server::{
    mail::settings::Tls,
    store::{chores, mail},
};
use tokio_util::sync::CancellationToken;

use super::{
    server::{Identity, Mode, Smtp},
    support::{CANARY, CANARY_ID, Town, WINDOW, postman, settings},
};
use crate::{
    engine::support::{Receiver, Rig, Settings},
    support::on_postgres,
};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn what_happens_to_a_school_within_the_window_is_one_mail() {
    let mut town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut postman, _, _) = postman(&town.test, settings(&smtp, Tls::None));
    postman.round().await.expect("a look");
    town.park("north", "1").await;
    postman.round().await.expect("a look");
    town.advance(WINDOW / 2);
    town.park("north", "2").await;
    town.message("north", "3").await;
    town.set("UPDATE schools SET health = 'down' WHERE sourced_id = 'north'").await;
    town.park("south", "4").await;
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 0, "the window is open");

    town.advance(WINDOW / 2);
    postman.round().await.expect("a look");
    let taken = smtp.taken();
    assert_eq!(taken.len(), 1, "the other school's window is open");
    let mail = &taken[0];
    assert_eq!(mail.header("Subject"), "Rollcall: north: nothing is deliverable, 2 messages parked");
    assert_eq!(mail.header("From"), "Rollcall <rollcall@district.example>");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("MIME-Version"), "1.0");
    assert_eq!((mail.from.as_str(), mail.to.len()), ("rollcall@district.example", 2), "one mail for all recipients");
    assert!(mail.data.contains("- Nothing reaches north; 1 message waits."), "{}", mail.data);
    assert!(mail.data.contains("- 2 messages to north could not be delivered"), "{}", mail.data);
    assert!(mail.data.contains("As of 2025-11-23T16:01:00Z."), "{}", mail.data);
    assert!(mail.data.contains("Rollcall at rollcall.example:7443"), "{}", mail.data);
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    let taken = smtp.taken();
    assert_eq!(taken.len(), 2, "each thing is told once");
    assert_eq!(taken[1].header("Subject"), "Rollcall: south: 1 message parked");
    for mail in &taken {
        assert!(!mail.data.contains(CANARY) && !mail.data.contains(CANARY_ID), "{}", mail.data);
    }
    assert_ne!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
}

#[tokio::test]
async fn messages_that_go_on_parking_are_told_once_an_hour() {
    let mut town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut postman, _, _) = postman(&town.test, settings(&smtp, Tls::None));
    town.park("north", "1").await;
    for minutes in 0..60 {
        town.park("north", &format!("more-{minutes}")).await;
        postman.round().await.expect("a look");
        town.advance(WINDOW);
    }
    assert_eq!(smtp.taken().len(), 1);
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    let taken = smtp.taken();
    assert_eq!((taken.len(), taken[1].header("Subject").as_str()), (2, "Rollcall: north: 61 messages parked"));
    // Something else is not held up by that.
    town.park("north", "last").await;
    town.set("UPDATE schools SET state = 'held' WHERE sourced_id = 'north'").await;
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken()[2].header("Subject"), "Rollcall: north: deliveries are held, 62 messages parked");
    town.advance(HOUR);
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 3);
}

#[tokio::test]
async fn an_import_that_waits_is_told_to_its_district_and_one_that_was_decided_is_not() {
    let town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut postman, _, _) = postman(&town.test, settings(&smtp, Tls::None));
    let district = town.district;
    let hold = |number: u8| {
        town.test.store.act(move |tx| {
            Box::pin(async move {
                let sql = "INSERT INTO import_runs (run_id, district_id, state, phase, file_name, profile, started_by,
                               started_ms) VALUES ($1, $2, 'held', 'planned', 'Canarygiven.zip', 'strict', 'ada', 1)";
                tx.conn.execute(sql, vec![vec![number; 16].into(), district.into()]).await
            })
        })
    };
    hold(1).await.expect("a run");
    postman.round().await.expect("a look");
    town.set("UPDATE import_runs SET state = 'discarded'").await;
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    assert_eq!(smtp.taken().len(), 0, "somebody was faster");
    hold(2).await.expect("a run");
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    let taken = smtp.taken();
    assert_eq!((taken.len(), taken[0].header("Subject").as_str()), (1, "Rollcall: District: an import waits for you"));
    assert!(taken[0].data.contains("waits for a decision: approve or discard it."), "{}", taken[0].data);
    assert!(!taken[0].data.contains(CANARY), "a file's name is somebody's text");
}

#[tokio::test]
async fn a_deleted_school_is_forgotten() {
    let mut town = Town::new().await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut postman, _, _) = postman(&town.test, settings(&smtp, Tls::None));
    town.park("north", "1").await;
    postman.round().await.expect("a look");
    town.advance(WINDOW);
    postman.round().await.expect("a look");
    let told = "SELECT subject FROM mail_told";
    assert_eq!(town.test.texts(told).await, [town.schools[0].to_string()]);
    town.set("UPDATE schools SET state = 'deleted' WHERE sourced_id = 'north'").await;
    postman.round().await.expect("a look");
    assert!(town.test.texts(told).await.is_empty());
    let observed = mail::observe(&mut town.test.store.reader().await.expect("a reader")).await.expect("observed");
    assert!(observed.gone.is_empty() && observed.subjects.len() == 2, "a school and a district");
}

#[tokio::test]
async fn of_several_servers_one_sends() {
    if !on_postgres() {
        eprintln!("of_several_servers_one_sends: not on SQLite, where there is one server");
        return;
    }
    let mut town = Town::new().await;
    let other = town.test.beside(1).await;
    let smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let (mut first, _, _) = postman(&town.test, settings(&smtp, Tls::None));
    let (mut second, _, _) = postman(&other, settings(&smtp, Tls::None));
    town.park("north", "1").await;
    for _ in 0..3 {
        first.round().await.expect("a look");
        second.round().await.expect("a look");
        town.advance(WINDOW);
    }
    assert_eq!(smtp.taken().len(), 1);
    let hold = Duration::from_secs(1);
    assert!(!chores::take(&other.store, "mail", hold).await.expect("asked"), "the first one keeps it");
    assert!(chores::take(&other.store, "another", hold).await.expect("asked"));
}

/// The real machine, a real school that is gone and comes back, and the real worker.
#[tokio::test]
async fn a_connection_that_goes_down_is_told_and_told_again_when_it_recovers() {
    let mut rig = Rig::new(1).await;
    let receiver = Receiver::start(|_, _| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    rig.connect(0, &receiver.url(), Settings { max_tries: 2, ..Settings::default() }).await;
    let mut smtp = Smtp::start(Mode::Plain, &Identity::new()).await;
    let mut settings = settings(&smtp, Tls::None);
    settings.window = Duration::ZERO;
    let (postman, status, _) = postman(&rig.test, settings);
    let stopping = CancellationToken::new();
    let worker = tokio::spawn(postman.run(stopping.clone()));
    rig.start();
    rig.put(0, CANARY_ID, CANARY).await;
    let taken = smtp.wait_for(1).await;
    assert_eq!(taken[0].header("Subject"), "Rollcall: s0: nothing is deliverable");
    assert!(taken[0].data.contains("- Nothing reaches s0; 1 message waits."), "{}", taken[0].data);

    receiver.now_answers(|_, _| StatusCode::NO_CONTENT.into_response());
    let taken = smtp.wait_for(2).await;
    assert_eq!(taken[1].header("Subject"), "Rollcall: s0: delivers again");
    assert!(taken.iter().all(|mail| !mail.data.contains(CANARY) && !mail.data.contains(CANARY_ID)));
    assert_eq!(status.failing(), None);
    stopping.cancel();
    worker.await.expect("the worker ends");
    assert_eq!(smtp.taken().len(), 2);
}
