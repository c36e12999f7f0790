//! The migrations: one text for both databases.

use std::borrow::Cow;

use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    migrate::{Migrate, MigrateError, Migrator},
};

use super::{Dialect, StoreError};
use crate::crash;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Brings a database up to date.
pub async fn run<C: Migrate>(
    conn: &mut C,
    dialect: Dialect,
    fault: impl Fn(sqlx::Error) -> StoreError,
) -> Result<(), StoreError> {
    crash::point("migrate");
    let migrated = match dialect {
        Dialect::Sqlite => for_sqlite().run_direct(None, conn, false).await,
        Dialect::Postgres => for_postgres().run_direct(None, conn, false).await,
    };
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => StoreError::Newer(version),
        MigrateError::Execute(error) => fault(error),
        other => StoreError::Migration(other.to_string()),
    })
}

/// Tables whose rows are short and found by their key: SQLite keeps them in the key's tree alone, where it would else keep
/// a tree of rows and one of keys.
const KEYED: [&str; 7] =
    ["student_versions", "school_students", "events", "attempts", "attempt_answers", "idempotency", "audit"];

fn for_sqlite() -> Migrator {
    adapted(|sql| {
        KEYED.iter().fold(sql.to_owned(), |sql, table| match sql.split_once(&format!("CREATE TABLE {table} (")) {
            Some((before, after)) => {
                let after = after.replacen("\n);", "\n) WITHOUT ROWID;", 1);
                format!("{before}CREATE TABLE {table} ({after}")
            }
            None => sql,
        })
    })
}

/// Texts sort and compare by their bytes, as on SQLite and in Rust, whatever the database's own collation is: pages,
/// exports and digests depend on it.
fn for_postgres() -> Migrator {
    adapted(|sql| sql.replace(" TEXT", " TEXT COLLATE \"C\""))
}

fn adapted(adapt: impl Fn(&str) -> String) -> Migrator {
    let mut migrations = MIGRATIONS.migrations.to_vec();
    for migration in &mut migrations {
        migration.sql = AssertSqlSafe(adapt(migration.sql.as_str())).into_sql_str();
    }
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_file_of_a_version_that_had_trees_of_rows_still_opens() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        MIGRATIONS.run_direct(None, &mut conn, false).await.unwrap();
        let fault = |error: sqlx::Error| StoreError::Database(error.to_string());
        run(&mut conn, Dialect::Sqlite, fault).await.unwrap();
    }

    #[test]
    fn every_keyed_table_is_found_once() {
        let made: String = for_sqlite().migrations.iter().map(|migration| migration.sql.as_str()).collect();
        assert_eq!(made.matches("WITHOUT ROWID").count(), KEYED.len());
    }
}
