//! What one of several servers does for all of them. A chore is held for a while on the database's clock; a server that
//! dies loses it by that.

use std::time::Duration;

use super::{Store, StoreError, nodes::now};

/// Takes a chore, or keeps it; answers whether it is this server's for so long from now. The only server has every chore.
pub async fn take(store: &Store, chore: &'static str, hold: Duration) -> Result<bool, StoreError> {
    if !store.database().is_shared() {
        return Ok(true);
    }
    let (node, hold_ms) = (store.shared().node, hold.as_millis() as u64);
    let sql = concat!(
        "INSERT INTO chores (chore, node_id, until_ms) VALUES ($1, $2, ",
        now!(),
        " + $3) ON CONFLICT (chore) DO UPDATE SET node_id = excluded.node_id, until_ms = excluded.until_ms
            WHERE chores.node_id = excluded.node_id OR chores.until_ms <= ",
        now!()
    );
    let taken = store.act(move |tx| {
        Box::pin(async move { tx.conn.execute(sql, vec![chore.into(), (&node).into(), hold_ms.into()]).await })
    });
    Ok(taken.await? > 0)
}
