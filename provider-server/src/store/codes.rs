//! Enrollment codes: issued, found, ended. What a redeem and a confirm do is in `enrollment`.

use rollcall_proto::id::{DistrictId, SchoolId, SecretId};
use zeroize::Zeroizing;

use super::{
    Conn, Row, StoreError, Tx,
    audit::{self, AuditAct},
    secrets,
};
use crate::{
    error::Refusal,
    model::enrollment::{CodeState, MAX_WRONG_TRIES, hash_code_secret},
};

/// A code's id.
pub type CodeId = [u8; 8];

const COLUMNS: &str = "SELECT code_id, school_id, secret_hash, state, issued_by, created_ms, expires_ms, claim_hash,
    claimed_ms, claimed_host, secret_id, token_sealed, start_after FROM codes";

/// A stored code; its secret is known by its hash alone.
#[allow(missing_docs)]
pub struct Code {
    pub id: CodeId,
    pub school: SchoolId,
    pub secret_hash: Vec<u8>,
    /// At the time it was read.
    pub state: CodeState,
    /// The actor who issued it.
    pub issued_by: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub claim_hash: Option<Vec<u8>>,
    pub claimed_ms: Option<i64>,
    pub claimed_host: String,
    pub secret: Option<SecretId>,
    pub token_sealed: Option<Vec<u8>>,
    /// What the confirm answered.
    pub start_after: Option<u64>,
}

fn read(mut row: Row, now_ms: i64) -> Result<Code, StoreError> {
    let id: Vec<u8> = row.take(0)?;
    let stored = CodeState::parse(&row.take::<String>(3)?).ok_or(StoreError::Corrupt("a code has an unknown state"))?;
    let (expires_ms, claimed_ms) = (row.take(6)?, row.take(8)?);
    Ok(Code {
        id: id.try_into().map_err(|_| StoreError::Corrupt("a code's id has another length"))?,
        school: row.take(1)?,
        secret_hash: row.take(2)?,
        state: stored.at(now_ms, expires_ms, claimed_ms),
        issued_by: row.take(4)?,
        created_ms: row.take(5)?,
        expires_ms,
        claim_hash: row.take(7)?,
        claimed_ms,
        claimed_host: row.take(9)?,
        secret: row.take(10)?,
        token_sealed: row.take(11)?,
        start_after: row.take(12)?,
    })
}

/// A code that was just issued. Its secret is answered once.
pub struct NewCode {
    /// Names it.
    pub id: CodeId,
    /// Proves the right to redeem.
    pub secret: Zeroizing<[u8; 16]>,
    /// Unix ms.
    pub expires_ms: i64,
}

/// Issues the one live code of a school; an earlier one that was not confirmed ends with everything of it.
pub async fn issue(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
    ttl_ms: i64,
) -> Result<NewCode, StoreError> {
    tx.lock_schools([school]).await?;
    let sql = "SELECT own_receiver FROM schools WHERE school_id = $1 AND state <> 'deleted'";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    if row.ok_or_else(|| Refusal::not_found("the school"))?.take(0)? {
        let words =
            "the school runs its own receiver: show its secret once instead, or connect it without own_receiver";
        return Err(Refusal::precondition(words).into());
    }
    end_live(tx, school, CodeState::Revoked).await?;
    let entropy = &tx.shared.entropy;
    let (id, secret) = (entropy.bytes::<8>(), Zeroizing::new(entropy.bytes::<16>()));
    let expires_ms = tx.now_ms + ttl_ms;
    let values = vec![
        id.to_vec().into(),
        school.into(),
        hash_code_secret(&id, &secret).into(),
        actor.to_owned().into(),
        tx.now_ms.into(),
        expires_ms.into(),
    ];
    let sql = "INSERT INTO codes (code_id, school_id, secret_hash, state, issued_by, created_ms, expires_ms)
               VALUES ($1, $2, $3, 'issued', $4, $5, $6)";
    tx.conn.execute(sql, values).await?;
    // A new code is the answer to the alarm about an older one.
    let sql = "UPDATE schools SET state = CASE WHEN state = 'compromised' THEN 'not_connected' ELSE state END,
                  reason = CASE WHEN state IN ('active', 'compromised', 'not_connected') THEN '' ELSE reason END
               WHERE school_id = $1";
    tx.conn.execute(sql, vec![school.into()]).await?;
    let act = AuditAct::in_district(district, actor, "school.code_issued", school);
    audit::append(tx, vec![act.with_detail(format!("code {}", hex::encode(id)))]).await?;
    Ok(NewCode { id, secret, expires_ms })
}

/// Revokes the live code of a school; refused where none is out.
pub async fn revoke(
    tx: &mut Tx<'_>,
    (school, district): (SchoolId, DistrictId),
    actor: &str,
) -> Result<(), StoreError> {
    tx.lock_schools([school]).await?;
    let ended = end_live(tx, school, CodeState::Revoked).await?;
    let Some(id) = ended.first() else {
        return Err(Refusal::precondition("the school has no code that could be revoked").into());
    };
    let act = AuditAct::in_district(district, actor, "school.code_revoked", school);
    audit::append(tx, vec![act.with_detail(format!("code {}", hex::encode(id)))]).await
}

/// Ends the codes of a school that could still become a secret. Those whose time is over already stay expired.
pub async fn end_live(tx: &mut Tx<'_>, school: SchoolId, state: CodeState) -> Result<Vec<CodeId>, StoreError> {
    let sql = format!("{COLUMNS} WHERE school_id = $1 AND state IN ('issued', 'claimed')");
    let rows = tx.conn.query(&sql, vec![school.into()]).await?;
    let mut ended = Vec::new();
    for row in rows {
        let code = read(row, tx.now_ms)?;
        if code.state.is_live() {
            ended.push(code.id);
            end(tx, &code, state).await?;
        } else {
            end(tx, &code, code.state).await?;
        }
    }
    Ok(ended)
}

/// Ends one code that is not confirmed, and destroys what it had handed over.
pub async fn end(tx: &mut Tx<'_>, code: &Code, state: CodeState) -> Result<(), StoreError> {
    let sql = "UPDATE codes SET state = $2, token_sealed = NULL WHERE code_id = $1 AND state IN ('issued', 'claimed')";
    let ended = tx.conn.execute(sql, vec![code.id.to_vec().into(), state.as_str().into()]).await?;
    if let Some(secret) = code.secret.filter(|_| ended > 0) {
        secrets::end(tx, secret).await?;
    }
    Ok(())
}

/// The code of this id.
pub async fn find(conn: &mut Conn, id: &CodeId, now_ms: i64) -> Result<Option<Code>, StoreError> {
    let sql = format!("{COLUMNS} WHERE code_id = $1");
    conn.query_optional(&sql, vec![id.to_vec().into()]).await?.map(|row| read(row, now_ms)).transpose()
}

/// Counts a wrong secret; the fifth locks the id. Answers the school that must be told of a lock. An id that does not
/// exist takes the same statement.
pub async fn count_wrong(tx: &mut Tx<'_>, id: &CodeId) -> Result<Option<Code>, StoreError> {
    let sql = "UPDATE codes SET wrong_tries = wrong_tries + 1 WHERE code_id = $1 RETURNING wrong_tries";
    let row = tx.conn.query_optional(sql, vec![id.to_vec().into()]).await?;
    let tries = row.map(|mut row| row.take::<i64>(0)).transpose()?;
    if tries.is_none_or(|tries| tries < MAX_WRONG_TRIES) {
        return Ok(None);
    }
    let Some(code) = find(tx.conn, id, tx.now_ms).await?.filter(|code| code.state.is_live()) else { return Ok(None) };
    end(tx, &code, CodeState::Locked).await?;
    Ok(Some(code))
}

/// The newest code of each of these schools.
pub async fn latest(conn: &mut Conn, schools: &[SchoolId], now_ms: i64) -> Result<Vec<Code>, StoreError> {
    let sql = "SELECT code_id, school_id, secret_hash, state, issued_by, created_ms, expires_ms, claim_hash,
                  claimed_ms, claimed_host, secret_id, token_sealed, start_after
               FROM codes c WHERE created_ms = (SELECT MAX(n.created_ms) FROM codes n WHERE n.school_id = c.school_id)
               AND school_id IN {list}";
    let rows = conn.query_list(sql, vec![], schools.iter().map(|id| (*id).into()).collect()).await?;
    let mut codes = rows.into_iter().map(|row| read(row, now_ms)).collect::<Result<Vec<_>, _>>()?;
    // Issued in the same millisecond, the revoked one is the older.
    codes.sort_by_key(|code| (code.school, code.state == CodeState::Revoked));
    codes.dedup_by_key(|code| code.school);
    Ok(codes)
}

/// Ends codes and handoffs whose time is over, with the secrets that nobody confirmed. Answers how many.
pub async fn end_expired(tx: &mut Tx<'_>, limit: i64) -> Result<u64, StoreError> {
    let sql = format!("{COLUMNS} WHERE {DUE} LIMIT $3");
    let rows = tx.conn.query(&sql, vec![tx.now_ms.into(), handoff_limit(tx.now_ms).into(), limit.into()]).await?;
    let due = rows.into_iter().map(|row| read(row, tx.now_ms)).collect::<Result<Vec<_>, _>>()?;
    tx.lock_schools(due.iter().map(|code| code.school)).await?;
    let mut ended = 0;
    for code in due {
        // Whoever redeemed or confirmed it before the lock was first.
        let code = find(tx.conn, &code.id, tx.now_ms).await?;
        if let Some(code) = code.filter(|code| code.state == CodeState::Expired) {
            end(tx, &code, CodeState::Expired).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Whether [`end_expired`] has something to do.
pub async fn any_expired(conn: &mut Conn, now_ms: i64) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM codes WHERE {DUE} LIMIT 1");
    Ok(conn.query_optional(&sql, vec![now_ms.into(), handoff_limit(now_ms).into()]).await?.is_some())
}

const DUE: &str = "(state = 'issued' AND expires_ms <= $1) OR (state = 'claimed' AND claimed_ms <= $2)";

fn handoff_limit(now_ms: i64) -> i64 {
    now_ms - crate::model::enrollment::HANDOFF_MS
}
