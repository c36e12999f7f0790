//! Limits of failed sign-ins and wrong codes, as rows, so that a restart does not reset them. An attempt is counted
//! before it is checked, so that many at once cannot pass together; a success takes its count back.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{StoreError, Tx};
use crate::error::{Refusal, RefusalKind};

/// Attempts at one account in a window.
const ACCOUNT_ATTEMPTS: i64 = 10;
/// Attempts from one address in a window.
const ADDRESS_ATTEMPTS: i64 = 100;
/// The window, and how long a lock lasts, ms.
const WINDOW_MS: i64 = 10 * 60_000;

/// What is limited.
#[derive(Clone)]
pub struct Subject {
    /// Hashed: somebody may have typed a password as a name.
    key: String,
    limit: i64,
}

impl Subject {
    /// An account, known or not.
    pub fn account(username: &str) -> Self {
        Self::new("account", username.as_bytes(), ACCOUNT_ATTEMPTS)
    }

    /// Where a sign-in comes from. IPv6 is taken by its /64.
    pub fn address(purpose: &str, address: Option<IpAddr>) -> Self {
        let network = match address {
            Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Some(IpAddr::V6(v6)) => v6.octets()[..8].to_vec(),
            None => Vec::new(),
        };
        Self::new(&format!("{purpose} address"), &network, ADDRESS_ATTEMPTS)
    }

    fn new(kind: &str, value: &[u8], limit: i64) -> Self {
        let digest = Sha256::new().chain_update(kind.as_bytes()).chain_update([0]).chain_update(value).finalize();
        Self { key: format!("{kind}:{}", hex::encode(&digest[..12])), limit }
    }
}

/// Counts an attempt of every subject; refuses where one has used up its attempts.
pub async fn begin(tx: &mut Tx<'_>, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        let row = tx
            .conn
            .query_optional(
                "INSERT INTO login_limits (subject, failures, window_start_ms) VALUES ($1, 1, $2)
                 ON CONFLICT (subject) DO UPDATE SET
                    failures = CASE WHEN login_limits.window_start_ms <= $3 THEN 1 ELSE login_limits.failures + 1 END,
                    window_start_ms = CASE WHEN login_limits.window_start_ms <= $3 THEN $2
                        ELSE login_limits.window_start_ms END
                 RETURNING failures, window_start_ms",
                vec![subject.key.clone().into(), tx.now_ms.into(), (tx.now_ms - WINDOW_MS).into()],
            )
            .await?;
        let Some(mut row) = row else { continue };
        let (failures, start_ms): (i64, i64) = (row.take(0)?, row.take(1)?);
        if failures > subject.limit {
            let wait_s = (start_ms + WINDOW_MS - tx.now_ms).max(1_000) / 1_000;
            let message = format!("too many failed attempts: try again in {wait_s} s");
            return Err(Refusal::new(RefusalKind::Exhausted, message).into());
        }
    }
    Ok(())
}

/// Takes the counts of an attempt back that was right.
pub async fn succeed(tx: &mut Tx<'_>, subjects: &[Subject]) -> Result<(), StoreError> {
    for subject in subjects {
        let sql = "UPDATE login_limits SET failures = failures - 1 WHERE subject = $1 AND failures > 0";
        tx.conn.execute(sql, vec![subject.key.clone().into()]).await?;
    }
    Ok(())
}

/// Deletes what is too old to matter.
pub async fn purge(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "DELETE FROM login_limits WHERE window_start_ms <= $1";
    tx.conn.execute(sql, vec![(tx.now_ms - WINDOW_MS).into()]).await.map(drop)
}
