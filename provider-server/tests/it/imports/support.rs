//! A district whose imports run as in the server, and zips of the seeded generator.

use std::{io::Cursor, time::Duration};

use provider_server::{
    import::Importer,
    model::access::Scope,
    oneroster::{
        Kind, Profile, StudentRow,
        generator::Roster,
        writer::{self, WriteOptions},
    },
    store::{
        StoreError,
        imports::{self, Run, problems, undoing},
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
    pub importer: Importer,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What staff may do with a run.
pub enum Act {
    Approve { without_deletions: bool },
    Discard,
    Cancel,
    Undo,
}

impl Importing {
    /// A district without schools.
    pub async fn new() -> Self {
        let test = TestStore::new().await;
        let (district, _) = test.district(&[]).await;
        Self::with(test, district).await
    }

    async fn with(test: TestStore, district: DistrictId) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let folder = test.folder().to_owned();
        let importer = Importer::new(test.store.clone(), folder, stopping.clone(), tasks.clone());
        importer.resume().await.expect("taken up");
        Self { test, district, importer, tasks, stopping }
    }

    /// Ends the work where it is, closes the store, and starts both again.
    pub async fn restart(self) -> Self {
        let Self { test, district, importer, tasks, stopping } = self;
        stopping.cancel();
        tasks.close();
        tokio::time::timeout(LIMIT, tasks.wait()).await.expect("the work stops");
        drop(importer);
        Self::with(test.reopen().await, district).await
    }

    /// Uploads a zip, and begins its run.
    pub async fn upload(&self, zip: &[u8]) -> Run {
        // Runs are told apart by their time.
        self.test.clock.advance(1_000);
        let mut upload = self.importer.upload(zip.len() as u64).expect("a file");
        zip.chunks(64 << 10).for_each(|part| upload.write(part).expect("written"));
        let (file, district) = (upload.finish().expect("whole"), self.district);
        let created = self.test.store.act(move |tx| {
            Box::pin(async move { imports::create(tx, district, "staff:test", "roster.zip", "lenient", false).await })
        });
        let run = self.run(created.await.expect("free")).await;
        self.importer.read(run.clone(), file, Profile::Lenient);
        run
    }

    /// What staff do, as the rpcs do it.
    pub async fn act(&self, id: RunId, act: Act) -> Result<(), StoreError> {
        let run = self.run(id).await;
        let (told, goes_on) = (run.clone(), matches!(act, Act::Approve { .. } | Act::Undo));
        let done = self.test.store.act(move |tx| {
            Box::pin(async move {
                let by = "staff:test";
                match act {
                    Act::Approve { without_deletions } => imports::approve(tx, &run, by, without_deletions).await,
                    Act::Discard => imports::discard(tx, &run, by).await,
                    Act::Cancel => imports::cancel(tx, &run, by).await,
                    Act::Undo => undoing::begin(tx, &run, by).await,
                }
            })
        });
        done.await?;
        if goes_on {
            self.importer.go_on(told)
        } else {
            self.importer.ended(id)
        }
        Ok(())
    }

    /// Approves, and waits for the rest.
    pub async fn approve(&self, id: RunId, without_deletions: bool) -> Run {
        self.act(id, Act::Approve { without_deletions }).await.expect("taken");
        self.rests(id).await
    }

    /// The run once `wanted` holds.
    pub async fn until(&self, run: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let mut progress = self.importer.changed();
        let waiting = async {
            loop {
                progress.mark_unchanged();
                let run = self.run(run).await;
                if wanted(&run) {
                    return run;
                }
                assert!(run.state.is_at_work(), "the run rests: {:?} {}", run.state, run.error);
                progress.changed().await.expect("the imports live");
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.expect("in time")
    }

    pub async fn rests(&self, run: RunId) -> Run {
        self.until(run, |run| !run.state.is_at_work()).await
    }

    pub async fn run(&self, run: RunId) -> Run {
        let mut conn = self.test.store.reader().await.expect("a reader");
        imports::get(&mut conn, &Scope::Installation, run).await.expect("the run")
    }

    /// Waits until no staged row is left.
    pub async fn cleaned(&self) {
        let waiting = async {
            while self.count("SELECT COUNT(*) FROM import_rows").await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.expect("in time");
    }

    /// Imports and waits for the rest.
    pub async fn import(&self, zip: &[u8]) -> Run {
        let run = self.upload(zip).await;
        self.rests(run.id).await
    }

    /// Codes and lines of a run's problems.
    pub async fn problems(&self, run: RunId) -> Vec<(String, u64)> {
        let mut conn = self.test.store.reader().await.expect("a reader");
        let page = problems::list(&mut conn, run, "", 0, 1_000).await.expect("a page");
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
    let counts = &run.plan.counts;
    (counts.created, counts.updated, counts.deleted, counts.unchanged)
}

/// Codes of the holds, with the school's sourcedId where it is not the whole file.
pub fn hold_codes(run: &Run) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = run.plan.holds.iter().map(|hold| hold.code.as_str()).collect();
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
