//! Inspect, redeem, confirm: each one act. A refusal that has consequences (a counted try, a destroyed secret, an
//! alarm) must be committed, so it is the inner result; only faults and refusals without consequences undo the act.

use rollcall_proto::{
    id::{DistrictId, SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    Committed, StoreError, Tx,
    audit::{self, AuditAct},
    codes::{self, Code, CodeId},
    keys::{KeyCache, digest_key_place, school_scope},
    limits::{self, Subject},
    secrets, sync, tokens,
};
use crate::{
    crash,
    error::{Refusal, RefusalKind},
    model::enrollment::{self as rules, CodeState, Confirm, Redeem, decide_confirm, decide_redeem},
    sealing::Place,
};

/// A refusal that is committed with its consequences.
pub type Settled<T> = Result<T, Refusal>;

/// Who knocks: a code's id and secret, and what is limited.
pub struct Knock {
    /// The code's id.
    pub id: CodeId,
    /// The code's secret.
    pub secret: Zeroizing<[u8; 16]>,
    /// The address.
    pub attempt: Vec<Subject>,
}

/// The names that both sides show.
pub struct Names {
    /// The district.
    pub district: DistrictId,
    /// Its key.
    pub district_sourced_id: String,
    /// Its name.
    pub district_name: String,
    /// The school's key.
    pub school_sourced_id: String,
    /// The school's name.
    pub school_name: String,
}

/// What is handed over once. Has no Debug.
pub struct Handoff {
    /// Absent where it was confirmed before.
    pub secret: Option<SigningSecret>,
    /// Keys the roster digest.
    pub digest_key: Zeroizing<Vec<u8>>,
    /// The school's credential; empty where it was confirmed before.
    pub token: Zeroizing<String>,
    /// To be proved.
    pub nonce: Vec<u8>,
    /// The school.
    pub school: SchoolId,
    /// The names.
    pub names: Names,
    /// Six words.
    pub fingerprint: String,
    /// The secret's id.
    pub secret_id: SecretId,
    /// What the confirm answered; absent before it.
    pub start_after: Option<u64>,
}

/// What a code is for.
pub async fn inspect(tx: &mut Tx<'_>, knock: Knock) -> Result<Settled<(Code, Names)>, StoreError> {
    match admit(tx, &knock).await? {
        Err(refusal) => Ok(Err(refusal)),
        Ok(code) => {
            let names = names(tx, code.school).await?;
            Ok(Ok((code, names)))
        }
    }
}

/// Hands the secret over, once.
pub async fn redeem(
    tx: &mut Tx<'_>,
    knock: Knock,
    claim_hash: [u8; 32],
    host: String,
) -> Result<Settled<Handoff>, StoreError> {
    let code = match admit(tx, &knock).await? {
        Err(refusal) => return Ok(Err(refusal)),
        Ok(code) => code,
    };
    let same_claim = rules::same(code.claim_hash.as_deref(), &claim_hash);
    match decide_redeem(code.state, same_claim) {
        Redeem::Claim => claim(tx, code, claim_hash, host).await.map(Ok),
        Redeem::Repeat => {
            let token_place = token_place(&code.id);
            let sealed = code.token_sealed.as_deref().ok_or(StoreError::Corrupt("a claimed code has no token"))?;
            let key = tx.shared.keys.get(tx.conn, &school_scope(code.school)).await?;
            let token = key.open(token_place, sealed)?;
            let token = String::from_utf8(token.to_vec()).map_err(|_| StoreError::Corrupt("a token is no text"))?;
            handoff(tx, &code, Some(Zeroizing::new(token))).await.map(Ok)
        }
        Redeem::AlreadyYours => handoff(tx, &code, None).await.map(Ok),
        Redeem::Contested => {
            codes::end(tx, &code, CodeState::Compromised).await?;
            let words = "An enrollment code was presented by a second party before it was confirmed: everything of it \
                         was destroyed. Find out who else has it, then issue a new one.";
            alarm(tx, &code, "school.code_contested", words, &host).await?;
            Ok(Err(rules::redeemed_by_another(code.claimed_ms, &code.claimed_host)))
        }
        Redeem::Intruder => {
            let words = "A confirmed enrollment code was presented again by a second party and refused; the secret in \
                         force was not shown. Find out who else has the code.";
            alarm(tx, &code, "school.code_presented_again", words, &host).await?;
            Ok(Err(rules::redeemed_by_another(code.claimed_ms, &code.claimed_host)))
        }
        Redeem::Over(state) => Ok(Err(rules::over(state))),
    }
}

/// Proves that the secret is stored: activates it, ends what was before, and answers the sequence after which the
/// receiver's window begins.
pub async fn confirm(
    tx: &mut Tx<'_>,
    id: CodeId,
    claim_hash: [u8; 32],
    proof: Vec<u8>,
    attempt: Vec<Subject>,
) -> Result<Settled<(SchoolId, u64)>, StoreError> {
    limits::begin(tx, &attempt).await?;
    let code = find_locked(tx, &id).await?;
    let Some(code) = code.filter(|code| rules::same(code.claim_hash.as_deref(), &claim_hash)) else {
        return Ok(Err(rules::unknown_code()));
    };
    match decide_confirm(code.state) {
        Confirm::Over(state) => Ok(Err(rules::over(state))),
        Confirm::Repeat => {
            limits::succeed(tx, &attempt).await?;
            let start_after = code.start_after.ok_or(StoreError::Corrupt("a confirmed code has no answer"))?;
            Ok(Ok((code.school, start_after)))
        }
        Confirm::Check => {
            let id = code.secret.ok_or(StoreError::Corrupt("a claimed code has no secret"))?;
            let stored = secrets::get(tx.conn, code.school, id).await?;
            let stored = stored.ok_or(StoreError::Corrupt("a claimed code's secret is missing"))?;
            let nonce = stored.nonce.clone().unwrap_or_default();
            if !bool::from(stored.open(tx).await?.prove(&nonce).as_slice().ct_eq(&proof)) {
                return Ok(Err(wrong_proof()));
            }
            limits::succeed(tx, &attempt).await?;
            let start_after = activate(tx, &code, id).await?;
            crash::point("enroll");
            Ok(Ok((code.school, start_after)))
        }
    }
}

/// What is said of a proof that does not fit.
pub fn wrong_proof() -> Refusal {
    let words = "the proof does not fit: what was stored differs from the secret that was handed over";
    Refusal::new(RefusalKind::Denied, words)
}

/// Where the installation token waits for the confirm.
fn token_place(id: &CodeId) -> Place<'_> {
    Place { column: "codes.token_sealed", row: id }
}

/// Limits the address, finds the code and checks its secret. An unknown id and a wrong secret take the same way.
async fn admit(tx: &mut Tx<'_>, knock: &Knock) -> Result<Settled<Code>, StoreError> {
    limits::begin(tx, &knock.attempt).await?;
    let code = find_locked(tx, &knock.id).await?;
    let given = rules::hash_code_secret(&knock.id, &knock.secret);
    let right = rules::same(Some(code.as_ref().map_or(&[0; 32], |code| code.secret_hash.as_slice())), &given);
    if let Some(code) = code.filter(|_| right) {
        limits::succeed(tx, &knock.attempt).await?;
        return Ok(Ok(code));
    }
    if let Some(locked) = codes::count_wrong(tx, &knock.id).await? {
        let district = names(tx, locked.school).await?.district;
        let act = AuditAct::in_district(district, "system", "school.code_locked", locked.school);
        audit::append(tx, vec![act.with_detail(format!("code {}", hex::encode(locked.id)))]).await?;
    }
    Ok(Err(rules::unknown_code()))
}

/// The code as it stays until the end of this transaction.
async fn find_locked(tx: &mut Tx<'_>, id: &CodeId) -> Result<Option<Code>, StoreError> {
    let Some(code) = codes::find(tx.conn, id, tx.now_ms).await? else { return Ok(None) };
    tx.lock_schools([code.school]).await?;
    codes::find(tx.conn, id, tx.now_ms).await
}

/// issued → claimed, in one conditional update: only one caller can ever pass it.
async fn claim(tx: &mut Tx<'_>, code: Code, claim_hash: [u8; 32], host: String) -> Result<Handoff, StoreError> {
    let begin = secrets::Begin::Pending { claim_hash: Some(claim_hash), overlap_ms: 0 };
    let (_, stored) = secrets::create(tx, code.school, begin).await?;
    let token = Zeroizing::new(tokens::new_installation_token(&tx.shared.entropy));
    let key = tx.shared.keys.get(tx.conn, &school_scope(code.school)).await?;
    let sealed = key.seal(token_place(&code.id), token.as_bytes(), &tx.shared.entropy);
    let sql = "UPDATE codes SET state = 'claimed', claim_hash = $2, claimed_ms = $3, claimed_host = $4, secret_id = $5,
                  token_sealed = $6
               WHERE code_id = $1 AND state = 'issued' AND expires_ms > $3";
    let values = vec![
        code.id.to_vec().into(),
        claim_hash.into(),
        tx.now_ms.into(),
        (&host).into(),
        stored.info.id.into(),
        sealed.into(),
    ];
    if tx.conn.execute(sql, values).await? != 1 {
        return Err(Refusal::precondition("the code was redeemed by another call at this moment").into());
    }
    let district = names(tx, code.school).await?.district;
    let act = AuditAct::in_district(district, &format!("school:{}", code.school), "school.code_redeemed", code.school);
    let detail = format!("code {}, secret {} for {host}", hex::encode(code.id), stored.info.id);
    audit::append(tx, vec![act.with_detail(detail)]).await?;
    let code = Code { secret: Some(stored.info.id), ..code };
    handoff(tx, &code, Some(token)).await
}

/// The answer to a redeem; without a token it was confirmed before, and no secret is in it.
async fn handoff(tx: &mut Tx<'_>, code: &Code, token: Option<Zeroizing<String>>) -> Result<Handoff, StoreError> {
    let id = code.secret.ok_or(StoreError::Corrupt("a claimed code has no secret"))?;
    let stored = secrets::get(tx.conn, code.school, id).await?;
    let stored = stored.ok_or(StoreError::Corrupt("a claimed code's secret is missing"))?;
    let (secret, digest_key) = match &token {
        None => (None, Zeroizing::default()),
        Some(_) => (Some(stored.open(tx).await?), digest_key(tx, code.school).await?),
    };
    Ok(Handoff {
        secret,
        digest_key,
        token: token.unwrap_or_default(),
        nonce: stored.nonce.unwrap_or_default(),
        school: code.school,
        names: names(tx, code.school).await?,
        fingerprint: stored.info.fingerprint,
        secret_id: id,
        start_after: code.start_after,
    })
}

async fn digest_key(tx: &mut Tx<'_>, school: SchoolId) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let key = KeyCache::get_or_create(tx, &school_scope(school)).await?;
    let sql = "SELECT digest_key FROM schools WHERE school_id = $1";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    let sealed: Vec<u8> = row.ok_or_else(|| Refusal::not_found("the school"))?.take(0)?;
    Ok(key.open(digest_key_place(&school), &sealed)?)
}

/// The confirmed secret and token are in force; those before end.
async fn activate(tx: &mut Tx<'_>, code: &Code, id: SecretId) -> Result<u64, StoreError> {
    let school = code.school;
    let sealed = code.token_sealed.as_deref().ok_or(StoreError::Corrupt("a claimed code has no token"))?;
    let key = tx.shared.keys.get(tx.conn, &school_scope(school)).await?;
    let token = key.open(token_place(&code.id), sealed)?;
    let token = std::str::from_utf8(&token).map_err(|_| StoreError::Corrupt("a token is no text"))?;
    let token_hash = tokens::hash_token(token);
    if !secrets::activate(tx, id).await? {
        return Err(StoreError::Corrupt("a claimed code's secret is not pending"));
    }
    let ended = secrets::end_others(tx, school, Some(id)).await?;
    let sql = "UPDATE schools SET installation_token_hash = $2, installation_host = $3, reason = '',
                  connection_version = connection_version + 1
               WHERE school_id = $1 RETURNING url, head_sequence";
    let values = vec![school.into(), token_hash.into(), (&code.claimed_host).into()];
    let row = tx.conn.query_optional(sql, values).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    let (url, head): (String, u64) = (row.take(0)?, row.take(1)?);
    // Without an address the school waits for one; it is synced when it gets it.
    let start_after = if url.is_empty() { head } else { sync::activate(tx, school).await? };
    tx.after_commit(Committed::Connection(school));
    let sql = "UPDATE codes SET state = 'confirmed', confirmed_ms = $2, start_after = $3, token_sealed = NULL
               WHERE code_id = $1 AND state = 'claimed'";
    let values = vec![code.id.to_vec().into(), tx.now_ms.into(), start_after.into()];
    if tx.conn.execute(sql, values).await? != 1 {
        return Err(Refusal::precondition("the code was ended at this moment").into());
    }
    let district = names(tx, school).await?.district;
    let act = AuditAct::in_district(district, &format!("school:{school}"), "school.enrolled", school);
    let detail = format!("code {}, secret {id}, {} earlier ended", hex::encode(code.id), ended.len());
    audit::append(tx, vec![act.with_detail(detail)]).await?;
    Ok(start_after)
}

/// Tells both sides that a second party holds the code.
async fn alarm(
    tx: &mut Tx<'_>,
    code: &Code,
    act: &'static str,
    words: &'static str,
    host: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE schools SET reason = $2, alarmed_ms = $4,
                  state = CASE WHEN state IN ('not_connected', 'enrolling') AND $3 = 1 THEN 'compromised' ELSE state END
               WHERE school_id = $1";
    let contested = code.state == CodeState::Claimed;
    tx.conn.execute(sql, vec![code.school.into(), words.into(), contested.into(), tx.now_ms.into()]).await?;
    let district = names(tx, code.school).await?.district;
    let act = AuditAct::in_district(district, "system", act, code.school);
    let first = &code.claimed_host;
    let detail = format!("code {}, redeemed by {first}, presented by {host}", hex::encode(code.id));
    tracing::warn!(school = %code.school, "an enrollment code was presented by a second party");
    audit::append(tx, vec![act.with_detail(detail)]).await
}

/// What a school and its district are called.
pub async fn names(tx: &mut Tx<'_>, school: SchoolId) -> Result<Names, StoreError> {
    let sql = "SELECT d.district_id, d.sourced_id, d.name, s.sourced_id, s.name FROM schools s
               JOIN districts d ON d.district_id = s.district_id WHERE s.school_id = $1";
    let row = tx.conn.query_optional(sql, vec![school.into()]).await?;
    let mut row = row.ok_or_else(|| Refusal::not_found("the school"))?;
    Ok(Names {
        district: row.take(0)?,
        district_sourced_id: row.take(1)?,
        district_name: row.take(2)?,
        school_sourced_id: row.take(3)?,
        school_name: row.take(4)?,
    })
}
