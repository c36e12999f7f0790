//! Staff accounts, their sessions, and the one-time owner code.

use rollcall_proto::id::{DistrictId, StaffId};
use subtle::ConstantTimeEq as _;

use super::{
    Conn, Row, StoreError, Tx,
    audit::{self, AuditAct},
    limits::{self, Subject},
    meta,
    tokens::{self, SESSION_MS, TokenHash},
};
use crate::{
    error::{Refusal, RefusalKind, Violation},
    model::access::Role,
};

/// Open sessions of an account; a further one ends the oldest.
const MAX_SESSIONS: i64 = 20;
const MAX_STAFF: i64 = 10_000;
const OWNER_CODE: &str = "owner_code_hash";

/// An account, without its password.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Staff {
    pub id: StaffId,
    pub username: String,
    pub role: Role,
    pub districts: Vec<DistrictId>,
    pub disabled: bool,
    pub created_ms: i64,
    pub last_login_ms: Option<i64>,
}

/// An account to be made; the password is hashed already.
pub struct NewStaff {
    /// Checked by [`check_username`].
    pub username: String,
    /// argon2id, PHC text.
    pub password_hash: String,
    /// Any but school.
    pub role: Role,
    /// Empty for an owner.
    pub districts: Vec<DistrictId>,
}

/// A session that was just opened.
pub struct Grant {
    /// Shown once.
    pub token: String,
    /// Unix ms.
    pub expires_ms: i64,
    /// Whose it is.
    pub staff: Staff,
}

/// 3 to 64 characters of `a-z 0-9 . _ - @`.
pub fn check_username(username: &str) -> Result<(), Violation> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
    if (3..=64).contains(&username.len()) && username.chars().all(allowed) {
        return Ok(());
    }
    Err(Violation { field: "username".into(), message: "use 3 to 64 of a-z 0-9 . _ - @".into() })
}

const COLUMNS: &str = "SELECT staff_id, username, role, disabled, created_ms, last_login_ms FROM staff";

async fn read_staff(conn: &mut Conn, mut row: Row) -> Result<Staff, StoreError> {
    let id = row.take(0)?;
    let role: String = row.take(2)?;
    Ok(Staff {
        id,
        username: row.take(1)?,
        role: Role::parse(&role).ok_or(StoreError::Corrupt("a staff account has an unknown role"))?,
        districts: tokens::staff_districts(conn, id).await?,
        disabled: row.take(3)?,
        created_ms: row.take(4)?,
        last_login_ms: row.take(5)?,
    })
}

/// One account.
pub async fn get(conn: &mut Conn, id: StaffId) -> Result<Staff, StoreError> {
    let row = conn.query_optional(&format!("{COLUMNS} WHERE staff_id = $1"), vec![id.into()]).await?;
    read_staff(conn, row.ok_or_else(|| Refusal::not_found("the account"))?).await
}

/// The account of this name or id.
pub async fn find(conn: &mut Conn, name: &str) -> Result<Staff, StoreError> {
    let sql = format!("{COLUMNS} WHERE username = $1 OR staff_id = $2");
    let id = name.parse::<StaffId>().ok();
    let row = conn.query_optional(&sql, vec![name.to_owned().into(), id.into()]).await?;
    read_staff(conn, row.ok_or_else(|| Refusal::not_found("the account"))?).await
}

/// All accounts, by username.
pub async fn list(conn: &mut Conn) -> Result<Vec<Staff>, StoreError> {
    let mut staff = Vec::new();
    for row in conn.query(&format!("{COLUMNS} ORDER BY username LIMIT $1"), vec![MAX_STAFF.into()]).await? {
        staff.push(read_staff(conn, row).await?);
    }
    Ok(staff)
}

/// The account and password hash of a name, where it may sign in.
pub async fn credentials(conn: &mut Conn, username: &str) -> Result<Option<(StaffId, String)>, StoreError> {
    let sql = "SELECT staff_id, password_hash FROM staff WHERE username = $1 AND disabled = 0";
    let row = conn.query_optional(sql, vec![username.to_owned().into()]).await?;
    row.map(|mut row| Ok((row.take(0)?, row.take(1)?))).transpose()
}

/// Whether an owner exists, disabled or not: then the owner code is over.
pub async fn owner_exists(conn: &mut Conn) -> Result<bool, StoreError> {
    Ok(conn.query_optional("SELECT 1 FROM staff WHERE role = 'owner' LIMIT 1", vec![]).await?.is_some())
}

/// Makes an account.
pub async fn create(tx: &mut Tx<'_>, actor: &str, new: NewStaff) -> Result<Staff, StoreError> {
    tx.lock_installation().await?;
    let sql = "SELECT 1 FROM staff WHERE username = $1";
    if tx.conn.query_optional(sql, vec![(&new.username).into()]).await?.is_some() {
        let violation = Violation { field: "username".into(), message: "is taken: use another".into() };
        let refusal = Refusal { kind: RefusalKind::AlreadyExists, ..Refusal::fields(vec![violation]) };
        return Err(refusal.into());
    }
    let id = StaffId::new(tx.now_ms, tx.shared.entropy.bytes());
    tx.conn
        .execute(
            "INSERT INTO staff (staff_id, username, password_hash, role, created_ms) VALUES ($1, $2, $3, $4, $5)",
            vec![
                id.into(),
                (&new.username).into(),
                new.password_hash.into(),
                new.role.as_str().into(),
                tx.now_ms.into(),
            ],
        )
        .await?;
    let rows = new.districts.iter().flat_map(|district| [id.into(), (*district).into()]).collect();
    tx.conn.insert_many("INSERT INTO staff_districts (staff_id, district_id)", "", 2, rows).await?;
    let act = AuditAct::in_installation(actor, "staff.created", id);
    let detail = format!("{} as {}", new.username, new.role.as_str());
    audit::append(tx, vec![act.with_detail(detail)]).await?;
    get(tx.conn, id).await
}

/// What is changed of an account; nothing where nothing is said.
#[derive(Default)]
pub struct StaffUpdate {
    /// Any but school, with the districts in scope: none for an owner.
    pub role: Option<(Role, Vec<DistrictId>)>,
    /// Whether it may sign in.
    pub disabled: Option<bool>,
    /// argon2id, PHC text.
    pub password_hash: Option<String>,
}

/// Changes the account of this name or id, and ends its sessions but for `keep`. One enabled owner always stays.
pub async fn update(
    tx: &mut Tx<'_>,
    actor: &str,
    name: &str,
    update: StaffUpdate,
    keep: Option<TokenHash>,
) -> Result<Staff, StoreError> {
    tx.lock_installation().await?;
    let Staff { id, role, disabled, .. } = find(tx.conn, name).await?;
    let was_owner = role == Role::Owner && !disabled;
    let stays_owner =
        update.role.as_ref().is_none_or(|(role, _)| *role == Role::Owner) && update.disabled != Some(true);
    if was_owner && !stays_owner {
        let sql = "SELECT 1 FROM staff WHERE role = 'owner' AND disabled = 0 AND staff_id <> $1 LIMIT 1";
        if tx.conn.query_optional(sql, vec![id.into()]).await?.is_none() {
            return Err(Refusal::precondition("this is the last owner: make another one first").into());
        }
    }
    let mut acts = Vec::new();
    if let Some((role, districts)) = update.role {
        let sql = "UPDATE staff SET role = $2 WHERE staff_id = $1";
        tx.conn.execute(sql, vec![id.into(), role.as_str().into()]).await?;
        tx.conn.execute("DELETE FROM staff_districts WHERE staff_id = $1", vec![id.into()]).await?;
        let rows = districts.iter().flat_map(|district| [id.into(), (*district).into()]).collect();
        tx.conn.insert_many("INSERT INTO staff_districts (staff_id, district_id)", "", 2, rows).await?;
        let detail = format!("{} of {} districts", role.as_str(), districts.len());
        acts.push(AuditAct::in_installation(actor, "staff.role_changed", id).with_detail(detail));
    }
    if let Some(hash) = update.password_hash {
        let sql = "UPDATE staff SET password_hash = $2 WHERE staff_id = $1";
        tx.conn.execute(sql, vec![id.into(), hash.into()]).await?;
        acts.push(AuditAct::in_installation(actor, "staff.password_reset", id));
    }
    if let Some(off) = update.disabled.filter(|off| *off != disabled) {
        tx.conn.execute("UPDATE staff SET disabled = $2 WHERE staff_id = $1", vec![id.into(), off.into()]).await?;
        acts.push(AuditAct::in_installation(actor, if off { "staff.disabled" } else { "staff.enabled" }, id));
    }
    if !acts.is_empty() {
        end_sessions(tx, id, keep).await?;
    }
    audit::append(tx, acts).await?;
    get(tx.conn, id).await
}

async fn end_sessions(tx: &mut Tx<'_>, id: StaffId, keep: Option<TokenHash>) -> Result<u64, StoreError> {
    let keep = keep.map(|hash| hash.to_vec()).unwrap_or_default();
    let sql = "DELETE FROM sessions WHERE staff_id = $1 AND token_hash <> $2";
    tx.conn.execute(sql, vec![id.into(), keep.into()]).await
}

/// Disables an account and ends its sessions. Disabling it again changes nothing.
pub async fn disable(tx: &mut Tx<'_>, actor: &str, name: &str) -> Result<Staff, StoreError> {
    update(tx, actor, name, StaffUpdate { disabled: Some(true), ..StaffUpdate::default() }, None).await
}

/// Ends every session of the account of this name or id. Answers how many.
pub async fn revoke_sessions(tx: &mut Tx<'_>, actor: &str, name: &str) -> Result<(StaffId, u64), StoreError> {
    let id = find(tx.conn, name).await?.id;
    let ended = end_sessions(tx, id, None).await?;
    let act = AuditAct::in_installation(actor, "staff.sessions_revoked", id).with_detail(ended);
    audit::append(tx, vec![act]).await?;
    Ok((id, ended))
}

/// Opens a session after a password that fits this hash, and takes the counted attempt back.
pub async fn open_session(
    tx: &mut Tx<'_>,
    id: StaffId,
    password_hash: String,
    attempt: &[Subject],
) -> Result<Grant, StoreError> {
    // The account may have been disabled, or its password reset, while the password was checked.
    let sql = "UPDATE staff SET last_login_ms = $2 WHERE staff_id = $1 AND disabled = 0 AND password_hash = $3
               RETURNING username";
    let row = tx.conn.query_optional(sql, vec![id.into(), tx.now_ms.into(), password_hash.into()]).await?;
    let mut row = row.ok_or_else(wrong_password)?;
    let actor = format!("staff:{}", row.take::<String>(0)?);
    limits::succeed(tx, attempt).await?;
    let token = tokens::new_session_token(&tx.shared.entropy);
    let expires_ms = tx.now_ms + SESSION_MS;
    tx.conn
        .execute(
            "DELETE FROM sessions WHERE staff_id = $1 AND (expires_ms <= $2 OR token_hash NOT IN (
                SELECT token_hash FROM sessions WHERE staff_id = $1 ORDER BY created_ms DESC LIMIT $3))",
            vec![id.into(), tx.now_ms.into(), (MAX_SESSIONS - 1).into()],
        )
        .await?;
    tx.conn
        .execute(
            "INSERT INTO sessions (token_hash, staff_id, created_ms, expires_ms, last_used_ms)
             VALUES ($1, $2, $3, $4, $3)",
            vec![tokens::hash_token(&token).into(), id.into(), tx.now_ms.into(), expires_ms.into()],
        )
        .await?;
    audit::append(tx, vec![AuditAct::in_installation(&actor, "staff.signed_in", id)]).await?;
    let staff = get(tx.conn, id).await?;
    Ok(Grant { token, expires_ms, staff })
}

/// What a sign-in is told, whatever was wrong.
pub fn wrong_password() -> Refusal {
    Refusal::new(RefusalKind::Unauthenticated, "the name or the password is wrong")
}

/// Ends one session.
pub async fn close_session(tx: &mut Tx<'_>, actor: &str, token: TokenHash) -> Result<(), StoreError> {
    tx.conn.execute("DELETE FROM sessions WHERE token_hash = $1", vec![token.into()]).await?;
    audit::append(tx, vec![AuditAct::in_installation(actor, "staff.signed_out", "")]).await
}

/// Deletes sessions that ended by themselves.
pub async fn purge_sessions(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "DELETE FROM sessions WHERE expires_ms <= $1 OR last_used_ms <= $2";
    let values = vec![tx.now_ms.into(), (tx.now_ms - tokens::IDLE_MS).into()];
    tx.conn.execute(sql, values).await.map(drop)
}

/// Whether this is the owner code that waits.
pub async fn is_owner_code(conn: &mut Conn, code: &str) -> Result<bool, StoreError> {
    let stored = meta::get(conn, OWNER_CODE).await?;
    Ok(stored.is_some_and(|stored| bool::from(stored.ct_eq(&tokens::hash_token(code)))))
}

/// Sets the owner code.
pub async fn set_owner_code(tx: &mut Tx<'_>, code: &str) -> Result<(), StoreError> {
    meta::set(tx, OWNER_CODE, tokens::hash_token(code).to_vec()).await
}

/// Turns the owner code into the first owner, once, and opens a session.
pub async fn claim_owner(tx: &mut Tx<'_>, code: &str, new: NewStaff, attempt: &[Subject]) -> Result<Grant, StoreError> {
    tx.lock_installation().await?;
    if owner_exists(tx.conn).await? || !is_owner_code(tx.conn, code).await? {
        return Err(Refusal::new(RefusalKind::Denied, "the owner code is wrong or was used").into());
    }
    meta::remove(tx, OWNER_CODE).await?;
    let (actor, password_hash) = (format!("staff:{}", new.username), new.password_hash.clone());
    let staff = create(tx, &actor, new).await?;
    open_session(tx, staff.id, password_hash, attempt).await
}
