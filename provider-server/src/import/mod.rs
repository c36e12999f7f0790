//! Imports of rosters: an uploaded zip is read and checked into staged rows, planned against what is there, held where
//! staff must decide, and applied in batches. The database holds all that a restart needs; the zip itself is never kept.

mod planning;
pub mod preview;
mod reading;
mod upload;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use rollcall_proto::id::RunId;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::{access::Scope, import_run::RunState},
    oneroster::Profile,
    store::{
        Store, StoreError,
        imports::{self, Run, applying, staging, surroundings, undoing},
        nodes::NodeId,
    },
    workers,
};

pub use upload::{MAX_UPLOAD_BYTES, Upload};

/// What became of a run that the server was reading when it stopped: its file is gone.
const INTERRUPTED: &str = "the server stopped while it read the file; nothing was applied: upload it again";
/// There was no room for what was read.
const DISK_WAS_FULL: &str =
    "the server's disk was full while the file was read; nothing was applied: free some space and upload it again";
/// A fault of ours; its cause is in the server's log.
const FAULT: &str = "the server could not go on with the run; nothing was applied, its log says more";

/// Files that are read at once: each needs about 60 bytes for each user of its roster.
const MAX_READINGS: usize = 1;
/// How often runs of servers that died are looked for.
const ADOPT: Duration = Duration::from_secs(15);
/// After a fault that may pass, as a full disk does.
const RETRY: Duration = Duration::from_secs(5);

/// Works on runs. Cheap to clone.
#[derive(Clone)]
pub struct Importer {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    /// Where uploads wait, without a name, until they are read.
    folder: PathBuf,
    stopping: CancellationToken,
    tasks: TaskTracker,
    reading: Semaphore,
    /// Cancels the reading of a run.
    readings: Mutex<HashMap<RunId, CancellationToken>>,
    /// Grows whenever a run changed.
    changed: watch::Sender<u64>,
}

impl Importer {
    /// An importer over this store that keeps uploads in `folder`.
    pub fn new(store: Store, folder: PathBuf, stopping: CancellationToken, tasks: TaskTracker) -> Self {
        let (reading, readings) = (Semaphore::new(MAX_READINGS), Mutex::default());
        let changed = watch::Sender::new(0);
        Self { shared: Arc::new(Shared { store, folder, stopping, tasks, reading, readings, changed }) }
    }

    /// Takes up what the last run of the server left and, on a shared database, what other servers left that are dead.
    /// Runs whose file was still being read are void.
    pub async fn resume(&self) -> Result<(), StoreError> {
        self.adopt(None).await?;
        self.spawn_clearing();
        if self.shared.store.database().is_shared() {
            let importer = self.clone();
            let watching = async move { importer.watch().await };
            workers::spawn(&self.shared.tasks, &self.shared.store, "import", watching);
        }
        Ok(())
    }

    async fn watch(&self) {
        loop {
            tokio::select! {
                () = self.shared.stopping.cancelled() => return,
                () = tokio::time::sleep(ADOPT) => {}
            }
            if let Err(error) = self.adopt(Some(self.shared.store.shared().node)).await {
                tracing::warn!(%error, "runs of servers that died are looked for again");
            }
        }
    }

    async fn adopt(&self, but: Option<NodeId>) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let left = imports::at_work(&mut store.reader().await?, but).await?;
        for run in left {
            let id = run.id;
            if !store.act(move |tx| Box::pin(imports::adopt(tx, id))).await? {
                continue;
            }
            if run.state == RunState::Checking && run.phase == "reading" {
                store.act(move |tx| Box::pin(async move { imports::fail(tx, &run, INTERRUPTED).await })).await?;
            } else {
                self.spawn(run);
            }
        }
        Ok(())
    }

    /// A file that is being uploaded.
    pub fn upload(&self, size_bytes: u64) -> std::io::Result<Upload> {
        Upload::new(&self.shared.folder, size_bytes)
    }

    /// Reads an uploaded file for a run that was just registered.
    pub fn read(&self, run: Run, file: std::fs::File, profile: Profile) {
        let (importer, cancelled) = (self.clone(), self.shared.stopping.child_token());
        self.readings().insert(run.id, cancelled.clone());
        let work = async move {
            let id = run.id;
            // Never closed; a run that is cancelled while it waits ends at its first batch.
            let turn = importer.shared.reading.acquire().await;
            let read = reading::read(&importer.shared.store, &run, file, profile, cancelled, || importer.tell()).await;
            drop(turn);
            importer.readings().remove(&id);
            match read {
                Ok(reading::End::Read) => importer.work(id).await,
                Ok(reading::End::Refused(why)) => importer.fail(run, &why).await,
                // Cancelled, or void at the next start.
                Ok(reading::End::Stopped) => importer.tell(),
                Err(error) => importer.give_up(run, error).await,
            }
            importer.clear().await;
        };
        workers::spawn(&self.shared.tasks, &self.shared.store, "import", work);
    }

    /// Goes on with a run that staff just decided about.
    pub fn go_on(&self, run: Run) {
        self.tell();
        self.spawn(run);
    }

    /// A run was cancelled or discarded: stops its reading and clears its rows.
    pub fn ended(&self, run: RunId) {
        if let Some(reading) = self.readings().remove(&run) {
            reading.cancel();
        }
        self.tell();
        self.spawn_clearing();
    }

    /// Changes whenever a run changed.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn spawn(&self, run: Run) {
        let importer = self.clone();
        let work = async move {
            importer.work(run.id).await;
            importer.clear().await;
        };
        workers::spawn(&self.shared.tasks, &self.shared.store, "import", work);
    }

    fn spawn_clearing(&self) {
        let importer = self.clone();
        workers::spawn(&self.shared.tasks, &self.shared.store, "import", async move { importer.clear().await });
    }

    /// Plans, applies or undoes until the run rests. Then it is not looked at again: staff may have sent it on already, and
    /// that began another worker, beside which this one would plan and apply it a second time.
    async fn work(&self, id: RunId) {
        loop {
            let run = match self.current(id).await {
                Ok(run) if run.state.is_at_work() && !self.shared.stopping.is_cancelled() => run,
                Ok(_) => return self.tell(),
                Err(error) => return tracing::error!(run = %id, %error, "a run goes on at the next start"),
            };
            let step = match run.state {
                RunState::Checking => planning::plan(&self.shared.store, run.clone()).await,
                RunState::Applying => self.apply(run.clone()).await.map(|()| false),
                _ => self.undo(run.clone()).await.map(|()| false),
            };
            self.tell();
            match step {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) if may_pass(&error) => {
                    tracing::warn!(run = %id, %error, "a run was interrupted and is tried again");
                    tokio::select! {
                        () = self.shared.stopping.cancelled() => return,
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
                Err(error) => return self.give_up(run, error).await,
            }
        }
    }

    async fn apply(&self, run: Run) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let birth_date = surroundings::keeps_birth_dates(&mut store.reader().await?, run.district).await?;
        while !self.shared.stopping.is_cancelled() {
            let batch = run.clone();
            if !store.act(move |tx| Box::pin(applying::apply_batch(tx, batch, birth_date))).await? {
                break;
            }
            self.tell();
        }
        Ok(())
    }

    async fn undo(&self, run: Run) -> Result<(), StoreError> {
        while !self.shared.stopping.is_cancelled() {
            let batch = run.clone();
            if !self.shared.store.act(move |tx| Box::pin(undoing::undo_batch(tx, batch))).await? {
                break;
            }
            self.tell();
        }
        Ok(())
    }

    async fn current(&self, id: RunId) -> Result<Run, StoreError> {
        imports::get(&mut self.shared.store.reader().await?, &Scope::Installation, id).await
    }

    /// Marks a run as failed, once the database takes that: until then the district could begin no other one.
    async fn fail(&self, run: Run, why: &str) {
        let id = run.id;
        loop {
            let (run, why) = (run.clone(), why.to_owned());
            let act = self.shared.store.act(move |tx| Box::pin(async move { imports::fail(tx, &run, &why).await }));
            match act.await {
                Err(error) if may_pass(&error) && !self.shared.stopping.is_cancelled() => {
                    tracing::warn!(run = %id, %error, "a failed run is marked so later");
                    tokio::select! {
                        () = self.shared.stopping.cancelled() => {}
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
                Err(error) => {
                    tracing::error!(run = %id, %error, "a failed run could not be marked so");
                    break;
                }
                Ok(()) => break,
            }
        }
        self.tell();
    }

    /// A fault: a run that has applied nothing fails, another one goes on at the next start.
    async fn give_up(&self, run: Run, error: StoreError) {
        if matches!(error, StoreError::Stopping) {
            return;
        }
        tracing::error!(run = %run.id, %error, "an import met a fault");
        self.fail(run, if matches!(error, StoreError::DiskFull) { DISK_WAS_FULL } else { FAULT }).await;
    }

    /// Deletes the staged rows of runs that are done.
    async fn clear(&self) {
        let store = &self.shared.store;
        let cleared = async {
            while let Some(run) = staging::any_left(&mut store.reader().await?).await? {
                while !self.shared.stopping.is_cancelled()
                    && store.act(move |tx| Box::pin(staging::clear(tx, run))).await?
                {}
                if self.shared.stopping.is_cancelled() {
                    break;
                }
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = cleared.await {
            tracing::warn!(%error, "staged rows are cleared after the next import or at the next start");
        }
    }

    fn tell(&self) {
        self.shared.changed.send_modify(|count| *count += 1);
    }

    fn readings(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        self.shared.readings.lock().expect("no holder of this lock panics")
    }
}

/// Whether the same step may go well later.
fn may_pass(error: &StoreError) -> bool {
    use StoreError::{Conflict, Database, DiskFull, Unreachable};
    matches!(error, DiskFull | Database(_) | Unreachable | Conflict)
}
