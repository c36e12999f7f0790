//! What a run is read and planned against: the district as it is now, and earlier runs.

use std::collections::{HashMap, HashSet};

use rollcall_proto::id::DistrictId;

use super::Run;
use crate::store::{Conn, StoreError};

const MAX_SCHOOLS: i64 = 200_000;

/// The district as a plan sees it.
pub struct Surroundings {
    /// Whether the district keeps birth dates.
    pub birth_date: bool,
    /// Students in use.
    pub students: u64,
    /// By sourcedId.
    pub schools: HashMap<String, SchoolNow>,
}

/// A school as it is now.
#[allow(missing_docs)]
pub struct SchoolNow {
    pub name: String,
    pub students: u64,
}

/// Whether the district keeps birth dates.
pub async fn keeps_birth_dates(conn: &mut Conn, district: DistrictId) -> Result<bool, StoreError> {
    let sql = "SELECT birth_date FROM districts WHERE district_id = $1";
    let row = conn.query_optional(sql, vec![district.into()]).await?;
    row.map_or(Ok(false), |mut row| row.take(0))
}

/// The sourcedIds of the district's schools.
pub async fn known_schools(conn: &mut Conn, district: DistrictId) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT sourced_id FROM schools WHERE district_id = $1 LIMIT $2";
    let rows = conn.query(sql, vec![district.into(), MAX_SCHOOLS.into()]).await?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Reads the district for a plan.
pub async fn read(conn: &mut Conn, district: DistrictId) -> Result<Surroundings, StoreError> {
    let sql = "SELECT COUNT(*) FROM students WHERE district_id = $1 AND status = 'active'";
    let row = conn.query_optional(sql, vec![district.into()]).await?;
    let students = row.map(|mut row| row.take(0)).transpose()?.unwrap_or(0);
    let sql = "SELECT s.sourced_id, s.name, (SELECT COUNT(*) FROM school_students p
                 WHERE p.school_id = s.school_id AND p.present = 1)
               FROM schools s WHERE s.district_id = $1 AND s.state <> 'deleted' LIMIT $2";
    let mut schools = HashMap::new();
    for mut row in conn.query(sql, vec![district.into(), MAX_SCHOOLS.into()]).await? {
        schools.insert(row.take(0)?, SchoolNow { name: row.take(1)?, students: row.take(2)? });
    }
    Ok(Surroundings { birth_date: keeps_birth_dates(conn, district).await?, students, schools })
}

/// Whether the file is the last one again, and by how many seconds it is older than what was accepted from a file.
pub async fn compare_with_earlier(conn: &mut Conn, run: &Run) -> Result<(bool, Option<u64>), StoreError> {
    let sql = "SELECT zip_sha256 FROM import_runs WHERE district_id = $1 AND state IN ('applied', 'undone')
               AND run_id <> $2 ORDER BY run_id DESC LIMIT 1";
    let last = conn.query_optional(sql, vec![run.district.into(), run.id.into()]).await?;
    let last: Option<Vec<u8>> = last.map(|mut row| row.take(0)).transpose()?.flatten();
    let sql = "SELECT MAX(newest_source_ms) FROM import_runs WHERE district_id = $1 AND state = 'applied'
               AND run_id <> $2";
    let row = conn.query_optional(sql, vec![run.district.into(), run.id.into()]).await?;
    let accepted: Option<i64> = row.map(|mut row| row.take(0)).transpose()?.flatten();
    let older_by_s = match (run.plan.newest_source_ms, accepted) {
        (Some(newest), Some(accepted)) if newest < accepted => Some((accepted - newest).unsigned_abs().div_ceil(1_000)),
        _ => None,
    };
    Ok((last.is_some_and(|last| last == run.plan.sha256), older_by_s))
}
