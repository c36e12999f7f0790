use rollcall_proto::provider::v1 as pb;
use tonic::Code;

use super::door::{Log, failure, record, success};
use crate::support::START_MS;
use provider_server::model::access::Role;

fn list(school: &str, filter: &str, page_size: u32, page_token: &str) -> pb::ListAttemptsRequest {
    pb::ListAttemptsRequest { school: school.into(), filter: filter.into(), page_size, page_token: page_token.into() }
}

fn tail(school: &str, filter: &str, after_log_sequence: Option<u64>) -> pb::TailAttemptsRequest {
    pb::TailAttemptsRequest { school: school.into(), filter: filter.into(), after_log_sequence }
}

#[tokio::test]
async fn pages_miss_no_row_and_repeat_none_while_others_are_recorded() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a", "b"])]).await;
    let a = made.iter().find(|delivery| delivery.school == log.schools[0]).expect("for a").clone();
    let b = made.iter().find(|delivery| delivery.school == log.schools[1]).expect("for b").clone();
    for _ in 0..6 {
        log.record((0..100).flat_map(|_| [success(&a), failure(&b)]).collect()).await;
    }
    let mut client = log.operator().await;
    let (store, busy) = (log.test.store.clone(), a.clone());
    let recording = tokio::spawn(async move {
        for _ in 0..20 {
            record(&store, vec![success(&busy), failure(&busy), success(&busy)]).await;
        }
    });
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.list_attempts(list("a", "", 37, &token)).await.expect("a page").into_inner();
        assert!(page.attempts.len() <= 37 && page.searched_until.is_none());
        seen.extend(page.attempts.iter().map(|attempt| attempt.log_sequence));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    recording.await.expect("recorded");
    assert!(seen[0] >= 600);
    assert_eq!(seen, (1..=seen[0]).rev().collect::<Vec<u64>>());
    let page = client.list_attempts(list("b", "", 0, "")).await.expect("a page").into_inner();
    assert_eq!((page.attempts.len(), page.attempts[0].log_sequence), (100, 600), "each school has its own sequence");
}

#[tokio::test]
async fn a_sparse_search_stops_at_its_budget_and_goes_on_from_there() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    log.test
        .store
        .act(move |tx| {
            Box::pin(async move {
                let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
                    INSERT INTO attempts (school_id, log_sequence, event_id, event_type, sequence, at_ms, trigger_kind,
                        try_number, status, code, latency_us, cause)
                    SELECT $1, i, $2, 'student.created', 1, $3 + i * 1000, 'automatic', 1,
                        CASE WHEN i % 2 = 0 THEN 'retrying' ELSE 'delivered' END, 200,
                        CASE WHEN i IN (7, 8, 24000) THEN 9000000 ELSE 10 END,
                        CASE WHEN i = 8 THEN 'dns' WHEN i % 2 = 0 THEN 'http' ELSE '' END FROM n";
                tx.conn.execute(sql, vec![made.school.into(), made.event.into(), START_MS.into()]).await?;
                let sql = "UPDATE schools SET log_sequence = 25000 WHERE school_id = $1";
                tx.conn.execute(sql, vec![made.school.into()]).await
            })
        })
        .await
        .expect("filled");
    let mut client = log.operator().await;
    // Three parts of the log; two of its index of trouble.
    for (filter, expected, parts) in [("latency:>5s", vec![24_000, 8, 7], 3), ("cause:dns", vec![8], 2)] {
        let (mut seen, mut token, mut pages, mut until) = (Vec::new(), String::new(), 0, i64::MAX);
        loop {
            let page = client.list_attempts(list("a", filter, 100, &token)).await.expect("a page").into_inner();
            seen.extend(page.attempts.iter().map(|attempt| attempt.log_sequence));
            pages += 1;
            token = page.next_page_token;
            let Some(searched) = page.searched_until else { break };
            assert!(searched.seconds <= until, "searches go back in time");
            until = searched.seconds;
            assert!(!token.is_empty());
        }
        assert_eq!((seen, pages), (expected, parts), "{filter}");
    }
    // A time far from the head is found by halves, not by a walk.
    let filter = format!("until:{}", jiff::Timestamp::from_millisecond(START_MS + 10_000).expect("a time"));
    let page = client.list_attempts(list("a", &filter, 3, "")).await.expect("a page").into_inner();
    let found: Vec<u64> = page.attempts.iter().map(|attempt| attempt.log_sequence).collect();
    assert_eq!(found, [9, 8, 7]);
    let filter = format!("since:{}", jiff::Timestamp::from_millisecond(START_MS + 24_998_000).expect("a time"));
    let page = client.list_attempts(list("a", &filter, 50, "")).await.expect("a page").into_inner();
    let found: Vec<u64> = page.attempts.iter().map(|attempt| attempt.log_sequence).collect();
    assert_eq!(
        (found, page.next_page_token),
        (vec![25_000, 24_999, 24_998], String::new()),
        "and older ones need no page"
    );
}

#[tokio::test]
async fn a_tail_goes_on_where_it_was_cut_and_misses_nothing() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a", "b"])]).await;
    let a = made.iter().find(|delivery| delivery.school == log.schools[0]).expect("for a").clone();
    let b = made.iter().find(|delivery| delivery.school == log.schools[1]).expect("for b").clone();
    log.record(vec![success(&a), failure(&a)]).await;
    let mut client = log.operator().await;
    let mut now = client.tail_attempts(tail("a", "", None)).await.expect("a tail").into_inner();

    let store = log.test.store.clone();
    let recording = tokio::spawn(async move {
        for round in 0..300 {
            let rows = (0..1 + round % 4).map(|i| if i % 2 == 0 { success(&a) } else { failure(&a) });
            record(&store, rows.chain([success(&b)]).collect()).await;
        }
    });
    let last = 2 + (0..300).map(|round| 1 + round % 4).sum::<u64>();
    let (mut seen, mut cursor, mut cuts) = (Vec::new(), 0, 0);
    while cursor < last {
        let mut part_of = client.tail_attempts(tail("a", "", Some(cursor))).await.expect("a tail").into_inner();
        cuts += 1;
        for _ in 0..7 {
            let part = part_of.message().await.expect("alive").expect("more");
            seen.extend(part.attempts.iter().map(|attempt| attempt.log_sequence));
            cursor = part.log_sequence;
            if cursor == last {
                break;
            }
        }
    }
    recording.await.expect("recorded");
    assert_eq!(seen, (1..=last).collect::<Vec<u64>>(), "{cuts} tails");

    let mut failed = client.tail_attempts(tail("a", "status:failed", Some(0))).await.expect("a tail").into_inner();
    let mut failures = Vec::new();
    let expected = 1 + (0..300usize).map(|round| (round % 4).div_ceil(2)).sum::<usize>();
    while failures.len() < expected {
        failures.extend(failed.message().await.expect("alive").expect("more").attempts);
    }
    assert!(failures.iter().all(|attempt| attempt.status == "retrying"));

    let first = now.message().await.expect("alive").expect("more");
    assert_eq!(first.attempts[0].log_sequence, 3, "from its beginning on");
    let beyond = client.tail_attempts(tail("a", "", Some(last + 1))).await.expect_err("beyond the head");
    assert_eq!(beyond.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_tail_ends_with_its_session_and_with_the_server() {
    let log = Log::new().await;
    let (mut first, token) = log.sign_in("first", Role::Viewer, vec![log.district]).await;
    let (mut second, _) = log.sign_in("second", Role::Auditor, vec![log.district]).await;
    let mut ended = first.tail_attempts(tail("a", "", None)).await.expect("a tail").into_inner();
    let mut stopped = second.tail_attempts(tail("a", "", Some(0))).await.expect("a tail").into_inner();
    log.door.sessions.forget_token(&provider_server::store::tokens::hash_token(&token));
    assert_eq!(ended.message().await.expect_err("revoked").code(), Code::Unauthenticated);
    log.door.stopping.cancel();
    match stopped.message().await {
        Ok(more) => assert!(more.is_none()),
        Err(status) => assert_eq!(status.code(), Code::Unavailable),
    }
}

#[tokio::test]
async fn a_wrong_filter_token_or_size_names_its_field() {
    let log = Log::new().await;
    let mut client = log.operator().await;
    let cases = [
        (list("a", "cod:5xx", 0, ""), "filter: `cod:5xx` at character 1: there is no such word"),
        (list("a", "", 501, ""), "page_size: use 1 to 500"),
        (list("a", "", 0, "x"), "page_token: is not from the page before"),
        (list("a", "", 0, "99999999999999999999"), "page_token"),
    ];
    for (request, expected) in cases {
        let status = client.list_attempts(request).await.expect_err(expected);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(expected), "{}", status.message());
    }
    let beyond = client.list_attempts(list("a", "", 0, &i64::MAX.to_string())).await.expect("fine").into_inner();
    assert!(beyond.attempts.is_empty() && beyond.next_page_token.is_empty());
}
