//! Connections as the engine needs them: read whole, with their secrets opened.

use std::{collections::HashMap, sync::Arc};

use rollcall_proto::{
    id::{DistrictId, SchoolId, SecretId},
    webhook::signature::SigningSecret,
};
use url::Url;

use super::{Conn, Row, Shared, StoreError, keys::school_scope};
use crate::{
    model::{
        breaker::{Breaker, Health},
        connection::{Connection, ConnectionState, LiveSecret, StoredConnection},
        retry::RetryPolicy,
    },
    sealing::Place,
};

/// The longest that an attempt may take, whatever a row says.
const MAX_TIMEOUT_MS: u32 = 15_000;
const MAX_IN_FLIGHT: u32 = 256;

// The bound on the sequence leads to the index of what is open: else SQLite takes the one by student, and the whole history.
const SCHOOLS: &str = "SELECT school_id, connection_version, state, url, max_tries, retry_delays,
        probe_ms, timeout_ms, max_in_flight, health, retry_at_ms, probe_wait_ms, last_delivered_ms,
        CASE WHEN EXISTS (SELECT 1 FROM events e WHERE e.school_id = schools.school_id AND e.sequence > 0
            AND e.state IN ('pending', 'parked', 'held') AND e.state = 'parked' AND e.reason <> 'connection_down')
        THEN 1 ELSE 0 END
     FROM schools";
const SECRETS: &str = "SELECT school_id, secret_id, sealed, fingerprint, expires_ms FROM secrets
     WHERE state IN ('active', 'retiring')";

/// One school's connection; `None` where the school does not exist.
pub async fn load(conn: &mut Conn, shared: &Shared, school: SchoolId) -> Result<Option<StoredConnection>, StoreError> {
    // The version before the secrets: a version with secrets of an earlier one would stay, since no version is taken twice.
    let row = conn.query_optional(&format!("{SCHOOLS} WHERE school_id = $1"), vec![school.into()]).await?;
    let Some(row) = row else { return Ok(None) };
    let sql = format!("{SECRETS} AND school_id = $1 ORDER BY created_ms DESC");
    let secrets = conn.query(&sql, vec![school.into()]).await?;
    let secrets = open_secrets(secrets, conn, shared).await?;
    read(row, &secrets).map(Some)
}

/// Every school's connection.
pub async fn load_all(conn: &mut Conn, shared: &Shared) -> Result<Vec<StoredConnection>, StoreError> {
    // In the same order as for one.
    let rows = conn.query(SCHOOLS, vec![]).await?;
    let secrets = conn.query(&format!("{SECRETS} ORDER BY created_ms DESC"), vec![]).await?;
    let secrets = open_secrets(secrets, conn, shared).await?;
    rows.into_iter().map(|row| read(row, &secrets)).collect()
}

async fn open_secrets(
    rows: Vec<Row>,
    conn: &mut Conn,
    shared: &Shared,
) -> Result<HashMap<SchoolId, Vec<LiveSecret>>, StoreError> {
    let mut secrets: HashMap<SchoolId, Vec<LiveSecret>> = HashMap::new();
    for mut row in rows {
        let (school, id): (SchoolId, SecretId) = (row.take(0)?, row.take(1)?);
        let sealed: Vec<u8> = row.take(2)?;
        let key = shared.keys.get(conn, &school_scope(school)).await?;
        let opened = key.open(Place { column: "secrets.sealed", row: id.as_bytes() }, &sealed);
        let secret = opened.ok().and_then(|bytes| SigningSecret::from_bytes(&bytes).ok());
        let Some(secret) = secret else {
            // One damaged secret must not stop the deliveries of the other schools.
            tracing::error!(%school, secret = %id, "a signing secret does not open; rotate it");
            continue;
        };
        let fingerprint = row.take::<String>(3)?.into();
        secrets.entry(school).or_default().push(LiveSecret { id, fingerprint, secret, expires_ms: row.take(4)? });
    }
    Ok(secrets)
}

fn read(mut row: Row, secrets: &HashMap<SchoolId, Vec<LiveSecret>>) -> Result<StoredConnection, StoreError> {
    let school: SchoolId = row.take(0)?;
    let state = match row.take::<String>(2)?.as_str() {
        "active" => ConnectionState::Active,
        "paused" => ConnectionState::Paused,
        "held" => ConnectionState::Held,
        _ => ConnectionState::Closed,
    };
    let connection = Connection {
        school,
        version: row.take(1)?,
        state,
        url: Url::parse(&row.take::<String>(3)?).ok().filter(Url::has_host),
        retry: RetryPolicy::from_row(row.take(4)?, &row.take::<String>(5)?, row.take(6)?),
        timeout_ms: row.take::<u32>(7)?.clamp(1, MAX_TIMEOUT_MS),
        max_in_flight: row.take::<u32>(8)?.clamp(1, MAX_IN_FLIGHT),
        secrets: secrets.get(&school).cloned().unwrap_or_default(),
    };
    let health = Health::parse(&row.take::<String>(9)?);
    let last_success_ms = row.take::<Option<i64>>(12)?.unwrap_or(0);
    Ok(StoredConnection {
        connection: Arc::new(connection),
        breaker: Breaker::stored(health, row.take(10)?, row.take(11)?, last_success_ms),
        has_parked_alone: row.take(13)?,
    })
}

/// What an event says of the school it is for.
pub struct Names {
    /// The district.
    pub district: DistrictId,
    /// The district's key.
    pub district_sourced_id: String,
    /// The school's key.
    pub school_sourced_id: String,
}

/// A school's names; `None` where it does not exist.
pub async fn names(conn: &mut Conn, school: SchoolId) -> Result<Option<Names>, StoreError> {
    let sql = "SELECT d.district_id, d.sourced_id, s.sourced_id FROM schools s
               JOIN districts d ON d.district_id = s.district_id WHERE s.school_id = $1";
    let Some(mut row) = conn.query_optional(sql, vec![school.into()]).await? else { return Ok(None) };
    Ok(Some(Names { district: row.take(0)?, district_sourced_id: row.take(1)?, school_sourced_id: row.take(2)? }))
}
