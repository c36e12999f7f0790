//! A grown installation moves to another database: there, and back.

use provider_server::store::{Database, StoreError, audit, changes::ChangeQueue, copy};

use crate::support::{TestDatabase, TestStore, origin, put};

const FACTS: [&str; 4] = [
    "SELECT sourced_id || ' ' || version || ' ' || doc FROM students ORDER BY sourced_id",
    "SELECT sequence || ' ' || state || ' ' || sourced_id || ' ' || COALESCE(CAST(settled_ms AS TEXT), '-') FROM events
     ORDER BY school_id, sequence",
    "SELECT chain || ' ' || number || ' ' || hex(mac) FROM audit ORDER BY chain, number",
    "SELECT scope || ' ' || hex(wrapped) FROM data_keys ORDER BY scope",
];

async fn facts(test: &TestStore) -> Vec<Vec<String>> {
    let mut facts = Vec::new();
    for sql in FACTS {
        facts.push(test.texts(sql).await);
    }
    facts
}

#[tokio::test]
async fn an_installation_moves_there_and_back_and_nothing_is_missing() {
    let test = TestStore::on(TestDatabase::embedded()).await;
    let (district, schools) = test.district(&["a", "b"]).await;
    test.activate(schools[0]).await;
    let queue = ChangeQueue::start(test.store.clone());
    // More than a page, with names that collations sort in another way than bytes do.
    for part in [0..900, 900..1_800] {
        let names = part.map(|number| format!("{}-{number}", if number % 2 == 0 { "s" } else { "S" }));
        let requests = names.map(|name| put(district, &name, "José", &["a", "b"])).collect();
        assert!(queue.submit(origin(), requests).await.expect("stored").iter().all(Result::is_ok));
    }
    let before = facts(&test).await;
    assert_eq!((before[0].len(), before[1].len()), (1_800, 1_800));

    let (there, copied) = test.moved_to(TestDatabase::new()).await;
    assert_eq!((copied.schools, copied.students), (2, 3_600));
    let students = copied.tables.iter().find(|(table, _)| table == "students");
    assert_eq!(students, Some(&("students".to_owned(), 1_800)));
    assert_eq!(facts(&there).await, before);
    let verdict = audit::verify(&mut there.store.reader().await.expect("a reader"), there.store.shared()).await;
    assert_eq!(verdict.expect("read").first_break, None, "the chains are whole, and their key opens");
    let queue = ChangeQueue::start(there.store.clone());
    let again = queue.submit(origin(), vec![put(district, "s-0", "Ada", &["a"])]).await.expect("stored");
    assert_eq!(again[0].as_ref().expect("accepted").student.version, 2);
    let changed = facts(&there).await;

    let (back, _) = there.moved_to(TestDatabase::embedded()).await;
    assert_eq!(facts(&back).await, changed);
}

#[tokio::test]
async fn a_copy_wants_an_empty_database_and_a_half_one_is_not_served() {
    let test = TestStore::on(TestDatabase::embedded()).await;
    test.district(&["a"]).await;
    let (there, _) = test.moved_to(TestDatabase::new()).await;
    let empty = TestDatabase::embedded();
    let source = Database::open(&empty.url).await.expect("opened");
    let target = Database::open(&there.database.url).await;
    // An embedded database is locked by its program, not here: the same file is open twice.
    let refused = copy::copy(&source, &target.expect("opened"), |_, _| ()).await.expect_err("it is not empty");
    assert!(matches!(&refused, StoreError::Unfit(why) if why.contains("not empty")), "{refused}");
    let sql = "INSERT INTO meta (name, value) VALUES ('copy.under_way', $1)";
    there.store.act(|tx| Box::pin(tx.conn.execute(sql, vec![vec![1].into()]))).await.expect("marked");
    let half = there.try_reopen().await.err().expect("half a copy");
    assert!(half.to_string().contains("not finished"), "{half}");
}
