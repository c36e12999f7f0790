//! The way to the sink: counts what goes by, and lists only so many problems of a kind.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;

use super::{
    code::Code,
    layout::ENROLLMENTS,
    read::ReadError,
    report::{Problem, Severity},
    row::{Row, RowFault},
    types::{OrgRow, OrgType, Profile, Rejected, Sink, Stop, StudentRow, Summary},
    value,
};

/// Progress is told every so many rows.
const PROGRESS_ROWS: u64 = 4_096;

pub struct Output<'s> {
    sink: &'s mut dyn Sink,
    pub profile: Profile,
    pub summary: Summary,
    max_per_code: u64,
    counts: BTreeMap<(Cow<'static, str>, Code, Severity), u64>,
    once: BTreeSet<(&'static str, Cow<'static, str>)>,
    stopped: bool,
}

impl<'s> Output<'s> {
    pub fn new(sink: &'s mut dyn Sink, profile: Profile, max_per_code: u64) -> Self {
        Self {
            sink,
            profile,
            summary: Summary::default(),
            max_per_code,
            counts: BTreeMap::new(),
            once: BTreeSet::new(),
            stopped: false,
        }
    }

    /// Hands a problem on. A stop shows at the next [`Output::row_done`].
    pub fn problem(&mut self, mut problem: Problem) {
        // Nothing is imported from class enrollments, so to the lenient profile they cost nothing.
        if problem.file == ENROLLMENTS && self.profile == Profile::Lenient && problem.line > 1 {
            problem.severity = Severity::Warning;
        }
        match problem.severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
        }
        let count = self.counts.entry((problem.file.clone(), problem.code, problem.severity)).or_default();
        *count += 1;
        if *count <= self.max_per_code {
            let result = self.sink.problem(problem);
            self.note(result);
        }
    }

    /// Hands on why the whole zip is refused. The read ends with it anyway, so a stop is of no interest.
    pub fn refused(&mut self, problem: &Problem) {
        self.summary.errors += 1;
        let _ = self.sink.problem(problem.clone());
    }

    /// An error to the strict profile, a warning to the lenient one. True if the value may be used.
    pub fn repairable(&mut self, mut problem: Problem) -> bool {
        let lenient = self.profile == Profile::Lenient;
        problem.severity = if lenient { Severity::Warning } else { Severity::Error };
        self.problem(problem);
        lenient
    }

    /// Warns only the first time in a file.
    pub fn warn_once(&mut self, file: &'static str, problem: Problem) {
        if self.once.insert((file, problem.field.clone())) {
            self.problem(problem);
        }
    }

    /// Reports a row that could not be split, or has another width.
    pub fn faulty_row(&mut self, file: &'static str, row: &Row, fault: Option<RowFault>, width: usize) {
        let code = match fault {
            None => Code::RowWidth,
            Some(RowFault::Utf8) => Code::RowUtf8,
            Some(RowFault::Quote) => Code::RowQuote,
            Some(RowFault::TooLong) => Code::RowTooLong,
        };
        let mut problem = Problem::new(Severity::Error, file, code).line(row.line());
        if value::is_sourced_id(row.get(0)) {
            problem.sourced_id = row.get(0).to_owned();
        }
        if fault.is_none() {
            problem = problem.detail(format_args!("{width} expected, {} found", row.len()));
        }
        self.problem(problem);
    }

    pub fn org(&mut self, org: OrgRow) {
        self.summary.orgs += 1;
        self.summary.schools += u64::from(org.org_type == OrgType::School);
        let result = self.sink.org(org);
        self.note(result);
    }

    pub fn student(&mut self, student: StudentRow) {
        self.summary.students += 1;
        let result = self.sink.student(student);
        self.note(result);
    }

    pub fn rejected(&mut self, file: &'static str, sourced_id: Option<&str>, line: u64) {
        let rejected = Rejected { file, sourced_id: sourced_id.map(str::to_owned), line };
        let result = self.sink.rejected(rejected);
        self.note(result);
    }

    pub fn known_org(&self, sourced_id: &str) -> Option<OrgType> {
        self.sink.known_org(sourced_id)
    }

    pub fn head(&mut self, head: &super::types::Head) {
        let result = self.sink.head(head);
        self.note(result);
    }

    /// Takes a row's dateLastModified into the newest.
    pub fn source_changed(&mut self, at: Timestamp) {
        self.summary.newest_source_change = self.summary.newest_source_change.max(Some(at));
    }

    /// Counts a row.
    ///
    /// # Errors
    /// [`ReadError::Stopped`] where the sink asked for it.
    pub fn row_done(&mut self) -> Result<(), ReadError> {
        self.summary.rows += 1;
        if self.summary.rows.is_multiple_of(PROGRESS_ROWS) {
            let result = self.sink.progress(self.summary.rows);
            self.note(result);
        }
        self.check_stop()
    }

    /// # Errors
    /// [`ReadError::Stopped`] where the sink asked for it.
    pub fn check_stop(&self) -> Result<(), ReadError> {
        if self.stopped { Err(ReadError::Stopped) } else { Ok(()) }
    }

    /// Tells how many problems were not listed.
    ///
    /// # Errors
    /// [`ReadError::Stopped`] where the sink asked for it.
    pub fn finish(mut self) -> Result<Summary, ReadError> {
        for ((file, code, severity), count) in std::mem::take(&mut self.counts) {
            if count > self.max_per_code {
                let more = Problem::new(severity, file, Code::More);
                let unlisted = count - self.max_per_code;
                let result = self.sink.problem(more.detail(format_args!("{unlisted} more of {}", code.as_str())));
                self.note(result);
            }
        }
        self.check_stop()?;
        Ok(self.summary)
    }

    fn note(&mut self, result: Result<(), Stop>) {
        self.stopped |= result.is_err();
    }
}
