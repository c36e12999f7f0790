//! The migrations: one text for both databases, but for what only one of them has to be told.

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

/// How a migration begins that says nothing to PostgreSQL.
const SQLITE_ALONE: &str = "-- SQLite alone";

/// Texts sort and compare by their bytes, as on SQLite and in Rust, whatever the database's own collation is: pages,
/// exports and digests depend on it.
fn for_postgres() -> Migrator {
    adapted(
        |sql| if sql.starts_with(SQLITE_ALONE) { String::new() } else { sql.replace(" TEXT", " TEXT COLLATE \"C\"") },
    )
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

    /// Without the statistics it would read a school's whole history, or its whole log.
    #[tokio::test]
    async fn sqlite_searches_by_the_index_that_leaves_few_rows() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        run(&mut conn, Dialect::Sqlite, |error| StoreError::Database(error.to_string())).await.unwrap();
        for (search, sql) in [
            (
                "INDEX events_by_student (school_id=? AND student_id=? AND sequence<?)",
                "UPDATE events SET state = ? WHERE school_id = ? AND student_id = ? AND sequence < ?",
            ),
            (
                "INDEX events_by_student (school_id=? AND student_id=? AND sequence<?)",
                "UPDATE events SET state = v.column3 FROM (VALUES (?, ?, ?)) v WHERE events.school_id = v.column1
                    AND events.student_id = v.column2 AND events.sequence < v.column3 AND events.state = 'parked'",
            ),
            (
                "INDEX attempts_trouble (school_id=? AND log_sequence>? AND log_sequence<?)",
                "SELECT * FROM attempts a WHERE a.school_id = ? AND a.log_sequence >= ? AND a.log_sequence < ? AND
                    (a.status <> 'delivered' OR a.try_number > 1 OR a.trigger_kind <> 'automatic')
                    ORDER BY a.log_sequence DESC",
            ),
            (
                "INDEX events_open (school_id=? AND sequence>?)",
                "SELECT * FROM events WHERE school_id = ? AND sequence >= ?
                    AND state IN ('pending', 'parked', 'held') ORDER BY sequence",
            ),
            (
                "PRIMARY KEY (school_id=? AND sequence=?)",
                "UPDATE events SET tries = v.column3 FROM (VALUES (?, ?, ?)) v WHERE events.school_id = v.column1
                    AND events.sequence = v.column2 AND events.state IN ('pending', 'parked', 'held')",
            ),
        ] {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(AssertSqlSafe(plan)).fetch_all(&mut conn).await.unwrap();
            assert!(plan.iter().any(|(_, _, _, step)| step.ends_with(search)), "{sql}: {plan:?}");
        }
    }

    #[test]
    fn every_keyed_table_is_found_once() {
        let made: String = for_sqlite().migrations.iter().map(|migration| migration.sql.as_str()).collect();
        assert_eq!(made.matches("WITHOUT ROWID").count(), KEYED.len());
    }
}
