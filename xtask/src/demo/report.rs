//! The table at the end.

use std::io::Write;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::schools::DemoSchool;
use crate::{
    admin::{Admin, ctl},
    provider::Provider,
};

/// Schools that are compared at the same time.
const AT_ONCE: usize = 4;

#[derive(Serialize)]
pub struct Row {
    /// sourcedId
    pub school: String,
    #[serde(skip)]
    name: String,
    pub students: usize,
    pub events: u64,
    pub delivered: u64,
    pub attempts: u64,
    pub retried: u64,
    /// At any time, delivered later or not.
    pub parked: u64,
    pub superseded: u64,
    pub head_sequence: u64,
    pub equal: bool,
}

/// The two exports of each school, compared byte by byte.
pub async fn compare(provider: &Provider, admin: &Admin, schools: &[DemoSchool]) -> Result<Vec<Row>> {
    futures::stream::iter(schools).map(|school| row(provider, admin, school)).buffered(AT_ONCE).try_collect().await
}

async fn row(provider: &Provider, admin: &Admin, school: &DemoSchool) -> Result<Row> {
    let expected =
        ctl(provider, &["roster", "export", "--school", &school.id, "--reason", "the demo's comparison"]).await?;
    let held = school.receiver.roster().await?;
    let state = admin.get_school(&school.id).await?;
    let figures = state.figures.unwrap_or_default();
    let rests = figures.superseded + figures.discarded + figures.erased;
    let equal = expected == held;
    if !equal {
        eprintln!("{}: {}", school.name, difference(&expected, &held));
    }
    Ok(Row {
        school: school.sourced_id.clone(),
        name: school.name.clone(),
        students: expected.iter().filter(|&&byte| byte == b'\n').count(),
        events: figures.pending + figures.delivered + figures.parked + figures.held + rests,
        delivered: figures.delivered,
        attempts: figures.attempts,
        retried: figures.retried,
        parked: figures.ever_parked,
        superseded: figures.superseded,
        head_sequence: state.head_sequence,
        equal,
    })
}

/// How two exports differ, without any student's data.
fn difference(expected: &[u8], held: &[u8]) -> String {
    let lines = |bytes: &[u8]| -> std::collections::BTreeSet<Vec<u8>> {
        bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (expected, held) = (lines(expected), lines(held));
    let (missing, extra) = (expected.difference(&held).count(), held.difference(&expected).count());
    format!("{missing} lines of the provider are not at the school, {extra} of the school not at the provider")
}

/// On stdout: the table, or one object a line.
pub fn print(rows: &[Row], json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        for row in rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        return Ok(());
    }
    let names = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max("school".len());
    writeln!(
        out,
        "\n{:names$} {:>8} {:>8} {:>9} {:>8} {:>7} {:>6} {:>10} {:>8}  equal",
        "school", "students", "events", "delivered", "attempts", "retried", "parked", "superseded", "head"
    )?;
    for row in rows {
        writeln!(
            out,
            "{:names$} {:>8} {:>8} {:>9} {:>8} {:>7} {:>6} {:>10} {:>8}  {}",
            row.name,
            row.students,
            row.events,
            row.delivered,
            row.attempts,
            row.retried,
            row.parked,
            row.superseded,
            row.head_sequence,
            if row.equal { "yes" } else { "NO" }
        )?;
    }
    writeln!(out)?;
    Ok(())
}
