//! How a student's fields are kept: one JSON text per version. The domain types do not derive Serialize; these mirrors
//! do, field for field.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::student::{Enrollment, RoleType, StudentFields};

#[derive(Serialize, Deserialize)]
struct Doc {
    #[serde(rename = "g")]
    given_name: String,
    #[serde(rename = "f")]
    family_name: String,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    middle_name: Option<String>,
    #[serde(rename = "pg", default, skip_serializing_if = "Option::is_none")]
    preferred_given_name: Option<String>,
    #[serde(rename = "pm", default, skip_serializing_if = "Option::is_none")]
    preferred_middle_name: Option<String>,
    #[serde(rename = "pf", default, skip_serializing_if = "Option::is_none")]
    preferred_family_name: Option<String>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(rename = "gr", default, skip_serializing_if = "Vec::is_empty")]
    grades: Vec<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(rename = "on")]
    enabled_user: bool,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    primary_org: Option<String>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    birth_date: Option<Date>,
    #[serde(rename = "s")]
    enrollments: Vec<EnrollmentDoc>,
}

#[derive(Serialize, Deserialize)]
struct EnrollmentDoc {
    #[serde(rename = "s")]
    school: String,
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    secondary: bool,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    begin: Option<Date>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<Date>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    exit_reason: Option<String>,
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
}

/// The text of a student's fields.
pub fn write(fields: &StudentFields) -> String {
    let fields = fields.clone();
    let enrollment = |e: Enrollment| EnrollmentDoc {
        school: e.school,
        secondary: e.role == RoleType::Secondary,
        begin: e.begin,
        end: e.end,
        exit_reason: e.exit_reason,
        ended: e.ended,
    };
    let doc = Doc {
        given_name: fields.given_name,
        family_name: fields.family_name,
        middle_name: fields.middle_name,
        preferred_given_name: fields.preferred_given_name,
        preferred_middle_name: fields.preferred_middle_name,
        preferred_family_name: fields.preferred_family_name,
        identifier: fields.identifier,
        grades: fields.grades,
        username: fields.username,
        email: fields.email,
        enabled_user: fields.enabled_user,
        primary_org: fields.primary_org,
        birth_date: fields.birth_date,
        enrollments: fields.enrollments.into_iter().map(enrollment).collect(),
    };
    serde_json::to_string(&doc).expect("plain fields have a JSON form")
}

/// The fields of a text that [`write`] made.
pub fn read(text: &str) -> Result<StudentFields, StoreError> {
    let doc: Doc = serde_json::from_str(text).map_err(|_| StoreError::Corrupt("a student record is unreadable"))?;
    let enrollment = |e: EnrollmentDoc| Enrollment {
        school: e.school,
        role: if e.secondary { RoleType::Secondary } else { RoleType::Primary },
        begin: e.begin,
        end: e.end,
        exit_reason: e.exit_reason,
        ended: e.ended,
    };
    Ok(StudentFields {
        given_name: doc.given_name,
        family_name: doc.family_name,
        middle_name: doc.middle_name,
        preferred_given_name: doc.preferred_given_name,
        preferred_middle_name: doc.preferred_middle_name,
        preferred_family_name: doc.preferred_family_name,
        identifier: doc.identifier,
        grades: doc.grades,
        username: doc.username,
        email: doc.email,
        enabled_user: doc.enabled_user,
        primary_org: doc.primary_org,
        birth_date: doc.birth_date,
        enrollments: doc.enrollments.into_iter().map(enrollment).collect(),
    })
}
