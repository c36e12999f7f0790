//! Rows as arrays, one for each column: for PostgreSQL one statement takes any number of rows, and has few parameters.

use super::Value;

/// What a column of rows holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// BIGINT[]
    Ints(Vec<Option<i64>>),
    /// TEXT[]
    Texts(Vec<Option<String>>),
    /// BYTEA[]
    Blobs(Vec<Option<Vec<u8>>>),
}

/// A column's type and values; `None` where it holds nothing but NULL, so that it has no type.
pub type Column = Option<Array>;

impl Array {
    /// As PostgreSQL calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Ints(_) => "bigint[]",
            Self::Texts(_) => "text[]",
            Self::Blobs(_) => "bytea[]",
        }
    }

    /// An array of the value's type, with NULL before it so many times.
    fn begun_by(value: &Value, nulls: usize) -> Option<Self> {
        match value {
            Value::Null | Value::Array(_) => None,
            Value::Int(_) => Some(Self::Ints(vec![None; nulls])),
            Value::Text(_) | Value::Static(_) => Some(Self::Texts(vec![None; nulls])),
            Value::Bytes(_) => Some(Self::Blobs(vec![None; nulls])),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Ints(ints), Value::Int(int)) => ints.push(Some(int)),
            (Self::Texts(texts), Value::Text(text)) => texts.push(Some(text)),
            (Self::Texts(texts), Value::Static(text)) => texts.push(Some(text.to_owned())),
            (Self::Blobs(blobs), Value::Bytes(bytes)) => blobs.push(Some(bytes)),
            (Self::Ints(ints), other) => ints.push(none(&other)),
            (Self::Texts(texts), other) => texts.push(none(&other)),
            (Self::Blobs(blobs), other) => blobs.push(none(&other)),
        }
    }
}

fn none<T>(value: &Value) -> Option<T> {
    debug_assert_eq!(*value, Value::Null, "a column has one type");
    None
}

/// The columns of rows whose values come row by row.
pub fn columns(values: impl Iterator<Item = Value>, count: usize) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![None; count];
    for (index, value) in values.enumerate() {
        let (row, column) = (index / count, &mut columns[index % count]);
        if column.is_none() {
            *column = Array::begun_by(&value, row);
        }
        if let Some(array) = column {
            array.push(value);
        }
    }
    columns
}
