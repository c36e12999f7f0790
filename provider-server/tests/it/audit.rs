//! The audit log's chains: whatever is changed in the database behind our back is found (P14).

use provider_server::{
    error::Refusal,
    store::{
        Value,
        audit::{self, AuditAct},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rollcall_proto::id::DistrictId;

use crate::support::{START_MS, TestStore};

const CHAINS: usize = 4;
const ROWS: i64 = 300;
/// Tries of each way to change the log.
const TRIES: usize = 25;

type Statement = (&'static str, Vec<Value>);

/// A log of so many rows, and its chains.
async fn filled(test: &TestStore) -> Vec<String> {
    let districts: Vec<DistrictId> = (1..CHAINS).map(|_| DistrictId::new(START_MS, test.entropy.bytes())).collect();
    let wanted = districts.clone();
    for round in 0..ROWS / 10 {
        let districts = wanted.clone();
        test.clock.advance(1_000);
        let appended = test.store.act(move |tx| {
            Box::pin(async move {
                let acts = (0..10).flat_map(|number| {
                    let text = format!("{round}-{number}");
                    let act = |act: AuditAct| act.with_detail(&text);
                    let installation = act(AuditAct::in_installation("system", "staff.signed_in", &text));
                    let districts = districts
                        .iter()
                        .map(move |district| AuditAct::in_district(*district, "staff:ada", "school.created", round));
                    districts.map(act).chain([installation]).collect::<Vec<_>>()
                });
                audit::append(tx, acts.collect()).await
            })
        });
        appended.await.expect("appended");
    }
    let mut chains: Vec<String> = districts.iter().map(ToString::to_string).collect();
    chains.push(audit::INSTALLATION.into());
    chains
}

/// What a verification says after these statements, each of which changes something. They are undone again.
async fn found_after(test: &TestStore, statements: Vec<Statement>) -> Option<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tried = test.store.act(move |tx| {
        Box::pin(async move {
            let mut each_changes = true;
            for (sql, values) in statements {
                each_changes &= tx.conn.execute(sql, values).await? > 0;
            }
            let verdict = audit::verify(tx.conn, tx.shared).await?;
            let _ = tell.send((each_changes, verdict.first_break));
            Err::<(), _>(Refusal::precondition("to be undone").into())
        })
    });
    let refusal = tried.await.expect_err("undone");
    assert!(refusal.to_string().contains("to be undone"), "{refusal}");
    let (each_changes, found) = told.await.expect("verified");
    assert!(each_changes, "a statement changed nothing");
    found
}

/// Every way to change the log, with a row or rows of its own.
fn mutations(chains: &[String], random: &mut StdRng) -> Vec<(&'static str, Vec<Statement>)> {
    let chain = chains[random.random_range(0..chains.len())].clone();
    let other = chains.iter().find(|other| **other != chain).cloned().expect("another chain");
    let number = random.random_range(1..ROWS);
    let second = random.random_range(number + 1..=ROWS);
    let place = || -> Vec<Value> { vec![chain.clone().into(), number.into()] };
    let with = |value: Value| -> Vec<Value> { place().into_iter().chain([value]).collect() };
    let noise = random.random::<[u8; 32]>().to_vec();
    let cut = random.random_range(0..ROWS);
    let head = || -> Vec<Value> { vec![chain.clone().into()] };
    let moved = |from: i64, to: i64| -> Statement {
        let sql = "UPDATE audit SET number = $3 WHERE chain = $1 AND number = $2";
        (sql, vec![chain.clone().into(), from.into(), to.into()])
    };
    let copied = |to: i64| -> Statement {
        let sql = "INSERT INTO audit (chain, number, at_ms, actor, act, subject, detail, mac)
                   SELECT chain, $3, at_ms, actor, act, subject, detail, mac FROM audit
                   WHERE chain = $1 AND number = $2";
        (sql, vec![chain.clone().into(), number.into(), to.into()])
    };
    let truncated = || -> Statement {
        ("DELETE FROM audit WHERE chain = $1 AND number > $2", vec![chain.clone().into(), cut.into()])
    };
    let one = |statement: Statement| vec![statement];
    vec![
        ("time", one(("UPDATE audit SET at_ms = at_ms + 1 WHERE chain = $1 AND number = $2", place()))),
        ("actor", one(("UPDATE audit SET actor = 'staff:eve' WHERE chain = $1 AND number = $2", place()))),
        ("act", one(("UPDATE audit SET act = act || 'x' WHERE chain = $1 AND number = $2", place()))),
        ("subject", one(("UPDATE audit SET subject = subject || ' ' WHERE chain = $1 AND number = $2", place()))),
        ("detail", one(("UPDATE audit SET detail = '' WHERE chain = $1 AND number = $2", place()))),
        (
            "text moved between columns",
            one((
                "UPDATE audit SET subject = detail, detail = subject || 'x' WHERE chain = $1 AND number = $2",
                place(),
            )),
        ),
        ("MAC", one(("UPDATE audit SET mac = $3 WHERE chain = $1 AND number = $2", with(noise.clone().into())))),
        ("number", one(moved(number, ROWS + 7))),
        (
            "chain",
            vec![
                ("UPDATE audit SET number = number + 1000 WHERE chain = $1 AND number = $2", place()),
                ("UPDATE audit SET chain = $2, number = $3 WHERE chain = $1 AND number > 1000", {
                    vec![chain.clone().into(), other.clone().into(), (ROWS + 1).into()]
                }),
            ],
        ),
        ("deleted", one(("DELETE FROM audit WHERE chain = $1 AND number = $2", place()))),
        ("all deleted", one(("DELETE FROM audit WHERE chain = $1", head()))),
        ("truncated", one(truncated())),
        (
            "truncated, and the head set back",
            vec![
                truncated(),
                (
                    "UPDATE audit_heads SET entries = $2, mac = COALESCE(
                    (SELECT mac FROM audit WHERE chain = $1 AND number = $2), mac) WHERE chain = $1",
                    vec![chain.clone().into(), cut.into()],
                ),
            ],
        ),
        ("swapped", vec![moved(number, -1), moved(second, number), moved(-1, second)]),
        ("inserted at the end", one(copied(ROWS + 1))),
        (
            "inserted at the end, and the head set on",
            vec![
                copied(ROWS + 1),
                (
                    "UPDATE audit_heads SET entries = entries + 1, mac =
                    (SELECT mac FROM audit WHERE chain = $1 AND number = $2) WHERE chain = $1",
                    place(),
                ),
            ],
        ),
        ("inserted before the first", one(copied(0))),
        ("inserted far before the first", one(copied(-number))),
        (
            "inserted in the middle",
            vec![
                ("UPDATE audit SET number = -number - 1 WHERE chain = $1 AND number > $2", place()),
                ("UPDATE audit SET number = -number WHERE chain = $1 AND number < 0", head()),
                copied(number + 1),
            ],
        ),
        (
            "a chain of its own",
            one((
                "INSERT INTO audit (chain, number, at_ms, actor, act, subject, detail, mac)
             SELECT 'forged', 1, at_ms, actor, act, subject, detail, mac FROM audit WHERE chain = $1 AND number = $2",
                place(),
            )),
        ),
        ("head's count", one(("UPDATE audit_heads SET entries = entries - 1 WHERE chain = $1", head()))),
        (
            "head's MAC",
            one(("UPDATE audit_heads SET mac = $2 WHERE chain = $1", {
                vec![chain.clone().into(), noise.clone().into()]
            })),
        ),
        (
            "head's seal",
            one(("UPDATE audit_heads SET seal = $2 WHERE chain = $1", {
                vec![chain.clone().into(), noise.clone().into()]
            })),
        ),
        ("head deleted", one(("DELETE FROM audit_heads WHERE chain = $1", head()))),
        (
            "another chain's head",
            one((
                "UPDATE audit_heads SET entries = (SELECT entries FROM audit_heads WHERE chain = $2),
                mac = (SELECT mac FROM audit_heads WHERE chain = $2),
                seal = (SELECT seal FROM audit_heads WHERE chain = $2) WHERE chain = $1",
                vec![chain.clone().into(), other.into()],
            )),
        ),
    ]
}

#[tokio::test]
async fn every_change_of_a_row_or_a_head_is_found() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let test = TestStore::new().await;
    let chains = filled(&test).await;
    let mut reader = test.store.reader().await.expect("a reader");
    let whole = audit::verify(&mut reader, test.store.shared()).await.expect("verified");
    drop(reader);
    assert_eq!((whole.entries, whole.first_break), (CHAINS as u64 * ROWS as u64, None));

    let (mut tried, mut missed) = (0, Vec::new());
    for _ in 0..TRIES {
        for (what, statements) in mutations(&chains, &mut random) {
            tried += 1;
            if found_after(&test, statements).await.is_none() {
                missed.push(what);
            }
        }
    }
    assert!(missed.is_empty(), "of {tried} changes these were not found: {missed:?}");

    let mut reader = test.store.reader().await.expect("a reader");
    let whole = audit::verify(&mut reader, test.store.shared()).await.expect("verified");
    assert_eq!((whole.entries, whole.first_break), (CHAINS as u64 * ROWS as u64, None), "all of it was undone");
}
