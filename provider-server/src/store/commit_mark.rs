//! How the outcome of a commit is found where the connection was lost in it: each transaction of a writer leaves its id
//! in the writer's row. Whoever asks locks the row, and so waits for the end of the lost transaction.

use super::{Conn, Shared, StoreError};

/// Names one transaction.
pub type CommitId = [u8; 16];

/// Rows of writers that ended are deleted after this time, ms.
const KEPT_MS: i64 = 30 * 86_400_000;

/// A writer's row.
pub struct Mark {
    writer: [u8; 16],
}

impl Mark {
    /// Makes the row.
    pub async fn register(conn: &mut Conn, shared: &Shared) -> Result<Self, StoreError> {
        let (writer, now_ms) = (shared.entropy.bytes::<16>(), shared.clock.now_ms());
        conn.execute("DELETE FROM writers WHERE at_ms < $1", vec![(now_ms - KEPT_MS).into()]).await?;
        let sql = "INSERT INTO writers (writer_id, commit_id, at_ms) VALUES ($1, $2, $3)";
        conn.execute(sql, vec![(&writer).into(), Vec::new().into(), now_ms.into()]).await?;
        Ok(Self { writer })
    }

    /// Leaves the id of the transaction under way, which is about to be committed.
    pub async fn set(&self, conn: &mut Conn, id: CommitId, now_ms: i64) -> Result<(), StoreError> {
        let sql = "UPDATE writers SET commit_id = $2, at_ms = $3 WHERE writer_id = $1";
        match conn.execute(sql, vec![(&self.writer).into(), (&id).into(), now_ms.into()]).await? {
            1 => Ok(()),
            _ => Err(StoreError::Corrupt("the row of a running writer was deleted")),
        }
    }

    /// Whether this transaction was committed; waits for its end.
    pub async fn stands(&self, conn: &mut Conn, id: CommitId) -> Result<bool, StoreError> {
        let sql = "SELECT commit_id FROM writers WHERE writer_id = $1 FOR UPDATE";
        let row = conn.query_optional(sql, vec![(&self.writer).into()]).await?;
        let last: Option<Vec<u8>> = row.map(|mut row| row.take(0)).transpose()?;
        Ok(last.is_some_and(|last| last == id))
    }
}
