//! What staff set on a school's connection: where to, how, and whether deliveries go out now. Every change grows the
//! connection's version, is handed to the engine and is audited, in one act.

use rollcall_proto::{
    id::{DistrictId, SchoolId},
    webhook::signature::SigningSecret,
};

use super::{
    Committed, Row, StoreError, Tx,
    audit::{self, AuditAct},
    codes,
    secrets::{self, Begin, SecretInfo},
    sync,
};
use crate::{
    error::Refusal,
    model::{enrollment::CodeState, school::RetrySettings},
};

/// What staff set; `None` leaves what is stored.
pub struct Settings {
    /// Vetted, in its normal form.
    pub url: String,
    /// The school runs its own receiver.
    pub own_receiver: bool,
    /// When failed messages are tried again.
    pub retry: Option<RetrySettings>,
    /// Requests under way at once.
    pub max_in_flight: Option<u32>,
    /// For the audit log: the address's host, never its path.
    pub host: String,
}

/// Sets where and how a school's webhooks are sent. A school that was enrolled without an address becomes active.
pub async fn connect(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
    settings: Settings,
) -> Result<(), StoreError> {
    let sql = "UPDATE schools SET url = $2, own_receiver = $3, connection_version = connection_version + 1
               WHERE school_id = $1 AND state <> 'deleted' RETURNING state";
    let row =
        tx.conn.query_optional(sql, vec![school.into(), settings.url.into(), settings.own_receiver.into()]).await?;
    let state: String = found(row)?.take(0)?;
    if let Some(retry) = &settings.retry {
        let sql = "UPDATE schools SET max_tries = $2, retry_delays = $3, probe_ms = $4, timeout_ms = $5
                   WHERE school_id = $1";
        let delays = retry.delays_text();
        let values =
            vec![school.into(), retry.max_tries.into(), delays.into(), retry.probe_ms.into(), retry.timeout_ms.into()];
        tx.conn.execute(sql, values).await?;
    }
    if let Some(most) = settings.max_in_flight {
        let sql = "UPDATE schools SET max_in_flight = $2 WHERE school_id = $1";
        tx.conn.execute(sql, vec![school.into(), most.into()]).await?;
    }
    if settings.own_receiver {
        codes::end_live(tx, school, CodeState::Revoked).await?;
    }
    if state == "not_connected" && secrets::any_live(tx, school).await? {
        sync::activate(tx, school).await?;
    }
    tx.after_commit(Committed::Connection(school));
    let receiver = if settings.own_receiver { ", own receiver" } else { "" };
    let act = AuditAct::in_district(district, actor, "school.connected", school);
    audit::append(tx, vec![act.with_detail(format!("to {}{receiver}", settings.host))]).await
}

/// Holds deliveries, for good or until a time.
pub async fn pause(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
    until_ms: Option<i64>,
) -> Result<(), StoreError> {
    let sql = "UPDATE schools SET state = 'paused', paused_until_ms = $2, reason = $3,
                  connection_version = connection_version + 1
               WHERE school_id = $1 AND state IN ('active', 'paused')";
    let until = until_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let until = until.map_or_else(|| "until it is resumed".to_owned(), |at| format!("until {at:.0}"));
    let by = actor.strip_prefix("staff:").unwrap_or(actor);
    let reason = format!("Paused by {by}, {until}.");
    if tx.conn.execute(sql, vec![school.into(), until_ms.into(), reason.into()]).await? == 0 {
        return Err(Refusal::precondition("only a connection that is active can be paused").into());
    }
    tx.after_commit(Committed::Connection(school));
    audit::append(tx, vec![AuditAct::in_district(district, actor, "school.paused", school).with_detail(until)]).await
}

/// Ends a pause, a hold or a wait for a connection that is down. Without a live secret deliveries go on waiting.
pub async fn resume(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
) -> Result<(), StoreError> {
    tx.lock_schools([school]).await?;
    let live = secrets::any_live(tx, school).await?;
    let (state, reason) = if live { ("active", "") } else { ("revoked", NO_SECRET) };
    let sql = "UPDATE schools SET state = $2, reason = $3, paused_until_ms = NULL, health = 'ok', retry_at_ms = 0,
                  probe_wait_ms = 0, connection_version = connection_version + 1
               WHERE school_id = $1 AND state IN ('active', 'paused', 'held')";
    if tx.conn.execute(sql, vec![school.into(), state.into(), reason.into()]).await? == 0 {
        let words = "the connection is neither paused nor held: it waits for an enrollment or a new secret";
        return Err(Refusal::precondition(words).into());
    }
    tx.after_commit(Committed::Connection(school));
    audit::append(tx, vec![AuditAct::in_district(district, actor, "school.resumed", school)]).await
}

/// Why a connection without a secret waits.
pub const NO_SECRET: &str = "The secret was revoked: deliveries wait until a new one is in place.";

/// For a school with its own receiver: makes its secret, answers it this one time, and makes the connection active.
pub async fn show_secret_once(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
) -> Result<(SigningSecret, SecretInfo), StoreError> {
    tx.lock_schools([school]).await?;
    let sql = "SELECT own_receiver, url, CASE WHEN installation_token_hash IS NULL THEN 0 ELSE 1 END
               FROM schools WHERE school_id = $1";
    let mut row = found(tx.conn.query_optional(sql, vec![school.into()]).await?)?;
    let (own_receiver, url, installed): (bool, String, bool) = (row.take(0)?, row.take(1)?, row.take(2)?);
    if !own_receiver || url.is_empty() {
        let words = "only a school that is connected with its own receiver is shown a secret: others are enrolled by a \
                     code";
        return Err(Refusal::precondition(words).into());
    }
    // A secret of an installation that was before was never shown; one of an own receiver was.
    if !installed && secrets::any_live(tx, school).await? {
        let words = "the secret was shown before and is never shown again: rotate it to get a new one";
        return Err(Refusal::precondition(words).into());
    }
    let (secret, stored) = secrets::create(tx, school, Begin::Active).await?;
    secrets::end_others(tx, school, Some(stored.info.id)).await?;
    let sql = "UPDATE schools SET installation_token_hash = NULL, installation_host = '' WHERE school_id = $1";
    tx.conn.execute(sql, vec![school.into()]).await?;
    sync::activate(tx, school).await?;
    let act = AuditAct::in_district(district, actor, "school.secret_shown", school);
    audit::append(tx, vec![act.with_detail(format!("secret {}", stored.info.id))]).await?;
    Ok((secret, stored.info))
}

/// A school's row, or that there is none.
pub(super) fn found(row: Option<Row>) -> Result<Row, StoreError> {
    row.ok_or_else(|| Refusal::not_found("the school").into())
}
