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
        Dialect::Sqlite => MIGRATIONS.run_direct(None, conn, false).await,
        Dialect::Postgres => for_postgres().run_direct(None, conn, false).await,
    };
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => StoreError::Newer(version),
        MigrateError::Execute(error) => fault(error),
        other => StoreError::Migration(other.to_string()),
    })
}

/// Texts sort and compare by their bytes, as on SQLite and in Rust, whatever the database's own collation is: pages,
/// exports and digests depend on it.
fn for_postgres() -> Migrator {
    let mut migrations = MIGRATIONS.migrations.to_vec();
    for migration in &mut migrations {
        let sql = migration.sql.as_str().replace(" TEXT", " TEXT COLLATE \"C\"");
        migration.sql = AssertSqlSafe(sql).into_sql_str();
    }
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}
