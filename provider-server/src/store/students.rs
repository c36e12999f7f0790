//! Reading students: one, a page of them, the versions of one.

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{Conn, Row, StoreError, Value, changes::read_status, student_doc};
use crate::{error::Refusal, model::student::Student};

/// Versions in one answer at most.
const MAX_VERSIONS: i64 = 1_000;
/// Rows that a search looks at in one page before it answers what it found.
const SCAN_PAGE: i64 = 2_000;
const COLUMNS: &str = "s.sourced_id, s.status, s.version, s.modified_ms, s.doc, s.actor";

/// A version of a student, with who made it.
pub struct StudentVersion {
    pub student: Student,
    pub actor: String,
}

/// What a list is narrowed to.
#[derive(Default)]
pub struct StudentFilter {
    /// Only with an active enrollment here.
    pub school: Option<SchoolId>,
    /// Part of a name, the identifier or the sourcedId; lower case.
    pub search: String,
    /// Also those marked for deletion.
    pub include_deleted: bool,
}

/// One page, and where the next begins.
pub struct StudentPage {
    pub students: Vec<Student>,
    /// `None` on the last page.
    pub next_after: Option<String>,
}

fn read(mut row: Row) -> Result<StudentVersion, StoreError> {
    let student = Student {
        sourced_id: row.take(0)?,
        status: read_status(&row.take::<String>(1)?)?,
        version: row.take(2)?,
        modified_ms: row.take(3)?,
        fields: student_doc::read(&row.take::<String>(4)?)?,
    };
    Ok(StudentVersion { student, actor: row.take(5)? })
}

/// One student.
pub async fn get(conn: &mut Conn, district: DistrictId, sourced_id: &str) -> Result<StudentVersion, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM students s WHERE s.district_id = $1 AND s.sourced_id = $2");
    let row = conn.query_optional(&sql, vec![district.into(), sourced_id.to_owned().into()]).await?;
    read(row.ok_or_else(|| Refusal::not_found("the student"))?)
}

/// The versions of a student, newest first, the current one on top.
pub async fn versions(
    conn: &mut Conn,
    district: DistrictId,
    sourced_id: &str,
) -> Result<Vec<StudentVersion>, StoreError> {
    let current = get(conn, district, sourced_id).await?;
    let sql = "SELECT s.sourced_id, v.status, v.version, v.modified_ms, v.doc, v.actor FROM student_versions v
               JOIN students s ON s.student_id = v.student_id
               WHERE s.district_id = $1 AND s.sourced_id = $2 ORDER BY v.version DESC LIMIT $3";
    let values = vec![district.into(), sourced_id.to_owned().into(), MAX_VERSIONS.into()];
    let older = conn.query(sql, values).await?.into_iter().map(read);
    std::iter::once(Ok(current)).chain(older).collect()
}

/// A page of students by sourcedId.
pub async fn list(
    conn: &mut Conn,
    district: DistrictId,
    filter: &StudentFilter,
    after: &str,
    page_size: usize,
) -> Result<StudentPage, StoreError> {
    let deleted = if filter.include_deleted { "" } else { "AND s.status = 'active'" };
    let (from, school) = match filter.school {
        Some(school) => (
            "school_students p JOIN students s ON s.student_id = p.student_id
             WHERE p.school_id = $4 AND p.present = 1 AND p.sourced_id > $2 AND s.district_id = $1",
            vec![Value::from(school)],
        ),
        None => ("students s WHERE s.district_id = $1 AND s.sourced_id > $2", vec![]),
    };
    let order = if filter.school.is_some() { "p.sourced_id" } else { "s.sourced_id" };
    let sql = format!("SELECT {COLUMNS} FROM {from} {deleted} ORDER BY {order} LIMIT $3");
    let limit = if filter.search.is_empty() { page_size as i64 + 1 } else { SCAN_PAGE };
    let fixed = vec![district.into(), after.to_owned().into(), limit.into()];
    let rows = conn.query(&sql, fixed.into_iter().chain(school).collect()).await?;
    let scanned_all = (rows.len() as i64) < limit;
    let (mut students, mut last) = (Vec::new(), None);
    for row in rows {
        let student = read(row)?.student;
        if students.len() == page_size {
            return Ok(StudentPage { students, next_after: last });
        }
        last = Some(student.sourced_id.clone());
        if filter.search.is_empty() || matches(&student, &filter.search) {
            students.push(student);
        }
    }
    Ok(StudentPage { students, next_after: last.filter(|_| !scanned_all) })
}

fn matches(student: &Student, search: &str) -> bool {
    let fields = &student.fields;
    let texts = [Some(&student.sourced_id), Some(&fields.given_name), Some(&fields.family_name)];
    let more = [&fields.preferred_given_name, &fields.preferred_family_name, &fields.identifier];
    let mut all = texts.into_iter().flatten().chain(more.into_iter().flatten());
    let full = format!("{} {}", fields.given_name, fields.family_name).to_lowercase();
    full.contains(search) || all.any(|text| text.to_lowercase().contains(search))
}
