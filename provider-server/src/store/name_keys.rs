//! Makes the sort keys of names for students that are older than these columns: once, at the start after the migration.

use super::{Store, StoreError, Tx, Value, meta, student_doc};
use crate::model::student::name_key;

const DUE: &str = "name_keys_due";
/// Students of one act.
const PAGE: i64 = 1_000;

/// Makes those that are due.
pub async fn make_due(store: &Store) -> Result<(), StoreError> {
    if meta::get(&mut store.reader().await?, DUE).await?.is_none() {
        return Ok(());
    }
    let mut after = Some(Vec::new());
    while let Some(from) = after {
        after = store.act(move |tx| Box::pin(make_page(tx, from))).await?;
    }
    store.act(|tx| Box::pin(meta::remove(tx, DUE))).await.map(drop)
}

/// Makes the keys of the students after this id; answers the last of them, `None` at the end.
async fn make_page(tx: &mut Tx<'_>, after: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT student_id, doc FROM students WHERE student_id > $1 ORDER BY student_id LIMIT $2";
    let rows = tx.conn.query(sql, vec![after.into(), PAGE.into()]).await?;
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 3);
    let mut last = None;
    for mut row in rows {
        let id: Vec<u8> = row.take(0)?;
        let fields = student_doc::read(&row.take::<String>(1)?)?;
        values.extend([id.clone().into(), name_key(&fields.family_name).into(), name_key(&fields.given_name).into()]);
        last = Some(id);
    }
    tx.conn
        .insert_many(
            "UPDATE students SET family_key = v.column2, given_key = v.column3 FROM (",
            ") AS v WHERE students.student_id = v.column1",
            3,
            values,
        )
        .await?;
    Ok(last)
}
