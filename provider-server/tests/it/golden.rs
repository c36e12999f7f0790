//! What the provider writes is what `proto/tests/golden` says, byte by byte but for ids, times and numbers.

use provider_server::{
    model::{
        change::{ChangeAct, ChangeRequest, Origin},
        student::{Enrollment, RoleType, StudentFields},
    },
    store::{Committed, changes::ChangeQueue},
};
use rollcall_proto::id::DistrictId;

use crate::support::{TestStore, request};

const CREATED: &str = include_str!("../../../proto/tests/golden/student.created.json");
const UPDATED: &str = include_str!("../../../proto/tests/golden/student.updated.json");
const WITHDRAWN: &str = include_str!("../../../proto/tests/golden/student.withdrawn.json");

/// Values that differ from run to run.
const VARIABLE: [&str; 7] = ["id", "timestamp", "sequence", "changeId", "dateLastModified", "version", "runId"];

/// The text with every variable value, up to the next comma or brace, replaced by `_`.
fn masked(text: &str) -> String {
    VARIABLE.iter().fold(text.trim_end().replace("\"dist-1\"", "\"d-1\""), |text, name| {
        let key = format!("\"{name}\":");
        let mut parts = text.split(&key);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |done, part| {
            let end = part.find([',', '}']).expect("a value ends");
            format!("{done}{key}_{}", &part[end..])
        })
    })
}

fn fields(grade: &str, email: Option<&str>, more: bool) -> StudentFields {
    let some = |text: &str| more.then(|| text.to_owned());
    StudentFields {
        given_name: "José".into(),
        family_name: "Nguyễn".into(),
        middle_name: some("Luis"),
        preferred_given_name: some("Pepe"),
        preferred_middle_name: None,
        preferred_family_name: None,
        identifier: some("4711"),
        grades: vec![grade.into()],
        username: some("jnguyen"),
        email: email.map(Into::into),
        enabled_user: true,
        primary_org: Some("sch-7".into()),
        birth_date: None,
        enrollments: vec![Enrollment {
            school: "sch-7".into(),
            role: RoleType::Primary,
            begin: Some("2026-08-17".parse().expect("a date")),
            end: None,
            exit_reason: None,
            ended: false,
        }],
    }
}

struct Rig {
    test: TestStore,
    queue: ChangeQueue,
    district: DistrictId,
}

impl Rig {
    async fn new() -> Self {
        let test = TestStore::new().await;
        let (district, schools) = test.district(&["sch-7", "sch-8"]).await;
        test.activate(schools[0]).await;
        let queue = ChangeQueue::start(test.store.clone());
        Self { test, queue, district }
    }

    /// The body of the one event that this change makes for a connected school.
    async fn event(&mut self, origin: Origin, act: ChangeAct, line: Option<u64>) -> String {
        let change = ChangeRequest { line, ..request(self.district, "S-100", act) };
        let mut outcomes = self.queue.submit(origin, vec![change]).await.expect("stored");
        outcomes.remove(0).expect("accepted");
        let mut bodies: Vec<String> = Vec::new();
        for committed in self.test.handed_over() {
            if let Committed::Deliveries(deliveries) = committed {
                bodies.extend(deliveries.iter().map(|d| String::from_utf8(d.body.to_vec()).expect("UTF-8")));
            }
        }
        assert_eq!(bodies.len(), 1, "one event");
        bodies.remove(0)
    }
}

fn origin(kind: &'static str) -> Origin {
    Origin { actor: "staff:test".into(), kind, run: None }
}

#[tokio::test]
async fn a_created_and_a_withdrawn_student_are_told_as_in_the_golden_files() {
    let mut rig = Rig::new().await;
    let created = rig.event(origin("api"), ChangeAct::Put(Box::new(fields("07", None, false))), None).await;
    assert_eq!(masked(&created), masked(CREATED));
    let date = Some("2026-11-23".parse().expect("a date"));
    let transfer =
        ChangeAct::Transfer { from: "sch-7".into(), to: "sch-8".into(), date, reason: Some("transfer".into()) };
    let withdrawn = rig.event(origin("staff"), transfer, None).await;
    assert_eq!(masked(&withdrawn), masked(WITHDRAWN));
}

#[tokio::test]
async fn an_update_by_an_import_tells_what_was_before_as_in_the_golden_file() {
    let mut rig = Rig::new().await;
    rig.event(origin("api"), ChangeAct::Put(Box::new(fields("07", None, true))), None).await;
    let run = rollcall_proto::id::RunId::new(rig.test.store.now_ms(), rig.test.entropy.bytes());
    let import = Origin { actor: format!("run:{run}"), kind: "import", run: Some(run) };
    let put = ChangeAct::Put(Box::new(fields("08", Some("jose@example.org"), true)));
    let updated = rig.event(import, put, Some(1042)).await;
    assert_eq!(masked(&updated), masked(UPDATED));
}
