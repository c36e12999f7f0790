//! The student record: OneRoster's names, the rules of each field, and the acts that change it.

use jiff::civil::Date;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};

use crate::error::{Refusal, Violation};

/// The grades that OneRoster knows here.
pub const GRADES: [&str; 21] = [
    "IT", "PR", "PK", "TK", "KG", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "PS",
    "UG", "Other",
];
/// Characters in a name or identifier at most.
pub const MAX_TEXT_CHARS: usize = 255;
/// Enrollments of one student at most, ended ones included.
pub const MAX_ENROLLMENTS: usize = 64;
const MAX_GRADES: usize = 16;

/// Whether the record is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Marked for deletion.
    ToBeDeleted,
    /// Erased for good: a tombstone that holds nothing but its version.
    Erased,
}

impl Status {
    /// OneRoster's word, or ours.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ToBeDeleted => "tobedeleted",
            Self::Erased => "erased",
        }
    }

    /// From OneRoster's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Active),
            "tobedeleted" => Some(Self::ToBeDeleted),
            "erased" => Some(Self::Erased),
            _ => None,
        }
    }
}

/// What staff, an installation or a file may say of a student.
#[derive(Clone, PartialEq, Eq)]
pub struct StudentFields {
    pub given_name: String,
    pub family_name: String,
    pub middle_name: Option<String>,
    pub preferred_given_name: Option<String>,
    pub preferred_middle_name: Option<String>,
    pub preferred_family_name: Option<String>,
    /// Student number.
    pub identifier: Option<String>,
    pub grades: Vec<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub enabled_user: bool,
    /// sourcedId of the primary school.
    pub primary_org: Option<String>,
    pub birth_date: Option<Date>,
    /// In the order given; ended ones stay.
    pub enrollments: Vec<Enrollment>,
}

/// A student as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Student {
    /// Immutable, unique in the district.
    pub sourced_id: String,
    pub status: Status,
    /// +1 per accepted change.
    pub version: u64,
    /// When the version was made, ms.
    pub modified_ms: i64,
    pub fields: StudentFields,
}

/// Whether a school is the student's main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleType {
    Primary,
    Secondary,
}

impl RoleType {
    /// OneRoster's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// From OneRoster's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "primary" => Some(Self::Primary),
            "secondary" => Some(Self::Secondary),
            _ => None,
        }
    }
}

/// A student at a school. Dates are data: only an act or a source row ends an enrollment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The school's sourcedId.
    pub school: String,
    pub role: RoleType,
    /// First day.
    pub begin: Option<Date>,
    /// The day after the last.
    pub end: Option<Date>,
    pub exit_reason: Option<String>,
    /// Ended by an act or its source row.
    pub ended: bool,
}

/// A name without case and accents, to be sorted by.
pub fn name_key(name: &str) -> String {
    name.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// Checks a sourcedId: `^[0-9A-Za-z.\-_/@]{1,255}$`.
pub fn is_sourced_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/@".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(allowed)
}

/// Refuses a sourcedId that is not one.
pub fn check_sourced_id(field: &str, text: &str) -> Result<(), Refusal> {
    if is_sourced_id(text) {
        return Ok(());
    }
    Err(Refusal::field(field, "must be 1 to 255 of the characters 0-9 A-Z a-z . - _ / @"))
}

impl Student {
    /// Whether the student has an active enrollment at this school and is not marked for deletion.
    pub fn is_at(&self, school: &str) -> bool {
        self.status == Status::Active && self.fields.enrollments.iter().any(|e| e.school == school && !e.ended)
    }

    /// The schools of active enrollments, each once, in order.
    pub fn current_schools(&self) -> Vec<&str> {
        let mut schools: Vec<&str> = Vec::new();
        if self.status == Status::Active {
            for enrollment in self.fields.enrollments.iter().filter(|e| !e.ended) {
                if !schools.contains(&enrollment.school.as_str()) {
                    schools.push(&enrollment.school);
                }
            }
        }
        schools
    }
}

impl StudentFields {
    /// What a tombstone holds.
    pub fn nothing() -> Self {
        Self {
            given_name: String::new(),
            family_name: String::new(),
            middle_name: None,
            preferred_given_name: None,
            preferred_middle_name: None,
            preferred_family_name: None,
            identifier: None,
            grades: Vec::new(),
            username: None,
            email: None,
            enabled_user: false,
            primary_org: None,
            birth_date: None,
            enrollments: Vec::new(),
        }
    }

    /// Brings texts into NFC and checks every rule that needs no other record.
    pub fn normalise_and_check(&mut self, birth_date_allowed: bool) -> Result<(), Refusal> {
        let mut violations = Vec::new();
        let mut add = |field: &str, message: &str| {
            violations.push(Violation { field: field.into(), message: message.into() });
        };
        for (field, text, required) in self.texts() {
            if !is_nfc(text) {
                *text = text.nfc().collect();
            }
            if required && text.trim().is_empty() {
                add(field, "is required");
            } else if text.trim().is_empty() {
                add(field, "must not be blank: leave it out instead");
            } else if text.chars().count() > MAX_TEXT_CHARS {
                add(field, "must have at most 255 characters");
            } else if text.chars().any(char::is_control) {
                add(field, "must not contain control characters");
            }
        }
        if self.grades.len() > MAX_GRADES {
            add("grades", "has too many entries: at most 16");
        }
        for (index, grade) in self.grades.iter().enumerate().take(MAX_GRADES) {
            if !GRADES.contains(&grade.as_str()) {
                add(&format!("grades[{index}]"), "must be one of IT PR PK TK KG 01 to 12 13 PS UG Other");
            }
        }
        if self.birth_date.is_some() && !birth_date_allowed {
            add("birthDate", "is switched off for this district");
        }
        if self.enrollments.is_empty() {
            add("schoolEnrollments", "needs at least one entry");
        }
        if self.enrollments.len() > MAX_ENROLLMENTS {
            add("schoolEnrollments", "has too many entries: at most 64");
        }
        for (index, enrollment) in self.enrollments.iter().enumerate().take(MAX_ENROLLMENTS) {
            let at = |name: &str| format!("schoolEnrollments[{index}].{name}");
            if !is_sourced_id(&enrollment.school) {
                add(&at("schoolSourcedId"), "must be a school's sourcedId");
            }
            if let (Some(begin), Some(end)) = (enrollment.begin, enrollment.end)
                && begin >= end
            {
                add(&at("endDate"), "must be after beginDate (it is the day after the last)");
            }
            let same = |other: &&Enrollment| other.school == enrollment.school && !other.ended;
            if !enrollment.ended && self.enrollments[..index].iter().any(|other| same(&other)) {
                add(&at("schoolSourcedId"), "has another active enrollment at the same school");
            }
        }
        if let Some(primary) = &self.primary_org
            && !self.enrollments.iter().any(|e| e.school == *primary && !e.ended)
        {
            add("primaryOrgSourcedId", "needs an active enrollment at that school");
        }
        if self.primary_org.is_none() && self.enrollments.iter().any(|e| !e.ended) {
            self.primary_org = self.default_primary();
        }
        if violations.is_empty() { Ok(()) } else { Err(Refusal::fields(violations)) }
    }

    /// The primary school where none was named: the first active primary enrollment, else the first active one.
    fn default_primary(&self) -> Option<String> {
        let active = || self.enrollments.iter().filter(|e| !e.ended);
        let chosen = active().find(|e| e.role == RoleType::Primary).or_else(|| active().next());
        chosen.map(|e| e.school.clone())
    }

    fn texts(&mut self) -> impl Iterator<Item = (&'static str, &mut String, bool)> {
        let required = [("givenName", &mut self.given_name), ("familyName", &mut self.family_name)];
        let optional = [
            ("middleName", &mut self.middle_name),
            ("preferredGivenName", &mut self.preferred_given_name),
            ("preferredMiddleName", &mut self.preferred_middle_name),
            ("preferredFamilyName", &mut self.preferred_family_name),
            ("identifier", &mut self.identifier),
            ("username", &mut self.username),
            ("email", &mut self.email),
        ];
        let required = required.into_iter().map(|(field, text)| (field, text, true));
        let optional = optional.into_iter().filter_map(|(field, text)| Some((field, text.as_mut()?, false)));
        let reasons = self
            .enrollments
            .iter_mut()
            .filter_map(|e| Some(("schoolEnrollments.exitReason", e.exit_reason.as_mut()?, false)));
        required.chain(optional).chain(reasons)
    }

    fn active_at(&mut self, school: &str) -> Option<&mut Enrollment> {
        self.enrollments.iter_mut().find(|e| e.school == school && !e.ended)
    }

    /// Adds or re-opens the enrollment at a school.
    pub fn enroll(&mut self, school: &str, role: RoleType, begin: Option<Date>) -> Result<(), Refusal> {
        if self.active_at(school).is_some() {
            return Err(Refusal::precondition("the student is enrolled at this school already"));
        }
        let entry = Enrollment { school: school.into(), role, begin, end: None, exit_reason: None, ended: false };
        self.enrollments.push(entry);
        if role == RoleType::Primary || self.primary_org.is_none() {
            self.primary_org = Some(school.into());
        }
        Ok(())
    }

    /// Ends the enrollment at a school.
    pub fn withdraw(&mut self, school: &str, end: Option<Date>, reason: Option<String>) -> Result<(), Refusal> {
        let Some(entry) = self.active_at(school) else {
            return Err(Refusal::precondition("the student is not enrolled at this school"));
        };
        entry.ended = true;
        entry.end = end.or(entry.end);
        entry.exit_reason = reason;
        if self.primary_org.as_deref() == Some(school) {
            self.primary_org = self.default_primary();
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn fields(schools: &[&str]) -> StudentFields {
        let enrollment = |school: &&str| Enrollment {
            school: (*school).into(),
            role: RoleType::Primary,
            begin: None,
            end: None,
            exit_reason: None,
            ended: false,
        };
        StudentFields {
            given_name: "José".into(),
            family_name: "Nguyễn".into(),
            middle_name: None,
            preferred_given_name: None,
            preferred_middle_name: None,
            preferred_family_name: None,
            identifier: None,
            grades: vec!["07".into()],
            username: None,
            email: None,
            enabled_user: true,
            primary_org: schools.first().map(|s| (*s).into()),
            birth_date: None,
            enrollments: schools.iter().map(enrollment).collect(),
        }
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        let check = |change: fn(&mut StudentFields), field: &str| {
            let mut fields = fields(&["s-1"]);
            change(&mut fields);
            let refusal = fields.normalise_and_check(false).expect_err(field);
            assert_eq!(refusal.violations[0].field, field);
        };
        check(|f| f.given_name = "  ".into(), "givenName");
        check(|f| f.family_name = "x".repeat(256), "familyName");
        check(|f| f.middle_name = Some("a\u{7}".into()), "middleName");
        check(|f| f.grades = vec!["08".into(), "8".into()], "grades[1]");
        check(|f| f.birth_date = Some(jiff::civil::date(2012, 1, 1)), "birthDate");
        check(|f| f.enrollments.clear(), "schoolEnrollments");
        check(|f| f.enrollments[0].school = "a b".into(), "schoolEnrollments[0].schoolSourcedId");
        check(|f| f.enrollments.push(f.enrollments[0].clone()), "schoolEnrollments[1].schoolSourcedId");
        check(|f| f.primary_org = Some("s-2".into()), "primaryOrgSourcedId");
    }

    #[test]
    fn names_are_brought_into_nfc() {
        let mut fields = fields(&["s-1"]);
        fields.given_name = "Jose\u{301}".into();
        fields.normalise_and_check(false).expect("valid");
        assert_eq!(fields.given_name, "José");
    }

    #[test]
    fn a_withdrawal_moves_the_primary_school() {
        let mut fields = fields(&["s-1", "s-2"]);
        fields.withdraw("s-1", None, Some("moved".into())).expect("enrolled there");
        assert_eq!(fields.primary_org.as_deref(), Some("s-2"));
        assert!(fields.withdraw("s-1", None, None).is_err(), "ended already");
        fields.enroll("s-1", RoleType::Secondary, None).expect("may return");
        assert_eq!(fields.enrollments.len(), 3, "the ended one stays in the list");
    }
}
