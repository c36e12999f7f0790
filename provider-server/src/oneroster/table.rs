//! One CSV file behind its header.

use std::io::Read;

use super::{
    archive::unpack_error,
    code::Code,
    layout::{Layout, headers},
    output::Output,
    read::ReadError,
    report::{Problem, Severity},
    row::{Next, Row, RowFault, RowReader},
    types::Version,
};

pub struct Table<'a> {
    pub file: &'static str,
    pub layout: Layout,
    rows: RowReader<Box<dyn Read + 'a>>,
    row: Row,
    count: u64,
    max_rows: u64,
}

/// A row of a table.
pub enum Line {
    Good,
    /// Unreadable, or of another width (`None`). Only the first value is to be trusted, if any.
    Faulty(Option<RowFault>),
    Blank,
}

impl<'a> Table<'a> {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// [`ReadError::Refused`] where the header is not the standard's.
    pub fn open(
        file: &'static str,
        version: Version,
        input: Box<dyn Read + 'a>,
        max_rows: u64,
    ) -> Result<Self, ReadError> {
        let mut rows = RowReader::new(input);
        let mut row = Row::default();
        let refuse = |code| ReadError::Refused(Box::new(Problem::new(Severity::Error, file, code).line(1)));
        match rows.read(&mut row).map_err(|error| unpack_error(file, 1, error))? {
            Next::Row => {}
            Next::End => return Err(refuse(Code::FileEmpty)),
            Next::Fault(RowFault::Utf8) => return Err(refuse(Code::RowUtf8)),
            Next::Blank | Next::Fault(_) => return Err(refuse(Code::HeaderMismatch)),
        }
        let layout = Layout::of(file, headers(file, version), &row).map_err(ReadError::Refused)?;
        Ok(Self { file, layout, rows, row, count: 0, max_rows })
    }

    /// Moves to the next line; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError::Refused`] where the rest cannot be read.
    pub fn advance(&mut self) -> Result<Option<Line>, ReadError> {
        let line = self.rows.line();
        let next = self.rows.read(&mut self.row).map_err(|error| unpack_error(self.file, line, error))?;
        let refuse =
            |code| Err(ReadError::Refused(Box::new(Problem::new(Severity::Error, self.file, code).line(line))));
        self.count += 1;
        if self.count > self.max_rows {
            return if next == Next::End { Ok(None) } else { refuse(Code::TooManyRows) };
        }
        Ok(Some(match next {
            Next::End => return Ok(None),
            Next::Blank => Line::Blank,
            Next::Fault(RowFault::TooLong) => return refuse(Code::RowTooLong),
            Next::Fault(fault) => Line::Faulty(Some(fault)),
            Next::Row if self.row.len() != self.layout.width() => Line::Faulty(None),
            Next::Row => Line::Good,
        }))
    }

    /// The refusal of a file with more rows than are kept.
    pub fn too_many(&self) -> ReadError {
        let problem = Problem::new(Severity::Error, self.file, Code::TooManyRows);
        ReadError::Refused(Box::new(problem.line(self.row.line())))
    }

    /// The line moved to.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Moves to the next good row, reporting the others; `faulty` learns of each faulty one.
    ///
    /// # Errors
    /// As [`Table::advance`], and [`ReadError::Stopped`].
    pub fn next_good(
        &mut self,
        out: &mut Output<'_>,
        mut faulty: impl FnMut(&Row, &mut Output<'_>),
    ) -> Result<Option<()>, ReadError> {
        loop {
            match self.advance()? {
                None => return Ok(None),
                Some(Line::Good) => {
                    out.row_done()?;
                    return Ok(Some(()));
                }
                Some(Line::Faulty(fault)) => {
                    out.row_done()?;
                    out.faulty_row(self.file, &self.row, fault, self.layout.width());
                    faulty(&self.row, out);
                }
                Some(Line::Blank) => {
                    out.problem(Problem::new(Severity::Warning, self.file, Code::RowBlank).line(self.row.line()));
                    out.check_stop()?;
                }
            }
        }
    }
}

/// Columns whose values are never stored; each is reported once, when it first holds one.
pub struct Ignored(Vec<usize>);

impl Ignored {
    /// All columns but those that are used.
    pub fn all_but(layout: &Layout, used: &[&str]) -> Self {
        Self(layout.others(used))
    }

    /// Looks at a row.
    pub fn check(&mut self, table: &Table<'_>, out: &mut Output<'_>) {
        self.0.retain(|&column| {
            if table.row.get(column).is_empty() {
                return true;
            }
            let name = table.layout.name(column);
            let problem = Problem::new(Severity::Warning, table.file, Code::ColumnIgnored);
            out.warn_once(table.file, problem.line(table.row.line()).field(name));
            false
        });
    }
}
