//! Sending a message again.

use rollcall_proto::{
    id::{ChangeId, EventId, StudentId},
    webhook::event::EventType,
};

use super::{
    StoreError,
    message::{self, Message},
    resends::{self, Request},
};
use crate::{
    error::Refusal,
    model::{
        access::Scope,
        delivery::{Trigger, state},
        student::Student,
    },
    store::{
        Committed, Tx,
        audit::{self, AuditAct},
        changes::{
            batch::{Batch, KnownSchool},
            read_status,
        },
        student_doc,
        sync::current_state,
    },
};

/// A message that was queued.
pub struct Queued {
    /// The message; another one where the body was purged.
    pub message: EventId,
    /// The try that it was queued as.
    pub try_number: u32,
}

/// Sends a message again, whatever its state. Where its body was purged, a new message carries the current state.
/// Refused where the message carries a whole student who has left the school since.
pub async fn resend(tx: &mut Tx<'_>, scope: &Scope, id: EventId, actor: &str) -> Result<Queued, StoreError> {
    let message = message::find(tx.conn, scope, id).await?;
    // Once more, as it stays until the end of this transaction.
    tx.lock_schools([message.school]).await?;
    let message = message::find(tx.conn, scope, id).await?;
    let Some(student) = message.student else {
        return Err(Refusal::precondition("a test is not sent again: send a new test of the connection").into());
    };
    if message.state == state::ERASED {
        return Err(
            Refusal::precondition("the student was erased, and the message with it: nothing can be sent").into()
        );
    }
    let row = tx.conn.query_optional("SELECT 1 FROM event_bodies WHERE event_id = $1", vec![id.into()]).await?;
    let queued = match row {
        Some(_) => {
            check_still_there(tx, &message).await?;
            let resend = tx.shared.entropy.bytes();
            let request = Request { id: resend, school: message.school, trigger: Trigger::Resend, actor };
            resends::queue(tx, request, vec![message.sequence]).await?;
            tx.after_commit(Committed::Reload(message.school));
            Queued { message: id, try_number: message.tries + 1 }
        }
        None => Queued { message: send_current_state(tx, &message, student).await?, try_number: 1 },
    };
    let act = AuditAct::in_district(message.district, actor, "message.resent", id);
    let act = if queued.message == id { act } else { act.with_detail(format!("as {}", queued.message)) };
    audit::append(tx, vec![act]).await?;
    Ok(queued)
}

/// The rule of replays too: who left is not told of again.
async fn check_still_there(tx: &mut Tx<'_>, message: &Message) -> Result<(), StoreError> {
    let carries_student = EventType::parse(&message.event_type).is_some_and(EventType::carries_student);
    if !carries_student {
        return Ok(());
    }
    let sql = "SELECT 1 FROM school_students WHERE school_id = $1 AND sourced_id = $2 AND present = 1";
    let row = tx.conn.query_optional(sql, vec![message.school.into(), (&message.sourced_id).into()]).await?;
    match row {
        Some(_) => Ok(()),
        None => Err(Refusal::precondition(
            "the student has left this school since, so the record is not sent to it again; its withdrawal or deletion \
             can be resent",
        )
        .into()),
    }
}

/// Makes a new message from what the school should hold of the student now.
async fn send_current_state(tx: &mut Tx<'_>, message: &Message, id: StudentId) -> Result<EventId, StoreError> {
    let (school, district) = (message.school, message.district);
    let sql = "SELECT d.sourced_id, d.birth_date, s.sourced_id, s.head_sequence, s.ever_connected, s.state
               FROM schools s JOIN districts d ON d.district_id = s.district_id WHERE s.school_id = $1";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    if row.take::<String>(5)? == "deleted" {
        return Err(Refusal::precondition("the school was deleted: nothing can be sent to it").into());
    }
    let mut batch = Batch::default();
    batch.add_district(district, row.take(0)?, row.take(1)?);
    let (school_sourced_id, head): (String, u64) = (row.take(2)?, row.take(3)?);
    let keys = tx.shared.keys.school(tx.conn, school).await?;
    let known = KnownSchool { id: school, head_sequence: head, ever_connected: row.take(4)?, moved: false, keys };
    batch.schools.insert((district, school_sourced_id.clone()), known);

    let sql = "SELECT p.present, p.version, p.modified_ms, p.last_sequence, s.status, s.doc
               FROM school_students p JOIN students s ON s.student_id = p.student_id
               WHERE p.school_id = $1 AND p.sourced_id = $2";
    let row = tx.conn.query_optional(sql, vec![school.into(), (&message.sourced_id).into()]).await?;
    let gone =
        || Refusal::precondition("the message was purged, and its student is not known any more: nothing can be sent");
    let mut row = row.ok_or_else(gone)?;
    let student = Student {
        sourced_id: message.sourced_id.clone(),
        version: row.take(1)?,
        modified_ms: row.take(2)?,
        status: read_status(&row.take::<String>(4)?)?,
        fields: student_doc::read(&row.take::<String>(5)?)?,
    };
    let (present, sent): (bool, u64) = (row.take(0)?, row.take(3)?);
    let change = current_state(&student, &school_sourced_id, present, sent > 0).ok_or_else(gone)?;
    let change_id = ChangeId::new(tx.now_ms, tx.shared.entropy.bytes());
    let source = rollcall_proto::webhook::event::Source { kind: "sync".into(), run_id: None, line: None };
    let made = batch.add_event(tx, (district, &school_sourced_id), id, change_id, &student, change, source);
    batch.write_events(tx).await?;
    if made == 0 {
        return Err(Refusal::precondition("the school was never connected: nothing can be sent").into());
    }
    let sql = "SELECT event_id FROM events WHERE school_id = $1 AND sequence = $2";
    let row = tx.conn.query_optional(sql, vec![school.into(), (head + 1).into()]).await?;
    row.ok_or(StoreError::Corrupt("a message that was just made is missing"))?.take(0)
}
