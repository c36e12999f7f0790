//! What a PostgreSQL must promise before it is used.

use provider_server::{
    clock::Entropy,
    exit::Failure,
    sealing::{Keyring, SealingKey},
    store::{Store, StoreError},
};

use super::is_shared;
use crate::support::{START_MS, TestDatabase};

/// What a start on this database says.
async fn refusal(database: &TestDatabase) -> String {
    let entropy = Entropy::seeded(1);
    let keyring = Keyring::new(vec![SealingKey::generate(START_MS, &entropy)]);
    let clock = std::sync::Arc::new(provider_server::clock::ManualClock::at(START_MS));
    let error = Store::open(&database.url, [1; 16], keyring, clock, entropy).await.err().expect("refused");
    assert!(matches!(error, StoreError::Unfit(_)), "{error}");
    let failure = Failure::from(error);
    assert_eq!(failure.code, 78, "{failure}");
    failure.message
}

#[tokio::test]
async fn a_server_that_does_not_keep_what_it_commits_is_refused() {
    if !is_shared("demands") {
        return;
    }
    let database = TestDatabase::new();
    database.set("synchronous_commit", "off");
    assert!(refusal(&database).await.contains("synchronous_commit is off"));
    database.set("synchronous_commit", "local");
    database.set("default_transaction_read_only", "on");
    assert!(refusal(&database).await.contains("read-only"));
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_named_without_its_password() {
    if !is_shared("demands") {
        return;
    }
    let database = TestDatabase::new();
    let missing = database.renamed("rollcall_it_nowhere");
    let message = refusal(&missing).await;
    assert!(message.contains("rollcall_it_nowhere") && !message.contains("postgres://"), "{message}");
}
