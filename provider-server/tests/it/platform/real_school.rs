//! The school's own program against the provider: enrolled by its real client, sent to by the real engine, rotated.

use std::{path::Path, time::Duration};

use rollcall_proto::{
    provider::v1::{self as pb, student_service_client::StudentServiceClient},
    school::v1::{InstallSecretRequest, ReceivedEvent, TailEventsRequest},
};
use school_server::{
    app::{self, Parts},
    clock::Clock,
    commands::{self, ReceiverClient},
    config::ServeSettings,
    data_dir::DataDir,
    enroll::enroll,
    error::AppError,
    rotation::{self, Ask},
    secrets::SecretStore,
};

use super::support::Server;
use crate::support::START_MS;

/// Nothing that this test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(20);

fn store(folder: &Path) -> SecretStore {
    let data_dir = DataDir::open(folder).expect("opened");
    SecretStore::named("file", &data_dir, None).expect("known")
}

async fn put(server: &Server, sourced_id: &str) {
    let enrollment = pb::SchoolEnrollment { school_sourced_id: "s-1".into(), ..Default::default() };
    let student = pb::Student {
        sourced_id: sourced_id.into(),
        given_name: "Ada".into(),
        family_name: "Nguyễn".into(),
        grades: vec!["07".into()],
        school_enrollments: vec![enrollment],
        ..Default::default()
    };
    let request = pb::PutStudentRequest { district: "d-1".into(), student: Some(student), ..Default::default() };
    StudentServiceClient::new(server.channel.clone()).put_student(server.owned(request)).await.expect("put");
}

/// The next request that the school took, after this one.
async fn next_event(desk: &mut ReceiverClient, after: u64) -> ReceivedEvent {
    let tail = async {
        let request = TailEventsRequest { after_number: Some(after) };
        let mut tail = desk.tail_events(request).await.expect("a tail").into_inner();
        loop {
            let part = tail.message().await.expect("a tail").expect("goes on");
            if let Some(event) = part.events.into_iter().next() {
                return event;
            }
        }
    };
    tokio::time::timeout(LIMIT, tail).await.expect("the event arrives")
}

#[tokio::test]
async fn the_schools_own_client_enrolls_receives_and_rotates() {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    put(&server, "S-1").await;

    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = DataDir::open(folder.path()).expect("opened");
    let lock = data_dir.lock().expect("free");
    let any = "127.0.0.1:0".parse().expect("an address");
    let serve = ServeSettings { listen: any, grpc_listen: any, tls: None, max_connections: 16 };
    let secret_store = store(folder.path());
    let parts =
        Parts { data_dir: data_dir.clone(), secret_store: secret_store.clone(), clock: Clock::manual(START_MS), lock };
    let receiver = app::start(parts, Some(serve)).await.expect("a receiver");
    let mut desk = commands::connect(&receiver.ready.grpc, &data_dir).await.expect("paired");
    let request = pb::ConnectSchoolRequest {
        school: "s-1".into(),
        url: receiver.ready.webhook.clone(),
        ..pb::ConnectSchoolRequest::default()
    };
    server.schools().connect_school(server.owned(request)).await.expect("connected");

    let code = server.code("s-1").await;
    let enrolled = enroll(&code, &secret_store, &mut desk, "lab-3".into(), |seen| {
        assert_eq!((seen.school_sourced_id.as_str(), seen.issued_by.as_str()), ("s-1", "ada"));
        true
    });
    let enrolled = enrolled.await.expect("enrolled");
    let connection = server.show("s-1").await.connection.expect("a connection");
    assert_eq!(connection.state(), pb::ConnectionState::Active);
    assert_eq!((connection.installation_host.as_str(), connection.secrets.len()), ("lab-3", 1));
    assert_eq!(connection.secrets[0].fingerprint, enrolled.fingerprint);

    let synced = next_event(&mut desk, 0).await;
    assert_eq!((synced.verdict.as_str(), synced.event_type.as_str()), ("verified", "student.enrolled"));

    let reused = enroll(&code, &secret_store, &mut desk, "lab-3".into(), |_| true).await;
    assert!(reused.expect("the same installation").already_yours);
    let shown = server.show("s-1").await.connection.expect("a connection");
    assert_eq!(shown.state(), pb::ConnectionState::Active, "and no alarm");

    let request = pb::RotateSecretRequest { school: "s-1".into(), overlap_s: Some(0), revoke_now: false };
    server.schools().rotate_secret(server.owned(request)).await.expect("requested");
    let enrollment = secret_store.load().expect("opens").expect("stored");
    let install = |request: InstallSecretRequest| {
        let mut desk = desk.clone();
        async move { desk.install_secret(request).await.map(drop).map_err(AppError::from) }
    };
    let pulled = rotation::pull(&enrollment, &secret_store, Ask::default(), START_MS, install).await;
    let fingerprint = pulled.expect("pulled").expect("one waited");
    assert_ne!(fingerprint, enrolled.fingerprint);
    let connection = server.show("s-1").await.connection.expect("a connection");
    assert_eq!(connection.secrets.len(), 1, "without an overlap the old one ended");
    assert_eq!(connection.secrets[0].fingerprint, fingerprint);

    put(&server, "S-2").await;
    let created = next_event(&mut desk, synced.number).await;
    assert_eq!((created.verdict.as_str(), created.event_type.as_str()), ("verified", "student.created"));
    drop(desk);
    receiver.stop().await.expect("a clean stop");
    server.stop().await;
}
