//! The log as a file.

use std::collections::BTreeSet;

use provider_server::model::{access::Role, outcome::Cause};
use rollcall_proto::{id::DistrictId, provider::v1 as pb};
use serde_json::Value;
use tonic::Code;

use super::{
    acts::parked,
    door::{Client, Log, failure, success},
};
use crate::support::START_MS;

fn ask(filter: &str, format: &str) -> pb::ExportAttemptsRequest {
    pb::ExportAttemptsRequest { school: "a".into(), filter: filter.into(), format: format.into() }
}

/// The whole file, and the sizes of its parts.
async fn export(client: &mut Client, request: pb::ExportAttemptsRequest) -> (String, Vec<usize>) {
    let mut stream = client.export_attempts(request).await.expect("an export").into_inner();
    let (mut file, mut sizes) = (Vec::new(), Vec::new());
    while let Some(part) = stream.message().await.expect("a part") {
        sizes.push(part.data.len());
        file.extend(part.data);
    }
    (String::from_utf8(file).expect("a text"), sizes)
}

fn sequences(file: &str) -> Vec<u64> {
    let rows = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.map(|row| row["logSequence"].as_u64().expect("a number")).collect()
}

async fn kept(log: &Log) -> Vec<String> {
    log.test
        .texts("SELECT actor || ': ' || subject || ': ' || detail FROM audit WHERE act = 'log.export' ORDER BY number")
        .await
}

#[tokio::test]
async fn an_export_is_what_the_filter_matches_with_neither_bodies_nor_answers() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"]), ("@S-2", "Grace", &["a"])]).await;
    log.record(vec![success(&made[0]), failure(&made[0]), parked(&made[1], Cause::Timeout)]).await;
    let mut client = log.operator().await;

    let (all, _) = export(&mut client, ask("", "")).await;
    assert_eq!(sequences(&all), [3, 2, 1]);
    let list = pb::ListAttemptsRequest { school: "a".into(), ..Default::default() };
    let listed = client.list_attempts(list).await.expect("a page").into_inner().attempts;
    let lines: Vec<String> = listed.iter().map(|row| rollcall_proto::json::to_json(row).to_string()).collect();
    assert_eq!(all.lines().collect::<Vec<_>>(), lines, "the rows that the log shows");

    let (failed, _) = export(&mut client, ask("status:failed", "ndjson")).await;
    assert_eq!(sequences(&failed), [3, 2]);
    let (csv, _) = export(&mut client, ask("cause:timeout", "csv")).await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let cell = |name: &str| &rows[0][header.iter().position(|column| column == name).expect(name)];
    assert_eq!((rows.len(), cell("logSequence"), cell("status"), cell("cause")), (1, "3", "parked", "timeout"));
    assert_eq!((cell("studentSourcedId"), cell("at")), ("'@S-2", "2025-11-23T16:00:00.000Z"), "no formula");
    let (none, _) = export(&mut client, ask("code:418", "csv")).await;
    assert_eq!(none, format!("{}\r\n", header.iter().collect::<Vec<_>>().join(",")), "a header even so");
    let (none, _) = export(&mut client, ask("code:418", "ndjson")).await;
    assert_eq!(none, "");

    for secret in ["Ada", "Grace", "Nguyễn", "busy", "amber-birch", "givenName", "whsec_"] {
        assert!(!all.contains(secret) && !csv.contains(secret), "{secret}");
    }
    let expected = ["ndjson, every attempt", "ndjson, filter status:failed", "csv, filter cause:timeout"];
    let expected = expected.map(|detail| format!("staff:operator: {}: {detail}", log.schools[0]));
    assert_eq!(kept(&log).await[..3], expected);
}

#[tokio::test]
async fn many_rows_come_in_small_parts_and_none_is_missing_or_doubled() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    let (school, event) = (made.school, made.event);
    let filled = log.test.store.act(move |tx| {
        Box::pin(async move {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12345)
                INSERT INTO attempts (school_id, log_sequence, event_id, event_type, sequence, sourced_id, at_ms,
                    trigger_kind, try_number, status, code, latency_us)
                SELECT $1, i, $2, 'student.created', 1, 'S-1', $3 + i, 'automatic', 1,
                    CASE WHEN i > 11000 OR i < 3 THEN 'delivered' ELSE 'retrying' END, 200, i FROM n";
            tx.conn.execute(sql, vec![school.into(), event.into(), START_MS.into()]).await?;
            let sql = "UPDATE schools SET log_sequence = 12345 WHERE school_id = $1";
            tx.conn.execute(sql, vec![school.into()]).await
        })
    });
    filled.await.expect("filled");
    let mut client = log.operator().await;
    let mut stream = client.export_attempts(ask("", "ndjson")).await.expect("an export").into_inner();
    let mut file = stream.message().await.expect("alive").expect("a part").data;
    // What is recorded while the file is taken is not of it.
    log.record(vec![success(&made)]).await;
    while let Some(part) = stream.message().await.expect("alive") {
        let rows = part.data.iter().filter(|byte| **byte == b'\n').count();
        assert!((1..=500).contains(&rows) && part.data.len() < 1 << 20, "{rows} rows");
        file.extend(part.data);
    }
    let file = String::from_utf8(file).expect("a text");
    assert_eq!(sequences(&file), (1..=12_345).rev().collect::<Vec<u64>>());

    // A part of the log without a match is passed over, and its end is not the end of the file.
    let (sparse, sizes) = export(&mut client, ask("latency:<3us", "ndjson")).await;
    assert_eq!((sequences(&sparse), sizes.len()), (vec![2, 1], 1));
    let (csv, sizes) = export(&mut client, ask("", "csv")).await;
    let rows: BTreeSet<u64> =
        csv.lines().skip(1).map(|line| line.split(',').next().unwrap_or_default().parse().expect("a number")).collect();
    assert_eq!((rows.len(), csv.lines().count(), sizes.len()), (12_346, 12_347, 25));
}

#[tokio::test]
async fn who_may_read_the_log_may_take_it_along_and_nobody_else() {
    let mut log = Log::new().await;
    let made = log.put(&[("S-1", "Ada", &["a"])]).await.remove(0);
    log.record(vec![success(&made)]).await;
    let elsewhere = DistrictId::new(START_MS, log.test.entropy.bytes());
    let (mut outsider, _) = log.sign_in("outsider", Role::Viewer, vec![elsewhere]).await;
    assert_eq!(outsider.export_attempts(ask("", "csv")).await.expect_err("foreign").code(), Code::NotFound);
    let mut client = log.operator().await;
    for (request, field) in [(ask("", "xlsx"), "format"), (ask("colour:red", "csv"), "filter")] {
        let refused = client.export_attempts(request).await.expect_err(field);
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
    assert!(kept(&log).await.is_empty(), "what was refused was no export");
    for role in [Role::Viewer, Role::Auditor] {
        let (mut reader, _) = log.sign_in(&format!("{role:?}").to_lowercase(), role, vec![log.district]).await;
        let (file, _) = export(&mut reader, ask("", "")).await;
        assert_eq!(sequences(&file), [1], "{role:?}");
    }
    assert_eq!(kept(&log).await.len(), 2);
    // A server that stops ends the file with an error: half a file must not pass for a whole one.
    let mut stream = client.export_attempts(ask("", "")).await.expect("an export").into_inner();
    log.door.stopping.cancel();
    assert_eq!(stream.message().await.expect_err("cut short").code(), Code::Unavailable);
}
