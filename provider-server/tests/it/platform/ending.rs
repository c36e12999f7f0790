//! What ends for good: schools that are deleted, accounts that are changed, sessions that are revoked.

use rollcall_proto::provider::v1::{
    self as pb, log_service_client::LogServiceClient, student_service_client::StudentServiceClient,
};
use tonic::Code;

use super::support::{PASSWORD, Server, with_token};

async fn texts(server: &Server, sql: &str) -> Vec<String> {
    let mut conn = server.running.store.reader().await.expect("a reader");
    let rows = conn.query(sql, vec![]).await.expect("rows");
    rows.into_iter().map(|mut row| row.take(0).expect("a text")).collect()
}

fn put(sourced_id: &str, schools: &[&str]) -> pb::PutStudentRequest {
    let enrollment = |school: &&str| pb::SchoolEnrollment { school_sourced_id: (*school).into(), ..Default::default() };
    let student = pb::Student {
        sourced_id: sourced_id.into(),
        given_name: "Canarygiven".into(),
        family_name: "Byron".into(),
        school_enrollments: schools.iter().map(enrollment).collect(),
        ..Default::default()
    };
    pb::PutStudentRequest { district: "d-1".into(), student: Some(student), ..Default::default() }
}

#[tokio::test]
async fn a_renamed_school_is_found_by_its_new_name() {
    let server = Server::start().await;
    server.district("d-1").await;
    let id = server.school("d-1", "s-1").await.id;
    let rename = |name: &str| pb::UpdateSchoolRequest { school: "School s-1".into(), name: name.into() };
    let renamed = server.schools().update_school(server.owned(rename(" Escuela José "))).await.expect("renamed");
    assert_eq!(renamed.into_inner().name, "Escuela José");
    assert_eq!(server.show("Escuela José").await.id, id);
    let gone = server.schools().update_school(server.owned(rename("x"))).await.expect_err("the old name");
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(server.acts("d-1").await.last().map(String::as_str), Some("school.renamed"));
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_schools_payloads_cannot_be_opened_again() {
    let server = Server::start().await;
    server.district("d-1").await;
    for (school, claim) in [("s-1", 1), ("s-2", 2)] {
        server.school("d-1", school).await;
        server.connect(school, false).await;
        server.enroll(&server.code(school).await, claim).await;
    }
    let deleted_id = server.show("s-1").await.id;
    let installation = server.enroll(&server.code("s-1").await, 3).await;
    let mut students = StudentServiceClient::new(server.channel.clone());
    students.put_student(server.owned(put("S-1", &["s-1", "s-2"]))).await.expect("stored");
    students.put_student(server.owned(put("S-2", &["s-1"]))).await.expect("stored");
    let mut log = LogServiceClient::new(server.channel.clone());
    let list = pb::ListMessagesRequest { school: "s-1".into(), ..Default::default() };
    let messages = log.list_messages(server.owned(list)).await.expect("listed").into_inner().messages;
    assert_eq!(messages.len(), 2);
    let show = |message: &str| pb::GetMessageRequest { message: message.into(), reveal_body: true };
    let shown = log.get_message(server.owned(show(&messages[0].id))).await.expect("shown").into_inner();
    assert!(!shown.body.is_empty());

    let delete = |name: &str| pb::DeleteSchoolRequest { school: "s-1".into(), confirm_name: name.into() };
    let wrong = server.schools().delete_school(server.owned(delete("school s-1"))).await.expect_err("another name");
    assert_eq!(wrong.code(), Code::InvalidArgument);
    let viewer = server.account("vera", pb::Role::Viewer, "d-1").await;
    let refused = server.schools().delete_school(with_token(delete("School s-1"), &viewer)).await;
    assert_eq!(refused.expect_err("a viewer").code(), Code::PermissionDenied);
    server.district("d-2").await;
    let foreign = server.account("olga", pb::Role::Operator, "d-2").await;
    let refused = server.schools().delete_school(with_token(delete("School s-1"), &foreign)).await;
    assert_eq!(refused.expect_err("another district's").code(), Code::NotFound);
    let deleted =
        server.schools().delete_school(server.owned(delete("School s-1"))).await.expect("deleted").into_inner();
    assert_eq!((&deleted.school_id, deleted.discarded), (&deleted_id, 2));

    // The name, the key, the token and the payloads are gone; what was disclosed can be told by the ids.
    let get = pb::GetSchoolRequest { school: deleted_id.clone(), district: String::new() };
    assert_eq!(server.schools().get_school(server.owned(get)).await.expect_err("deleted").code(), Code::NotFound);
    let schools = server.schools().list_schools(server.owned(pb::ListSchoolsRequest::default())).await.expect("listed");
    let names: Vec<String> = schools.into_inner().schools.into_iter().map(|school| school.name).collect();
    assert_eq!(names, ["School s-2"]);
    let overview = log.get_overview(server.owned(pb::GetOverviewRequest::default())).await.expect("read").into_inner();
    assert_eq!((overview.schools_total, overview.pending), (1, 1));
    let token = with_token(pb::GetConnectionRequest {}, &installation.token);
    assert_eq!(server.link().get_connection(token).await.expect_err("ended").code(), Code::Unauthenticated);
    let shown = log.get_message(server.owned(show(&messages[0].id))).await.expect("its metadata").into_inner();
    assert_eq!((shown.state.as_str(), shown.reason.as_str()), ("discarded", "the school was deleted"));
    assert!(shown.body.is_empty() && shown.body_sha256.is_empty());
    let resend = pb::ResendMessageRequest { message: messages[0].id.clone() };
    assert!(log.resend_message(server.owned(resend)).await.is_err(), "there is nobody to send it to");
    let attempts = pb::ListAttemptsRequest { school: deleted_id.clone(), ..Default::default() };
    log.list_attempts(server.owned(attempts)).await.expect("its log stays");
    let scope = format!("school:{deleted_id}");
    assert!(!texts(&server, "SELECT scope FROM data_keys").await.contains(&scope), "the key is destroyed");
    let secrets =
        texts(&server, "SELECT s.sourced_id FROM secrets x JOIN schools s ON s.school_id = x.school_id").await;
    assert_eq!(secrets, ["s-2"]);
    let bodies = texts(&server, "SELECT 'x' FROM event_bodies b JOIN events e ON e.event_id = b.event_id").await;
    assert_eq!(bodies.len(), 1, "the other school's");

    // Its students go on elsewhere, and its sourcedId is free for another school.
    let again = students.put_student(server.owned(put("S-1", &["s-1", "s-2"]))).await.expect("unchanged").into_inner();
    assert_eq!(again.events, 0);
    let mut changed = put("S-1", &["s-1", "s-2"]);
    changed.student.as_mut().expect("a student").given_name = "Ada".into();
    let changed = students.put_student(server.owned(changed)).await.expect("stored").into_inner();
    assert_eq!(changed.events, 1, "for the school that is left");
    let refused = students.put_student(server.owned(put("S-3", &["s-1"]))).await.expect_err("nobody can enter it");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let new = server.school("d-1", "s-1").await;
    assert_ne!(new.id, deleted_id);
    assert_eq!(new.students, 0);
    let acts = server.acts("d-1").await;
    assert_eq!(acts.iter().filter(|act| *act == "school.deleted").count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn an_account_is_changed_and_its_sessions_end() {
    let server = Server::start().await;
    let first = server.district("d-1").await.id;
    let second = server.district("d-2").await.id;
    let token = server.account("olga", pb::Role::Operator, "d-1").await;
    let who = |token: &str| with_token(pb::WhoAmIRequest {}, token);
    let update =
        |request: pb::UpdateStaffRequest| server.owned(pb::UpdateStaffRequest { staff: "olga".into(), ..request });

    let role =
        pb::UpdateStaffRequest { role: pb::Role::Auditor.into(), districts: vec!["d-2".into()], ..Default::default() };
    let changed = server.staff().update_staff(update(role)).await.expect("changed").into_inner();
    assert_eq!((changed.role(), changed.district_ids), (pb::Role::Auditor, vec![second]));
    assert_eq!(server.staff().who_am_i(who(&token)).await.expect_err("ended").code(), Code::Unauthenticated);
    let token = server.login("olga").await;
    let districts = server.districts().list_districts(with_token(pb::ListDistrictsRequest {}, &token)).await;
    let seen: Vec<String> =
        districts.expect("listed").into_inner().districts.into_iter().map(|d| d.sourced_id).collect();
    assert_eq!(seen, ["d-2"]);

    let password = "copper lantern orbit fig";
    let reset = pb::UpdateStaffRequest { password: password.into(), ..Default::default() };
    server.staff().update_staff(update(reset)).await.expect("changed");
    assert_eq!(server.staff().who_am_i(who(&token)).await.expect_err("ended").code(), Code::Unauthenticated);
    let login = |password: &str| pb::LoginRequest { username: "olga".into(), password: password.into() };
    assert_eq!(server.staff().login(login(PASSWORD)).await.err().expect("the old one").code(), Code::Unauthenticated);
    let token = server.staff().login(login(password)).await.expect("the new one").into_inner().token;

    let disable = |disabled| pb::UpdateStaffRequest { disabled: Some(disabled), ..Default::default() };
    server.staff().update_staff(update(disable(true))).await.expect("disabled");
    assert_eq!(server.staff().who_am_i(who(&token)).await.expect_err("ended").code(), Code::Unauthenticated);
    assert_eq!(server.staff().login(login(password)).await.err().expect("disabled").code(), Code::Unauthenticated);
    server.staff().update_staff(update(disable(false))).await.expect("enabled");
    let token = server.staff().login(login(password)).await.expect("enabled").into_inner().token;
    let again = server.staff().update_staff(update(disable(false))).await.expect("unchanged").into_inner();
    assert_eq!((again.disabled, again.role()), (false, pb::Role::Auditor));
    server.staff().who_am_i(who(&token)).await.expect("nothing changed, nothing ended");

    let other = server.staff().login(login(password)).await.expect("a second session").into_inner().token;
    let revoke = server.owned(pb::RevokeSessionsRequest { staff: "olga".into() });
    assert!(server.staff().revoke_sessions(revoke).await.expect("revoked").into_inner().sessions >= 2);
    for token in [token, other] {
        assert_eq!(server.staff().who_am_i(who(&token)).await.expect_err("ended").code(), Code::Unauthenticated);
    }

    for (wrong, field) in [
        (pb::UpdateStaffRequest { role: pb::Role::Viewer.into(), ..Default::default() }, "districts"),
        (pb::UpdateStaffRequest { districts: vec![first.clone()], ..Default::default() }, "districts"),
        (pb::UpdateStaffRequest { password: "short".into(), ..Default::default() }, "password"),
        (pb::UpdateStaffRequest { role: pb::Role::School.into(), ..Default::default() }, "role"),
    ] {
        let status = server.staff().update_staff(update(wrong)).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let acts =
        texts(&server, "SELECT act FROM audit WHERE act LIKE 'staff.%' AND act <> 'staff.signed_in' ORDER BY number")
            .await;
    let expected = [
        "staff.created",
        "staff.created",
        "staff.role_changed",
        "staff.password_reset",
        "staff.disabled",
        "staff.enabled",
        "staff.sessions_revoked",
    ];
    assert_eq!(acts, expected);
    server.stop().await;
}

#[tokio::test]
async fn the_last_owner_keeps_the_role_and_may_change_the_own_password() {
    let server = Server::start().await;
    server.district("d-1").await;
    let update =
        |request: pb::UpdateStaffRequest| server.owned(pb::UpdateStaffRequest { staff: "ada".into(), ..request });
    let down =
        pb::UpdateStaffRequest { role: pb::Role::Viewer.into(), districts: vec!["d-1".into()], ..Default::default() };
    for wrong in [down.clone(), pb::UpdateStaffRequest { disabled: Some(true), ..Default::default() }] {
        let refused = server.staff().update_staff(update(wrong)).await.expect_err("the last owner");
        assert_eq!(refused.code(), Code::FailedPrecondition);
    }
    let elsewhere = server.login("ada").await;
    let reset = pb::UpdateStaffRequest { password: "copper lantern orbit fig".into(), ..Default::default() };
    server.staff().update_staff(update(reset)).await.expect("changed");
    server.staff().who_am_i(server.owned(pb::WhoAmIRequest {})).await.expect("the own session goes on");
    let ended = server.staff().who_am_i(with_token(pb::WhoAmIRequest {}, &elsewhere)).await;
    assert_eq!(ended.expect_err("the others end").code(), Code::Unauthenticated);
    let owner = pb::CreateStaffRequest {
        username: "bea".into(),
        password: PASSWORD.into(),
        role: pb::Role::Owner.into(),
        districts: vec![],
    };
    server.staff().create_staff(server.owned(owner)).await.expect("a second owner");
    let changed = server.staff().update_staff(update(down)).await.expect("there is another one").into_inner();
    assert_eq!(changed.role(), pb::Role::Viewer);
    let refused = server.staff().list_staff(server.owned(pb::ListStaffRequest {})).await;
    assert_eq!(refused.expect_err("at once").code(), Code::PermissionDenied);
    server.stop().await;
}
