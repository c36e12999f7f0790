//! The checks of one row's values. A row is good while no check found an error in it.

use jiff::{Timestamp, civil::Date};

use super::{
    code::Code,
    layout::{DATE_LAST_MODIFIED, SOURCED_ID, STATUS},
    output::Output,
    report::{Problem, Severity},
    table::Table,
    types::{Kind, Profile, RowStatus},
    value::{self, Parsed, TextFault},
};

pub struct RowCheck<'t, 'o, 's> {
    table: &'t Table<'t>,
    pub out: &'o mut Output<'s>,
    good: bool,
}

impl<'t, 'o, 's> RowCheck<'t, 'o, 's> {
    /// Of the row that the table stands on.
    pub fn new(table: &'t Table<'t>, out: &'o mut Output<'s>) -> Self {
        Self { table, out, good: true }
    }

    /// No error so far.
    pub fn good(&self) -> bool {
        self.good
    }

    pub fn line(&self) -> u64 {
        self.table.row().line()
    }

    /// The row's own id.
    pub fn sourced_id(&mut self) -> Option<&'t str> {
        self.id(SOURCED_ID, true)
    }

    /// A sourcedId, the row's own or a reference.
    pub fn id(&mut self, column: usize, required: bool) -> Option<&'t str> {
        let id = self.value(column, required)?;
        if !value::is_sourced_id(id) {
            return self.none(column, Code::SourcedId);
        }
        Some(id)
    }

    /// Blank in bulk, filled in delta.
    pub fn status(&mut self, kind: Kind) -> RowStatus {
        let value = self.trimmed(STATUS);
        if value.is_empty() {
            if kind == Kind::Delta {
                self.repair(STATUS, Code::DeltaBlank);
            }
            return RowStatus::Active;
        }
        self.bulk_filled(kind, STATUS);
        match value::one_of(value, &["active", "tobedeleted"]) {
            Some(parsed) if self.taken(STATUS, Code::NotInList, parsed) == "tobedeleted" => RowStatus::ToBeDeleted,
            Some(_) => RowStatus::Active,
            None => {
                self.error(STATUS, Code::NotInList);
                RowStatus::Active
            }
        }
    }

    /// Blank in bulk, filled in delta.
    pub fn last_modified(&mut self, kind: Kind) -> Option<Timestamp> {
        let value = self.trimmed(DATE_LAST_MODIFIED);
        if value.is_empty() {
            if kind == Kind::Delta {
                self.repair(DATE_LAST_MODIFIED, Code::DeltaBlank);
            }
            return None;
        }
        self.bulk_filled(kind, DATE_LAST_MODIFIED);
        let Some(parsed) = value::date_time(value) else {
            self.repair(DATE_LAST_MODIFIED, Code::BadDateTime);
            return None;
        };
        let at = self.taken(DATE_LAST_MODIFIED, Code::BadDateTime, parsed);
        self.out.source_changed(at);
        Some(at)
    }

    /// A text in NFC; blank is `None`, and an error where it is required.
    pub fn text(&mut self, column: usize, required: bool) -> Option<String> {
        let value = self.value(column, required)?;
        match value::text(value) {
            Ok(text) => Some(text),
            Err(TextFault::TooLong) => self.none(column, Code::TooLong),
            Err(TextFault::Control) => self.none(column, Code::Control),
        }
    }

    /// As [`RowCheck::text`], of a column that the standard requires and we do not.
    pub fn standard_text(&mut self, column: usize) -> Option<String> {
        self.text(column, self.out.profile == Profile::Strict)
    }

    pub fn date(&mut self, column: usize) -> Option<Date> {
        let value = self.value(column, false)?;
        match value::date(value) {
            Some(parsed) => Some(self.taken(column, Code::BadDate, parsed)),
            None => self.none(column, Code::BadDate),
        }
    }

    /// Begin and end, the first before the second.
    pub fn dates(&mut self, begin: usize, end: usize) -> (Option<Date>, Option<Date>) {
        let dates = (self.date(begin), self.date(end));
        if let (Some(first), Some(after)) = dates
            && first >= after
        {
            self.error(end, Code::DateOrder);
        }
        dates
    }

    /// true or false; blank is `None`.
    pub fn boolean(&mut self, column: usize) -> Option<bool> {
        let value = self.value(column, false)?;
        match value::boolean(value) {
            Some(parsed) => Some(self.taken(column, Code::Boolean, parsed)),
            None => self.none(column, Code::Boolean),
        }
    }

    /// One of a list. `extensible`: any other that starts with `ext:` is fine, and answered as such.
    pub fn one_of(&mut self, column: usize, list: &[&'static str], extensible: bool) -> Option<&'static str> {
        let value = self.value(column, true)?;
        match value::one_of(value, list) {
            Some(parsed) => Some(self.taken(column, Code::NotInList, parsed)),
            None if extensible && value.starts_with("ext:") => Some("ext:"),
            None => self.none(column, Code::NotInList),
        }
    }

    /// Grades, separated by commas, each once.
    pub fn grades(&mut self, column: usize) -> Vec<&'static str> {
        let mut grades = Vec::new();
        let Some(list) = self.value(column, false) else { return grades };
        for item in list.split(',') {
            let item = self.trim(column, item);
            match value::grade(item) {
                Some(parsed) => {
                    let grade = self.taken(column, Code::NotInList, parsed);
                    if !grades.contains(&grade) {
                        grades.push(grade);
                    }
                }
                None => {
                    self.error(column, Code::NotInList);
                    break;
                }
            }
        }
        grades
    }

    /// The value, trimmed; blank is `None`, and an error where it is required.
    pub fn value(&mut self, column: usize, required: bool) -> Option<&'t str> {
        let value = self.trimmed(column);
        if value.is_empty() {
            return if required { self.none(column, Code::Required) } else { None };
        }
        Some(value)
    }

    /// One item of a list value, trimmed.
    pub fn trim(&mut self, column: usize, value: &'t str) -> &'t str {
        let trimmed = value.trim();
        if trimmed.len() != value.len() && !trimmed.is_empty() {
            self.repair(column, Code::Spaces);
        }
        trimmed
    }

    /// Reports an error; the row is not good any more.
    pub fn error(&mut self, column: usize, code: Code) {
        let problem = self.at(column, code);
        self.out.problem(problem);
        self.good = false;
    }

    /// Reports an error in place of a value.
    pub fn none<T>(&mut self, column: usize, code: Code) -> Option<T> {
        self.error(column, code);
        None
    }

    /// An error to the strict profile, else a warning.
    pub fn repair(&mut self, column: usize, code: Code) {
        let problem = self.at(column, code);
        self.good &= self.out.repairable(problem);
    }

    pub fn warn(&mut self, column: usize, code: Code) {
        let mut problem = self.at(column, code);
        problem.severity = Severity::Warning;
        self.out.problem(problem);
    }

    fn taken<T>(&mut self, column: usize, code: Code, parsed: Parsed<T>) -> T {
        match parsed {
            Parsed::Exact(value) => value,
            Parsed::Repaired(value) => {
                self.repair(column, code);
                value
            }
        }
    }

    fn trimmed(&mut self, column: usize) -> &'t str {
        let value = self.table.row().get(column);
        self.trim(column, value)
    }

    /// A bulk file that fills them does so in every row: one warning is enough, but strict refuses each row.
    fn bulk_filled(&mut self, kind: Kind, column: usize) {
        if kind != Kind::Bulk {
            return;
        }
        match self.out.profile {
            Profile::Strict => self.repair(column, Code::BulkFilled),
            Profile::Lenient => {
                let mut problem = self.at(column, Code::BulkFilled);
                problem.severity = Severity::Warning;
                self.out.warn_once(self.table.file, problem);
            }
        }
    }

    fn at(&self, column: usize, code: Code) -> Problem {
        let row = self.table.row();
        let mut problem = Problem::new(Severity::Error, self.table.file, code).line(row.line());
        problem.field = self.table.layout.name(column).into();
        let id = row.get(SOURCED_ID).trim();
        if value::is_sourced_id(id) {
            problem.sourced_id = id.to_owned();
        }
        problem
    }
}
