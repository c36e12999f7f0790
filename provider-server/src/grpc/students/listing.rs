//! What a list of students is asked for, and where its pages begin.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rollcall_proto::{id::SchoolId, provider::v1 as pb};

use crate::{
    error::Refusal,
    grpc::convert,
    model::student::{GRADES, Status},
    store::students::{Cursor, StudentFilter, StudentOrder},
};

/// What a list is narrowed to, and its order.
pub fn student_filter(request: &pb::ListStudentsRequest, school: Option<SchoolId>) -> Result<StudentFilter, Refusal> {
    let order = StudentOrder::parse(&request.order_by).ok_or_else(|| {
        Refusal::field("orderBy", "must be sourced_id, family_name, given_name or date_last_modified")
    })?;
    let unknown = request.grades.iter().position(|grade| !GRADES.contains(&grade.as_str()));
    if let Some(index) = unknown {
        let message = "must be one of IT PR PK TK KG 01 to 12 13 PS UG Other";
        return Err(Refusal::field(format!("grades[{index}]"), message));
    }
    let status = match request.status() {
        pb::StudentStatus::Active => Some(Status::Active),
        pb::StudentStatus::Tobedeleted => Some(Status::ToBeDeleted),
        pb::StudentStatus::Unspecified => Some(Status::Active).filter(|_| !request.include_deleted),
    };
    Ok(StudentFilter {
        school,
        search: request.search.to_lowercase(),
        status,
        grades: request.grades.clone(),
        order,
        descending: request.descending,
    })
}

/// The token of a page's end: by sourcedId the last one, else the values that the last student is sorted by.
pub fn write_cursor(order: StudentOrder, cursor: &Cursor) -> String {
    match (order, cursor.0.as_slice()) {
        (StudentOrder::SourcedId, [id]) => id.clone(),
        (_, values) => URL_SAFE_NO_PAD.encode(serde_json::to_vec(values).expect("texts have a JSON form")),
    }
}

/// Where a page begins.
pub fn read_cursor(order: StudentOrder, token: &str) -> Result<Option<Cursor>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    if order == StudentOrder::SourcedId {
        return Ok(Some(Cursor(vec![token.to_owned()])));
    }
    let values = URL_SAFE_NO_PAD.decode(token).ok().and_then(|json| serde_json::from_slice(&json).ok());
    values.map(|values| Some(Cursor(values))).ok_or_else(convert::bad_page_token)
}
