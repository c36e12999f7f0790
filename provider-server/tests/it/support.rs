//! What the tests share: a store with a database of its own, a district with schools.

mod database;
#[cfg(unix)]
pub mod program;

use std::sync::Arc;

use provider_server::{
    clock::{Clock, Entropy, ManualClock, SystemClock},
    model::{
        change::{ChangeAct, ChangeRequest, Origin},
        student::{Enrollment, RoleType, StudentFields},
    },
    sealing::{Keyring, SealingKey},
    store::{
        Committed, Database, Store, StoreError, Tx,
        copy::{self, Copied},
        keys::{self, KeyCache},
        nodes::NodeId,
        sync,
    },
};
use rollcall_proto::id::{DistrictId, SchoolId};
use tokio::sync::mpsc::UnboundedReceiver;

pub use database::{TestDatabase, Upstream, on_postgres};

/// The time at which every test starts, ms.
pub const START_MS: i64 = 1_763_913_600_000;

/// A store with a database of its own, and what it hands to the engine.
pub struct TestStore {
    pub store: Store,
    pub committed: UnboundedReceiver<Committed>,
    pub clock: ManualClock,
    pub entropy: Entropy,
    pub database: Arc<TestDatabase>,
    node: NodeId,
    keyring: Keyring,
    time: Arc<dyn Clock>,
}

/// A store that was closed; its database stays.
pub struct ClosedStore {
    database: Arc<TestDatabase>,
    node: NodeId,
    keyring: Keyring,
    clock: ManualClock,
    entropy: Entropy,
    time: Arc<dyn Clock>,
}

impl ClosedStore {
    /// Opens its database again.
    pub async fn reopened(self) -> TestStore {
        let Self { database, node, keyring, clock, entropy, time } = self;
        TestStore::open(database, node, keyring, time, clock, entropy).await
    }
}

impl TestStore {
    /// A new, empty store.
    pub async fn new() -> Self {
        let entropy = Entropy::seeded(7);
        let keyring = Keyring::new(vec![SealingKey::generate(START_MS, &entropy)]);
        let clock = ManualClock::at(START_MS);
        Self::open(Arc::new(TestDatabase::new()), [0; 16], keyring, Arc::new(clock.clone()), clock, entropy).await
    }

    /// A store on this database, new and empty, that goes by the machine's clock.
    pub async fn in_real_time(database: TestDatabase) -> Self {
        let entropy = Entropy::seeded(7);
        let keyring = Keyring::new(vec![SealingKey::generate(START_MS, &entropy)]);
        let (time, clock) = (Arc::new(SystemClock), ManualClock::at(START_MS));
        Self::open(Arc::new(database), [0; 16], keyring, time, clock, entropy).await
    }

    /// A store on this database, new and empty.
    pub async fn on(database: TestDatabase) -> Self {
        let entropy = Entropy::seeded(7);
        let keyring = Keyring::new(vec![SealingKey::generate(START_MS, &entropy)]);
        let clock = ManualClock::at(START_MS);
        Self::open(Arc::new(database), [0; 16], keyring, Arc::new(clock.clone()), clock, entropy).await
    }

    /// Closes the store, copies everything to an empty database, and opens that.
    pub async fn moved_to(self, database: TestDatabase) -> (Self, Copied) {
        let Self { store, database: from, node, keyring, clock, entropy, time, .. } = self;
        store.close().await;
        let source = Database::open(&from.url).await.expect("the source");
        let target = Database::open(&database.url).await.expect("the target");
        let copied = copy::copy(&source, &target, |_, _| ()).await.unwrap_or_else(|error| panic!("{error}"));
        source.close().await;
        target.close().await;
        (Self::open(Arc::new(database), node, keyring, time, clock, entropy).await, copied)
    }

    /// Closes the store; answers why it does not open again.
    pub async fn try_reopen(self) -> Result<Store, StoreError> {
        let Self { store, database, node, keyring, entropy, time, .. } = self;
        store.close().await;
        Store::open(&database.url, node, keyring, time, entropy).await.map(|(store, _)| store)
    }

    async fn open(
        database: Arc<TestDatabase>,
        node: NodeId,
        keyring: Keyring,
        time: Arc<dyn Clock>,
        clock: ManualClock,
        entropy: Entropy,
    ) -> Self {
        let (store, committed) = Store::open(&database.url, node, keyring.clone(), time.clone(), entropy.clone())
            .await
            .expect("the store opens");
        Self { store, committed, clock, entropy, database, node, keyring, time }
    }

    /// Another server on the same database; `number` tells it from the first.
    pub async fn beside(&self, number: u64) -> Self {
        let (database, keyring, time) = (self.database.clone(), self.keyring.clone(), self.time.clone());
        let node = [number as u8; 16];
        Self::open(database, node, keyring, time, self.clock.clone(), Entropy::seeded(7 + number)).await
    }

    /// Writes its keys for a program that is to open the same database.
    pub fn write_keys(&self, path: &std::path::Path) {
        let key = self.keyring.current();
        provider_server::key_file::write(path, std::slice::from_ref(key)).expect("written");
    }

    /// Closes the store and opens its database again.
    pub async fn reopen(self) -> Self {
        self.closed().await.reopened().await
    }

    /// Closes the store, so that a program may use its database.
    pub async fn closed(self) -> ClosedStore {
        let Self { store, database, node, keyring, clock, entropy, time, .. } = self;
        store.close().await;
        ClosedStore { database, node, keyring, clock, entropy, time }
    }

    /// The folder of this test, with the files of an embedded database.
    pub fn folder(&self) -> &std::path::Path {
        self.database.folder.path()
    }

    /// A district with schools of these sourcedIds, none of them connected.
    pub async fn district(&self, schools: &[&str]) -> (DistrictId, Vec<SchoolId>) {
        let district = DistrictId::new(START_MS, self.entropy.bytes());
        let ids: Vec<SchoolId> = schools.iter().map(|_| SchoolId::new(START_MS, self.entropy.bytes())).collect();
        let rows: Vec<(SchoolId, String)> = ids.iter().copied().zip(schools.iter().map(|s| s.to_string())).collect();
        self.store
            .act(move |tx| {
                Box::pin(async move {
                    let values = vec![district.into(), "d-1".into(), "District".into(), tx.now_ms.into()];
                    let sql =
                        "INSERT INTO districts (district_id, sourced_id, name, created_ms) VALUES ($1, $2, $3, $4)";
                    tx.conn.execute(sql, values).await?;
                    for (school, sourced_id) in rows {
                        insert_school(tx, district, school, sourced_id).await?;
                    }
                    Ok(())
                })
            })
            .await
            .expect("a district");
        (district, ids)
    }

    /// Makes a school's connection active, as a confirmed enrollment does.
    pub async fn activate(&self, school: SchoolId) -> u64 {
        self.store.act(move |tx| Box::pin(sync::activate(tx, school))).await.expect("active")
    }

    /// Everything that was handed to the engine so far.
    pub fn handed_over(&mut self) -> Vec<Committed> {
        std::iter::from_fn(|| self.committed.try_recv().ok()).collect()
    }

    /// All rows of a query as texts, for assertions. `hex(column)` is understood by both databases.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let sql = database::translated(sql, self.store.database().is_shared());
        let rows = self.store.reader().await.expect("a reader").query(&sql, vec![]).await.expect("a query");
        rows.into_iter().map(|mut row| row.take::<String>(0).expect("a text")).collect()
    }
}

pub async fn insert_school(
    tx: &mut Tx<'_>,
    district: DistrictId,
    school: SchoolId,
    sourced_id: String,
) -> Result<(), provider_server::store::StoreError> {
    let key = KeyCache::get_or_create(tx, &keys::school_scope(school)).await?;
    let digest_key = tx.shared.entropy.bytes::<32>();
    let sealed = key.seal(keys::digest_key_place(&school), &digest_key, &tx.shared.entropy);
    let sql = "INSERT INTO schools (school_id, district_id, sourced_id, name, created_ms, digest_key)
               VALUES ($1, $2, $3, $3, $4, $5)";
    let values = vec![school.into(), district.into(), sourced_id.into(), tx.now_ms.into(), sealed.into()];
    tx.conn.execute(sql, values).await.map(drop)
}

/// Who asks in the tests.
pub fn origin() -> Origin {
    Origin { actor: "staff:test".into(), kind: "api", run: None }
}

/// A put of a student with active enrollments at these schools.
pub fn put(district: DistrictId, sourced_id: &str, given_name: &str, schools: &[&str]) -> ChangeRequest {
    let enrollments = schools.iter().map(|school| Enrollment {
        school: (*school).into(),
        role: RoleType::Primary,
        begin: None,
        end: None,
        exit_reason: None,
        ended: false,
    });
    let fields = StudentFields {
        given_name: given_name.into(),
        family_name: "Nguyễn".into(),
        middle_name: None,
        preferred_given_name: None,
        preferred_middle_name: None,
        preferred_family_name: None,
        identifier: None,
        grades: vec!["07".into()],
        username: None,
        email: None,
        enabled_user: true,
        primary_org: None,
        birth_date: None,
        enrollments: enrollments.collect(),
    };
    request(district, sourced_id, ChangeAct::Put(Box::new(fields)))
}

/// Any act on a student.
pub fn request(district: DistrictId, sourced_id: &str, act: ChangeAct) -> ChangeRequest {
    ChangeRequest {
        district,
        sourced_id: sourced_id.into(),
        act,
        expected_version: None,
        idempotency: None,
        line: None,
    }
}
