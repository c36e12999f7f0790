//! New key-encryption keys while other transactions make data keys.

use provider_server::{
    sealing::{Keyring, SealingKey},
    store::keys::{self, KeyCache},
};
use tokio::sync::oneshot;

use super::is_shared;
use crate::support::{START_MS, TestStore};

const WAITING: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test]
async fn a_data_key_that_is_being_made_is_wrapped_anew_too() {
    if !is_shared("key rotation") {
        return;
    }
    let test = TestStore::new().await;
    let new = SealingKey::generate(START_MS, &test.entropy);
    let both = Keyring::new(vec![new.clone(), test.store.shared().keys.keyring().current().clone()]);

    let ((made, is_made), (release, released)) = (oneshot::channel(), oneshot::channel::<()>());
    let making = test.store.act(move |tx| {
        Box::pin(async move {
            KeyCache::get_or_create(tx, "district:of-a-first-import").await?;
            made.send(()).expect("waited for");
            released.await.expect("released");
            Ok(())
        })
    });
    let rotating = async {
        is_made.await.expect("made");
        test.store.act(move |tx| Box::pin(async move { keys::rewrap_all(tx, both).await })).await
    };
    let mut rotating = Box::pin(rotating);
    let releasing = async {
        // It waits for the other transaction, or is done without.
        loop {
            tokio::select! {
                rotated = &mut rotating => break Some(rotated),
                waiting = test.texts(WAITING) => if waiting != ["0"] { break None },
            }
        }
    };
    let (making, early) = tokio::join!(making, async {
        let early = releasing.await;
        release.send(()).expect("waited for");
        early
    });
    making.expect("made");
    let rotated = match early {
        Some(rotated) => rotated,
        None => rotating.await,
    };
    assert_eq!(rotated.expect("rotated"), 2, "the installation's own and the new one");

    let only_new = Keyring::new(vec![new]);
    let mut conn = test.store.reader().await.expect("a reader");
    for mut row in conn.query("SELECT scope, wrapped FROM data_keys", vec![]).await.expect("read") {
        let (scope, wrapped): (String, Vec<u8>) = (row.take(0).expect("a scope"), row.take(1).expect("bytes"));
        assert!(only_new.unwrap(&scope, &wrapped).is_ok(), "{scope} is lost with the old key");
    }
}
