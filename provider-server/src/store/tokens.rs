//! Bearer tokens: opaque, stored as SHA-256. A session's belongs to staff, an installation's to a school.

use rollcall_proto::id::{DistrictId, SchoolId, StaffId};
use sha2::{Digest, Sha256};

use super::{Conn, Row, StoreError, Tx};
use crate::{
    clock::Entropy,
    model::access::{Caller, Role, Scope},
};

/// A session ends this long after its sign-in, ms.
pub const SESSION_MS: i64 = 12 * 3_600_000;
/// A session ends after this long without a call, ms.
pub const IDLE_MS: i64 = 30 * 60_000;
/// A session's last use is written down at most this often, ms.
pub const TOUCH_MS: i64 = 60_000;
const SESSION_PREFIX: &str = "rcs_";
const INSTALLATION_PREFIX: &str = "rci_";

/// The hash of a token, by which it is stored and found.
pub type TokenHash = [u8; 32];

/// Who holds a token.
pub struct Holder {
    /// What handlers see.
    pub caller: Caller,
    /// What may be called.
    pub role: Role,
    /// The account, for staff.
    pub staff: Option<StaffId>,
    /// When a session ends at the latest; `i64::MAX` for an installation, ms.
    pub expires_ms: i64,
    /// The last use that is written down, ms.
    pub last_used_ms: i64,
}

/// A new token of staff.
pub fn new_session_token(entropy: &Entropy) -> String {
    format!("{SESSION_PREFIX}{}", hex::encode(entropy.bytes::<32>()))
}

/// A new token of a school's installation.
pub fn new_installation_token(entropy: &Entropy) -> String {
    format!("{INSTALLATION_PREFIX}{}", hex::encode(entropy.bytes::<32>()))
}

/// The hash of a token's text. The token has 256 random bits, so a plain hash is enough.
pub fn hash_token(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// The holder of a token; `None` where it is unknown, expired, idle for too long, or its account is disabled.
pub async fn find_holder(conn: &mut Conn, token: &str, now_ms: i64) -> Result<Option<Holder>, StoreError> {
    let hash = hash_token(token);
    if token.starts_with(SESSION_PREFIX) {
        let sql = "SELECT s.staff_id, s.expires_ms, s.last_used_ms, a.username, a.role
                   FROM sessions s JOIN staff a ON a.staff_id = s.staff_id
                   WHERE s.token_hash = $1 AND a.disabled = 0 AND s.expires_ms > $2 AND s.last_used_ms > $3";
        let values = vec![hash.into(), now_ms.into(), (now_ms - IDLE_MS).into()];
        return match conn.query_optional(sql, values).await? {
            Some(row) => staff_holder(conn, row).await.map(Some),
            None => Ok(None),
        };
    }
    if !token.starts_with(INSTALLATION_PREFIX) {
        return Ok(None);
    }
    let sql = "SELECT school_id, district_id FROM schools WHERE installation_token_hash = $1";
    let Some(mut row) = conn.query_optional(sql, vec![hash.into()]).await? else { return Ok(None) };
    let (school, district): (SchoolId, DistrictId) = (row.take(0)?, row.take(1)?);
    let caller = Caller { actor: format!("school:{school}"), scope: Scope::School(district, school) };
    Ok(Some(Holder { caller, role: Role::School, staff: None, expires_ms: i64::MAX, last_used_ms: now_ms }))
}

/// Whether a token that was accepted still is: for a call that goes on, during which a session is not idle.
pub async fn is_held(conn: &mut Conn, hash: TokenHash, by_staff: bool, now_ms: i64) -> Result<bool, StoreError> {
    let (sql, values) = if by_staff {
        let sql = "SELECT 1 FROM sessions s JOIN staff a ON a.staff_id = s.staff_id
                   WHERE s.token_hash = $1 AND a.disabled = 0 AND s.expires_ms > $2";
        (sql, vec![hash.into(), now_ms.into()])
    } else {
        ("SELECT 1 FROM schools WHERE installation_token_hash = $1", vec![hash.into()])
    };
    Ok(conn.query_optional(sql, values).await?.is_some())
}

async fn staff_holder(conn: &mut Conn, mut row: Row) -> Result<Holder, StoreError> {
    let staff: StaffId = row.take(0)?;
    let (expires_ms, last_used_ms) = (row.take(1)?, row.take(2)?);
    let (username, role): (String, String) = (row.take(3)?, row.take(4)?);
    let role = Role::parse(&role).ok_or(StoreError::Corrupt("a staff account has an unknown role"))?;
    let scope = match role {
        Role::Owner => Scope::Installation,
        _ => Scope::Districts(staff_districts(conn, staff).await?),
    };
    let caller = Caller { actor: format!("staff:{username}"), scope };
    Ok(Holder { caller, role, staff: Some(staff), expires_ms, last_used_ms })
}

/// The districts of an account that is no owner, by id.
pub async fn staff_districts(conn: &mut Conn, staff: StaffId) -> Result<Vec<DistrictId>, StoreError> {
    let sql = "SELECT district_id FROM staff_districts WHERE staff_id = $1 ORDER BY district_id";
    conn.query(sql, vec![staff.into()]).await?.into_iter().map(|mut row| row.take(0)).collect()
}

/// Writes down that a session was used now.
pub async fn touch(tx: &mut Tx<'_>, hash: TokenHash) -> Result<(), StoreError> {
    let sql = "UPDATE sessions SET last_used_ms = $2 WHERE token_hash = $1";
    tx.conn.execute(sql, vec![hash.into(), tx.now_ms.into()]).await.map(drop)
}
