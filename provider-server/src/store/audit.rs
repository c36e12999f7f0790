//! The audit log: append-only chains. Each row's MAC covers the row before, and a sealed head covers the count, so that
//! an edit, a cut, a reorder and a truncation are all found (P14).

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use rollcall_proto::id::DistrictId;
use sha2::Sha256;

use super::{
    Conn, Row, Shared, Store, StoreError, Tx, Value,
    keys::{KeyCache, derive_mac_key},
};

/// The scope of the audit key.
pub const SCOPE: &str = "audit";
/// The chain of acts outside any district.
pub const INSTALLATION: &str = "installation";
const PAGE: i64 = 5_000;

/// One act to be kept.
pub struct AuditAct {
    /// [`INSTALLATION`], or a district's id.
    pub chain: String,
    /// `staff:NAME`, `school:ID`, `run:ID` or `system`.
    pub actor: String,
    /// For example `school.code_issued`.
    pub act: &'static str,
    /// Ids concerned.
    pub subject: String,
    /// Never student data.
    pub detail: String,
}

impl AuditAct {
    /// An act in a district.
    pub fn in_district(district: DistrictId, actor: &str, act: &'static str, subject: impl ToString) -> Self {
        Self::new(district.to_string(), actor, act, subject)
    }

    /// An act outside any district.
    pub fn in_installation(actor: &str, act: &'static str, subject: impl ToString) -> Self {
        Self::new(INSTALLATION.into(), actor, act, subject)
    }

    fn new(chain: String, actor: &str, act: &'static str, subject: impl ToString) -> Self {
        Self { chain, actor: actor.into(), act, subject: subject.to_string(), detail: String::new() }
    }

    /// Adds what is worth knowing beside the ids.
    pub fn with_detail(mut self, detail: impl ToString) -> Self {
        self.detail = detail.to_string();
        self
    }
}

/// Appends acts to their chains, in order, in the transaction of the acts themselves: written last, just before the
/// commit, because all acts of a district meet at the head of its chain.
pub async fn append(tx: &mut Tx<'_>, acts: Vec<AuditAct>) -> Result<(), StoreError> {
    tx.acts.extend(acts);
    Ok(())
}

/// Writes what was appended.
pub(super) async fn write(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut acts = std::mem::take(&mut tx.acts);
    if acts.is_empty() {
        return Ok(());
    }
    // The heads are locked in one order.
    acts.sort_by(|a, b| a.chain.cmp(&b.chain));
    let key = derive_mac_key(&KeyCache::get_or_create(tx, SCOPE).await?, "audit rows");
    let mut heads: HashMap<String, (i64, Vec<u8>)> = HashMap::new();
    let mut values: Vec<Value> = Vec::with_capacity(acts.len() * 8);
    for act in acts {
        if !heads.contains_key(&act.chain) {
            tx.lock_chain(&act.chain).await?;
            let sql = "SELECT entries, mac FROM audit_heads WHERE chain = $1";
            let head = tx.conn.query_optional(sql, vec![(&act.chain).into()]).await?;
            let head = match head {
                Some(mut row) => (row.take(0)?, row.take(1)?),
                None => (0, Vec::new()),
            };
            heads.insert(act.chain.clone(), head);
        }
        let Some((entries, mac)) = heads.get_mut(&act.chain) else { continue };
        *entries += 1;
        let fields = [act.chain.as_str(), act.actor.as_str(), act.act, act.subject.as_str(), act.detail.as_str()];
        *mac = row_mac(&key, mac, *entries, tx.now_ms, fields);
        values.extend([act.chain.into(), (*entries).into(), tx.now_ms.into(), act.actor.into()]);
        values.extend([act.act.into(), act.subject.into(), act.detail.into(), mac.clone().into()]);
    }
    let head = "INSERT INTO audit (chain, number, at_ms, actor, act, subject, detail, mac)";
    tx.conn.insert_many(head, "", 8, values).await?;
    for (chain, (entries, mac)) in heads {
        let seal = head_seal(&key, &chain, entries, &mac);
        tx.conn
            .execute(
                "INSERT INTO audit_heads (chain, entries, mac, seal) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (chain) DO UPDATE SET entries = excluded.entries, mac = excluded.mac, seal = excluded.seal",
                vec![chain.into(), entries.into(), mac.into(), seal.into()],
            )
            .await?;
    }
    Ok(())
}

fn row_mac(key: &Hmac<Sha256>, previous: &[u8], number: i64, at_ms: i64, fields: [&str; 5]) -> Vec<u8> {
    let mut mac = key.clone();
    mac.update(previous);
    mac.update(&number.to_be_bytes());
    mac.update(&at_ms.to_be_bytes());
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn head_seal(key: &Hmac<Sha256>, chain: &str, entries: i64, last: &[u8]) -> Vec<u8> {
    let mut mac = key.clone();
    mac.update(b"head\0");
    mac.update(chain.as_bytes());
    mac.update(&entries.to_be_bytes());
    mac.update(last);
    mac.finalize().into_bytes().to_vec()
}

/// What a verification found.
pub struct Verdict {
    /// Rows read over all chains.
    pub entries: u64,
    /// The first break, in words; `None` where every chain is whole.
    pub first_break: Option<String>,
}

/// Recomputes every chain from its rows and compares each head.
pub async fn verify(conn: &mut Conn, shared: &Shared) -> Result<Verdict, StoreError> {
    verify_chains(conn, shared, |_| true).await
}

/// The same beside a running server, for the chains that the caller may see: over one snapshot, so that what is appended
/// meanwhile is no break.
pub async fn verify_now(
    store: &Store,
    sees: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> Result<Verdict, StoreError> {
    let shared = store.shared().clone();
    store.snapshot(move |conn| Box::pin(async move { verify_chains(conn, &shared, sees).await })).await
}

async fn verify_chains(conn: &mut Conn, shared: &Shared, sees: impl Fn(&str) -> bool) -> Result<Verdict, StoreError> {
    let key = derive_mac_key(&shared.keys.get(conn, SCOPE).await?, "audit rows");
    let mut verdict = Verdict { entries: 0, first_break: None };
    let sql = "SELECT chain FROM audit_heads UNION SELECT DISTINCT chain FROM audit ORDER BY 1";
    for mut row in conn.query(sql, vec![]).await? {
        let chain: String = row.take(0)?;
        if !sees(&chain) {
            continue;
        }
        let found = verify_chain(conn, &key, &chain, &mut verdict.entries).await?;
        verdict.first_break = verdict.first_break.or(found);
    }
    Ok(verdict)
}

async fn verify_chain(
    conn: &mut Conn,
    key: &Hmac<Sha256>,
    chain: &str,
    read: &mut u64,
) -> Result<Option<String>, StoreError> {
    let (mut number, mut mac) = (0i64, Vec::new());
    // A row that somebody put before the first is read too.
    let mut from = i64::MIN;
    loop {
        let rows = conn
            .query(
                "SELECT number, at_ms, actor, act, subject, detail, mac FROM audit
                 WHERE chain = $1 AND number >= $2 ORDER BY number LIMIT $3",
                vec![chain.to_owned().into(), from.into(), PAGE.into()],
            )
            .await?;
        if rows.is_empty() {
            break;
        }
        for mut row in rows {
            let found: i64 = row.take(0)?;
            if found <= 0 {
                return Ok(Some(format!("chain {chain}: row {found} was added")));
            }
            if found != number + 1 {
                return Ok(Some(format!("chain {chain}: row {} is missing", number + 1)));
            }
            (number, from) = (found, found.saturating_add(1));
            let at_ms = row.take(1)?;
            let (actor, act): (String, String) = (row.take(2)?, row.take(3)?);
            let (subject, detail): (String, String) = (row.take(4)?, row.take(5)?);
            let expected = row_mac(key, &mac, number, at_ms, [chain, &actor, &act, &subject, &detail]);
            mac = row.take(6)?;
            if mac != expected {
                return Ok(Some(format!("chain {chain}: row {number} was altered")));
            }
            *read += 1;
        }
    }
    let head = conn
        .query_optional("SELECT entries, mac, seal FROM audit_heads WHERE chain = $1", vec![chain.to_owned().into()])
        .await?;
    let Some(mut head) = head else { return Ok(Some(format!("chain {chain}: its head is missing"))) };
    let (entries, last, seal): (i64, Vec<u8>, Vec<u8>) = (head.take(0)?, head.take(1)?, head.take(2)?);
    if seal != head_seal(key, chain, entries, &last) {
        return Ok(Some(format!("chain {chain}: its head was altered")));
    }
    if entries != number || last != mac {
        return Ok(Some(format!("chain {chain}: it ends at row {number}, but its head says {entries}")));
    }
    Ok(None)
}

/// One act that was kept.
pub struct Entry {
    /// Its place in the chain, from 1.
    pub number: u64,
    /// Unix ms.
    pub at_ms: i64,
    /// See [`AuditAct`].
    pub actor: String,
    /// See [`AuditAct`].
    pub act: String,
    /// See [`AuditAct`].
    pub subject: String,
    /// See [`AuditAct`].
    pub detail: String,
}

/// Acts of a chain, newest first, older than `before` where it is given; with where the next page begins.
pub async fn list(
    conn: &mut Conn,
    chain: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<u64>), StoreError> {
    let sql = "SELECT number, at_ms, actor, act, subject, detail FROM audit
               WHERE chain = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
    let before = before.unwrap_or(i64::MAX as u64);
    let rows = conn.query(sql, vec![chain.to_owned().into(), before.into(), (limit as u64 + 1).into()]).await?;
    let read = |mut row: Row| {
        Ok::<_, StoreError>(Entry {
            number: row.take(0)?,
            at_ms: row.take(1)?,
            actor: row.take(2)?,
            act: row.take(3)?,
            subject: row.take(4)?,
            detail: row.take(5)?,
        })
    };
    let mut entries: Vec<Entry> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| last.number);
    Ok((entries, next))
}

/// The newest row of a chain.
pub struct Head {
    /// Rows in the chain.
    pub entries: i64,
    /// The newest row's MAC.
    pub mac: Vec<u8>,
}

/// The heads of all chains, to be kept elsewhere: only so a database that was set back as a whole is found out.
pub async fn heads(conn: &mut Conn) -> Result<Vec<(String, Head)>, StoreError> {
    let rows = conn.query("SELECT chain, entries, mac FROM audit_heads ORDER BY chain", vec![]).await?;
    rows.into_iter().map(|mut row| Ok((row.take(0)?, Head { entries: row.take(1)?, mac: row.take(2)? }))).collect()
}

/// Whether the chain still holds this row.
pub async fn has_head(conn: &mut Conn, chain: &str, entries: i64, mac: &[u8]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM audit WHERE chain = $1 AND number = $2 AND mac = $3";
    let values = vec![chain.to_owned().into(), entries.into(), mac.into()];
    Ok(conn.query_optional(sql, values).await?.is_some())
}
