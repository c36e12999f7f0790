//! Values of the installation as a whole, by name.

use super::{Conn, StoreError, Tx};

/// The value of a name.
pub async fn get(conn: &mut Conn, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = conn.query_optional("SELECT value FROM meta WHERE name = $1", vec![name.into()]).await?;
    row.map(|mut row| row.take(0)).transpose()
}

/// Sets a value.
pub async fn set(tx: &mut Tx<'_>, name: &'static str, value: Vec<u8>) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.conn.execute(sql, vec![name.into(), value.into()]).await.map(drop)
}

/// Removes a value; answers whether there was one.
pub async fn remove(tx: &mut Tx<'_>, name: &'static str) -> Result<bool, StoreError> {
    Ok(tx.conn.execute("DELETE FROM meta WHERE name = $1", vec![name.into()]).await? > 0)
}
