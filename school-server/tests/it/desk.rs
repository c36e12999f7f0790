//! The desk's gRPC: the token, pages, the signature check, install with overlap.

use rollcall_proto::{
    school::v1::{
        CheckSignatureRequest, ExportRosterRequest, GetStatusRequest, InstallSecretRequest, ListStudentsRequest,
        receiver_service_client::ReceiverServiceClient,
    },
    webhook::signature::SigningSecret,
};
use tonic::{Code, transport::Channel};

use crate::support::*;

#[tokio::test]
async fn without_the_pairing_token_nothing_is_told() {
    let receiver = Receiver::start().await;
    let address = format!("http://{}", receiver.running.ready.grpc);
    let channel = Channel::from_shared(address).expect("an address").connect().await.expect("up");
    let mut stranger = ReceiverServiceClient::new(channel);
    let refused = stranger.get_status(GetStatusRequest {}).await.expect_err("refused");
    assert_eq!(refused.code(), Code::Unauthenticated);
    drop(stranger);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn students_are_paged_and_found_by_part_of_a_name() {
    let receiver = Receiver::start().await;
    for number in 1..=5 {
        let (id, body) = student_event(number, "created", &format!("S-{number}"), number);
        assert_eq!(receiver.post(&receiver.sign(id, body)).await.status.as_u16(), 200);
    }
    let mut desk = receiver.desk().await;
    let mut list = async |page_token: String, search: &str| {
        let request = ListStudentsRequest { page_size: 2, page_token, search: search.into() };
        desk.list_students(request).await.expect("a page").into_inner()
    };
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(token, "").await;
        ids.extend(page.students.into_iter().map(|s| s.sourced_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, ["S-1", "S-2", "S-3", "S-4", "S-5"]);
    let found = list(String::new(), " CANARY4 ").await.students;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].given_name.as_str(), found[0].version), ("José", 4));
    assert_eq!(found[0].json, student_line("S-4", 4));
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn both_secrets_of_an_overlap_verify_until_the_old_one_retires() {
    let receiver = Receiver::start().await;
    let new = SigningSecret::from_bytes(&[9; 32]).expect("32 bytes");
    let mut desk = receiver.desk().await;
    let until_s = NOW_MS / 1_000 + 3_600;
    let request = InstallSecretRequest {
        secret: new.reveal().to_string(),
        secret_id: "sec_2".into(),
        keep_previous: true,
        previous_until: Some(prost_types::Timestamp { seconds: until_s, nanos: 0 }),
        ..InstallSecretRequest::default()
    };
    let status = desk.install_secret(request).await.expect("installed").into_inner();
    assert_eq!(status.fingerprints, [new.fingerprint(), secret().fingerprint()]);
    assert_eq!(status.school_name, "Seven", "a rotation keeps the identity");
    let send = async |key: &SigningSecret, number| {
        let (id, body) = student_event(number, "updated", "S-1", number);
        let request = sign_at(key, &id.to_string(), receiver.clock.now_ms() / 1_000, body);
        let answer = receiver.post(&request).await;
        (answer.status.as_u16(), answer.verified_key)
    };
    assert_eq!(send(&new, 1).await, (200, Some(new.fingerprint())));
    assert_eq!(send(&secret(), 2).await, (200, Some(secret().fingerprint())));
    receiver.clock.advance(3_600 * 1_000);
    assert_eq!(send(&secret(), 3).await.0, 401);
    assert_eq!(send(&new, 3).await.0, 200);

    let other_school = InstallSecretRequest {
        secret: new.reveal().to_string(),
        digest_key: DIGEST_KEY.to_vec(),
        school_sourced_id: "sch-8".into(),
        ..InstallSecretRequest::default()
    };
    let refused = desk.install_secret(other_school).await.expect_err("another school's roster");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("sch-7"), "{}", refused.message());
    drop(desk);
    let receiver = receiver.restart().await;
    let mut desk = receiver.desk().await;
    let status = desk.get_status(GetStatusRequest {}).await.expect("a status").into_inner();
    assert_eq!(status.fingerprints, [new.fingerprint()]);
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn pasted_request_is_checked_with_the_live_secret() {
    let receiver = Receiver::start().await;
    let (id, body) = student_event(1, "created", "S-1", 1);
    let signed = receiver.sign(id, body);
    let mut desk = receiver.desk().await;
    let mut check = async |body: Vec<u8>| {
        let request = CheckSignatureRequest {
            webhook_id: signed.id.clone(),
            webhook_timestamp: signed.timestamp.clone(),
            webhook_signature: signed.signature.clone(),
            body,
            ..CheckSignatureRequest::default()
        };
        desk.check_signature(request).await.expect("checked").into_inner()
    };
    let right = check(signed.body.clone()).await;
    assert!(right.verified && right.checks.iter().all(|check| check.ok), "{right:?}");
    let newline = check([signed.body.as_slice(), b"\n"].concat()).await;
    assert_eq!((newline.verified, newline.likely_cause.as_str()), (false, "trailing_newline"));
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn the_roster_is_exported_as_lines_as_csv_and_as_a_zip() {
    let receiver = Receiver::start().await;
    // More than a page of the store, and more than a part of the answer.
    for number in 1..=620 {
        let (id, body) = student_event(number, "created", &format!("S-{number:03}"), number);
        assert_eq!(receiver.post(&receiver.sign(id, body)).await.status.as_u16(), 200);
    }
    let mut desk = receiver.desk().await;
    let mut file = async |format: &str| {
        let request = ExportRosterRequest { format: format.into() };
        let mut chunks = desk.export_roster(request).await?.into_inner();
        let mut file = Vec::new();
        while let Some(chunk) = chunks.message().await? {
            file.extend_from_slice(&chunk.data);
        }
        Ok::<_, tonic::Status>(file)
    };
    let lines: String = (1..=620).map(|number| student_line(&format!("S-{number:03}"), number) + "\n").collect();
    for format in ["", "jsonl"] {
        assert_eq!(file(format).await.expect("exported"), lines.as_bytes(), "{format}");
    }
    let csv = String::from_utf8(file("csv").await.expect("exported")).expect("a text");
    assert!(csv.starts_with("sourcedId,givenName,familyName,"), "{csv}");
    assert_eq!(csv.lines().count(), 621);
    assert!(csv.lines().nth(4).is_some_and(|row| row.starts_with("S-004,José,Canary4,")), "{csv}");
    let zip = file("oneroster").await.expect("exported");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).expect("a zip");
    let mut users = String::new();
    std::io::Read::read_to_string(&mut zip.by_name("users.csv").expect("there"), &mut users).expect("a text");
    assert_eq!(users.lines().count(), 621);
    let mut orgs = String::new();
    std::io::Read::read_to_string(&mut zip.by_name("orgs.csv").expect("there"), &mut orgs).expect("a text");
    assert_eq!(orgs.lines().nth(1), Some("sch-7,,,Seven,school,,"));
    assert_eq!(file("xlsx").await.expect_err("no form").code(), Code::InvalidArgument);
    drop(desk);
    receiver.running.stop().await.expect("a clean stop");
}
