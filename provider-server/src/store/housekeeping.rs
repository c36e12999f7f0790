//! What ends by itself: pauses, retiring secrets, unconfirmed handoffs, codes, sessions, limits. And what is kept by the
//! hour.

use rollcall_proto::id::SchoolId;

use super::{
    Committed, Store, StoreError, Tx, codes, imports, limits, log::discard, overview::waiting,
    school_connection::NO_SECRET, staff,
};
use crate::crash;

/// Old sessions and limits are deleted every this many rounds.
const PURGE_EVERY: u64 = 600;
const MAX_SCHOOLS: i64 = 500;

/// One round: reads first, and writes only where something is due.
pub async fn round(store: &Store, round: u64) -> Result<(), StoreError> {
    let now_ms = store.now_ms();
    let due = {
        let sql = "SELECT 1 FROM schools WHERE state = 'paused' AND paused_until_ms <= $1
                   UNION ALL SELECT 1 FROM secrets WHERE state = 'retiring' AND expires_ms <= $1 LIMIT 1";
        let mut conn = store.reader().await?;
        conn.query_optional(sql, vec![now_ms.into()]).await?.is_some() || codes::any_expired(&mut conn, now_ms).await?
    };
    if due {
        store.act(|tx| Box::pin(end_due(tx))).await?;
    }
    waiting::keep_hour(store).await?;
    if round.is_multiple_of(PURGE_EVERY) {
        store.act(|tx| Box::pin(purge(tx))).await?;
        store.act(|tx| Box::pin(imports::undoing::purge(tx))).await?;
    }
    Ok(())
}

async fn end_due(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "SELECT school_id FROM schools WHERE state = 'paused' AND paused_until_ms <= $1
               UNION SELECT school_id FROM secrets WHERE state = 'retiring' AND expires_ms <= $1";
    let due = tx.conn.query(sql, vec![tx.now_ms.into()]).await?;
    let due = due.into_iter().map(|mut row| row.take(0)).collect::<Result<Vec<SchoolId>, _>>()?;
    tx.lock_schools(due).await?;
    let resumed = tx
        .conn
        .query(
            "UPDATE schools SET paused_until_ms = NULL,
                state = CASE WHEN EXISTS (SELECT 1 FROM secrets s WHERE s.school_id = schools.school_id AND
                    (s.state = 'active' OR (s.state = 'retiring' AND s.expires_ms > $1))) THEN 'active' ELSE 'revoked' END,
                reason = CASE WHEN EXISTS (SELECT 1 FROM secrets s WHERE s.school_id = schools.school_id AND
                    (s.state = 'active' OR (s.state = 'retiring' AND s.expires_ms > $1))) THEN '' ELSE $3 END
             WHERE school_id IN (SELECT school_id FROM schools WHERE state = 'paused' AND paused_until_ms <= $1 LIMIT $2)
             RETURNING school_id",
            vec![tx.now_ms.into(), MAX_SCHOOLS.into(), NO_SECRET.into()],
        )
        .await?;
    codes::end_expired(tx, MAX_SCHOOLS).await?;
    // An ended secret leaves nothing behind but its fingerprint.
    let ended = tx
        .conn
        .query(
            "UPDATE secrets SET state = 'ended', sealed = $3, nonce = NULL
             WHERE secret_id IN (SELECT secret_id FROM secrets WHERE state = 'retiring' AND expires_ms <= $1 LIMIT $2)
             RETURNING school_id",
            vec![tx.now_ms.into(), MAX_SCHOOLS.into(), Vec::new().into()],
        )
        .await?;
    let mut schools: Vec<SchoolId> = Vec::new();
    for mut row in resumed.into_iter().chain(ended) {
        schools.push(row.take(0)?);
    }
    schools.sort_unstable();
    schools.dedup();
    for school in schools {
        let sql = "UPDATE schools SET connection_version = connection_version + 1 WHERE school_id = $1";
        tx.conn.execute(sql, vec![school.into()]).await?;
        tx.after_commit(Committed::Connection(school));
    }
    Ok(())
}

async fn purge(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    crash::point("purge");
    limits::purge(tx).await?;
    discard::purge(tx).await?;
    staff::purge_sessions(tx).await
}
