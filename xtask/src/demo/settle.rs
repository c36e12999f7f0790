//! Waiting until everything is delivered.

use std::time::Duration;

use anyhow::{Result, bail};
use rollcall_proto::provider::v1::{self as pb, ConnectionState};
use tokio::time::{Instant, sleep};

use super::schools::DemoSchool;
use crate::{admin::Admin, progress::Progress};

const POLL: Duration = Duration::from_millis(300);
/// Without any progress for this long, something is stuck.
const STUCK: Duration = Duration::from_secs(180);

/// Until no school has anything that is pending, parked or held, twice in a row.
pub async fn until_delivered(admin: &Admin, ours: &[DemoSchool], progress: &Progress) -> Result<()> {
    let (mut last, mut moved, mut seen_done) = (Default::default(), Instant::now(), false);
    loop {
        let schools: Vec<pb::School> =
            admin.list_schools().await?.into_iter().filter(|school| ours.iter().any(|o| o.id == school.id)).collect();
        let open: Vec<&pb::School> = schools.iter().filter(|school| !is_done(school)).collect();
        if open.is_empty() && schools.len() == ours.len() {
            if seen_done {
                return Ok(());
            }
            seen_done = true;
        } else {
            seen_done = false;
        }
        let sum = |of: fn(&pb::DeliveryFigures) -> u64| -> u64 {
            schools.iter().filter_map(|school| school.figures.as_ref()).map(of).sum()
        };
        let now = (sum(|f| f.delivered), sum(|f| f.pending), sum(|f| f.parked), sum(|f| f.attempts));
        let (delivered, pending, parked, attempts) = now;
        progress.draw(format!(
            "{delivered} delivered, {pending} pending, {parked} parked, {attempts} attempts; {} of {} schools done",
            schools.len() - open.len(),
            ours.len()
        ));
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > STUCK {
            let stuck: Vec<String> = open.iter().map(|school| describe(school)).collect();
            bail!("nothing moves since {STUCK:?}: {}", stuck.join("; "));
        }
        sleep(POLL).await;
    }
}

fn is_done(school: &pb::School) -> bool {
    let figures = school.figures.unwrap_or_default();
    let state = school.connection.as_ref().map(pb::Connection::state);
    // Each current student had at least one event; before that the sync has not ended.
    state == Some(ConnectionState::Active)
        && figures.pending + figures.parked + figures.held == 0
        && school.head_sequence >= u64::from(school.students)
}

fn describe(school: &pb::School) -> String {
    let figures = school.figures.unwrap_or_default();
    let connection = school.connection.clone().unwrap_or_default();
    format!(
        "{} is {} ({}), {} pending, {} parked, {} held, sequence {} for {} students",
        school.name,
        connection.state().as_str_name(),
        connection.reason,
        figures.pending,
        figures.parked,
        figures.held,
        school.head_sequence,
        school.students
    )
}
