//! The worker: moves every run on, a step of each in turn, so that a large district does not keep a small one waiting.

use std::time::Duration;

use rollcall_proto::id::RunId;

use super::{Imports, plan};
use crate::store::{
    StoreError,
    imports::{self, Run, RunState, applying, staging, undo},
};

/// After a fault, and for what ends by time.
const ROUND: Duration = Duration::from_secs(5);

pub async fn run(imports: Imports) {
    let inner = &imports.0;
    loop {
        // Waiting starts before the look, so that a wake in between is not missed.
        let wake = inner.wake.notified();
        match work(&imports).await {
            Ok(()) => {}
            Err(StoreError::Stopping) => return,
            Err(error) => tracing::error!(%error, "an import was interrupted; it goes on in a few seconds"),
        }
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = wake => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Does everything that there is to do now.
async fn work(imports: &Imports) -> Result<(), StoreError> {
    let store = &imports.0.store;
    fail_interrupted(imports).await?;
    loop {
        let runs = imports::with_work(&mut store.reader().await?).await?;
        if runs.is_empty() {
            break;
        }
        for run in runs {
            if imports.0.stopping.is_cancelled() {
                return Err(StoreError::Stopping);
            }
            let id = run.id;
            match step(imports, run).await {
                Ok(()) => {}
                // No retry can meet this one: its district or key is gone, or its rows are.
                Err(StoreError::Refused(refusal)) => fail(imports, id, refusal.message).await,
                Err(error @ StoreError::Sealed(_)) => fail(imports, id, error.to_string()).await,
                Err(error) => return Err(error),
            }
            imports.told();
        }
    }
    clean(imports).await
}

async fn step(imports: &Imports, run: Run) -> Result<(), StoreError> {
    let (store, id) = (&imports.0.store, run.id);
    match run.state {
        RunState::Checking => plan::plan(imports, id).await,
        RunState::Applying => store.act(move |tx| Box::pin(applying::step(tx, id))).await.map(drop),
        RunState::Undoing => store.act(move |tx| Box::pin(undo::step(tx, id))).await.map(drop),
        _ => Ok(()),
    }
}

/// Runs whose upload an earlier process was reading: the upload went with it.
async fn fail_interrupted(imports: &Imports) -> Result<(), StoreError> {
    let left = imports::being_read(&mut imports.0.store.reader().await?).await?;
    for run in left.into_iter().filter(|run| !imports.is_being_read(*run)) {
        let error = "the server stopped while it read the file: nothing was applied, import it again";
        fail(imports, run, error.into()).await;
    }
    Ok(())
}

/// Ends a run that cannot go on. Where even that fails, the next start finds it.
pub async fn fail(imports: &Imports, run: RunId, error: String) {
    let failed = imports.0.store.act(move |tx| Box::pin(imports::fail(tx, run, error))).await;
    if let Err(error) = failed {
        tracing::error!(%error, %run, "an import run could not be ended");
    }
    imports.moved();
}

/// Staged rows of runs that rest, and what can no longer be undone, go.
async fn clean(imports: &Imports) -> Result<(), StoreError> {
    let store = &imports.0.store;
    let resting = staging::to_clean(&mut store.reader().await?).await?;
    for run in resting {
        while store.act(move |tx| Box::pin(staging::clean(tx, run))).await? {
            stop_if_asked(imports)?;
        }
        imports.told();
    }
    loop {
        let over = applying::to_forget(&mut store.reader().await?, store.now_ms()).await?;
        let Some(run) = over else { return Ok(()) };
        store.act(move |tx| Box::pin(applying::forget_changes(tx, run))).await?;
        stop_if_asked(imports)?;
    }
}

fn stop_if_asked(imports: &Imports) -> Result<(), StoreError> {
    if imports.0.stopping.is_cancelled() { Err(StoreError::Stopping) } else { Ok(()) }
}
