//! Imports of OneRoster zips: upload → read + check → stage → plan and hold → apply, each step durable before the next.
//!
//! An upload is a nameless file in the data folder; once it is whole the run is registered, and a thread reads it through
//! every check while rows are staged in the database, sealed. From then on the file is not needed: the worker plans,
//! holds, applies and undoes from rows, and goes on where it was after a restart.

mod plan;
mod read;
mod tally;
mod upload;
mod worker;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rollcall_proto::id::{DistrictId, RunId};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    error::{Refusal, RefusalKind},
    oneroster::Profile,
    store::{
        Store, StoreError,
        imports::{self, NewRun, Run},
    },
};

pub use upload::{MAX_UPLOAD_BYTES, Upload};

/// Uploads under way at once.
const MAX_UPLOADS: usize = 8;
/// Files that are read at once; each needs about 60 bytes per user of its roster.
const MAX_READING: usize = 1;

/// The imports of a server. Cheap to clone.
#[derive(Clone)]
pub struct Imports(Arc<Inner>);

struct Inner {
    store: Store,
    folder: PathBuf,
    tasks: TaskTracker,
    stopping: CancellationToken,
    uploads: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    /// Runs that this process reads; others that are being read were left by one that ended.
    being_read: Mutex<HashSet<RunId>>,
    /// Wakes the worker.
    wake: Notify,
    /// Changes with every step of any run.
    progress: watch::Sender<u64>,
}

/// A file to import.
pub struct NewImport {
    pub district: DistrictId,
    /// `staff:NAME`
    pub actor: String,
    pub file_name: String,
    pub profile: Profile,
}

impl Imports {
    /// Imports of this store. Uploads lie in `folder`; `tasks` waits for what is read.
    pub fn new(store: Store, folder: PathBuf, tasks: TaskTracker, stopping: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            store,
            folder,
            tasks,
            stopping,
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            reading: Arc::new(Semaphore::new(MAX_READING)),
            being_read: Mutex::default(),
            wake: Notify::new(),
            progress: watch::Sender::new(0),
        }))
    }

    /// Plans, applies and undoes until told to stop: first what an earlier process left.
    pub async fn run(self) {
        worker::run(self).await;
    }

    /// Takes an upload of exactly `size_bytes`. Refused where the district has a run already.
    pub async fn begin_upload(&self, district: DistrictId, size_bytes: u64) -> Result<Upload, StoreError> {
        imports::check_free(&mut self.0.store.reader().await?, district).await?;
        let permit = self.0.uploads.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(RefusalKind::Exhausted, "too many uploads are under way: try again in a minute")
        })?;
        Upload::begin(&self.0.folder, size_bytes, permit).await
    }

    /// Registers the run of a whole upload; reading and everything after it go on by themselves.
    pub async fn start(&self, upload: Upload, new: NewImport) -> Result<Run, StoreError> {
        let file = upload.finish().await?;
        let store = &self.0.store;
        let id = RunId::new(store.now_ms(), store.shared().entropy.bytes());
        let (district, profile) = (new.district, new.profile);
        let run = NewRun { district, actor: new.actor, file_name: new.file_name, profile: profile.as_str() };
        self.set_being_read(id, true);
        let registered = store.act(move |tx| Box::pin(imports::register(tx, id, run))).await;
        if let Err(error) = registered {
            self.set_being_read(id, false);
            return Err(error);
        }
        let task = self.clone();
        self.0.tasks.spawn(async move {
            // A run that fails here, by a panic too, must not look as if it were read for ever.
            let read = tokio::spawn({
                let task = task.clone();
                async move { read::read(&task, id, district, profile, file).await }
            });
            if !matches!(read.await, Ok(Ok(()))) && !task.0.stopping.is_cancelled() {
                let error = "the server had a fault while it read the file: import it again";
                worker::fail(&task, id, error.into()).await;
            }
            task.set_being_read(id, false);
            task.moved();
        });
        self.moved();
        imports::get(&mut store.reader().await?, id).await
    }

    /// Takes a held run up again; see the store.
    pub async fn approve(&self, run: RunId, by: String, without_deletions: bool) -> Result<Run, StoreError> {
        let store = &self.0.store;
        store.act(move |tx| Box::pin(async move { imports::approve(tx, run, &by, without_deletions).await })).await?;
        self.after_act(run).await
    }

    /// Ends a held run.
    pub async fn discard(&self, run: RunId, by: String) -> Result<Run, StoreError> {
        self.0.store.act(move |tx| Box::pin(async move { imports::discard(tx, run, &by).await })).await?;
        self.after_act(run).await
    }

    /// Stops a run; what was applied stays.
    pub async fn cancel(&self, run: RunId, by: String) -> Result<Run, StoreError> {
        self.0.store.act(move |tx| Box::pin(async move { imports::cancel(tx, run, &by).await })).await?;
        self.after_act(run).await
    }

    /// Begins the undo of a run.
    pub async fn undo(&self, run: RunId, by: String) -> Result<Run, StoreError> {
        self.0.store.act(move |tx| Box::pin(async move { imports::undo::begin(tx, run, &by).await })).await?;
        self.after_act(run).await
    }

    async fn after_act(&self, run: RunId) -> Result<Run, StoreError> {
        self.moved();
        imports::get(&mut self.0.store.reader().await?, run).await
    }

    /// Changes with every step of any run.
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.0.progress.subscribe()
    }

    /// Tells those who watch, and the worker.
    fn moved(&self) {
        self.told();
        self.0.wake.notify_one();
    }

    /// Tells those who watch.
    fn told(&self) {
        self.0.progress.send_modify(|count| *count += 1);
    }

    fn set_being_read(&self, run: RunId, on: bool) {
        let mut set = self.0.being_read.lock().expect("no holder of this lock panics");
        let _ = if on { set.insert(run) } else { set.remove(&run) };
    }

    fn is_being_read(&self, run: RunId) -> bool {
        self.0.being_read.lock().expect("no holder of this lock panics").contains(&run)
    }
}
