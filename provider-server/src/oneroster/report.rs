//! Problems, and the report of them as CSV.

use std::{borrow::Cow, io};

use rollcall_proto::cell::neutral;

use super::code::Code;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The row was skipped, or the whole zip where it says so.
    Error,
    /// The row was taken, perhaps normalised.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding. Never contains a name or another personal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub file: Cow<'static, str>,
    /// 1 is the header; 0 where the file as a whole is meant.
    pub line: u64,
    /// Of the row's record; empty where it has none or it is malformed.
    pub sourced_id: String,
    /// The column, or the manifest's property; empty where the row as a whole is meant.
    pub field: Cow<'static, str>,
    pub code: Code,
    pub message: String,
    pub how_to_fix: &'static str,
}

impl Problem {
    /// A problem of a whole file, in the code's own words.
    pub fn new(severity: Severity, file: impl Into<Cow<'static, str>>, code: Code) -> Self {
        Self {
            severity,
            file: file.into(),
            line: 0,
            sourced_id: String::new(),
            field: Cow::Borrowed(""),
            code,
            message: code.message().to_owned(),
            how_to_fix: code.how_to_fix(),
        }
    }

    /// At a line.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.line = line;
        self
    }

    /// In a column.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = field.into();
        self
    }

    /// With a detail behind the code's words.
    #[must_use]
    pub fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.message = format!("{}: {detail}", self.message);
        self
    }
}

/// The report's header.
pub const REPORT_HEADER: [&str; 8] = ["severity", "file", "line", "sourcedId", "field", "code", "message", "howToFix"];

/// Writes a report with its header. Problems come in the order given.
///
/// # Errors
/// Only those of `out`.
pub fn write_report<'a>(out: impl io::Write, problems: impl IntoIterator<Item = &'a Problem>) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(REPORT_HEADER)?;
    for problem in problems {
        csv.write_record([
            problem.severity.as_str(),
            &neutral(&problem.file),
            &problem.line.to_string(),
            &neutral(&problem.sourced_id),
            &neutral(&problem.field),
            problem.code.as_str(),
            &neutral(&problem.message),
            problem.how_to_fix,
        ])?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_header_and_no_formulas() {
        let problem =
            Problem { sourced_id: "@evil".into(), ..Problem::new(Severity::Error, "users.csv", Code::RowWidth) }
                .line(7)
                .field("=x")
                .detail("22 expected, 3 found");
        let mut out = Vec::new();
        write_report(&mut out, [&problem]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "severity,file,line,sourcedId,field,code,message,howToFix\r\n\
             error,users.csv,7,'@evil,'=x,row.width,\"the row has another number of columns than the header: 22 expected, 3 found\",\
             \"quote values that contain a comma, and fill every column\"\r\n"
        );
    }
}
