//! Data keys: one per scope, made on first use, wrapped in the database, unwrapped once in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock},
};

use hmac::{Hmac, KeyInit, Mac};
use rollcall_proto::{
    digest::DigestKey,
    id::{DistrictId, KeyId, SchoolId},
};
use sha2::Sha256;

use super::{Conn, StoreError, Tx, Value};
use crate::sealing::{Keyring, Place, SealingKey};

/// Unwrapped data keys by scope.
pub struct KeyCache {
    keyring: RwLock<Keyring>,
    keys: Mutex<HashMap<String, SealingKey>>,
    schools: Mutex<HashMap<SchoolId, Arc<SchoolKeys>>>,
}

impl KeyCache {
    /// An empty cache over these key-encryption keys.
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring: RwLock::new(keyring), keys: Mutex::default(), schools: Mutex::default() }
    }

    /// The key-encryption keys in force.
    pub fn keyring(&self) -> Keyring {
        self.keyring.read().expect("no holder of this lock panics").clone()
    }

    /// Replaces the key-encryption keys, after the wrapped keys were written anew.
    pub fn replace_keyring(&self, keyring: Keyring) {
        *self.keyring.write().expect("no holder of this lock panics") = keyring;
    }

    fn cached(&self, scope: &str) -> Option<SealingKey> {
        self.keys.lock().expect("no holder of this lock panics").get(scope).cloned()
    }

    fn remember(&self, scope: &str, key: SealingKey) {
        self.keys.lock().expect("no holder of this lock panics").insert(scope.to_owned(), key);
    }

    /// Forgets all: each is read back at its next use. For a transaction that was undone and had made keys.
    pub fn forget_all(&self) {
        self.keys.lock().expect("no holder of this lock panics").clear();
        self.schools.lock().expect("no holder of this lock panics").clear();
    }

    /// Forgets a school whose key was destroyed.
    pub fn forget_school(&self, school: SchoolId) {
        self.keys.lock().expect("no holder of this lock panics").remove(&school_scope(school));
        self.schools.lock().expect("no holder of this lock panics").remove(&school);
    }

    /// The key of a scope, which must exist.
    pub async fn get(&self, conn: &mut Conn, scope: &str) -> Result<SealingKey, StoreError> {
        if let Some(key) = self.cached(scope) {
            return Ok(key);
        }
        let mut row = conn
            .query_optional("SELECT wrapped FROM data_keys WHERE scope = $1", vec![scope.to_owned().into()])
            .await?
            .ok_or(StoreError::Corrupt("a data key is missing"))?;
        let key = self.keyring().unwrap(scope, &row.take::<Vec<u8>>(0)?)?;
        self.remember(scope, key.clone());
        Ok(key)
    }

    /// The key of a scope; made and stored in this transaction where it does not exist.
    pub async fn get_or_create(tx: &mut Tx<'_>, scope: &str) -> Result<SealingKey, StoreError> {
        let keys = &tx.shared.keys;
        if let Some(key) = keys.cached(scope) {
            return Ok(key);
        }
        let known =
            tx.conn.query_optional("SELECT 1 FROM data_keys WHERE scope = $1", vec![scope.to_owned().into()]).await?;
        if known.is_some() {
            return keys.get(tx.conn, scope).await;
        }
        // A rotation of the key-encryption keys either waits for this transaction, or this wraps with the new ones.
        tx.share_installation().await?;
        // Another server may make the same key at the same time: then theirs is the one.
        let key = SealingKey::generate(tx.now_ms, &tx.shared.entropy);
        let wrapped = keys.keyring().wrap(scope, &key, &tx.shared.entropy);
        let values: Vec<Value> = vec![key.id().into(), scope.to_owned().into(), wrapped.into(), tx.now_ms.into()];
        let sql = "INSERT INTO data_keys (key_id, scope, wrapped, created_ms) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (scope) DO NOTHING";
        if tx.conn.execute(sql, values).await? == 0 {
            return keys.get(tx.conn, scope).await;
        }
        // A use before the commit reads it back and remembers it: undoing must forget it.
        tx.made_keys = true;
        Ok(key)
    }
}

/// The scope of a school's data key: its secrets, payloads and answers.
pub fn school_scope(school: SchoolId) -> String {
    format!("school:{school}")
}

/// The scope of a district's data key: its staged imports.
pub fn district_scope(district: DistrictId) -> String {
    format!("district:{district}")
}

/// A MAC key derived from a data key for one purpose.
pub fn derive_mac_key(key: &SealingKey, purpose: &str) -> Hmac<Sha256> {
    let mut derive = Hmac::<Sha256>::new_from_slice(key.expose_bytes()).expect("HMAC takes any key length");
    derive.update(purpose.as_bytes());
    let derived = derive.finalize().into_bytes();
    Hmac::<Sha256>::new_from_slice(&derived).expect("HMAC takes any key length")
}

/// At start: the installation's own key exists and opens, so that a wrong key file stops the start.
pub async fn check(tx: &mut Tx<'_>) -> Result<KeyId, StoreError> {
    Ok(KeyCache::get_or_create(tx, super::audit::SCOPE).await?.id())
}

/// A school's keys, opened.
pub struct SchoolKeys {
    /// Seals secrets, payloads and answers.
    pub sealing: SealingKey,
    /// Keys the roster digest; the school holds the same.
    pub digest: DigestKey,
}

impl KeyCache {
    /// A school's keys.
    pub async fn school(&self, conn: &mut Conn, school: SchoolId) -> Result<Arc<SchoolKeys>, StoreError> {
        if let Some(keys) = self.schools.lock().expect("no holder of this lock panics").get(&school) {
            return Ok(keys.clone());
        }
        let sealing = self.get(conn, &school_scope(school)).await?;
        let mut row = conn
            .query_optional("SELECT digest_key FROM schools WHERE school_id = $1", vec![school.into()])
            .await?
            .ok_or_else(|| crate::error::Refusal::not_found("the school"))?;
        let plain = sealing.open(digest_key_place(&school), &row.take::<Vec<u8>>(0)?)?;
        let bytes = plain.as_slice().try_into().map_err(|_| StoreError::Corrupt("a digest key has another length"))?;
        let keys = Arc::new(SchoolKeys { sealing, digest: DigestKey::new(bytes) });
        self.schools.lock().expect("no holder of this lock panics").insert(school, keys.clone());
        Ok(keys)
    }
}

/// Where a school's digest key is sealed.
pub fn digest_key_place(school: &SchoolId) -> Place<'_> {
    Place { column: "schools.digest_key", row: school.as_bytes() }
}

/// Wraps every data key with the ring's first key, in this transaction. Answers how many.
pub async fn rewrap_all(tx: &mut Tx<'_>, ring: Keyring) -> Result<u64, StoreError> {
    // They would go on wrapping with the key that ends here.
    let others = if tx.conn.is_shared() { super::nodes::others(tx.conn, tx.shared.node).await? } else { 0 };
    if others > 0 {
        let words =
            format!("{others} other servers use this database: stop all but one, rotate, and give all the new keys");
        return Err(crate::error::Refusal::precondition(words).into());
    }
    // Whoever is just making a key has wrapped it with what ends here: theirs must be seen.
    tx.lock_installation().await?;
    let mut count = 0;
    for mut row in tx.conn.query("SELECT scope, wrapped FROM data_keys ORDER BY scope", vec![]).await? {
        let (scope, wrapped): (String, Vec<u8>) = (row.take(0)?, row.take(1)?);
        let key = ring.unwrap(&scope, &wrapped)?;
        let wrapped = ring.wrap(&scope, &key, &tx.shared.entropy);
        let values = vec![scope.into(), wrapped.into()];
        tx.conn.execute("UPDATE data_keys SET wrapped = $2 WHERE scope = $1", values).await?;
        count += 1;
    }
    tx.shared.keys.replace_keyring(ring);
    let act = super::audit::AuditAct::in_installation("system", "keys.rotated", "").with_detail(count);
    super::audit::append(tx, vec![act]).await?;
    Ok(count)
}

/// Opens every data key; adds what does not open to the complaints. Answers how many open.
pub async fn check_all(
    conn: &mut Conn,
    shared: &super::Shared,
    complaints: &mut Vec<String>,
) -> Result<u64, StoreError> {
    let mut open = 0;
    for mut row in conn.query("SELECT scope, wrapped FROM data_keys ORDER BY scope", vec![]).await? {
        let (scope, wrapped): (String, Vec<u8>) = (row.take(0)?, row.take(1)?);
        match shared.keys.keyring().unwrap(&scope, &wrapped) {
            Ok(_) => open += 1,
            Err(error) => complaints.push(format!("the data key of {scope}: {error}")),
        }
    }
    Ok(open)
}
