//! Rows as arrays, one for each column: for PostgreSQL one statement takes any number of rows, and has few parameters.

use super::{StoreError, Value};

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

    /// False where the value is of another type.
    fn push(&mut self, value: Value) -> bool {
        match (self, value) {
            (Self::Ints(ints), Value::Int(int)) => ints.push(Some(int)),
            (Self::Ints(ints), Value::Null) => ints.push(None),
            (Self::Texts(texts), Value::Text(text)) => texts.push(Some(text)),
            (Self::Texts(texts), Value::Static(text)) => texts.push(Some(text.to_owned())),
            (Self::Texts(texts), Value::Null) => texts.push(None),
            (Self::Blobs(blobs), Value::Bytes(bytes)) => blobs.push(Some(bytes)),
            (Self::Blobs(blobs), Value::Null) => blobs.push(None),
            _ => return false,
        }
        true
    }
}

/// The columns of rows whose values come row by row. Fails where a column holds values of several types.
pub fn columns(values: impl Iterator<Item = Value>, count: usize) -> Result<Vec<Column>, StoreError> {
    let mut columns: Vec<Column> = vec![None; count];
    for (index, value) in values.enumerate() {
        let (row, column) = (index / count, &mut columns[index % count]);
        if column.is_none() {
            *column = Array::begun_by(&value, row);
        }
        let is_kept = column.as_mut().map_or(value == Value::Null, |array| array.push(value));
        if !is_kept {
            return Err(StoreError::Corrupt("a column of many rows has values of several types"));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_type_or_is_refused() {
        let of = |values: [Value; 4]| columns(values.into_iter(), 2);
        let mixed = of([Value::Int(1), "x".into(), "y".into(), "z".into()]);
        assert!(matches!(mixed, Err(StoreError::Corrupt(_))));
        let nested = of([Value::Array(Array::Ints(vec![])), Value::Null, Value::Null, Value::Null]);
        assert!(matches!(nested, Err(StoreError::Corrupt(_))));
        let late = of([Value::Null, Value::Null, Value::Null, vec![7].into()]).expect("one type each");
        assert_eq!(late, [None, Some(Array::Blobs(vec![None, Some(vec![7])]))]);
    }
}
