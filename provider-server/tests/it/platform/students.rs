//! Students through the real door: dry runs, conflicts, lists in their orders, erasure.

use rollcall_proto::{
    provider::v1::{self as pb, log_service_client::LogServiceClient, student_service_client::StudentServiceClient},
    violations,
};
use tonic::{Code, transport::Channel};

use super::support::{Server, with_token};

fn student(sourced_id: &str, given: &str, family: &str, schools: &[&str]) -> pb::Student {
    let enrollment = |school: &&str| pb::SchoolEnrollment { school_sourced_id: (*school).into(), ..Default::default() };
    pb::Student {
        sourced_id: sourced_id.into(),
        given_name: given.into(),
        family_name: family.into(),
        school_enrollments: schools.iter().map(enrollment).collect(),
        ..Default::default()
    }
}

fn put(student: pb::Student) -> pb::PutStudentRequest {
    pb::PutStudentRequest { district: "d-1".into(), student: Some(student), ..Default::default() }
}

/// A district with two enrolled schools and one that never was.
struct Rig {
    server: Server,
    students: StudentServiceClient<Channel>,
}

impl Rig {
    async fn new() -> Self {
        let server = Server::start().await;
        server.district("d-1").await;
        for school in ["s-1", "s-2", "s-3"] {
            server.school("d-1", school).await;
        }
        for (school, claim) in [("s-1", 1), ("s-2", 2)] {
            server.connect(school, false).await;
            server.enroll(&server.code(school).await, claim).await;
        }
        let students = StudentServiceClient::new(server.channel.clone());
        let rig = Self { server, students };
        let synced = async {
            while rig.count("schools WHERE sync_from IS NOT NULL").await > 0 {
                tokio::task::yield_now().await;
            }
        };
        let synced = tokio::time::timeout(std::time::Duration::from_secs(20), synced);
        synced.await.expect("schools without students are synced at once");
        rig
    }

    async fn put(&mut self, student: pb::Student) -> pb::ChangeResult {
        self.students.put_student(self.server.owned(put(student))).await.expect("stored").into_inner()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let mut conn = self.server.running.store.reader().await.expect("a reader");
        let rows = conn.query(sql, vec![]).await.expect("rows");
        rows.into_iter().map(|mut row| row.take(0).expect("a text")).collect()
    }

    async fn count(&self, table: &str) -> usize {
        self.texts(&format!("SELECT 'x' FROM {table}")).await.len()
    }
}

fn sends(result: &pb::ChangeResult) -> Vec<(&str, &str)> {
    result.sends.iter().map(|event| (event.school_name.as_str(), event.event_type.as_str())).collect()
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_sent_and_writes_nothing() {
    let mut rig = Rig::new().await;
    rig.put(student("S-1", "Ada", "Byron", &["s-1", "s-2", "s-3"])).await;
    let before = (rig.count("events").await, rig.count("student_versions").await, rig.count("audit").await);

    let mut renamed = put(student("S-1", "Ada", "Lovelace", &["s-1", "s-2", "s-3"]));
    (renamed.dry_run, renamed.idempotency_key) = (true, "k-1".into());
    let would = rig.students.put_student(rig.server.owned(renamed.clone())).await.expect("told").into_inner();
    let both = [("School s-1", "student.updated"), ("School s-2", "student.updated")];
    assert_eq!(sends(&would), both, "a school that was never connected gets nothing");
    assert_eq!((would.events, would.change_id.as_str(), would.repeated), (2, "", false));
    let record = would.student.expect("as it would be");
    assert_eq!((record.version, record.family_name.as_str()), (2, "Lovelace"));

    let mut same = put(student("S-1", "Ada", "Byron", &["s-1", "s-2", "s-3"]));
    same.dry_run = true;
    let same = rig.students.put_student(rig.server.owned(same)).await.expect("told").into_inner();
    assert_eq!((same.sends.len(), same.student.expect("a record").version), (0, 1));

    let district = || "d-1".to_owned();
    let transfer = pb::TransferStudentRequest {
        district: district(),
        sourced_id: "S-1".into(),
        from_school: "s-1".into(),
        to_school: "s-3".into(),
        dry_run: true,
        ..Default::default()
    };
    let refused = rig.students.transfer_student(rig.server.owned(transfer.clone())).await;
    assert_eq!(refused.expect_err("already there").code(), Code::FailedPrecondition, "the rules are the same");
    let withdraw = pb::WithdrawStudentRequest {
        district: district(),
        sourced_id: "S-1".into(),
        school: "s-2".into(),
        dry_run: true,
        ..Default::default()
    };
    let would = rig.students.withdraw_student(rig.server.owned(withdraw)).await.expect("told").into_inner();
    assert_eq!(sends(&would), [("School s-2", "student.withdrawn")]);
    let delete = pb::DeleteStudentRequest {
        district: district(),
        sourced_id: "S-1".into(),
        dry_run: true,
        ..Default::default()
    };
    let would = rig.students.delete_student(rig.server.owned(delete)).await.expect("told").into_inner();
    assert_eq!(sends(&would), [("School s-1", "student.deleted"), ("School s-2", "student.deleted")]);
    let new = pb::PutStudentRequest { dry_run: true, ..put(student("S-2", "Grace", "Hopper", &["s-2"])) };
    let would = rig.students.put_student(rig.server.owned(new)).await.expect("told").into_inner();
    assert_eq!(sends(&would), [("School s-2", "student.created")]);
    let unknown = pb::PutStudentRequest { dry_run: true, ..put(student("S-2", "Grace", "Hopper", &["s-9"])) };
    let refused = rig.students.put_student(rig.server.owned(unknown)).await.expect_err("no such school");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let after = (rig.count("events").await, rig.count("student_versions").await, rig.count("audit").await);
    assert_eq!(after, before, "nothing was written");

    // The key was not spent on the dry run, and what happens is what was told.
    renamed.dry_run = false;
    let done = rig.students.put_student(rig.server.owned(renamed)).await.expect("stored").into_inner();
    assert_eq!((done.events, done.sends.len()), (2, 0));
    let enroll = pb::EnrollStudentRequest {
        sourced_id: "S-1".into(),
        school: "s-1".into(),
        dry_run: true,
        ..Default::default()
    };
    let change = pb::Change { district: district(), act: Some(pb::change::Act::Enroll(enroll)), ..Default::default() };
    let mut acks =
        rig.students.apply(rig.server.owned(tokio_stream::iter([change]))).await.expect("a stream").into_inner();
    let ack = acks.message().await.expect("alive").expect("an ack");
    assert_eq!((ack.code, ack.violations[0].field.as_str()), (Code::InvalidArgument as u32, "dryRun"));
    drop(acks);
    rig.server.stop().await;
}

#[tokio::test]
async fn a_conflict_of_versions_is_told_by_its_code_and_field() {
    let mut rig = Rig::new().await;
    rig.put(student("S-1", "Ada", "Byron", &["s-1"])).await;
    rig.put(student("S-1", "Ada", "Lovelace", &["s-1"])).await;
    for dry_run in [false, true] {
        let stale = pb::Student { version: 1, ..student("S-1", "Augusta", "Byron", &["s-1"]) };
        let request = pb::PutStudentRequest { dry_run, ..put(stale) };
        let status = rig.students.put_student(rig.server.owned(request)).await.expect_err("stale");
        assert_eq!(status.code(), Code::Aborted);
        let fields: Vec<String> = violations::decode(status.details()).into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["version"]);
    }
    let fresh = pb::Student { version: 2, ..student("S-1", "Augusta", "Byron", &["s-1"]) };
    assert_eq!(rig.put(fresh).await.student.expect("a record").version, 3);
    rig.server.stop().await;
}

async fn listed(rig: &mut Rig, request: pb::ListStudentsRequest) -> Vec<String> {
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListStudentsRequest { district: "d-1".into(), page_token, ..request.clone() };
        let page = rig.students.list_students(rig.server.owned(request)).await.expect("a page").into_inner();
        ids.extend(page.students.into_iter().map(|student| student.sourced_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test]
async fn students_are_listed_in_the_asked_order_and_narrowed() {
    let mut rig = Rig::new().await;
    // Accents and case do not count; equal family names go by the given one.
    let people = [
        ("S-1", "zoë", "Ångström", "s-1", "07"),
        ("S-2", "Bo", "angstrom", "s-2", "08"),
        ("S-3", "Ada", "Byron", "s-1", "07"),
        ("S-4", "Émile", "Zola", "s-1", "12"),
        ("S-5", "emil", "Andersen", "s-2", "07"),
    ];
    for (id, given, family, school, grade) in people {
        rig.server.clock.advance(1_000);
        rig.put(pb::Student { grades: vec![grade.into()], ..student(id, given, family, &[school]) }).await;
    }
    let ask = |order_by: &str, page_size| pb::ListStudentsRequest {
        order_by: order_by.into(),
        page_size,
        ..Default::default()
    };
    let cases = [
        ("", ["S-1", "S-2", "S-3", "S-4", "S-5"]),
        ("sourced_id", ["S-1", "S-2", "S-3", "S-4", "S-5"]),
        ("family_name", ["S-5", "S-2", "S-1", "S-3", "S-4"]),
        ("given_name", ["S-3", "S-2", "S-5", "S-4", "S-1"]),
        ("date_last_modified", ["S-1", "S-2", "S-3", "S-4", "S-5"]),
    ];
    for (order, expected) in cases {
        for page_size in [1, 2, 100] {
            assert_eq!(listed(&mut rig, ask(order, page_size)).await, expected, "{order} by {page_size}");
            let back = pb::ListStudentsRequest { descending: true, ..ask(order, page_size) };
            let reversed: Vec<&str> = expected.iter().rev().copied().collect();
            assert_eq!(listed(&mut rig, back).await, reversed, "{order} backwards by {page_size}");
        }
    }
    let at_school = pb::ListStudentsRequest { school: "s-1".into(), ..ask("family_name", 2) };
    assert_eq!(listed(&mut rig, at_school).await, ["S-1", "S-3", "S-4"]);
    let seventh = pb::ListStudentsRequest { grades: vec!["07".into(), "12".into()], ..ask("given_name", 1) };
    assert_eq!(listed(&mut rig, seventh).await, ["S-3", "S-5", "S-4", "S-1"]);
    // A rename and a deletion move a student; the order follows.
    rig.server.clock.advance(1_000);
    rig.put(pb::Student { grades: vec!["07".into()], ..student("S-1", "zoë", "Young", &["s-1"]) }).await;
    assert_eq!(listed(&mut rig, ask("family_name", 2)).await, ["S-5", "S-2", "S-3", "S-1", "S-4"]);
    assert_eq!(listed(&mut rig, ask("date_last_modified", 2)).await, ["S-2", "S-3", "S-4", "S-5", "S-1"]);
    let delete = pb::DeleteStudentRequest { district: "d-1".into(), sourced_id: "S-3".into(), ..Default::default() };
    rig.students.delete_student(rig.server.owned(delete)).await.expect("marked");
    assert_eq!(listed(&mut rig, ask("family_name", 2)).await, ["S-5", "S-2", "S-1", "S-4"]);
    let deleted = pb::ListStudentsRequest { status: pb::StudentStatus::Tobedeleted.into(), ..ask("family_name", 2) };
    assert_eq!(listed(&mut rig, deleted).await, ["S-3"]);

    for (wrong, field) in [
        (ask("birth_date", 0), "orderBy"),
        (pb::ListStudentsRequest { grades: vec!["7".into()], ..ask("", 0) }, "grades[0]"),
        (pb::ListStudentsRequest { page_token: "!".into(), ..ask("family_name", 0) }, "page_token"),
        (pb::ListStudentsRequest { page_token: "WyJhIl0".into(), ..ask("family_name", 0) }, "page_token"),
    ] {
        let request = rig.server.owned(pb::ListStudentsRequest { district: "d-1".into(), ..wrong });
        let status = rig.students.list_students(request).await.expect_err(field);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    rig.server.stop().await;
}

#[tokio::test]
async fn an_erased_student_leaves_a_tombstone_and_nothing_else() {
    let mut rig = Rig::new().await;
    rig.put(student("S-1", "Canarygiven", "Canaryone", &["s-1", "s-2", "s-3"])).await;
    rig.put(student("S-1", "Canarygiven", "Canarytwo", &["s-1", "s-2", "s-3"])).await;
    rig.put(student("S-2", "Grace", "Hopper", &["s-1"])).await;
    let erase = |confirm: &str, reason: &str| pb::EraseStudentRequest {
        district: "d-1".into(),
        sourced_id: "S-1".into(),
        confirm_sourced_id: confirm.into(),
        reason: reason.into(),
    };
    for (request, field) in [(erase("S-2", "asked for"), "confirmSourcedId"), (erase("S-1", " "), "reason")] {
        let status = rig.students.erase_student(rig.server.owned(request)).await.expect_err(field);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    let viewer = rig.server.account("vera", pb::Role::Viewer, "d-1").await;
    let refused = rig.students.erase_student(with_token(erase("S-1", "asked for"), &viewer)).await;
    assert_eq!(refused.expect_err("a viewer").code(), Code::PermissionDenied);
    rig.server.district("d-2").await;
    let foreign = rig.server.account("olga", pb::Role::Operator, "d-2").await;
    let refused = rig.students.erase_student(with_token(erase("S-1", "asked for"), &foreign)).await;
    assert_eq!(refused.expect_err("another district's").code(), Code::NotFound);

    let erased = rig.students.erase_student(rig.server.owned(erase("S-1", "asked for"))).await.expect("erased");
    let receipt = erased.into_inner();
    assert_eq!((receipt.version, receipt.events, receipt.versions_deleted, receipt.bodies_deleted), (3, 2, 2, 4));
    let get = pb::GetStudentRequest { district: "d-1".into(), sourced_id: "S-1".into() };
    let gone = rig.students.get_student(rig.server.owned(get)).await.expect_err("erased");
    assert_eq!(gone.code(), Code::NotFound);
    let all = pb::ListStudentsRequest { include_deleted: true, ..Default::default() };
    assert_eq!(listed(&mut rig, all).await, ["S-2"]);
    let versions = pb::ListStudentVersionsRequest { district: "d-1".into(), sourced_id: "S-1".into() };
    let gone = rig.students.list_student_versions(rig.server.owned(versions)).await.expect_err("erased");
    assert_eq!(gone.code(), Code::NotFound);
    let again = rig.students.erase_student(rig.server.owned(erase("S-1", "asked for"))).await.expect_err("once");
    assert_eq!(again.code(), Code::NotFound);
    for place in ["SELECT doc FROM students", "SELECT doc FROM student_versions", "SELECT detail FROM audit"] {
        assert!(rig.texts(place).await.iter().all(|text| !text.contains("Canary")), "{place}");
    }
    // Earlier messages are erased or keep their metadata alone; the last one tells every school that knew.
    let states = rig
        .texts(
            "SELECT s.sourced_id || ' ' || e.event_type || ' ' || e.state FROM events e
             JOIN schools s ON s.school_id = e.school_id WHERE e.sourced_id = 'S-1' ORDER BY 1, e.sequence",
        )
        .await;
    let expected = ["s-1", "s-2"].map(|school| {
        [
            format!("{school} student.created erased"),
            format!("{school} student.deleted pending"),
            format!("{school} student.updated erased"),
        ]
    });
    assert_eq!(states, expected.concat());
    let mut log = LogServiceClient::new(rig.server.channel.clone());
    let messages = pb::ListMessagesRequest { school: "s-2".into(), ..Default::default() };
    let message = log.list_messages(rig.server.owned(messages)).await.expect("listed").into_inner().messages.remove(0);
    let shown = pb::GetMessageRequest { message: message.id, reveal_body: true };
    let body = log.get_message(rig.server.owned(shown)).await.expect("shown").into_inner().body;
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["data"], serde_json::json!({ "sourcedId": "S-1", "version": 3, "reason": "erased" }));
    let acts = rig.texts("SELECT detail FROM audit WHERE act = 'student.erased'").await;
    assert_eq!(acts, ["2 schools told, 2 versions and 4 bodies deleted: asked for"]);

    // A later record of the same sourcedId goes on from the tombstone's version.
    let back = rig.put(student("S-1", "Ada", "Byron", &["s-1"])).await;
    assert_eq!((back.student.expect("a record").version, back.events), (4, 1));
    let enroll = pb::EnrollStudentRequest {
        district: "d-1".into(),
        sourced_id: "S-3".into(),
        school: "s-1".into(),
        ..Default::default()
    };
    assert_eq!(rig.students.enroll_student(rig.server.owned(enroll)).await.expect_err("nobody").code(), Code::NotFound);
    rig.server.stop().await;
}
