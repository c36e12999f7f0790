//! Multi-row statements. Their texts are made once per size, so that the statement cache holds.

use std::sync::{LazyLock, OnceLock};

/// Rows in one statement at most.
pub const MAX_ROWS: usize = 64;

/// A statement that is repeated over rows of parameters.
pub struct RowsStatement {
    before: &'static str,
    columns: usize,
    /// Around each row: `(` and `)`, or nothing for one column in a list.
    after: &'static str,
    texts: LazyLock<Box<[OnceLock<String>]>>,
}

impl RowsStatement {
    /// `before (?, …), (?, …) after`.
    pub const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self { before, columns, after, texts: LazyLock::new(|| (0..MAX_ROWS).map(|_| OnceLock::new()).collect()) }
    }

    /// The text for `rows` rows, 1 to [`MAX_ROWS`].
    pub fn text(&'static self, rows: usize) -> &'static str {
        self.texts[rows - 1].get_or_init(|| {
            let mut text = self.before.to_owned();
            for row in 0..rows {
                text.push_str(if row == 0 { " (" } else { ", (" });
                // Without names: SQLite looks through all names of a statement for each parameter that is bound.
                text.push_str(&vec!["?"; self.columns].join(", "));
                text.push(')');
            }
            text.push(' ');
            text.push_str(self.after);
            text
        })
    }
}
