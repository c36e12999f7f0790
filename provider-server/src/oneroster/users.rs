//! `users.csv`, twice: first the ids, so that other files' references can be checked as they are read; then the rows,
//! each student with the schools that the other files gave.

use super::{
    check::RowCheck,
    code::Code,
    compose::{Weight, compose},
    keys::{Bits, Keys, Seen},
    layout::{Layout, ROLES, USERS},
    links::{Links, Role},
    orgs::Orgs,
    output::Output,
    read::ReadError,
    report::{Problem, Severity},
    row::Row,
    table::{Ignored, Line, Table},
    types::{Kind, PreferredNames, RoleType, RosterEnrollment, RowStatus, StudentFields, StudentRow, Version},
    value,
};

const USED: &[&str] = &[
    "sourcedId",
    "status",
    "dateLastModified",
    "enabledUser",
    "orgSourcedIds",
    "role",
    "username",
    "givenName",
    "familyName",
    "middleName",
    "identifier",
    "email",
    "grades",
    "preferredGivenName",
    "preferredMiddleName",
    "preferredFamilyName",
    "primaryOrgSourcedId",
];

const ROLES_1_1: &[&str] =
    &["student", "teacher", "administrator", "aide", "guardian", "parent", "proctor", "relative"];

/// The first pass: the keys of all users, of faulty rows too.
///
/// # Errors
/// Those of the table; more users than `max_users`.
pub fn read_keys(mut table: Table<'_>, keys: &Keys, max_users: u64) -> Result<Vec<u128>, ReadError> {
    let mut all = Vec::new();
    while let Some(line) = table.advance()? {
        let id = table.row().get(0).trim();
        if !matches!(line, Line::Blank) && value::is_sourced_id(id) {
            all.push(keys.key(id));
        }
        if all.len() as u64 > max_users {
            return Err(table.too_many());
        }
    }
    Ok(all)
}

/// The second pass.
pub struct Users<'a> {
    pub version: Version,
    pub kind: Kind,
    pub orgs: &'a mut Orgs,
    pub links: &'a Links,
    seen: Bits,
    identifiers: Seen,
}

impl<'a> Users<'a> {
    pub fn new(version: Version, kind: Kind, orgs: &'a mut Orgs, links: &'a Links) -> Self {
        Self { version, kind, orgs, links, seen: Bits::new(0), identifiers: Seen::default() }
    }

    /// Reads the rows and hands the students on.
    ///
    /// # Errors
    /// Those of the table.
    pub fn read(&mut self, mut table: Table<'_>, out: &mut Output<'_>) -> Result<(), ReadError> {
        let columns = Columns::of(&table.layout);
        let mut ignored = Ignored::all_but(&table.layout, USED);
        while table.next_good(out, |row, out| self.reject_faulty(row, out))?.is_some() {
            ignored.check(&table, out);
            self.row(&table, &columns, out);
        }
        Ok(())
    }

    /// Hands on the students of a delta that are in other files only.
    ///
    /// # Errors
    /// [`ReadError::Stopped`]
    pub fn finish(&mut self, out: &mut Output<'_>) -> Result<(), ReadError> {
        for (user, id, line) in self.links.extra() {
            let birth_date = self.links.birth_date(user);
            if self.links.is_tainted(user) {
                self.reject(ROLES, Some(id), line, out);
            } else if self.links.has_role(user) || birth_date.is_some() {
                let roles = self.links.roles(user);
                let (enrollments, _, good) = self.compose(roles, id, None, false, line, out);
                if good {
                    out.student(StudentRow {
                        line,
                        sourced_id: id.to_owned(),
                        status: RowStatus::Active,
                        fields: None,
                        birth_date,
                        enrollments,
                        enrollments_complete: false,
                        known_only: true,
                        source_last_modified: None,
                    });
                } else {
                    self.reject(ROLES, Some(id), line, out);
                }
            }
            out.check_stop()?;
        }
        Ok(())
    }

    fn row(&mut self, table: &Table<'_>, columns: &Columns, out: &mut Output<'_>) {
        let mut check = RowCheck::new(table, out);
        let line = check.line();
        let Some(id) = check.sourced_id() else {
            out.summary.hidden_rows += 1;
            return self.reject(USERS, None, line, out);
        };
        // The first pass saw the same file, so there is a number.
        let Some(user) = self.links.find(id) else { return self.reject(USERS, Some(id), line, out) };
        if self.seen.set(user) {
            check.error(0, Code::IdDuplicate);
            return self.reject(USERS, Some(id), line, out);
        }
        let known_only = match self.standing(user, &mut check, columns) {
            Standing::Student => false,
            Standing::Unstated => true,
            Standing::Other => {
                out.summary.ignored_users += 1;
                return;
            }
            Standing::Unreadable => return self.reject(USERS, Some(id), line, out),
        };
        match self.student(user, id, known_only, &mut check, columns) {
            Some(student) => out.student(student),
            None => self.reject(USERS, Some(id), line, out),
        }
    }

    /// Whether the zip says that the user is a student.
    fn standing(&self, user: u32, check: &mut RowCheck<'_, '_, '_>, columns: &Columns) -> Standing {
        match columns.role {
            Some(role) => match check.one_of(role, ROLES_1_1, true) {
                Some("student") => Standing::Student,
                Some(_) => Standing::Other,
                None => Standing::Unreadable,
            },
            None if self.links.has_role(user) || self.links.is_tainted(user) => Standing::Student,
            None if self.kind == Kind::Delta && !self.links.is_staff(user) => Standing::Unstated,
            None => Standing::Other,
        }
    }

    fn student(
        &mut self,
        user: u32,
        id: &str,
        known_only: bool,
        check: &mut RowCheck<'_, '_, '_>,
        columns: &Columns,
    ) -> Option<StudentRow> {
        let status = check.status(self.kind);
        let source_last_modified = check.last_modified(self.kind);
        let mut student = StudentRow {
            line: check.line(),
            sourced_id: id.to_owned(),
            status,
            fields: None,
            birth_date: None,
            enrollments: Vec::new(),
            enrollments_complete: false,
            known_only,
            source_last_modified,
        };
        let tainted = self.links.is_tainted(user);
        if tainted {
            check.error(0, Code::RowOfStudent);
        }
        if status == RowStatus::Active {
            let fields = self.fields(check, columns);
            let (roles, stated) = match columns.orgs {
                Some(column) => (self.roles_of_1_1(check, column), None),
                None => (
                    Some(self.links.roles(user)).filter(|_| !tainted),
                    columns.primary_org.and_then(|column| self.primary_org(check, column)),
                ),
            };
            student.enrollments_complete = self.kind == Kind::Bulk || self.version == Version::V1_1;
            // Without all of its roles there is nothing to say about their sum.
            let roles = roles?;
            let (enrollments, primary, good) =
                self.compose(roles, id, stated, student.enrollments_complete, check.line(), check.out);
            let mut fields = fields.filter(|_| good)?;
            fields.primary_org_sourced_id = primary.map(|org| self.orgs.sourced_id(org).to_owned());
            student.fields = Some(fields);
            student.enrollments = enrollments;
            student.birth_date = self.links.birth_date(user);
        }
        check.good().then_some(student)
    }

    fn fields(&mut self, check: &mut RowCheck<'_, '_, '_>, columns: &Columns) -> Option<StudentFields> {
        let enabled_user = match check.boolean(columns.enabled_user) {
            Some(enabled) => enabled,
            None => {
                if check.good() {
                    check.repair(columns.enabled_user, Code::Required);
                }
                true
            }
        };
        let username = check.standard_text(columns.username);
        let given_name = check.text(columns.given_name, true);
        let family_name = check.text(columns.family_name, true);
        let middle_name = check.text(columns.middle_name, false);
        let identifier = check.text(columns.identifier, false);
        if let Some(identifier) = &identifier
            && !self.identifiers.first(self.links.keys().short(identifier))
        {
            check.warn(columns.identifier, Code::IdentifierDuplicate);
        }
        let email = check.text(columns.email, false);
        if email.as_deref().is_some_and(|email| !value::looks_like_email(email)) {
            check.warn(columns.email, Code::Email);
        }
        let grades = check.grades(columns.grades);
        let preferred = columns.preferred.map(|[given, middle, family]| PreferredNames {
            given: check.text(given, false),
            middle: check.text(middle, false),
            family: check.text(family, false),
        });
        Some(StudentFields {
            given_name: given_name?,
            family_name: family_name?,
            middle_name,
            preferred,
            identifier,
            grades,
            username,
            email,
            enabled_user,
            primary_org_sourced_id: None,
        })
    }

    fn primary_org(&mut self, check: &mut RowCheck<'_, '_, '_>, column: usize) -> Option<u32> {
        let id = check.id(column, false)?;
        let org = self.orgs.find(id, check.out);
        if org.is_none() {
            check.error(column, Code::RefOrg);
        }
        org
    }

    /// The schools of a 1.1 user, the first one primary. Districts among them are usual and mean nothing.
    fn roles_of_1_1(&mut self, check: &mut RowCheck<'_, '_, '_>, column: usize) -> Option<Vec<Role>> {
        let mut roles: Vec<Role> = Vec::new();
        for item in check.value(column, true)?.split(',') {
            let item = check.trim(column, item);
            let org = value::is_sourced_id(item).then(|| self.orgs.find(item, check.out)).flatten();
            let Some(org) = org else { return check.none(column, Code::RefOrg) };
            if !self.orgs.is_school(org) || roles.iter().any(|role| role.org == org) {
                continue;
            }
            let role_type = if roles.is_empty() { RoleType::Primary } else { RoleType::Secondary };
            let status = RowStatus::Active;
            roles.push(Role { org, role_type, status, begin: None, end: None, line: check.line() });
        }
        if roles.len() > 1 {
            check.warn(column, Code::SeveralOrgs);
        }
        Some(roles)
    }

    /// Composes, and reports what was found on the way. False if it was an error.
    fn compose(
        &self,
        roles: Vec<Role>,
        id: &str,
        stated: Option<u32>,
        whole: bool,
        line: u64,
        out: &mut Output<'_>,
    ) -> (Vec<RosterEnrollment>, Option<u32>, bool) {
        let composed = compose(roles, stated, whole, |org| self.orgs.is_school(org));
        let mut good = true;
        for finding in composed.findings {
            let of_role = finding.line > 0 && self.version == Version::V1_2;
            let (file, at) = if of_role { (ROLES, finding.line) } else { (USERS, line) };
            let mut problem = Problem::new(Severity::Error, file, finding.code).line(at);
            // The user's id in both files: of the role only the line is kept.
            id.clone_into(&mut problem.sourced_id);
            match finding.weight {
                Weight::Warning => {
                    problem.severity = Severity::Warning;
                    out.problem(problem);
                }
                Weight::Repair => good &= out.repairable(problem),
                Weight::Error => {
                    out.problem(problem);
                    good = false;
                }
            }
        }
        let enrollments = composed.roles.into_iter().map(|role| RosterEnrollment {
            school_sourced_id: self.orgs.sourced_id(role.org).to_owned(),
            role_type: role.role_type,
            begin_date: role.begin,
            end_date: role.end,
            status: role.status,
            line: role.line,
        });
        (enrollments.collect(), composed.primary_org, good)
    }

    fn reject_faulty(&mut self, row: &Row, out: &mut Output<'_>) {
        let id = row.get(0).trim();
        let id = value::is_sourced_id(id).then_some(id);
        if let Some(user) = id.and_then(|id| self.links.find(id)) {
            self.seen.set(user);
        }
        out.summary.hidden_rows += u64::from(id.is_none() || row.spans_lines());
        self.reject(USERS, id, row.line(), out);
    }

    fn reject(&self, file: &'static str, id: Option<&str>, line: u64, out: &mut Output<'_>) {
        out.summary.rejected += 1;
        out.rejected(file, id, line);
    }
}

/// What the zip says of a user.
enum Standing {
    Student,
    /// A delta that gives no role: a change of someone who may be a student.
    Unstated,
    Other,
    Unreadable,
}

/// Where the columns are.
struct Columns {
    enabled_user: usize,
    username: usize,
    given_name: usize,
    family_name: usize,
    middle_name: usize,
    identifier: usize,
    email: usize,
    grades: usize,
    /// 1.1 only.
    orgs: Option<usize>,
    /// 1.1 only.
    role: Option<usize>,
    /// 1.2 only.
    preferred: Option<[usize; 3]>,
    /// 1.2 only.
    primary_org: Option<usize>,
}

impl Columns {
    fn of(layout: &Layout) -> Self {
        let every = |name| layout.find(name).expect("every header of users.csv has this column");
        let preferred =
            ["preferredGivenName", "preferredMiddleName", "preferredFamilyName"].map(|name| layout.find(name));
        Self {
            enabled_user: every("enabledUser"),
            username: every("username"),
            given_name: every("givenName"),
            family_name: every("familyName"),
            middle_name: every("middleName"),
            identifier: every("identifier"),
            email: every("email"),
            grades: every("grades"),
            orgs: layout.find("orgSourcedIds"),
            role: layout.find("role"),
            preferred: match preferred {
                [Some(given), Some(middle), Some(family)] => Some([given, middle, family]),
                _ => None,
            },
            primary_org: layout.find("primaryOrgSourcedId"),
        }
    }
}
