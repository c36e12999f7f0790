//! Rotation of a signing secret: requested by staff or the school, pulled by the installation, proved, and only then in
//! force. For an own receiver the new one is shown once and in force at that moment.

use rollcall_proto::{
    id::{DistrictId, SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use subtle::ConstantTimeEq as _;

use super::{
    Committed, StoreError, Tx,
    audit::{self, AuditAct},
    enrollment::{Settled, wrong_proof},
    school_connection::{NO_SECRET, found},
    secrets::{self, Begin, SecretInfo, StoredSecret},
};
use crate::{crash, error::Refusal, model::enrollment::same};

type Place = (SchoolId, DistrictId);

/// How a rotation is asked for.
#[derive(Clone, Copy)]
pub struct Ask {
    /// How long the old secret still signs once the new one is in place, ms.
    pub overlap_ms: i64,
    /// It leaked: it stops now, and deliveries wait until the new one is in place.
    pub revoke_now: bool,
}

/// Asks for a new secret. Answers it only for an own receiver, once.
pub async fn request(
    tx: &mut Tx<'_>,
    place: Place,
    actor: &str,
    ask: Ask,
) -> Result<(Option<SigningSecret>, SecretInfo), StoreError> {
    let school = place.0;
    tx.lock_schools([school]).await?;
    let sql = "SELECT own_receiver, CASE WHEN installation_token_hash IS NULL THEN 0 ELSE 1 END
               FROM schools WHERE school_id = $1";
    let mut row = found(tx.conn.query_optional(sql, vec![school.into()]).await?)?;
    let (own_receiver, installed): (bool, bool) = (row.take(0)?, row.take(1)?);
    match (own_receiver, installed) {
        (true, false) => show_new(tx, place, actor, ask).await,
        (false, true) => wait_for_pull(tx, place, actor, ask).await.map(|info| (None, info)),
        (true, true) => Err(Refusal::precondition("show the own receiver's secret once first").into()),
        (false, false) => Err(Refusal::precondition("the school is not enrolled: issue a code first").into()),
    }
}

async fn show_new(
    tx: &mut Tx<'_>,
    (school, district): Place,
    actor: &str,
    ask: Ask,
) -> Result<(Option<SigningSecret>, SecretInfo), StoreError> {
    if !secrets::any_live(tx, school).await? {
        return Err(Refusal::precondition("there is no secret yet: show it once first").into());
    }
    if !ask.revoke_now {
        secrets::check_room(tx, school).await?;
    }
    let (secret, stored) = secrets::create(tx, school, Begin::Active).await?;
    let id = stored.info.id;
    if ask.revoke_now {
        secrets::end_others(tx, school, Some(id)).await?;
    } else {
        secrets::retire_active(tx, school, id, ask.overlap_ms).await?;
    }
    changed(tx, school).await?;
    note(tx, (school, district), actor, "school.secret_shown", format!("secret {id}, {}", words(ask))).await?;
    Ok((Some(secret), stored.info))
}

async fn wait_for_pull(
    tx: &mut Tx<'_>,
    (school, district): Place,
    actor: &str,
    ask: Ask,
) -> Result<SecretInfo, StoreError> {
    // One that waits is not pulled yet and serves as well; one that was pulled may have been lost on the way.
    let waiting = secrets::waiting(tx.conn, school).await?;
    let kept = waiting.as_ref().filter(|secret| secret.claim_hash.is_none()).map(|secret| secret.info.clone());
    if ask.revoke_now {
        secrets::end_others(tx, school, kept.as_ref().map(|info| info.id)).await?;
        let sql = "UPDATE schools SET state = CASE WHEN state = 'active' THEN 'revoked' ELSE state END,
                      reason = CASE WHEN state = 'active' THEN $2 ELSE reason END WHERE school_id = $1";
        tx.conn.execute(sql, vec![school.into(), NO_SECRET.into()]).await?;
        changed(tx, school).await?;
    } else {
        secrets::check_room(tx, school).await?;
        if let (Some(pulled), None) = (&waiting, &kept) {
            secrets::end(tx, pulled.info.id).await?;
        }
    }
    let info = match kept {
        Some(info) => {
            secrets::set_overlap(tx, info.id, ask.overlap_ms).await?;
            info
        }
        None => {
            let begin = Begin::Pending { claim_hash: None, overlap_ms: ask.overlap_ms };
            secrets::create(tx, school, begin).await?.1.info
        }
    };
    let detail = format!("secret {}, {}", info.id, words(ask));
    note(tx, (school, district), actor, "school.rotation_requested", detail).await?;
    Ok(info)
}

fn words(ask: Ask) -> String {
    match ask.revoke_now {
        true => "the old one revoked now".into(),
        false => format!("overlap {} s", ask.overlap_ms / 1_000),
    }
}

/// Hands the waiting secret to the installation. Another claim key than the first one's is refused and kept.
pub async fn pull(
    tx: &mut Tx<'_>,
    place: Place,
    actor: &str,
    claim_hash: [u8; 32],
) -> Result<Settled<Option<(SigningSecret, StoredSecret)>>, StoreError> {
    tx.lock_schools([place.0]).await?;
    let Some(waiting) = secrets::waiting(tx.conn, place.0).await? else { return Ok(Ok(None)) };
    let id = waiting.info.id;
    if waiting.claim_hash.is_none() {
        secrets::set_claim(tx, id, claim_hash).await?;
        note(tx, place, actor, "school.secret_pulled", format!("secret {id}")).await?;
    } else if !same(waiting.claim_hash.as_deref(), &claim_hash) {
        note(tx, place, actor, "school.secret_pull_refused", format!("secret {id}, another claim key")).await?;
        let words = "the new secret was pulled with another claim key: ask for the rotation again";
        return Ok(Err(Refusal::precondition(words)));
    }
    let secret = waiting.open(tx).await?;
    Ok(Ok(Some((secret, waiting))))
}

/// The installation proves that it stored the new secret: it signs from now on, the old one until its overlap ends.
pub async fn confirm(
    tx: &mut Tx<'_>,
    place: Place,
    actor: &str,
    id: SecretId,
    claim_hash: [u8; 32],
    proof: Vec<u8>,
) -> Result<SecretInfo, StoreError> {
    let school = place.0;
    tx.lock_schools([school]).await?;
    let stored = secrets::get(tx.conn, school, id).await?;
    let stored = stored.filter(|secret| same(secret.claim_hash.as_deref(), &claim_hash));
    let stored = stored.ok_or_else(|| Refusal::not_found("a secret that this claim key pulled"))?;
    let nonce = stored.nonce.clone().unwrap_or_default();
    if !bool::from(stored.open(tx).await?.prove(&nonce).as_slice().ct_eq(&proof)) {
        return Err(wrong_proof().into());
    }
    if stored.info.state != "pending" {
        return Ok(stored.info);
    }
    secrets::activate(tx, id).await?;
    secrets::retire_active(tx, school, id, stored.overlap_ms).await?;
    let sql = "UPDATE schools SET state = 'active', reason = '' WHERE school_id = $1 AND state = 'revoked'";
    tx.conn.execute(sql, vec![school.into()]).await?;
    changed(tx, school).await?;
    crash::point("rotate");
    note(tx, place, actor, "school.secret_confirmed", format!("secret {id}")).await?;
    Ok(SecretInfo { state: "active".into(), ..stored.info })
}

/// The engine reads the connection again.
async fn changed(tx: &mut Tx<'_>, school: SchoolId) -> Result<(), StoreError> {
    let sql = "UPDATE schools SET connection_version = connection_version + 1 WHERE school_id = $1";
    tx.conn.execute(sql, vec![school.into()]).await?;
    tx.after_commit(Committed::Connection(school));
    Ok(())
}

async fn note(
    tx: &mut Tx<'_>,
    (school, district): Place,
    actor: &str,
    act: &'static str,
    detail: String,
) -> Result<(), StoreError> {
    audit::append(tx, vec![AuditAct::in_district(district, actor, act, school).with_detail(detail)]).await
}
