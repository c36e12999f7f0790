//! Reading students: one, a page of them, the versions of one. Tombstones of erased ones are not there.

use rollcall_proto::id::{DistrictId, SchoolId};

use super::{Conn, Row, StoreError, changes::read_status, log::condition::Statement, student_doc};
use crate::{
    error::Refusal,
    model::student::{Status, Student},
};

/// Versions in one answer at most.
const MAX_VERSIONS: i64 = 1_000;
/// Rows that a search or a filter looks at in one page before it answers what it found.
const SCAN_PAGE: u64 = 2_000;
const COLUMNS: &str = "s.sourced_id, s.status, s.version, s.modified_ms, s.doc, s.actor";

/// A version of a student, with who made it.
pub struct StudentVersion {
    pub student: Student,
    pub actor: String,
}

/// What a list is sorted by; equal ones by what follows, at last by sourcedId.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StudentOrder {
    #[default]
    SourcedId,
    /// Without case and accents, then by given name.
    FamilyName,
    /// Without case and accents, then by family name.
    GivenName,
    Modified,
}

impl StudentOrder {
    /// The order of this name; empty means by sourcedId.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "" | "sourced_id" => Self::SourcedId,
            "family_name" => Self::FamilyName,
            "given_name" => Self::GivenName,
            "date_last_modified" => Self::Modified,
            _ => return None,
        })
    }

    /// Columns of `s`; the last is a key.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::SourcedId => &["sourced_id"],
            Self::FamilyName => &["family_key", "given_key", "sourced_id"],
            Self::GivenName => &["given_key", "family_key", "sourced_id"],
            Self::Modified => &["modified_ms", "sourced_id"],
        }
    }
}

/// Where a page ended: the values that its last student is sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<String>);

/// What a list is narrowed to, and its order.
#[derive(Default)]
pub struct StudentFilter {
    /// Only with an active enrollment here.
    pub school: Option<SchoolId>,
    /// Part of a name, the identifier or the sourcedId; lower case.
    pub search: String,
    /// Only this status; both where there is none.
    pub status: Option<Status>,
    /// Only in one of these grades; any where there are none.
    pub grades: Vec<String>,
    /// See its type.
    pub order: StudentOrder,
    /// The last come first.
    pub descending: bool,
}

/// One page, and where the next begins.
pub struct StudentPage {
    pub students: Vec<Student>,
    /// `None` on the last page.
    pub next_after: Option<Cursor>,
}

fn read(row: &mut Row) -> Result<StudentVersion, StoreError> {
    let student = Student {
        sourced_id: row.take(0)?,
        status: read_status(&row.take::<String>(1)?)?,
        version: row.take(2)?,
        modified_ms: row.take(3)?,
        fields: student_doc::read(&row.take::<String>(4)?)?,
    };
    Ok(StudentVersion { student, actor: row.take(5)? })
}

/// One student, a tombstone too; `None` where there never was one.
pub(super) async fn find(
    conn: &mut Conn,
    district: DistrictId,
    sourced_id: &str,
) -> Result<Option<StudentVersion>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM students s WHERE s.district_id = $1 AND s.sourced_id = $2");
    let row = conn.query_optional(&sql, vec![district.into(), sourced_id.to_owned().into()]).await?;
    row.map(|mut row| read(&mut row)).transpose()
}

/// One student.
pub async fn get(conn: &mut Conn, district: DistrictId, sourced_id: &str) -> Result<StudentVersion, StoreError> {
    let found = find(conn, district, sourced_id).await?;
    let found = found.filter(|found| found.student.status != Status::Erased);
    found.ok_or_else(|| Refusal::not_found("the student").into())
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
               WHERE s.district_id = $1 AND s.sourced_id = $2 AND v.status <> 'erased' AND v.version < $4
               ORDER BY v.version DESC LIMIT $3";
    // The current one may have become an older one since.
    let before = current.student.version;
    let values = vec![district.into(), sourced_id.to_owned().into(), MAX_VERSIONS.into(), before.into()];
    let older = conn.query(sql, values).await?.into_iter().map(|mut row| read(&mut row));
    std::iter::once(Ok(current)).chain(older).collect()
}

/// A page of students in the filter's order.
pub async fn list(
    conn: &mut Conn,
    district: DistrictId,
    filter: &StudentFilter,
    after: Option<&Cursor>,
    page_size: usize,
) -> Result<StudentPage, StoreError> {
    // What the database cannot ask of a record is asked of the rows.
    let scans = !filter.search.is_empty() || !filter.grades.is_empty();
    let limit = if scans { SCAN_PAGE } else { page_size as u64 + 1 };
    let rows = page_of_rows(district, filter, after, limit)?.query(conn).await?;
    let scanned_all = (rows.len() as u64) < limit;
    let (mut students, mut last) = (Vec::new(), None);
    for mut row in rows {
        let student = read(&mut row)?.student;
        if students.len() == page_size {
            return Ok(StudentPage { students, next_after: last });
        }
        last = Some(cursor(filter.order, &student, row)?);
        if matches(&student, filter) {
            students.push(student);
        }
    }
    Ok(StudentPage { students, next_after: last.filter(|_| !scanned_all) })
}

fn page_of_rows(
    district: DistrictId,
    filter: &StudentFilter,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Statement, StoreError> {
    let select = format!("SELECT {COLUMNS}, s.family_key, s.given_key FROM ");
    let statement = Statement::new(&select);
    let statement = match filter.school {
        Some(school) => statement
            .sql("school_students p JOIN students s ON s.student_id = p.student_id WHERE p.school_id = ")
            .bind(school)
            .sql(" AND p.present = 1 AND s.district_id = "),
        None => statement.sql("students s WHERE s.district_id = "),
    };
    let mut statement = statement.bind(district);
    statement = match filter.status {
        Some(status) => statement.sql(" AND s.status = ").bind(status.as_str()),
        None => statement.sql(" AND s.status <> 'erased'"),
    };
    // A school's rows are in this order already.
    let by_school = filter.school.is_some() && filter.order == StudentOrder::SourcedId;
    let table = if by_school { "p" } else { "s" };
    let columns: Vec<String> = filter.order.columns().iter().map(|column| format!("{table}.{column}")).collect();
    let (beyond, direction) = if filter.descending { (" < (", " DESC") } else { (" > (", "") };
    if let Some(Cursor(values)) = after {
        statement = statement.sql(" AND (").sql(&columns.join(", ")).sql(")").sql(beyond);
        for (index, value) in values.iter().enumerate() {
            statement = if index == 0 { statement } else { statement.sql(", ") };
            statement = match (filter.order, index) {
                (StudentOrder::Modified, 0) => statement.bind(value.parse::<i64>().map_err(|_| bad_cursor())?),
                _ => statement.bind(value),
            };
        }
        if values.len() != columns.len() {
            return Err(bad_cursor().into());
        }
        statement = statement.sql(")");
    }
    let order: Vec<String> = columns.iter().map(|column| format!("{column}{direction}")).collect();
    Ok(statement.sql(" ORDER BY ").sql(&order.join(", ")).sql(" LIMIT ").bind(limit))
}

fn bad_cursor() -> Refusal {
    Refusal::field("page_token", "is not from the page before")
}

fn cursor(order: StudentOrder, student: &Student, mut row: Row) -> Result<Cursor, StoreError> {
    let (family, given): (String, String) = (row.take(6)?, row.take(7)?);
    let id = student.sourced_id.clone();
    Ok(Cursor(match order {
        StudentOrder::SourcedId => vec![id],
        StudentOrder::FamilyName => vec![family, given, id],
        StudentOrder::GivenName => vec![given, family, id],
        StudentOrder::Modified => vec![student.modified_ms.to_string(), id],
    }))
}

fn matches(student: &Student, filter: &StudentFilter) -> bool {
    let fields = &student.fields;
    let in_grade = filter.grades.is_empty() || filter.grades.iter().any(|grade| fields.grades.contains(grade));
    let search = filter.search.as_str();
    if search.is_empty() || !in_grade {
        return in_grade;
    }
    let texts = [Some(&student.sourced_id), Some(&fields.given_name), Some(&fields.family_name)];
    let more = [&fields.preferred_given_name, &fields.preferred_family_name, &fields.identifier];
    let mut all = texts.into_iter().flatten().chain(more.into_iter().flatten());
    let full = format!("{} {}", fields.given_name, fields.family_name).to_lowercase();
    full.contains(search) || all.any(|text| text.to_lowercase().contains(search))
}
