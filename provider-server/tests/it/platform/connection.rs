//! What staff set on schools and their connections: addresses, schedules, pauses; lists and their pages.

use rollcall_proto::{provider::v1 as pb, violations};
use tonic::Code;

use super::support::{Server, URL};
use crate::support::START_MS;

async fn connected() -> Server {
    let server = Server::start().await;
    server.district("d-1").await;
    server.school("d-1", "s-1").await;
    server.connect("s-1", false).await;
    server
}

fn fields(status: &tonic::Status) -> Vec<String> {
    violations::decode(status.details()).into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn settings_are_checked_kept_and_left_alone_where_absent() {
    let server = connected().await;
    let connect = async |url: &str, retry: Option<pb::RetryPolicy>, max_in_flight| {
        let request = pb::ConnectSchoolRequest {
            school: "s-1".into(),
            url: url.into(),
            own_receiver: false,
            retry,
            max_in_flight,
        };
        server.schools().connect_school(server.owned(request)).await.map(tonic::Response::into_inner)
    };
    let policy = pb::RetryPolicy { max_tries: 3, delays_ms: vec![50, 100], probe_ms: 200, timeout_ms: 500 };
    let school = connect(URL, Some(policy.clone()), 7).await.expect("set");
    let connection = school.connection.expect("a connection");
    assert_eq!((connection.retry, connection.max_in_flight), (Some(policy.clone()), 7));
    let school = connect("http://127.0.0.1:9/other", None, 0).await.expect("moved");
    let connection = school.connection.expect("a connection");
    assert_eq!((connection.retry, connection.max_in_flight), (Some(policy), 7));
    assert_eq!(connection.url, "http://127.0.0.1:9/other");

    for url in
        ["", "nonsense", "http://10.0.0.1/x", "https://user:p@example.org/", "ftp://example.org/", "https://[::1]/"]
    {
        let status = connect(url, None, 0).await.expect_err(url);
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["url".to_owned()]), "{url}");
    }
    let status = connect(URL, Some(pb::RetryPolicy { max_tries: 21, ..Default::default() }), 0).await.expect_err("21");
    assert_eq!(fields(&status), ["retry.maxTries"]);
    let status = connect(URL, None, 257).await.expect_err("257");
    assert_eq!(fields(&status), ["maxInFlight"]);
    server.stop().await;
}

#[tokio::test]
async fn a_pause_holds_until_it_is_resumed_or_its_time_is_over() {
    let server = connected().await;
    let pause = async |duration_s| {
        let request = pb::PauseSchoolRequest { school: "s-1".into(), duration_s };
        server.schools().pause_school(server.owned(request)).await.map(tonic::Response::into_inner)
    };
    assert_eq!(pause(0).await.expect_err("not active yet").code(), Code::FailedPrecondition);
    server.enroll(&server.code("s-1").await, 1).await;
    let paused = pause(0).await.expect("paused").connection.expect("a connection");
    assert_eq!(paused.state(), pb::ConnectionState::Paused);
    assert!(paused.reason.contains("ada"), "{}", paused.reason);
    let resume = pb::ResumeSchoolRequest { school: "s-1".into() };
    let resumed = server.schools().resume_school(server.owned(resume)).await.expect("resumed").into_inner();
    let connection = resumed.connection.expect("a connection");
    assert_eq!((connection.state(), connection.reason.as_str()), (pb::ConnectionState::Active, ""));

    pause(60).await.expect("paused for a minute");
    let store = &server.running.store;
    provider_server::store::housekeeping::round(store, 1).await.expect("a round");
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Paused);
    server.clock.advance(60_000);
    provider_server::store::housekeeping::round(store, 1).await.expect("a round");
    assert_eq!(server.state("s-1").await, pb::ConnectionState::Active);
    assert_eq!(fields(&pause(u32::MAX).await.expect_err("too long")), ["durationS"]);
    server.stop().await;
}

#[tokio::test]
async fn names_and_keys_are_checked_and_kept_apart() {
    let server = connected().await;
    let create = async |district: &str, name: &str, sourced_id: &str| {
        let request =
            pb::CreateSchoolRequest { district: district.into(), name: name.into(), sourced_id: sourced_id.into() };
        server.schools().create_school(server.owned(request)).await.map(tonic::Response::into_inner)
    };
    let status = create("d-1", "Again", "s-1").await.expect_err("taken");
    assert_eq!((status.code(), fields(&status)), (Code::AlreadyExists, vec!["sourcedId".to_owned()]));
    assert_eq!(fields(&create("d-1", " ", "s-2").await.expect_err("blank")), ["name"]);
    assert_eq!(fields(&create("d-1", "Two", "s 2").await.expect_err("a space")), ["sourcedId"]);
    assert_eq!(create("d-9", "Two", "s-2").await.expect_err("no such district").code(), Code::NotFound);
    server.district("d-2").await;
    let twin = create("d-2", "Twin", "s-1").await.expect("its own district");
    let request = pb::GetSchoolRequest { school: "s-1".into(), district: String::new() };
    let status = server.schools().get_school(server.owned(request)).await.expect_err("ambiguous");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains(&twin.id), "candidates are named: {}", status.message());
    let request = pb::GetSchoolRequest { school: "s-1".into(), district: "d-2".into() };
    let found = server.schools().get_school(server.owned(request)).await.expect("narrowed").into_inner();
    assert_eq!((found.id, found.created_at.expect("a time").seconds), (twin.id, START_MS / 1_000));
    let request = pb::CreateDistrictRequest { name: "D".into(), sourced_id: "d-1".into(), birth_date: true };
    let status = server.districts().create_district(server.owned(request)).await.expect_err("taken");
    assert_eq!(status.code(), Code::AlreadyExists);
    server.stop().await;
}

#[tokio::test]
async fn a_list_comes_in_pages_by_name_without_gaps() {
    let server = Server::start().await;
    server.district("d-1").await;
    for number in [3, 1, 5, 2, 4] {
        server.school("d-1", &format!("s-{number}")).await;
    }
    let (mut names, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let request = pb::ListSchoolsRequest { district: "d-1".into(), page_size: 2, page_token };
        let page = server.schools().list_schools(server.owned(request)).await.expect("a page").into_inner();
        names.extend(page.schools.into_iter().map(|school| school.sourced_id));
        (page_token, pages) = (page.next_page_token, pages + 1);
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((names, pages), (["s-1", "s-2", "s-3", "s-4", "s-5"].map(String::from).to_vec(), 3));
    for (page_size, page_token) in [(501, ""), (1, "garbage")] {
        let request = pb::ListSchoolsRequest { district: "".into(), page_size, page_token: page_token.into() };
        let status = server.schools().list_schools(server.owned(request)).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    server.stop().await;
}
