//! Imports through the real door: what a file says becomes true, waits for staff, or is refused, and nothing is lost.

use std::{io::Cursor, time::Duration};

use jiff::Timestamp;
use provider_server::oneroster::{
    Kind, OrgRow, StudentRow,
    generator::{Changes, Roster},
    writer::{WriteOptions, write},
};
use rollcall_proto::provider::v1::{
    self as pb, ImportState, import_service_client::ImportServiceClient, start_import_request::Part,
    student_service_client::StudentServiceClient,
};
use tonic::{Code, transport::Channel};

use super::support::{Server, with_token};

pub const ROSTER: Roster = Roster { seed: 5, schools: 3, students: 400, year: 2026 };
const CHUNK_BYTES: usize = 7_000;

fn zip(kind: Kind, orgs: &[OrgRow], students: &[StudentRow]) -> Vec<u8> {
    let at: Timestamp = "2026-09-01T06:00:00Z".parse().expect("a time");
    let options = WriteOptions { kind, at, birth_dates: false };
    write(Cursor::new(Vec::new()), &options, orgs, students.iter()).expect("written").into_inner()
}

pub fn bulk(students: impl Iterator<Item = StudentRow>) -> Vec<u8> {
    zip(Kind::Bulk, &ROSTER.orgs(), &students.collect::<Vec<_>>())
}

pub struct Rig {
    pub server: Server,
    pub imports: ImportServiceClient<Channel>,
    /// Asks to see each plan first.
    pub review: bool,
}

impl Rig {
    pub async fn new() -> Self {
        let server = Server::start().await;
        server.district("d-1").await;
        let imports = ImportServiceClient::new(server.channel.clone());
        Self { server, imports, review: false }
    }

    /// Uploads, and waits until the run rests.
    pub async fn import(&mut self, zip: &[u8]) -> pb::ImportRun {
        let started = self.start(zip, zip.len() as u64).await.expect("registered");
        self.rest(&started.id).await
    }

    async fn start(&mut self, zip: &[u8], size_bytes: u64) -> Result<pb::ImportRun, tonic::Status> {
        // Runs are in the order of their ids, which begin with the time: no two of a district begin in one moment.
        self.server.clock.advance(1_000);
        let start = pb::ImportStart {
            district: "d-1".into(),
            file_name: "roster.zip".into(),
            profile: "strict".into(),
            size_bytes,
            hold_for_review: self.review,
        };
        let data = zip.chunks(CHUNK_BYTES).map(|part| Part::Data(part.to_vec().into()));
        let parts: Vec<pb::StartImportRequest> = std::iter::once(Part::Start(start))
            .chain(data)
            .map(|part| pb::StartImportRequest { part: Some(part) })
            .collect();
        let request = self.server.owned(tokio_stream::iter(parts));
        self.imports.start_import(request).await.map(tonic::Response::into_inner)
    }

    async fn rest(&mut self, run: &str) -> pb::ImportRun {
        let request = self.server.owned(pb::GetImportRequest { run: run.into() });
        let mut told = self.imports.watch_import(request).await.expect("watched").into_inner();
        let mut last = None;
        while let Some(run) = told.message().await.expect("the watch goes on") {
            last = Some(run);
        }
        last.expect("at least its state now")
    }

    pub async fn approve(&mut self, run: &str, without_deletions: bool) -> pb::ImportRun {
        let request = self.server.owned(pb::ApproveImportRequest { run: run.into(), without_deletions });
        self.imports.approve_import(request).await.expect("approved");
        self.rest(run).await
    }

    async fn undo(&mut self, run: &str) -> pb::ImportRun {
        let request = self.server.owned(pb::GetImportRequest { run: run.into() });
        self.imports.undo_import(request).await.expect("taken back");
        self.rest(run).await
    }

    async fn student(&self, sourced_id: &str) -> pb::Student {
        let request = pb::GetStudentRequest { district: "d-1".into(), sourced_id: sourced_id.into() };
        let mut students = StudentServiceClient::new(self.server.channel.clone());
        students.get_student(self.server.owned(request)).await.expect("a student").into_inner()
    }

    /// Staged rows that are left in the database.
    async fn staged(&self) -> u64 {
        let mut conn = self.server.running.store.reader().await.expect("a reader");
        let row = conn.query_optional("SELECT COUNT(*) FROM import_rows", vec![]).await.expect("counted");
        row.expect("a count").take(0).expect("a number")
    }
}

pub fn counts(run: &pb::ImportRun) -> [u64; 5] {
    let counts = run.counts.unwrap_or_default();
    [counts.created, counts.updated, counts.deleted, counts.unchanged, counts.rejected]
}

pub fn held_for(run: &pb::ImportRun) -> Vec<(&str, &str)> {
    run.holds.iter().map(|hold| (hold.code.as_str(), hold.school_sourced_id.as_str())).collect()
}

#[tokio::test]
async fn a_first_file_runs_and_the_same_again_is_held() {
    let mut rig = Rig::new().await;
    let file = bulk(ROSTER.students());
    let run = rig.import(&file).await;
    assert_eq!((run.state(), counts(&run)), (ImportState::Applied, [400, 0, 0, 0, 0]), "{}", run.error);
    assert_eq!((run.applied, run.schools.len(), run.version.as_str()), (400, 3, "1.2"));
    let enrollments: usize = ROSTER.students().map(|student| student.enrollments.len()).sum();
    assert_eq!(run.schools.iter().map(|school| school.created).sum::<u64>(), enrollments as u64);
    let again = rig.import(&file).await;
    assert_eq!((again.state(), held_for(&again)), (ImportState::Held, vec![("same_file", "")]));
    let approved = rig.approve(&again.id, false).await;
    assert_eq!((approved.state(), counts(&approved)), (ImportState::Applied, [0, 0, 0, 400, 0]));
    let district = rig.server.district("d-2").await.id;
    assert!(rig.server.acts(&district).await.is_empty());
    let acts = rig.server.acts("d-1").await;
    let own: Vec<&str> = acts.iter().map(String::as_str).filter(|act| act.starts_with("import.")).collect();
    let expected = ["started", "applied", "started", "held", "approved", "applied"].map(|act| format!("import.{act}"));
    assert_eq!(own, expected, "one row for each act, whatever the number of students");
    rig.server.stop().await;
}

#[tokio::test]
async fn a_delta_changes_what_it_names_and_an_undo_brings_the_old_state_back() {
    let mut rig = Rig::new().await;
    rig.import(&bulk(ROSTER.students())).await;
    let at: Timestamp = "2026-09-02T06:00:00Z".parse().expect("a time");
    let changes = Changes { round: 1, created: 4, updated: 6, transferred: 2, deleted: 3 };
    let rows = ROSTER.delta(changes, at);
    let deleted = rows.iter().find(|row| row.status == provider_server::oneroster::RowStatus::ToBeDeleted);
    let deleted = deleted.expect("one is deleted").sourced_id.clone();
    let before = rig.student(&deleted).await;
    let run = rig.import(&zip(Kind::Delta, &[], &rows)).await;
    assert_eq!((run.state(), counts(&run)), (ImportState::Applied, [4, 8, 3, 0, 0]), "{}", run.error);
    assert_eq!(rig.student(&deleted).await.status(), pb::StudentStatus::Tobedeleted);

    let touched = rows.iter().find(|row| row.sourced_id != deleted && rig_is_known(row)).expect("an update");
    let delete = pb::DeleteStudentRequest {
        district: "d-1".into(),
        sourced_id: touched.sourced_id.clone(),
        ..Default::default()
    };
    let mut students = StudentServiceClient::new(rig.server.channel.clone());
    students.delete_student(rig.server.owned(delete)).await.expect("changed since by staff");
    let undone = rig.undo(&run.id).await;
    assert_eq!((undone.state(), undone.applied, undone.undo_skipped), (ImportState::Undone, 14, 1));
    let after = rig.student(&deleted).await;
    assert_eq!((after.status(), after.version), (pb::StudentStatus::Active, before.version + 2));
    assert_eq!((after.given_name, after.school_enrollments), (before.given_name, before.school_enrollments));
    let again = rig.imports.undo_import(rig.server.owned(pb::GetImportRequest { run: run.id })).await;
    assert_eq!(again.expect_err("undone already").code(), Code::FailedPrecondition);
    rig.server.stop().await;
}

/// Rows of students that the first file had.
fn rig_is_known(row: &StudentRow) -> bool {
    ROSTER.students().any(|student| student.sourced_id == row.sourced_id)
}

#[tokio::test]
async fn many_deletions_wait_for_staff_who_may_leave_them_out() {
    let mut rig = Rig::new().await;
    rig.import(&bulk(ROSTER.students())).await;
    let smaller = bulk(ROSTER.students().skip(60));
    let held = rig.import(&smaller).await;
    assert_eq!((held.state(), counts(&held)), (ImportState::Held, [0, 0, 60, 340, 0]));
    assert_eq!(held_for(&held)[0], ("deletions", ""), "{:?}", held.holds);
    let other = rig.start(&smaller, smaller.len() as u64).await.expect_err("one at a time");
    assert_eq!(other.code(), Code::FailedPrecondition);
    let without = rig.approve(&held.id, true).await;
    assert_eq!((without.state(), without.applied, counts(&without)[2]), (ImportState::Applied, 0, 0));

    let held = rig.import(&bulk(ROSTER.students().skip(61))).await;
    let request = rig.server.owned(pb::GetImportRequest { run: held.id.clone() });
    let discarded = rig.imports.discard_import(request).await.expect("discarded").into_inner();
    assert_eq!(discarded.state(), ImportState::Discarded);
    let held = rig.import(&bulk(ROSTER.students().skip(62))).await;
    let applied = rig.approve(&held.id, false).await;
    assert_eq!((applied.state(), applied.applied), (ImportState::Applied, 62));
    let back = rig.import(&bulk(ROSTER.students())).await;
    assert_eq!(
        (back.state(), counts(&back)),
        (ImportState::Applied, [62, 0, 0, 338, 0]),
        "they come back: {:?}",
        back.holds
    );
    let first = ROSTER.students().next().expect("one").sourced_id;
    assert_eq!(rig.student(&first).await.version, 3, "versions never restart");
    rig.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_approved_the_moment_it_is_held_is_worked_on_once() {
    const LEAVING: usize = 45;
    const CALLERS: usize = 64;
    let mut rig = Rig::new().await;
    rig.import(&bulk(ROSTER.students())).await;
    for round in 1..=5 {
        let smaller = bulk(ROSTER.students().skip(LEAVING * round));
        let run = rig.start(&smaller, smaller.len() as u64).await.expect("registered").id;
        // So many ask at once that whoever worked on the run waits behind them for its next look at it.
        let asking = (0..CALLERS).map(|_| {
            let (mut imports, server, run) = (rig.imports.clone(), &rig.server, run.clone());
            Box::pin(async move {
                loop {
                    let request = pb::ApproveImportRequest { run: run.clone(), without_deletions: false };
                    match imports.approve_import(server.owned(request)).await {
                        Ok(_) => break,
                        Err(early) => assert_eq!(early.code(), Code::FailedPrecondition, "{early}"),
                    }
                }
            })
        });
        let approved = tokio::time::timeout(Duration::from_secs(20), futures::future::select_all(asking)).await;
        approved.expect("it is held at some time");
        let applied = rig.rest(&run).await;
        let (state, deleted) = (applied.state(), counts(&applied)[2]);
        let leaving = LEAVING as u64;
        assert_eq!((state, deleted, applied.applied), (ImportState::Applied, leaving, leaving), "{:?}", applied.holds);
    }
    rig.server.stop().await;
}

#[tokio::test]
async fn a_rejected_row_is_never_taken_for_an_absent_student() {
    let mut rig = Rig::new().await;
    rig.import(&bulk(ROSTER.students())).await;
    let mut rows: Vec<StudentRow> = ROSTER.students().collect();
    let broken = rows[7].sourced_id.clone();
    rows[7].fields.as_mut().expect("stated").given_name = String::new();
    let run = rig.import(&bulk(rows.into_iter())).await;
    assert_eq!((run.state(), counts(&run)), (ImportState::Applied, [0, 0, 0, 399, 1]));
    assert_eq!(rig.student(&broken).await.status(), pb::StudentStatus::Active);
    let request = pb::ListProblemsRequest { run: run.id.clone(), severity: "error".into(), ..Default::default() };
    let listed = rig.imports.list_problems(rig.server.owned(request)).await.expect("listed").into_inner().problems;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].file.as_str(), listed[0].sourced_id.as_str()), ("users.csv", broken.as_str()));
    assert_eq!((listed[0].line, listed[0].field.as_str()), (9, "givenName"));
    let mut parts = rig
        .imports
        .export_problems(rig.server.owned(pb::GetImportRequest { run: run.id }))
        .await
        .expect("csv")
        .into_inner();
    let csv = parts.message().await.expect("a part").expect("one").csv;
    let csv = String::from_utf8(csv.to_vec()).expect("UTF-8");
    assert!(csv.starts_with("severity,file,line,sourcedId,field,code,message,howToFix\r\n"), "{csv}");
    assert!(csv.contains(&format!("error,users.csv,9,{broken},givenName,")), "{csv}");
    rig.server.stop().await;
}

#[tokio::test]
async fn bad_uploads_say_what_is_wrong_and_change_nothing() {
    let mut rig = Rig::new().await;
    let file = bulk(ROSTER.students());
    let short = rig.start(&file, file.len() as u64 + 1).await.expect_err("cut short");
    assert_eq!(short.code(), Code::InvalidArgument);
    let long = rig.start(&file, file.len() as u64 - 1).await.expect_err("too long");
    assert_eq!(long.code(), Code::InvalidArgument);
    let damaged = rig.import(&file[..file.len() / 2]).await;
    assert_eq!(damaged.state(), ImportState::Failed);
    assert!(damaged.error.contains("cut short or damaged"), "{}", damaged.error);
    let request = rig.server.owned(pb::ListStudentsRequest { district: "d-1".into(), ..Default::default() });
    let mut students = StudentServiceClient::new(rig.server.channel.clone());
    assert!(students.list_students(request).await.expect("listed").into_inner().students.is_empty());
    let other = rig.server.district("d-2").await.id;
    let token = rig.server.account("olga", pb::Role::Operator, &other).await;
    let foreign = with_token(pb::GetImportRequest { run: damaged.id }, &token);
    assert_eq!(rig.imports.get_import(foreign).await.expect_err("not theirs").code(), Code::NotFound);
    rig.server.stop().await;
}

#[tokio::test]
async fn nothing_staged_and_no_name_is_left_behind() {
    let mut rig = Rig::new().await;
    let mut rows: Vec<StudentRow> = ROSTER.students().collect();
    rows[0].fields.as_mut().expect("stated").given_name = "Canarygiven".into();
    let file = bulk(rows.into_iter());
    rig.import(&file).await;
    let held = rig.import(&file).await;
    assert_eq!(held.state(), ImportState::Held);
    assert!(rig.staged().await > 0, "it waits in the database");
    let files =
        std::fs::read_dir(rig.server.database.folder.path()).expect("listed").map(|entry| entry.expect("one").path());
    let names: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "zip" || e == "tmp")).collect();
    assert!(names.is_empty(), "{names:?}");
    let sealed: Vec<u8> = {
        let mut conn = rig.server.running.store.reader().await.expect("a reader");
        let rows = conn.query("SELECT sealed FROM import_rows", vec![]).await.expect("rows");
        rows.into_iter().flat_map(|mut row| row.take::<Vec<u8>>(0).expect("bytes")).collect()
    };
    assert!(!sealed.windows(11).any(|part| part == b"Canarygiven"), "staged rows are sealed");
    let request = rig.server.owned(pb::GetImportRequest { run: held.id });
    rig.imports.discard_import(request).await.expect("discarded");
    let cleared = async {
        while rig.staged().await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cleared).await.expect("staged rows go with their run");
    rig.server.stop().await;
}
