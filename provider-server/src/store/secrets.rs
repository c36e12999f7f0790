//! Signing secrets: made by us, sealed with the school's data key, opened only for the one handoff and for signing.
//!
//! pending (made, not proved to be stored) → active → retiring (signs until it expires) → ended (nothing left but its
//! fingerprint).

use rollcall_proto::{
    id::{SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use zeroize::Zeroizing;

use super::{
    Conn, Row, StoreError, Tx,
    keys::{KeyCache, school_scope},
};
use crate::{error::Refusal, model::school::OVERLAP_MS, sealing::Place};

/// Secrets that sign at once: a second rotation inside an overlap may add one, and so on up to this.
const MAX_LIVE: i64 = 4;
const COLUMNS: &str = "SELECT secret_id, school_id, state, sealed, fingerprint, created_ms, expires_ms,
    last_verified_ms, claim_hash, nonce, overlap_ms FROM secrets";

/// What is known of a secret, without it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SecretInfo {
    pub id: SecretId,
    /// Six words.
    pub fingerprint: String,
    /// pending, active, retiring, ended
    pub state: String,
    pub created_ms: i64,
    /// When a retiring one stops signing, and an ended one stopped.
    pub expires_ms: Option<i64>,
    pub last_verified_ms: Option<i64>,
}

/// A stored secret; has no Debug.
pub struct StoredSecret {
    /// What may be shown.
    pub info: SecretInfo,
    /// Whose it is.
    pub school: SchoolId,
    /// The hash of the claim key that it was handed to.
    pub claim_hash: Option<Vec<u8>>,
    /// To be proved; not secret.
    pub nonce: Option<Vec<u8>>,
    /// How long the one before still signs once this one is confirmed, ms.
    pub overlap_ms: i64,
    sealed: Vec<u8>,
}

/// Where a signing secret is sealed.
pub fn place(id: &SecretId) -> Place<'_> {
    Place { column: "secrets.sealed", row: id.as_bytes() }
}

fn read(mut row: Row) -> Result<StoredSecret, StoreError> {
    Ok(StoredSecret {
        info: SecretInfo {
            id: row.take(0)?,
            state: row.take(2)?,
            fingerprint: row.take(4)?,
            created_ms: row.take(5)?,
            expires_ms: row.take(6)?,
            last_verified_ms: row.take(7)?,
        },
        school: row.take(1)?,
        sealed: row.take(3)?,
        claim_hash: row.take(8)?,
        nonce: row.take(9)?,
        overlap_ms: row.take(10)?,
    })
}

impl StoredSecret {
    /// Opens it.
    pub async fn open(&self, tx: &mut Tx<'_>) -> Result<SigningSecret, StoreError> {
        let key = tx.shared.keys.get(tx.conn, &school_scope(self.school)).await?;
        let bytes = key.open(place(&self.info.id), &self.sealed)?;
        SigningSecret::from_bytes(&bytes).map_err(|_| StoreError::Corrupt("a signing secret has another length"))
    }
}

/// How a new secret begins.
pub enum Begin {
    /// Shown once: signs from now on.
    Active,
    /// To be proved. With the hash of the claim key where it is handed over at once.
    Pending {
        /// See [`StoredSecret::claim_hash`].
        claim_hash: Option<[u8; 32]>,
        /// See [`StoredSecret::overlap_ms`].
        overlap_ms: i64,
    },
}

/// Makes a secret of 32 random bytes.
pub async fn create(
    tx: &mut Tx<'_>,
    school: SchoolId,
    begin: Begin,
) -> Result<(SigningSecret, StoredSecret), StoreError> {
    let entropy = &tx.shared.entropy;
    let bytes = Zeroizing::new(entropy.bytes::<32>());
    let secret = SigningSecret::from_bytes(bytes.as_slice()).expect("32 bytes are a signing secret");
    let id = SecretId::new(tx.now_ms, entropy.bytes());
    let nonce = entropy.bytes::<32>();
    let key = KeyCache::get_or_create(tx, &school_scope(school)).await?;
    let sealed = key.seal(place(&id), bytes.as_slice(), &tx.shared.entropy);
    let (state, claim_hash, overlap_ms) = match begin {
        Begin::Active => ("active", None, OVERLAP_MS),
        Begin::Pending { claim_hash, overlap_ms } => ("pending", claim_hash, overlap_ms),
    };
    let sql = "INSERT INTO secrets (secret_id, school_id, state, sealed, fingerprint, created_ms, claim_hash, nonce,
                  overlap_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING secret_id, school_id, state, sealed,
                  fingerprint, created_ms, expires_ms, last_verified_ms, claim_hash, nonce, overlap_ms";
    let values = vec![
        id.into(),
        school.into(),
        state.into(),
        sealed.into(),
        secret.fingerprint().into(),
        tx.now_ms.into(),
        claim_hash.into(),
        nonce.into(),
        overlap_ms.into(),
    ];
    let row = tx.conn.query_optional(sql, values).await?;
    let stored = read(row.ok_or(StoreError::Corrupt("an insert answered nothing"))?)?;
    Ok((secret, stored))
}

/// One secret of a school.
pub async fn get(conn: &mut Conn, school: SchoolId, id: SecretId) -> Result<Option<StoredSecret>, StoreError> {
    let sql = format!("{COLUMNS} WHERE secret_id = $1 AND school_id = $2");
    conn.query_optional(&sql, vec![id.into(), school.into()]).await?.map(read).transpose()
}

/// The secret of a rotation that waits to be pulled or proved; those of enrollment codes are not meant.
pub async fn waiting(conn: &mut Conn, school: SchoolId) -> Result<Option<StoredSecret>, StoreError> {
    let sql = format!(
        "{COLUMNS} WHERE school_id = $1 AND state = 'pending'
            AND NOT EXISTS (SELECT 1 FROM codes c WHERE c.school_id = $1 AND c.secret_id = secrets.secret_id)
         ORDER BY created_ms DESC LIMIT 1"
    );
    conn.query_optional(&sql, vec![school.into()]).await?.map(read).transpose()
}

/// Whether any secret of the school signs now.
pub async fn any_live(tx: &mut Tx<'_>, school: SchoolId) -> Result<bool, StoreError> {
    Ok(count_live(tx, school).await? > 0)
}

async fn count_live(tx: &mut Tx<'_>, school: SchoolId) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) FROM secrets WHERE school_id = $1
               AND (state = 'active' OR (state = 'retiring' AND expires_ms > $2))";
    let row = tx.conn.query_optional(sql, vec![school.into(), tx.now_ms.into()]).await?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// Refuses a further rotation where several overlaps run already.
pub async fn check_room(tx: &mut Tx<'_>, school: SchoolId) -> Result<(), StoreError> {
    if count_live(tx, school).await? >= MAX_LIVE {
        let words = "four secrets sign already: wait until an overlap ends, or revoke the old ones now";
        return Err(Refusal::precondition(words).into());
    }
    Ok(())
}

/// Ends one secret for good: nothing of it is left but its fingerprint, and until when it signed. One that waited never did.
pub async fn end(tx: &mut Tx<'_>, id: SecretId) -> Result<(), StoreError> {
    let sql = "UPDATE secrets SET state = 'ended', sealed = $2, nonce = NULL, claim_hash = NULL,
                  expires_ms = CASE WHEN state = 'pending' THEN created_ms
                      WHEN expires_ms <= $3 THEN expires_ms ELSE $3 END
               WHERE secret_id = $1";
    tx.conn.execute(sql, vec![id.into(), Vec::new().into(), tx.now_ms.into()]).await.map(drop)
}

/// Ends those of a school that sign or wait, but this one. Answers their ids.
pub async fn end_others(tx: &mut Tx<'_>, school: SchoolId, but: Option<SecretId>) -> Result<Vec<SecretId>, StoreError> {
    let sql = "UPDATE secrets SET state = 'ended', sealed = $3, nonce = NULL, claim_hash = NULL,
                  expires_ms = CASE WHEN state = 'pending' THEN created_ms
                      WHEN expires_ms <= $4 THEN expires_ms ELSE $4 END
               WHERE school_id = $1 AND state IN ('pending', 'active', 'retiring') AND secret_id <> $2
               RETURNING secret_id";
    let but = but.map_or_else(|| Vec::new().into(), Into::into);
    let rows = tx.conn.query(sql, vec![school.into(), but, Vec::new().into(), tx.now_ms.into()]).await?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// The active ones sign for `overlap_ms` more; without an overlap they end now.
pub async fn retire_active(
    tx: &mut Tx<'_>,
    school: SchoolId,
    but: SecretId,
    overlap_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE secrets SET state = CASE WHEN $3 > 0 THEN 'retiring' ELSE 'ended' END, expires_ms = $4 + $3,
                  sealed = CASE WHEN $3 > 0 THEN sealed ELSE $5 END
               WHERE school_id = $1 AND state = 'active' AND secret_id <> $2";
    let values = vec![school.into(), but.into(), overlap_ms.into(), tx.now_ms.into(), Vec::new().into()];
    tx.conn.execute(sql, values).await.map(drop)
}

/// A pending secret was proved: it signs from now on. Its claim key and nonce stay, so that a lost answer can be
/// repeated.
pub async fn activate(tx: &mut Tx<'_>, id: SecretId) -> Result<bool, StoreError> {
    let sql = "UPDATE secrets SET state = 'active' WHERE secret_id = $1 AND state = 'pending'";
    Ok(tx.conn.execute(sql, vec![id.into()]).await? > 0)
}

/// The hash of the claim key that pulled a waiting secret.
pub async fn set_claim(tx: &mut Tx<'_>, id: SecretId, claim_hash: [u8; 32]) -> Result<(), StoreError> {
    let sql = "UPDATE secrets SET claim_hash = $2 WHERE secret_id = $1 AND state = 'pending' AND claim_hash IS NULL";
    tx.conn.execute(sql, vec![id.into(), claim_hash.into()]).await.map(drop)
}

/// How long the secret before still signs once this one is proved.
pub async fn set_overlap(tx: &mut Tx<'_>, id: SecretId, overlap_ms: i64) -> Result<(), StoreError> {
    let sql = "UPDATE secrets SET overlap_ms = $2 WHERE secret_id = $1";
    tx.conn.execute(sql, vec![id.into(), overlap_ms.into()]).await.map(drop)
}

/// Those of these schools that wait or sign at this time, newest first.
pub async fn list(
    conn: &mut Conn,
    schools: &[SchoolId],
    now_ms: i64,
) -> Result<Vec<(SchoolId, SecretInfo)>, StoreError> {
    let sql = "SELECT secret_id, school_id, state, sealed, fingerprint, created_ms, expires_ms, last_verified_ms,
                  claim_hash, nonce, overlap_ms
               FROM secrets WHERE (state IN ('pending', 'active') OR (state = 'retiring' AND expires_ms > $1))
               AND school_id IN {list}";
    let rows = conn.query_list(sql, vec![now_ms.into()], schools.iter().map(|id| (*id).into()).collect()).await?;
    let mut secrets =
        rows.into_iter().map(|row| read(row).map(|read| (read.school, read.info))).collect::<Result<Vec<_>, _>>()?;
    // Made in the same millisecond, the one that waits is the newest.
    let rank = |state: &str| ["pending", "active", "retiring"].iter().position(|known| *known == state);
    secrets.sort_by(|(_, a), (_, b)| (b.created_ms, rank(&a.state), b.id).cmp(&(a.created_ms, rank(&b.state), a.id)));
    Ok(secrets)
}
