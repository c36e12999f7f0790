//! Row 12: a school's receiver (verify, dedupe, apply, durable) beside the same HTTP server that answers 204 to nothing.

use anyhow::Result;
use bytes::Bytes;
use rollcall_proto::webhook::signature::SigningSecret;

use super::{
    Bed,
    figures::{Report, Throughput},
    limits::{self, Message},
    usage,
};
use crate::{process::Launch, provider::text};

const CONNECTIONS: u64 = 64;
const TARGET_RATIO: f64 = 0.4;

pub async fn measure(bed: &Bed<'_>, report: &mut Report) -> Result<()> {
    let total = bed.amount(100_000);
    let secret = SigningSecret::from_bytes(&[9; 32])?;

    bed.progress.step("limit: the same HTTP server, answering 204");
    let launch = Launch {
        // Also where a build replaced the file meanwhile.
        program: format!("/proc/{}/exe", std::process::id()).into(),
        arguments: vec!["sink".into()],
        environment: Vec::new(),
        ready: bed.folder.join("sink.ready.json"),
        log: bed.folder.join("sink.log"),
    };
    let (mut process, ready) = launch.start().await?;
    let url = text(&ready, "webhook")?;
    limits::signed_posts(url, &secret, CONNECTIONS, total / 20, created).await?;
    let limit_per_s =
        limits::median(async || limits::signed_posts(url, &secret, CONNECTIONS, total, created).await).await?;
    process.kill().await?;

    bed.progress.step(format!("a school's receiver: {total} messages over {CONNECTIONS} connections"));
    let data_dir = bed.folder.join("receive");
    let launch = Launch {
        program: bed.binaries.school.clone(),
        arguments: ["serve", "--secret-store", "env", "--listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]
            .into_iter()
            .map(Into::into)
            .chain([data_dir.clone().into()])
            .collect(),
        environment: vec![("ROLLCALL_WEBHOOK_SECRET".into(), secret.reveal().to_string().into())],
        ready: bed.folder.join("receive.ready.json"),
        log: bed.folder.join("receive.log"),
    };
    let (mut process, ready) = launch.start().await?;
    let (url, pid) = (text(&ready, "webhook")?, process.pid()?);
    let warm_up = total / 20;
    limits::signed_posts(url, &secret, CONNECTIONS, warm_up, created).await?;
    let cpu = usage::cpu_us(pid)?;
    let per_s = limits::signed_posts(url, &secret, CONNECTIONS, total, move |number| created(warm_up + number)).await?;
    let cpu_us = (usage::cpu_us(pid)? - cpu) as f64 / total as f64;
    process.stop().await?;
    report.throughput(
        "12 school-server, 64 connections",
        "school_receive",
        &Throughput { per_s, limit_per_s, cpu_us, target_ratio: TARGET_RATIO },
    );
    Ok(())
}

/// A `student.created` as the provider would send it.
fn created(number: u64) -> Message {
    let sequence = number + 1;
    let id = format!("evt_{}", crockford(number));
    let body = format!(
        concat!(
            r#"{{"id":"{id}","type":"student.created","apiVersion":"1","timestamp":"2026-11-23T16:05:11.345Z","#,
            r#""sequence":{sequence},"changeId":"chg_01KASFYVB1064S36CHM6RV4DSR","district":{{"sourcedId":"demo"}},"#,
            r#""school":{{"sourcedId":"school-0"}},"source":{{"kind":"api"}},"data":{{"object":{{"sourcedId":"S-{sequence}","#,
            r#""status":"active","version":1,"dateLastModified":"2026-11-23T16:05:11.001Z","givenName":"Josephine","#,
            r#""familyName":"Hernández-Nguyễn","identifier":"{sequence}","grades":["07"],"#,
            r#""email":"student.{sequence}@students.example.org","enabledUser":true,"primaryOrgSourcedId":"school-0","#,
            r#""schoolEnrollments":[{{"schoolSourcedId":"school-0","roleType":"primary","beginDate":"2026-08-17"}}]}}}}}}"#
        ),
        id = id,
        sequence = sequence
    );
    Message { id, body: Bytes::from(body) }
}

/// The text of an id (26 characters of Crockford's base32) that begins as ids of these days do.
fn crockford(number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let tail: String = (0..12).rev().map(|place| char::from(DIGITS[(number >> (place * 5)) as usize & 31])).collect();
    format!("01KASFYVB1064S{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_a_receiver_reads() {
        let Message { id, body } = created(41);
        let event: rollcall_proto::webhook::event::RawEnvelope = serde_json::from_slice(&body).expect("an envelope");
        assert_eq!(event.id.to_string(), id);
        assert_eq!(event.sequence, Some(42));
        assert_ne!(created(40).id, id);
    }
}
