//! A school's figures are those of a count of all its messages.

use std::collections::HashMap;

use provider_server::{
    model::access::Scope,
    store::{
        StoreError,
        schools::{self, Figures},
    },
};
use rollcall_proto::id::SchoolId;

use super::door::Log;

/// Every message, one by one.
async fn counted(log: &Log, school: SchoolId) -> Figures {
    let sql = "SELECT state, tries, was_parked FROM events WHERE school_id = $1";
    let rows = log.test.store.reader().await.expect("a reader").query(sql, vec![school.into()]).await.expect("rows");
    let mut states: HashMap<String, u64> = HashMap::new();
    let mut figures = Figures::default();
    for mut row in rows {
        let (state, tries, was_parked): (String, u64, u64) =
            (row.take(0).expect("a state"), row.take(1).expect("tries"), row.take(2).expect("0 or 1"));
        figures.retried += u64::from(state == "delivered" && tries > 1);
        figures.ever_parked += was_parked;
        *states.entry(state).or_default() += 1;
    }
    let of = |state: &str| states.get(state).copied().unwrap_or_default();
    Figures {
        pending: of("pending"),
        delivered: of("delivered"),
        parked: of("parked"),
        held: of("held"),
        superseded: of("superseded"),
        discarded: of("discarded"),
        erased: of("erased"),
        ..figures
    }
}

#[tokio::test]
async fn figures_are_those_of_a_count_of_everything() {
    let mut log = Log::new().await;
    let students: Vec<String> = (0..120).map(|number| format!("S-{number}")).collect();
    let puts: Vec<(&str, &str, &[&str])> = students
        .iter()
        .enumerate()
        .map(|(number, id)| (id.as_str(), "Ada", if number % 3 == 0 { &["a", "b"][..] } else { &["a"][..] }))
        .collect();
    let now_ms = log.test.store.now_ms();
    let (district, schools) = (log.district, log.schools.clone());
    let check = async |log: &Log, round: u32| {
        let mut conn = log.test.store.reader().await.expect("a reader");
        let scope = Scope::Districts(vec![district]);
        let listed = schools::list(&mut conn, &scope, None, None, 10, now_ms).await.expect("a page");
        assert_eq!(listed.len(), 2);
        for school in listed {
            let expected = counted(log, school.id).await;
            assert_eq!(school.figures, expected, "round {round}");
            let own = schools::get(&mut conn, school.id, now_ms).await.expect("the school");
            assert_eq!(own.figures, expected, "round {round}");
        }
    };
    check(&log, 0).await;
    log.put(&puts).await;
    check(&log, 1).await;
    assert_eq!(counted(&log, schools[0]).await.pending, 120);
    for round in 2..40 {
        let seeds = log.test.entropy.bytes::<3>().map(|byte| i64::from(byte) + 1);
        let [first, second, third] = seeds;
        let scattered = log.test.store.act(move |tx| {
            Box::pin(async move {
                // Unlike ones side by side, another pattern each time, and some rounds with few of a kind.
                let sql = "UPDATE events SET tries = (sequence * $1) % 4, was_parked = (sequence * $2) % 5 / 4,
                    state = CASE (sequence * sequence + $3) % (7 + $1 % 6) WHEN 0 THEN 'pending' WHEN 1 THEN 'parked'
                        WHEN 2 THEN 'held' WHEN 3 THEN 'superseded' WHEN 4 THEN 'discarded' WHEN 5 THEN 'erased'
                        ELSE 'delivered' END";
                tx.conn.execute(sql, vec![first.into(), second.into(), third.into()]).await
            })
        });
        scattered.await.expect("scattered");
        check(&log, round).await;
    }
}

/// What is read is what waits and what was no first success: the plan says so.
#[tokio::test]
async fn no_figure_reads_the_history() {
    if crate::support::on_postgres() {
        return; // Its plans depend on what it learnt of the rows.
    }
    let log = Log::new().await;
    let mut conn = log.test.store.reader().await.expect("a reader");
    let mut plan = async |condition: &str| -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "EXPLAIN QUERY PLAN WITH asked AS (SELECT school_id FROM schools WHERE school_id IN ($1))
             SELECT e.school_id, e.state, COUNT(*), SUM(e.tries), SUM(e.was_parked) FROM asked a CROSS JOIN events e
             WHERE e.school_id = a.school_id AND {condition} GROUP BY e.school_id, e.state"
        );
        let rows = conn.query(&sql, vec![log.schools[0].into()]).await?;
        rows.into_iter().map(|mut row| row.take::<String>(3)).collect()
    };
    let open = plan("e.sequence > 0 AND e.state IN ('pending', 'parked', 'held')").await.expect("a plan");
    assert!(open.iter().any(|step| step.contains("events_open")), "{open:?}");
    let done = plan(
        "(e.state IN ('superseded', 'discarded', 'erased')
            OR (e.state = 'delivered' AND (e.tries > 1 OR e.was_parked = 1)))",
    );
    let done = done.await.expect("a plan");
    assert!(done.iter().any(|step| step.contains("COVERING INDEX events_exceptions")), "{done:?}");
}
