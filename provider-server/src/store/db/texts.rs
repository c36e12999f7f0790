//! Statements for many rows, in a few fixed sizes, so that the statement cache holds.

use std::{collections::HashMap, sync::Arc};

use super::Value;

/// Rows per statement of a multi-row insert or list.
const BATCH_SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// On SQLite more rows save nothing: a statement costs no way to a server, and its program takes memory for every row.
const MOST_ON_SQLITE: usize = 64;
/// SQLite takes 32,766 parameters, PostgreSQL 65,535.
const MAX_PARAMETERS: usize = 32_000;

/// How parameters are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Without names: it looks through all names of a statement for each parameter that is bound; with `$1` to `$2560`
    /// that was three fifths of all time.
    Sqlite,
    /// By number.
    Postgres,
}

/// The texts that were made, by their head and size.
pub struct Texts {
    dialect: Dialect,
    made: HashMap<(&'static str, usize), Arc<str>>,
}

impl Texts {
    /// None yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, made: HashMap::new() }
    }

    /// `{head} VALUES (…),(…) {tail}` for as many of the `rest` as the largest size takes, and their values.
    pub fn many(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        rest: &mut std::vec::IntoIter<Value>,
    ) -> (Arc<str>, Vec<Value>) {
        debug_assert_eq!(rest.len() % columns, 0, "whole rows");
        debug_assert!(!head.contains('$') && !tail.contains('$'), "all parameters are the rows'");
        let dialect = self.dialect;
        let rows = dialect.batch_size(rest.len() / columns, columns);
        let text = self.made.entry((head, rows)).or_insert_with(|| {
            let tuples: Vec<String> = (0..rows).map(|row| dialect.tuple(row * columns, columns)).collect();
            format!("{head} VALUES {} {tail}", tuples.join(",")).into()
        });
        (text.clone(), rest.take(rows * columns).collect())
    }

    /// `sql` with `{list}` as the parameters of as many of the `rest` as the largest size takes; with all values.
    pub fn list(
        &mut self,
        sql: &'static str,
        fixed: &[Value],
        rest: &mut std::vec::IntoIter<Value>,
    ) -> (Arc<str>, Vec<Value>) {
        let dialect = self.dialect;
        let size = dialect.batch_size(rest.len(), 1);
        let text = self.made.entry((sql, size)).or_insert_with(|| match dialect {
            // Anonymous parameters take the first numbers.
            Dialect::Sqlite => shifted(sql, size).replace("{list}", &dialect.tuple(0, size)).into(),
            Dialect::Postgres => sql.replace("{list}", &dialect.tuple(fixed.len(), size)).into(),
        });
        let list = rest.take(size);
        let fixed = fixed.iter().cloned();
        let values = match dialect {
            Dialect::Sqlite => list.chain(fixed).collect(),
            Dialect::Postgres => fixed.chain(list).collect(),
        };
        (text.clone(), values)
    }
}

impl Dialect {
    fn batch_size(self, rows: usize, columns: usize) -> usize {
        let most = if self == Self::Sqlite { MOST_ON_SQLITE } else { usize::MAX };
        let fits = |size: &&usize| **size <= rows.min(most) && **size * columns <= MAX_PARAMETERS;
        *BATCH_SIZES.iter().find(fits).unwrap_or(&1)
    }

    /// Parameters in brackets, after so many others.
    fn tuple(self, before: usize, count: usize) -> String {
        let names: Vec<String> = match self {
            Self::Sqlite => vec!["?".to_owned(); count],
            Self::Postgres => (1..=count).map(|index| format!("${}", before + index)).collect(),
        };
        format!("({})", names.join(","))
    }
}

/// The same text with every `$n` as `$n+by`.
fn shifted(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part[..end].parse::<usize>() {
            Ok(number) => format!("{done}${}{}", number + by, &part[end..]),
            Err(_) => format!("{done}${part}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_counts_its_parameters_in_its_own_way() {
        let check = |dialect, many: &str, list: &str, order: [i64; 3]| {
            let mut texts = Texts::new(dialect);
            let values = [1i64, 2, 3, 4].map(Value::from).to_vec();
            let (text, taken) = texts.many("INSERT INTO t (a)", "RETURNING a", 2, &mut values.into_iter());
            assert_eq!((&*text, taken.len()), (many, 2), "two rows are no size: one and one");
            let (fixed, list_values) = ([Value::from(9i64), Value::from(8i64)], vec![Value::from(1i64)]);
            let sql = "SELECT a FROM t WHERE b = $2 AND a IN {list} AND c = $1";
            let (text, values) = texts.list(sql, &fixed, &mut list_values.into_iter());
            assert_eq!(&*text, list);
            assert_eq!(values, order.map(Value::from));
        };
        let sqlite = "SELECT a FROM t WHERE b = $3 AND a IN (?) AND c = $2";
        check(Dialect::Sqlite, "INSERT INTO t (a) VALUES (?,?) RETURNING a", sqlite, [1, 9, 8]);
        let postgres = "SELECT a FROM t WHERE b = $2 AND a IN ($3) AND c = $1";
        check(Dialect::Postgres, "INSERT INTO t (a) VALUES ($1,$2) RETURNING a", postgres, [9, 8, 1]);
    }
}
