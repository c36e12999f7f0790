//! A look at an embedded database's file before it is used: what is damaged is refused, and nothing is written to it.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode};

use super::{StoreError, sqlite::MALFORMED};

/// A look takes no longer: a restart shall be short. Of a large file the tables that fit into this time are looked at,
/// and `db check` looks at all.
const LIMIT: Duration = Duration::from_millis(500);
/// Complaints that are logged.
const COMPLAINTS: u32 = 10;

/// Looks for damaged pages and for rows that break their table's rules.
pub async fn look(path: &Path) -> Result<(), StoreError> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) || !path.exists() {
        return Ok(());
    }
    let conn = Connection::open(path)?;
    let interrupt = conn.get_interrupt_handle();
    let mut looking = tokio::task::spawn_blocking(move || complaints(&conn));
    let looked = match tokio::time::timeout(LIMIT, &mut looking).await {
        Ok(looked) => looked,
        Err(_) => {
            interrupt.interrupt();
            looking.await
        }
    };
    match looked.map_err(|_| StoreError::Stopping)? {
        Ok(complaints) if complaints.is_empty() => Ok(()),
        Ok(complaints) => {
            // They name trees and pages, and tables and columns, never values.
            complaints.iter().for_each(|complaint| tracing::error!(complaint, "the database is damaged"));
            Err(StoreError::Corrupt(MALFORMED))
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn complaints(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = conn.prepare(&format!("PRAGMA quick_check({COMPLAINTS})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    lines.filter(|line| line.as_ref().map_or(true, |line| line != "ok")).collect()
}
