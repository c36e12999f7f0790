//! The sync of a connection that became active: every current student is sent as enrolled, everyone who was sent once
//! and is gone as withdrawn. The cursor is a row, so that a kill resumes it.

use rollcall_proto::id::SchoolId;

use super::{Committed, StoreError, Tx};

/// Makes a school's connection active and starts its sync, in the caller's transaction. Answers the sequence after which
/// a new receiver's window begins.
pub async fn activate(tx: &mut Tx<'_>, school: SchoolId) -> Result<u64, StoreError> {
    let row = tx
        .conn
        .query_optional(
            "UPDATE schools SET state = 'active', reason = '', paused_until_ms = NULL, health = 'ok', retry_at_ms = 0,
                probe_wait_ms = 0, ever_connected = 1, sync_from = $2, connection_version = connection_version + 1
             WHERE school_id = $1 RETURNING head_sequence",
            vec![school.into(), Vec::new().into()],
        )
        .await?;
    let mut row = row.ok_or_else(|| crate::error::Refusal::not_found("the school"))?;
    tx.after_commit(Committed::Connection(school));
    row.take(0)
}
