//! Renaming and deleting schools. A deleted school's row stays as a tombstone under its id, so that what was disclosed to it
//! can be told; its keys do not, so that nothing stored for it can be opened again.

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{
    Committed, Store, StoreError, Tx, Value,
    audit::{self, AuditAct},
    keys::school_scope,
};
use crate::error::Refusal;

/// Renames a school. The name is checked already.
pub async fn rename(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
    name: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE schools SET name = $2 WHERE school_id = $1 AND name <> $2";
    let renamed = tx.conn.execute(sql, vec![school.into(), name.to_owned().into()]).await?;
    if renamed > 0 {
        let act = AuditAct::in_district(district, actor, "school.renamed", school).with_detail(name);
        audit::append(tx, vec![act]).await?;
    }
    Ok(())
}

/// Deletes a school whose name was typed again. Answers the messages that it was not sent.
pub async fn delete(
    store: &Store,
    place: (SchoolId, DistrictId),
    actor: String,
    confirm_name: String,
) -> Result<u64, StoreError> {
    let act = store.act(move |tx| Box::pin(async move { delete_in(tx, place, &actor, &confirm_name).await }));
    let discarded = act.await?;
    // Not before the commit: a reader would fetch the key again.
    store.shared().keys.forget_school(place.0);
    Ok(discarded)
}

async fn delete_in(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
    confirm_name: &str,
) -> Result<u64, StoreError> {
    let sql = "SELECT name, sourced_id FROM schools WHERE school_id = $1 AND state <> 'deleted'";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    let (name, sourced_id): (String, String) = (row.take(0)?, row.take(1)?);
    if name != confirm_name {
        return Err(Refusal::field("confirmName", "is not the school's name: type it exactly").into());
    }
    let sql = "UPDATE events SET state = 'discarded', reason = 'the school was deleted', settled_ms = $2
               WHERE school_id = $1 AND state IN ('pending', 'parked', 'held')";
    let discarded = tx.conn.execute(sql, vec![school.into(), tx.now_ms.into()]).await?;
    let of_school = || vec![Value::from(school)];
    for sql in [
        // Without the key, what is sealed with it is noise: the rows go too, because nobody needs them.
        "DELETE FROM event_bodies WHERE event_id IN (SELECT event_id FROM events WHERE school_id = $1)",
        "DELETE FROM attempt_answers WHERE school_id = $1",
        "DELETE FROM discards WHERE school_id = $1",
        "DELETE FROM school_students WHERE school_id = $1",
        "DELETE FROM secrets WHERE school_id = $1",
        "DELETE FROM codes WHERE school_id = $1",
    ] {
        tx.conn.execute(sql, of_school()).await?;
    }
    let scope = school_scope(school);
    tx.conn.execute("DELETE FROM data_keys WHERE scope = $1", vec![(&scope).into()]).await?;
    // A `#` is in no sourcedId: the old one is free for another school, and this one is found by its id alone.
    let sql = "UPDATE schools SET state = 'deleted', reason = '', sourced_id = $2, url = '', digest_key = $3,
                  installation_token_hash = NULL, installation_host = '', sync_from = NULL, paused_until_ms = NULL,
                  health = 'ok', retry_at_ms = 0, connection_version = connection_version + 1
               WHERE school_id = $1";
    let freed = format!("{sourced_id}#{school}");
    tx.conn.execute(sql, vec![school.into(), freed.into(), Vec::new().into()]).await?;
    let act = AuditAct::in_district(district, actor, "school.deleted", school);
    audit::append(tx, vec![act.with_detail(format!("{sourced_id}, {discarded} messages discarded"))]).await?;
    tx.after_commit(Committed::Connection(school));
    tx.after_commit(Committed::Reload(school));
    Ok(discarded)
}
