//! Districts.

use rollcall_proto::id::DistrictId;

use super::{
    Conn, Row, StoreError, Tx,
    audit::{self, AuditAct},
};
use crate::{
    error::{Refusal, RefusalKind},
    model::access::Scope,
};

const MAX_DISTRICTS: i64 = 10_000;
const COLUMNS: &str = "SELECT district_id, sourced_id, name, birth_date, created_ms FROM districts";

/// A provider's customer.
#[allow(missing_docs)]
pub struct District {
    pub id: DistrictId,
    pub sourced_id: String,
    pub name: String,
    /// Whether birth dates are stored and sent.
    pub birth_date: bool,
    pub created_ms: i64,
}

fn read(mut row: Row) -> Result<District, StoreError> {
    Ok(District {
        id: row.take(0)?,
        sourced_id: row.take(1)?,
        name: row.take(2)?,
        birth_date: row.take(3)?,
        created_ms: row.take(4)?,
    })
}

/// Makes a district. The name and the sourcedId are checked already.
pub async fn create(
    tx: &mut Tx<'_>,
    actor: &str,
    name: String,
    sourced_id: String,
    birth_date: bool,
) -> Result<District, StoreError> {
    tx.lock_installation().await?;
    let sql = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN sourced_id = $1 THEN 1 ELSE 0 END), 0) FROM districts";
    let row = tx.conn.query_optional(sql, vec![(&sourced_id).into()]).await?;
    let mut row = row.ok_or(StoreError::Corrupt("a count answered nothing"))?;
    let (count, taken): (i64, i64) = (row.take(0)?, row.take(1)?);
    if taken > 0 {
        let refusal = Refusal::field("sourcedId", "is taken by another district");
        return Err(Refusal { kind: RefusalKind::AlreadyExists, ..refusal }.into());
    }
    if count >= MAX_DISTRICTS {
        return Err(Refusal::new(RefusalKind::Exhausted, "there are 10,000 districts already").into());
    }
    let id = DistrictId::new(tx.now_ms, tx.shared.entropy.bytes());
    let sql =
        "INSERT INTO districts (district_id, sourced_id, name, birth_date, created_ms) VALUES ($1, $2, $3, $4, $5)";
    let values = vec![id.into(), (&sourced_id).into(), (&name).into(), birth_date.into(), tx.now_ms.into()];
    tx.conn.execute(sql, values).await?;
    let detail = format!("{sourced_id}, birth dates {}", if birth_date { "on" } else { "off" });
    audit::append(tx, vec![AuditAct::in_installation(actor, "district.created", id).with_detail(detail)]).await?;
    Ok(District { id, sourced_id, name, birth_date, created_ms: tx.now_ms })
}

/// The districts in scope, by name.
pub async fn list(conn: &mut Conn, scope: &Scope) -> Result<Vec<District>, StoreError> {
    let rows =
        conn.query(&format!("{COLUMNS} ORDER BY name, district_id LIMIT $1"), vec![MAX_DISTRICTS.into()]).await?;
    let districts = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(districts.into_iter().filter(|district| scope.includes_district(district.id)).collect())
}
