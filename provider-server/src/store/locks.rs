//! Rows that a transaction reads in order to write them. On SQLite the transaction holds the one write lock, and there is
//! nothing to do. On PostgreSQL all transactions lock in one order: what an act is about (a run, a code), students by
//! district and sourcedId, schools by id, lanes, and the heads of the audit chains last, just before the commit.

use rollcall_proto::id::{DistrictId, RunId, SchoolId};

use super::{StoreError, Tx, Value};

impl Tx<'_> {
    /// Locks schools: whoever writes a school's row, or an event of it, holds this.
    pub async fn lock_schools(&mut self, schools: impl IntoIterator<Item = SchoolId>) -> Result<(), StoreError> {
        if !self.conn.is_shared() {
            return Ok(());
        }
        let mut schools: Vec<SchoolId> = schools.into_iter().collect();
        schools.sort_unstable();
        schools.dedup();
        let sql = "SELECT school_id FROM schools WHERE school_id IN {list} ORDER BY school_id FOR UPDATE";
        self.conn.query_list(sql, vec![], schools.into_iter().map(Value::from).collect()).await.map(drop)
    }

    /// Locks students of a district.
    pub async fn lock_students(
        &mut self,
        district: DistrictId,
        sourced_ids: impl IntoIterator<Item = &str>,
    ) -> Result<(), StoreError> {
        if !self.conn.is_shared() {
            return Ok(());
        }
        let mut sourced_ids: Vec<&str> = sourced_ids.into_iter().collect();
        sourced_ids.sort_unstable();
        sourced_ids.dedup();
        let sql = "SELECT student_id FROM students WHERE district_id = $1 AND sourced_id IN {list}
                   ORDER BY sourced_id FOR UPDATE";
        let list = sourced_ids.into_iter().map(|id| Value::Text(id.to_owned())).collect();
        self.conn.query_list(sql, vec![district.into()], list).await.map(drop)
    }

    /// Locks a run of an import.
    pub async fn lock_run(&mut self, run: RunId) -> Result<(), StoreError> {
        self.lock("SELECT 1 FROM import_runs WHERE run_id = $1 FOR UPDATE", run).await
    }

    /// Locks a district: for what must happen once in it.
    pub async fn lock_district(&mut self, district: DistrictId) -> Result<(), StoreError> {
        self.lock("SELECT 1 FROM districts WHERE district_id = $1 FOR UPDATE", district).await
    }

    /// Locks what belongs to the installation as a whole: accounts, the owner code.
    pub async fn lock_installation(&mut self) -> Result<(), StoreError> {
        self.lock("SELECT 1 FROM data_keys WHERE scope = $1 FOR UPDATE", super::audit::SCOPE).await
    }

    /// Keeps others from [`Self::lock_installation`], and no one else.
    pub async fn share_installation(&mut self) -> Result<(), StoreError> {
        self.lock("SELECT 1 FROM data_keys WHERE scope = $1 FOR SHARE", super::audit::SCOPE).await
    }

    /// Locks the head of an audit chain.
    pub async fn lock_chain(&mut self, chain: &str) -> Result<(), StoreError> {
        self.lock("SELECT 1 FROM audit_heads WHERE chain = $1 FOR UPDATE", chain.to_owned()).await
    }

    async fn lock(&mut self, sql: &'static str, of: impl Into<Value>) -> Result<(), StoreError> {
        if !self.conn.is_shared() {
            return Ok(());
        }
        self.conn.query(sql, vec![of.into()]).await.map(drop)
    }
}
