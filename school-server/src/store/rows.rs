//! Multi-row statements of few sizes, so that the statement cache holds them all.

use std::sync::OnceLock;

use rusqlite::{CachedStatement, Connection, ToSql};

use super::StoreFailure;

/// Rows in one statement.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// A statement that is repeated over rows of parameters.
pub struct RowsStatement {
    before: &'static str,
    columns: usize,
    after: &'static str,
    texts: [OnceLock<String>; SIZES.len()],
}

/// Binds one parameter after the other.
pub struct Binder<'a, 'c> {
    statement: &'a mut CachedStatement<'c>,
    bound: usize,
}

impl Binder<'_, '_> {
    /// The next parameter.
    pub fn put(&mut self, value: impl ToSql) -> rusqlite::Result<&mut Self> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)?;
        Ok(self)
    }
}

impl RowsStatement {
    /// `before (?, …), (?, …) after`.
    pub const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, texts: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Changes over all rows. Answers how many there were.
    pub fn execute<T>(
        &'static self,
        conn: &Connection,
        rows: &[T],
        bind: impl FnMut(&mut Binder<'_, '_>, &T) -> rusqlite::Result<()>,
    ) -> Result<usize, StoreFailure> {
        let mut changed = 0;
        self.each(conn, rows, bind, |statement| {
            changed += statement.raw_execute()?;
            Ok(())
        })?;
        Ok(changed)
    }

    /// Reads what is found for all rows.
    pub fn query<T>(
        &'static self,
        conn: &Connection,
        rows: &[T],
        bind: impl FnMut(&mut Binder<'_, '_>, &T) -> rusqlite::Result<()>,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> Result<(), StoreFailure>,
    ) -> Result<(), StoreFailure> {
        self.each(conn, rows, bind, |statement| {
            let mut found = statement.raw_query();
            while let Some(row) = found.next()? {
                read(row)?;
            }
            Ok(())
        })
    }

    fn each<T>(
        &'static self,
        conn: &Connection,
        mut rows: &[T],
        mut bind: impl FnMut(&mut Binder<'_, '_>, &T) -> rusqlite::Result<()>,
        mut act: impl FnMut(&mut CachedStatement<'_>) -> Result<(), StoreFailure>,
    ) -> Result<(), StoreFailure> {
        while let Some(size) = SIZES.iter().position(|size| *size <= rows.len()) {
            let (part, rest) = rows.split_at(SIZES[size]);
            let mut statement = conn.prepare_cached(self.text(size))?;
            let mut binder = Binder { statement: &mut statement, bound: 0 };
            for row in part {
                bind(&mut binder, row)?;
            }
            act(&mut statement)?;
            rows = rest;
        }
        Ok(())
    }

    fn text(&'static self, size: usize) -> &'static str {
        self.texts[size].get_or_init(|| {
            // Without names: SQLite looks through all names of a statement for each parameter that is bound.
            let row = format!("({})", vec!["?"; self.columns].join(", "));
            format!("{} {} {}", self.before, vec![row; SIZES[size]].join(", "), self.after)
        })
    }
}
