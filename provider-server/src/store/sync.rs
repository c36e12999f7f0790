//! The sync of a connection that became active: every current student is sent as enrolled, everyone who was sent once
//! and is gone as withdrawn or deleted. Earlier undelivered events are superseded by it. The cursor is a row, so that a
//! kill resumes it.

use std::time::Duration;

use rollcall_proto::{
    id::{ChangeId, DistrictId, SchoolId, StudentId},
    webhook::event::{EventType, Source},
};
use tokio_util::sync::CancellationToken;

use super::{
    Committed, Store, StoreError, Tx, Value,
    changes::{
        batch::{Batch, KnownSchool},
        read_status,
    },
    nodes, student_doc,
};
use crate::{
    error::Refusal,
    model::{
        projection::{SchoolChange, project},
        student::{Status, Student},
    },
};

/// How often syncs of other servers are looked for, where there may be some.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Students in one transaction.
const PAGE: i64 = 500;

/// Makes a school's connection active and starts its sync, in the caller's transaction. Answers the sequence after which
/// a new receiver's window begins.
pub async fn activate(tx: &mut Tx<'_>, school: SchoolId) -> Result<u64, StoreError> {
    tx.lock_schools([school]).await?;
    let row = tx
        .conn
        .query_optional(
            "UPDATE schools SET state = 'active', reason = '', paused_until_ms = NULL, health = 'ok', retry_at_ms = 0,
                probe_wait_ms = 0, ever_connected = 1, sync_from = $2, connection_version = connection_version + 1
             WHERE school_id = $1 RETURNING head_sequence",
            vec![school.into(), Vec::new().into()],
        )
        .await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    nodes::open_lane(tx, school).await?;
    tx.after_commit(Committed::Connection(school));
    row.take(0)
}

/// Runs all syncs until told to stop: those left by an earlier run first, then each as it starts.
pub async fn run(store: Store, stop: CancellationToken) {
    loop {
        // Waiting starts before the look, so that a wake in between is not missed.
        let wake = store.shared().sync_wake.notified();
        let synced = sync_all(&store, &stop).await;
        if matches!(synced, Err(StoreError::Stopping)) {
            return;
        }
        // What failed is tried again; and where there are other servers, the one that began a sync may be dead.
        let looks_again = synced.is_err() || store.database().is_shared();
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake => {}
            () = tokio::time::sleep(LOOK_EVERY), if looks_again => {}
        }
    }
}

/// A page for each school, until none is left. A school that fails keeps no other one waiting: it is told at the end.
async fn sync_all(store: &Store, stop: &CancellationToken) -> Result<(), StoreError> {
    let (mut after, mut is_done, mut failed) = (Vec::new(), true, Ok(()));
    loop {
        let sql = "SELECT school_id FROM schools WHERE sync_from IS NOT NULL AND school_id > $1
                   ORDER BY school_id LIMIT 100";
        let rows = store.reader().await?.query(sql, vec![after.clone().into()]).await?;
        if rows.is_empty() && (is_done || failed.is_err()) {
            return failed;
        }
        if rows.is_empty() {
            (after, is_done) = (Vec::new(), true);
        }
        for mut row in rows {
            let school: SchoolId = row.take(0)?;
            if stop.is_cancelled() {
                return Ok(());
            }
            is_done = false;
            after = school.as_bytes().to_vec();
            match store.act(move |tx| Box::pin(sync_page(tx, school))).await {
                Ok(()) => {}
                Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                Err(error) => {
                    tracing::error!(%school, %error, "a sync was interrupted; it is tried again");
                    failed = Err(error);
                }
            }
        }
    }
}

/// Sends the next page of a school's students and moves the cursor.
async fn sync_page(tx: &mut Tx<'_>, school: SchoolId) -> Result<(), StoreError> {
    tx.lock_schools([school]).await?;
    let sql = "SELECT s.sync_from, s.sourced_id, s.head_sequence, d.district_id, d.sourced_id, d.birth_date
               FROM schools s JOIN districts d ON d.district_id = s.district_id
               WHERE s.school_id = $1 AND s.sync_from IS NOT NULL";
    let Some(mut row) = tx.conn.query_optional(sql, vec![school.into()]).await? else { return Ok(()) };
    let cursor = String::from_utf8(row.take(0)?).map_err(|_| StoreError::Corrupt("a sync cursor is unreadable"))?;
    let (school_sourced_id, head): (String, u64) = (row.take(1)?, row.take(2)?);
    let district: DistrictId = row.take(3)?;
    let mut batch = Batch::default();
    batch.add_district(district, row.take(4)?, row.take(5)?);
    let keys = tx.shared.keys.school(tx.conn, school).await?;
    let known = KnownSchool { id: school, head_sequence: head, ever_connected: true, moved: false, keys };
    batch.schools.insert((district, school_sourced_id.clone()), known);

    let sql = "SELECT p.sourced_id, p.student_id, p.present, p.version, p.modified_ms, p.last_sequence, s.status, s.doc
               FROM school_students p JOIN students s ON s.student_id = p.student_id
               WHERE p.school_id = $1 AND p.sourced_id > $2 ORDER BY p.sourced_id LIMIT $3";
    let rows = tx.conn.query(sql, vec![school.into(), cursor.clone().into(), PAGE.into()]).await?;
    let finished = rows.len() < PAGE as usize;
    let (mut last, mut students) = (cursor, Vec::with_capacity(rows.len()));
    for mut row in rows {
        let student = Student {
            sourced_id: row.take(0)?,
            status: read_status(&row.take::<String>(6)?)?,
            version: row.take(3)?,
            modified_ms: row.take(4)?,
            fields: student_doc::read(&row.take::<String>(7)?)?,
        };
        let (id, present, sent): (StudentId, bool, u64) = (row.take(1)?, row.take(2)?, row.take(5)?);
        last = student.sourced_id.clone();
        students.push(Value::from(id));
        let Some(change) = current_state(&student, &school_sourced_id, present, sent > 0) else { continue };
        let change_id = ChangeId::new(tx.now_ms, tx.shared.entropy.bytes());
        let source = Source { kind: "sync".into(), run_id: None, line: None };
        batch.add_event(tx, (district, &school_sourced_id), id, change_id, &student, change, source);
    }
    let sql = "UPDATE events SET state = 'superseded', reason = 'a sync sends the current state', settled_ms = $2
               WHERE school_id = $1 AND sequence <= $3 AND state IN ('pending', 'parked', 'held')
                 AND student_id IN {list} RETURNING sequence";
    let fixed = vec![school.into(), tx.now_ms.into(), head.into()];
    let superseded = tx.conn.query_list(sql, fixed, students).await?;
    batch.write_events(tx).await?;
    let next = if finished { Value::Null } else { last.into_bytes().into() };
    let sql = "UPDATE schools SET sync_from = $2 WHERE school_id = $1";
    tx.conn.execute(sql, vec![school.into(), next]).await?;
    if !superseded.is_empty() {
        tx.after_commit(Committed::Reload(school));
    }
    Ok(())
}

/// What tells a school how a student stands there now; `None` where it was never told of a student who is gone.
pub(super) fn current_state(student: &Student, school: &str, present: bool, sent: bool) -> Option<SchoolChange> {
    let gone = |event_type| SchoolChange { event_type, object: None, previous_attributes: None };
    match present {
        true => {
            let object = project(student, school, student.version, student.modified_ms)?;
            let event_type = EventType::StudentEnrolled;
            Some(SchoolChange { event_type, object: Some(object), previous_attributes: None })
        }
        false if !sent => None,
        false if student.status != Status::Active => Some(gone(EventType::StudentDeleted)),
        false => Some(gone(EventType::StudentWithdrawn)),
    }
}
