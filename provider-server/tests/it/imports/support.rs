//! A district whose imports run as in the server, and zips of the seeded generator.

use std::{io::Cursor, time::Duration};

use provider_server::{
    import::{Imports, NewImport},
    oneroster::{
        Kind, Profile, StudentRow,
        generator::Roster,
        writer::{self, WriteOptions},
    },
    store::{
        StoreError,
        imports::{self, Run, problems},
    },
};
use rollcall_proto::id::{DistrictId, RunId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::TestStore;

/// A test that waits longer has found a defect.
const LIMIT: Duration = Duration::from_secs(120);

pub const ROSTER: Roster = Roster { seed: 11, schools: 3, students: 600, year: 2026 };

/// The importing half of a server.
pub struct Importing {
    pub test: TestStore,
    pub district: DistrictId,
    pub imports: Imports,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Importing {
    /// A district without schools.
    pub async fn new() -> Self {
        let test = TestStore::new().await;
        let (district, _) = test.district(&[]).await;
        Self::with(test, district)
    }

    fn with(test: TestStore, district: DistrictId) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let folder = test.folder().join("uploads");
        let imports = Imports::new(test.store.clone(), folder, tasks.clone(), stopping.clone());
        tasks.spawn(imports.clone().run());
        Self { test, district, imports, tasks, stopping }
    }

    /// Ends the worker where it is, closes the store, and starts both again.
    pub async fn restart(self) -> Self {
        let Self { test, district, imports, tasks, stopping } = self;
        stopping.cancel();
        tasks.close();
        tokio::time::timeout(LIMIT, tasks.wait()).await.expect("the worker stops");
        drop(imports);
        Self::with(test.reopen().await, district)
    }

    /// Uploads a zip, in parts.
    pub async fn upload(&self, zip: &[u8]) -> Result<Run, StoreError> {
        // Runs are told apart by their time.
        self.test.clock.advance(1_000);
        let mut upload = self.imports.begin_upload(self.district, zip.len() as u64).await?;
        for part in zip.chunks(64 << 10) {
            upload.write(part).await?;
        }
        let (actor, file_name) = ("staff:test".to_owned(), "roster.zip".to_owned());
        let new = NewImport { district: self.district, actor, file_name, profile: Profile::Lenient };
        self.imports.start(upload, new).await
    }

    /// The run once `wanted` holds.
    pub async fn until(&self, run: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let mut progress = self.imports.progress();
        let waiting = async {
            loop {
                progress.mark_unchanged();
                let run = self.run(run).await;
                if wanted(&run) {
                    return run;
                }
                assert!(!run.state.rests(), "the run rests: {:?} {}", run.state, run.error);
                progress.changed().await.expect("the imports live");
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.expect("in time")
    }

    pub async fn rests(&self, run: RunId) -> Run {
        self.until(run, |run| run.state.rests()).await
    }

    pub async fn run(&self, run: RunId) -> Run {
        imports::get(&mut self.test.store.reader().await.expect("a reader"), run).await.expect("the run")
    }

    /// Waits until no staged row is left.
    pub async fn cleaned(&self) {
        let mut progress = self.imports.progress();
        let waiting = async {
            loop {
                progress.mark_unchanged();
                if self.count("SELECT COUNT(*) FROM import_rows").await == 0 {
                    return;
                }
                progress.changed().await.expect("the imports live");
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.expect("in time");
    }

    /// Imports and waits for the rest.
    pub async fn import(&self, zip: &[u8]) -> Run {
        let run = self.upload(zip).await.expect("taken");
        self.rests(run.id).await
    }

    /// Codes and lines of a run's problems.
    pub async fn problems(&self, run: RunId) -> Vec<(String, u64)> {
        let mut conn = self.test.store.reader().await.expect("a reader");
        let page = problems::page(&mut conn, run, "", 0, 1_000).await.expect("a page");
        page.into_iter().map(|problem| (problem.code, problem.line)).collect()
    }

    /// Every student as text, but for times: `sourcedId status version doc`.
    pub async fn students(&self) -> Vec<String> {
        let sql =
            "SELECT sourced_id || ' ' || status || ' ' || version || ' ' || doc FROM students ORDER BY sourced_id";
        self.test.texts(sql).await
    }

    /// Rows of a table.
    pub async fn count(&self, sql: &'static str) -> u64 {
        let mut conn = self.test.store.reader().await.expect("a reader");
        conn.query(sql, vec![]).await.expect("a query").remove(0).take(0).expect("a number")
    }
}

/// Created, updated, deleted, unchanged.
pub fn counts(run: &Run) -> (u64, u64, u64, u64) {
    let counts = &run.detail.counts;
    (counts.created, counts.updated, counts.deleted, counts.unchanged)
}

/// Codes of the holds, with the school's sourcedId where it is not the whole file.
pub fn hold_codes(run: &Run) -> Vec<&'static str> {
    let mut codes: Vec<&str> = run.detail.holds().iter().map(|hold| hold.code.as_str()).collect();
    codes.dedup();
    codes
}

pub fn zip_of(kind: Kind, students: &[StudentRow]) -> Vec<u8> {
    let options = WriteOptions { kind, at: "2026-11-20T06:00:00Z".parse().expect("a time"), birth_dates: false };
    let out = writer::write(Cursor::new(Vec::new()), &options, &ROSTER.orgs(), students.iter()).expect("a zip");
    out.into_inner()
}

pub fn bulk(students: &[StudentRow]) -> Vec<u8> {
    zip_of(Kind::Bulk, students)
}
