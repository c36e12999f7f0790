//! What tables a database has: the two say it in different ways.

use super::{Conn, Link, StoreError};

/// A table as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns by name.
    pub columns: Vec<String>,
    /// The columns of its primary key, in order.
    pub key: Vec<String>,
}

const SQLITE: &str = "SELECT m.name, p.name, p.pk FROM sqlite_master m JOIN pragma_table_info(m.name) p
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, p.name";
const POSTGRES: &str = "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT),
        CAST(COALESCE(k.ordinal_position, 0) AS BIGINT)
    FROM information_schema.columns c
    LEFT JOIN information_schema.table_constraints t ON t.table_schema = c.table_schema
        AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'
    LEFT JOIN information_schema.key_column_usage k ON k.constraint_schema = t.constraint_schema
        AND k.constraint_name = t.constraint_name AND k.column_name = c.column_name
    WHERE c.table_schema = current_schema()
    ORDER BY CAST(c.table_name AS TEXT) COLLATE \"C\", CAST(c.column_name AS TEXT) COLLATE \"C\"";

impl Conn {
    /// All tables by name, but that of the migrations.
    pub(in crate::store) async fn tables(&mut self) -> Result<Vec<Table>, StoreError> {
        let sql = match self.link {
            Link::Sqlite(_) => SQLITE,
            Link::Postgres(_) => POSTGRES,
        };
        let mut tables: Vec<Table> = Vec::new();
        let mut keys: Vec<(u64, String)> = Vec::new();
        for mut row in self.query(sql, vec![]).await? {
            let (name, column, place): (String, String, u64) = (row.take(0)?, row.take(1)?, row.take(2)?);
            if tables.last().is_none_or(|last| last.name != name) {
                end(&mut tables, &mut keys);
                tables.push(Table { name, columns: Vec::new(), key: Vec::new() });
            }
            if place > 0 {
                keys.push((place, column.clone()));
            }
            tables.iter_mut().next_back().into_iter().for_each(|table| table.columns.push(column.clone()));
        }
        end(&mut tables, &mut keys);
        tables.retain(|table| !table.name.starts_with("_sqlx"));
        Ok(tables)
    }
}

fn end(tables: &mut [Table], keys: &mut Vec<(u64, String)>) {
    keys.sort_unstable();
    if let Some(table) = tables.last_mut() {
        table.key = keys.drain(..).map(|(_, column)| column).collect();
    }
}
