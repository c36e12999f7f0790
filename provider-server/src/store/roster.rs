//! A school's roster as it stands: for the export and its digest. Both read the projection rows.

use rollcall_proto::{
    digest::RosterDigest,
    id::{DistrictId, SchoolId},
};

use super::{
    Conn, Shared, Store, StoreError, Tx,
    audit::{self, AuditAct},
    changes::read_status,
    student_doc,
};
use crate::{
    error::Refusal,
    model::{projection::project, student::Student},
};

/// Students in one page.
const PAGE: i64 = 1_000;

/// One student in the wire form.
pub struct RosterLine {
    /// OneRoster's key.
    pub sourced_id: String,
    /// The projection as one line of JSON.
    pub json: String,
}

/// The next page of a school's current students, by sourcedId. Empty at the end.
pub async fn page(conn: &mut Conn, school: SchoolId, after: &str) -> Result<Vec<RosterLine>, StoreError> {
    let sql = "SELECT p.sourced_id, p.version, p.modified_ms, s.status, s.doc, c.sourced_id
               FROM school_students p JOIN students s ON s.student_id = p.student_id
               JOIN schools c ON c.school_id = p.school_id
               WHERE p.school_id = $1 AND p.present = 1 AND p.sourced_id > $2 ORDER BY p.sourced_id LIMIT $3";
    let rows = conn.query(sql, vec![school.into(), after.to_owned().into(), PAGE.into()]).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for mut row in rows {
        let student = Student {
            sourced_id: row.take(0)?,
            version: row.take(1)?,
            modified_ms: row.take(2)?,
            status: read_status(&row.take::<String>(3)?)?,
            fields: student_doc::read(&row.take::<String>(4)?)?,
        };
        let object = project(&student, &row.take::<String>(5)?, student.version, student.modified_ms)
            .ok_or(StoreError::Corrupt("a projection row contradicts its student"))?;
        let json = serde_json::to_string(&object).expect("a projection has a JSON form");
        lines.push(RosterLine { sourced_id: student.sourced_id, json });
    }
    Ok(lines)
}

/// The digest of a school's roster, from its rows, with the head sequence of the same moment.
pub async fn digest(store: &Store, school: SchoolId) -> Result<(RosterDigest, u64), StoreError> {
    let shared = store.shared().clone();
    store.snapshot(move |conn| Box::pin(async move { digest_of(conn, &shared, school).await })).await
}

async fn digest_of(conn: &mut Conn, shared: &Shared, school: SchoolId) -> Result<(RosterDigest, u64), StoreError> {
    let sql = "SELECT head_sequence FROM schools WHERE school_id = $1";
    let row = conn.query_optional(sql, vec![school.into()]).await?;
    let head = row.ok_or_else(|| Refusal::not_found("the school"))?.take(0)?;
    let keys = shared.keys.school(conn, school).await?;
    let (mut digest, mut after) = (RosterDigest::default(), String::new());
    loop {
        let lines = page(conn, school, &after).await?;
        let Some(last) = lines.last() else { return Ok((digest, head)) };
        after = last.sourced_id.clone();
        lines.iter().for_each(|line| digest.add(&keys.digest, &line.sourced_id, line.json.as_bytes()));
    }
}

/// Keeps the disclosure: who exported which school's roster, and why.
pub async fn log_export(
    tx: &mut Tx<'_>,
    district: DistrictId,
    school: SchoolId,
    actor: String,
    reason: String,
) -> Result<(), StoreError> {
    let act = AuditAct::in_district(district, &actor, "roster.export", school).with_detail(reason);
    audit::append(tx, vec![act]).await
}
