//! Statements for many rows, in a few fixed sizes, so that the statement cache holds.

use std::{collections::HashMap, sync::Arc};

use super::{
    StoreError, Value,
    arrays::{self, Array, Column},
};

/// Rows per statement of a multi-row insert or list on SQLite. More would save nothing: a statement costs no way to a
/// server, and its program takes memory for every row.
const BATCH_SIZES: [usize; 4] = [64, 16, 4, 1];
/// On PostgreSQL one statement takes them all, but for what would be too much memory at once.
const MOST_ON_POSTGRES: usize = 4_096;
/// Marks the shape of a text with arrays, which is no size.
const ARRAYS: u64 = 1 << 63;

/// How parameters are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Without names: it looks through all names of a statement for each parameter that is bound; with `$1` to `$2560`
    /// that was three fifths of all time.
    Sqlite,
    /// By number.
    Postgres,
}

/// The texts that were made, by their head, and by their size or shape.
pub struct Texts {
    dialect: Dialect,
    made: HashMap<(&'static str, u64), Arc<str>>,
}

impl Texts {
    /// None yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, made: HashMap::new() }
    }

    /// `{head} VALUES (…),(…) {tail}`, or the same with arrays, for as many of the `rest` as one statement takes; and what
    /// is bound to it.
    pub fn many(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        rest: &mut std::vec::IntoIter<Value>,
    ) -> Result<(Arc<str>, Vec<Value>), StoreError> {
        debug_assert_eq!(rest.len() % columns, 0, "whole rows");
        debug_assert!(!head.contains('$') && !tail.contains('$'), "all parameters are the rows'");
        let dialect = self.dialect;
        if dialect == Dialect::Postgres && rest.len() > columns {
            let rows = MOST_ON_POSTGRES.min(rest.len() / columns);
            return Ok(self.unnested(head, tail, arrays::columns(rest.take(rows * columns), columns)?));
        }
        let rows = dialect.batch_size(rest.len() / columns);
        let text = self.made.entry((head, rows as u64)).or_insert_with(|| {
            let tuples: Vec<String> = (0..rows).map(|row| dialect.tuple(row * columns, columns)).collect();
            format!("{head} VALUES {} {tail}", tuples.join(",")).into()
        });
        Ok((text.clone(), rest.take(rows * columns).collect()))
    }

    /// A column that is NULL in every row has no type, and no array.
    fn unnested(&mut self, head: &'static str, tail: &'static str, columns: Vec<Column>) -> (Arc<str>, Vec<Value>) {
        let typed = columns.iter().map(|column| column.is_some());
        let shape = typed.fold(1, |shape, is_typed| shape << 1 | u64::from(is_typed));
        let text = self.made.entry((head, ARRAYS | shape)).or_insert_with(|| {
            let (mut shown, mut names, mut arrays) = (Vec::new(), Vec::new(), Vec::new());
            for (index, column) in columns.iter().enumerate() {
                let name = format!("column{}", index + 1);
                match column {
                    Some(array) => {
                        shown.push(format!("u.{name}"));
                        arrays.push(format!("${}::{}", arrays.len() + 1, array.type_name()));
                        names.push(name);
                    }
                    None => shown.push(format!("NULL AS {name}")),
                }
            }
            let (shown, names, arrays) = (shown.join(", "), names.join(", "), arrays.join(", "));
            format!("{head} SELECT {shown} FROM unnest({arrays}) AS u ({names}) {tail}").into()
        });
        (text.clone(), columns.into_iter().flatten().map(Value::Array).collect())
    }

    /// `sql` with `IN {list}` for as many of the `rest` as one statement takes; with all values.
    pub fn list(
        &mut self,
        sql: &'static str,
        fixed: &[Value],
        rest: &mut std::vec::IntoIter<Value>,
    ) -> Result<(Arc<str>, Vec<Value>), StoreError> {
        let dialect = self.dialect;
        let fixed = fixed.iter().cloned();
        if dialect == Dialect::Postgres {
            let place = fixed.len() + 1;
            let size = MOST_ON_POSTGRES.min(rest.len());
            let list = arrays::columns(rest.take(size), 1)?.remove(0);
            let text = self.made.entry((sql, ARRAYS)).or_insert_with(|| {
                let name = list.as_ref().map_or("text[]", Array::type_name);
                sql.replace("IN {list}", &format!("= ANY(${place}::{name})")).into()
            });
            return Ok((text.clone(), fixed.chain([list.map_or(Value::Null, Value::Array)]).collect()));
        }
        let size = dialect.batch_size(rest.len());
        let text = self.made.entry((sql, size as u64)).or_insert_with(|| {
            // Anonymous parameters take the first numbers.
            shifted(sql, size).replace("{list}", &dialect.tuple(0, size)).into()
        });
        Ok((text.clone(), rest.take(size).chain(fixed).collect()))
    }
}

impl Dialect {
    fn batch_size(self, rows: usize) -> usize {
        let most = if self == Self::Sqlite { rows } else { 1 };
        *BATCH_SIZES.iter().find(|size| **size <= most).unwrap_or(&1)
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

    const HEAD: &str = "INSERT INTO t (a, b)";
    const TAIL: &str = "RETURNING a";
    const LIST: &str = "SELECT a FROM t WHERE b = $2 AND a IN {list} AND c = $1";

    #[test]
    fn sqlite_has_a_statement_for_few_sizes_and_counts_by_place() {
        let mut texts = Texts::new(Dialect::Sqlite);
        let values = [1i64, 2, 3, 4].map(Value::from).to_vec();
        let (text, taken) = texts.many(HEAD, TAIL, 2, &mut values.into_iter()).expect("one type each");
        assert_eq!(&*text, "INSERT INTO t (a, b) VALUES (?,?) RETURNING a");
        assert_eq!(taken.len(), 2, "two rows are no size: one and one");
        let (text, values) =
            texts.list(LIST, &[9i64.into(), 8i64.into()], &mut vec![1i64.into()].into_iter()).expect("one");
        assert_eq!(&*text, "SELECT a FROM t WHERE b = $3 AND a IN (?) AND c = $2");
        assert_eq!(values, [1i64, 9, 8].map(Value::from));
    }

    #[test]
    fn postgres_takes_all_rows_as_arrays_and_one_by_its_values() {
        let mut texts = Texts::new(Dialect::Postgres);
        let ints = |ints: &[i64]| Value::Array(Array::Ints(ints.iter().map(|int| Some(*int)).collect()));
        let (text, taken) =
            texts.many(HEAD, TAIL, 2, &mut vec![1i64.into(), "x".into()].into_iter()).expect("one type each");
        assert_eq!(&*text, "INSERT INTO t (a, b) VALUES ($1,$2) RETURNING a");
        assert_eq!(taken.len(), 2);
        let values = vec![1i64.into(), Value::Null, 2i64.into(), "x".into()];
        let (text, taken) = texts.many(HEAD, TAIL, 2, &mut values.into_iter()).expect("one type each");
        let arrays = "unnest($1::bigint[], $2::text[]) AS u (column1, column2)";
        assert_eq!(*text, format!("INSERT INTO t (a, b) SELECT u.column1, u.column2 FROM {arrays} RETURNING a"));
        assert_eq!(taken, [ints(&[1, 2]), Value::Array(Array::Texts(vec![None, Some("x".into())]))]);
        let values = vec![Value::Null, 1i64.into(), Value::Null, 2i64.into()];
        let (text, taken) = texts.many(HEAD, TAIL, 2, &mut values.into_iter()).expect("one type each");
        let arrays = "unnest($1::bigint[]) AS u (column2)";
        assert_eq!(*text, format!("INSERT INTO t (a, b) SELECT NULL AS column1, u.column2 FROM {arrays} RETURNING a"));
        assert_eq!(taken, [ints(&[1, 2])]);
        let (text, values) = texts
            .list(LIST, &[9i64.into(), 8i64.into()], &mut vec![1i64.into(), 2i64.into()].into_iter())
            .expect("one type");
        assert_eq!(&*text, "SELECT a FROM t WHERE b = $2 AND a = ANY($3::bigint[]) AND c = $1");
        assert_eq!(values, [9i64.into(), 8i64.into(), ints(&[1, 2])]);
    }
}
