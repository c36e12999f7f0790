//! What arrived for one student, and alarms: read for the desk.

use sqlx::{AssertSqlSafe, Row};

use super::read::{EVENT, ReadStore, event};
use crate::inbox::Recorded;

/// A version of a student that is kept.
pub struct KeptVersion {
    pub version: u64,
    /// The canonical text.
    pub json: String,
    pub received_at_ms: i64,
}

/// Something that somebody should look at.
pub struct Alert {
    pub number: u64,
    pub at_ms: i64,
    pub message_id: String,
    pub words: String,
}

impl ReadStore {
    /// Recorded requests of a student before `before`, newest first. The record is searched as a whole: it is bounded, and
    /// an index would cost every request.
    pub async fn events_of(
        &self,
        sourced_id: &str,
        before: u64,
        limit: i64,
    ) -> Result<Vec<(u64, Recorded)>, sqlx::Error> {
        let text = format!("{EVENT} WHERE number < $1 AND student_sourced_id = $2 ORDER BY number DESC LIMIT $3");
        let query = sqlx::query(AssertSqlSafe(text)).bind(i64::try_from(before).unwrap_or(i64::MAX));
        let rows = query.bind(sourced_id).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(event).collect()
    }

    /// The versions of a student that are kept, newest first, the current one on top.
    pub async fn versions_of(&self, sourced_id: &str) -> Result<Vec<KeptVersion>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT version, json, received_at_ms FROM student WHERE sourced_id = $1 AND gone = 0 \
             UNION ALL SELECT version, json, received_at_ms FROM student_history WHERE sourced_id = $1 \
             ORDER BY version DESC",
        )
        .bind(sourced_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let version = row.try_get::<i64, _>(0)? as u64;
                Ok(KeptVersion { version, json: row.try_get(1)?, received_at_ms: row.try_get(2)? })
            })
            .collect()
    }

    /// Alarms before `before`, newest first.
    pub async fn alerts(&self, before: u64, limit: i64) -> Result<Vec<Alert>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT number, at_ms, message_id, words FROM alert WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(i64::try_from(before).unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let number = row.try_get::<i64, _>(0)? as u64;
                Ok(Alert { number, at_ms: row.try_get(1)?, message_id: row.try_get(2)?, words: row.try_get(3)? })
            })
            .collect()
    }
}
