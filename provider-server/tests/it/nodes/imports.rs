//! A server that is silent while it plans an import, and goes on when another one has taken it over.

use provider_server::{
    model::access::Scope,
    store::{
        Store,
        imports::{
            self, Run,
            plan::Plan,
            staging::{self, Staged, StagedRow},
        },
    },
};
use rollcall_proto::id::RunId;

use super::is_shared;
use crate::support::TestStore;

const ROWS: &str = "SELECT sourced_id FROM import_rows ORDER BY row_number";
const STATES: &str = "SELECT state FROM import_runs";

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

async fn run(store: &Store, id: RunId) -> Run {
    let mut conn = store.reader().await.expect("a reader");
    imports::get(&mut conn, &Scope::Installation, id).await.expect("the run")
}

async fn add(store: &Store, run: &Run, sourced_id: &'static str) -> bool {
    let run = run.clone();
    let row = StagedRow { number: 1, sourced_id: sourced_id.into(), line: 1, what: Staged::Rejected };
    let added = store.act(move |tx| Box::pin(async move { staging::add(tx, &run, vec![row], 1).await }));
    added.await.expect("told")
}

async fn add_absent(store: &Store, run: &Run, sourced_id: &'static str) -> bool {
    let run = run.clone();
    let added =
        store.act(move |tx| Box::pin(async move { staging::add_absent(tx, &run, vec![sourced_id.into()]).await }));
    added.await.expect("told")
}

async fn forget_absent(store: &Store, id: RunId) -> bool {
    store.act(move |tx| Box::pin(staging::forget_absent(tx, id))).await.expect("told")
}

async fn planned(store: &Store, run: &Run) -> bool {
    let run = run.clone();
    let planned = store
        .act(move |tx| Box::pin(async move { imports::planned(tx, &run, &Plan::default(), Vec::new(), false).await }));
    planned.await.expect("told")
}

#[tokio::test]
async fn whoever_lost_an_import_to_another_server_stages_and_plans_no_more() {
    if !is_shared("an import") {
        return;
    }
    let silent = TestStore::new().await;
    let other = silent.beside(1).await;
    let (district, _) = silent.district(&["a"]).await;
    let id = silent.store.act(move |tx| {
        Box::pin(async move { imports::create(tx, district, "staff:test", "roster.zip", "lenient", false).await })
    });
    let run = run(&silent.store, id.await.expect("free")).await;
    assert!(add(&silent.store, &run, "S-1").await);
    assert!(add_absent(&silent.store, &run, "S-2").await);

    // The silent one's lease was never renewed: it does not live.
    let adopted = other.store.act(move |tx| Box::pin(imports::adopt(tx, run.id)));
    assert!(adopted.await.expect("told"));
    assert!(!add(&silent.store, &run, "S-3").await);
    assert!(!add_absent(&silent.store, &run, "S-4").await);
    assert!(!forget_absent(&silent.store, run.id).await);
    assert!(!planned(&silent.store, &run).await);
    assert_eq!((silent.texts(ROWS).await, silent.texts(STATES).await), (texts(&["S-1", "S-2"]), texts(&["checking"])));

    assert!(forget_absent(&other.store, run.id).await);
    assert!(add_absent(&other.store, &run, "S-5").await);
    assert!(planned(&other.store, &run).await);
    assert!(!planned(&other.store, &run).await, "it is applied now");
    assert_eq!((silent.texts(ROWS).await, silent.texts(STATES).await), (texts(&["S-1", "S-5"]), texts(&["applying"])));
}
