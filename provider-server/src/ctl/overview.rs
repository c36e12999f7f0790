//! `ctl overview`: what the dashboard shows.

use clap::Args;
use rollcall_proto::provider::v1 as pb;

use super::{
    client::Session,
    failure::{Outcome, exit},
    output::{Fields, Output, short_name, table, time},
};

#[derive(Args)]
pub struct OverviewArgs {
    /// One district only.
    #[arg(long, value_name = "D", default_value = "", hide_default_value = true)]
    district: String,
}

impl OverviewArgs {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        let request = session.call(pb::GetOverviewRequest { district: self.district });
        let overview = session.log().get_overview(request).await?.into_inner();
        output.one(&overview, fields)?;
        if !output.is_json() {
            output.raw(tables(&overview).as_bytes())?;
        }
        Ok(exit::OK)
    }
}

fn fields(overview: &pb::Overview) -> Fields {
    let day = |day: &Option<pb::DayFigures>| {
        let day = day.unwrap_or_default();
        let share = day.delivered_per_mille.map(|share| format!(", {}.{} % delivered", share / 10, share % 10));
        let p95 = f64::from(day.latency_p95_us) / 1_000.0;
        format!("{} attempts{}, p95 {p95:.1} ms", day.attempts, share.unwrap_or_default())
    };
    let then = overview.day_ago.as_ref().map(|then| {
        let at = time(then.at.as_ref());
        format!("{} pending, {} parked, {} held at {at}", then.pending, then.parked, then.held)
    });
    Fields::default()
        .with("last 24 h", day(&overview.last_day))
        .with("24 h before", day(&overview.day_before))
        .with("waiting", format!("{} pending, {} parked, {} held", overview.pending, overview.parked, overview.held))
        .with("a day before", then.unwrap_or_default())
        .with("oldest", time(overview.oldest_undelivered_at.as_ref()))
        .with("schools", overview.schools_total)
        .with("needs attention", overview.attention_total)
}

fn tables(overview: &pb::Overview) -> String {
    let mut text = String::new();
    if !overview.attention.is_empty() {
        let row = |item: &pb::AttentionItem| vec![item.severity.clone(), item.kind.clone(), item.message.clone()];
        let rows: Vec<Vec<String>> = overview.attention.iter().map(row).collect();
        text.push('\n');
        text.push_str(&table(&["SEVERITY", "KIND", "WHAT"], &rows));
    }
    let row = |strip: &pb::SchoolStrip| {
        vec![
            strip.school_name.clone(),
            short_name(strip.state().as_str_name(), "CONNECTION_STATE_"),
            strip.delivered_by_hour.iter().map(|count| u64::from(*count)).sum::<u64>().to_string(),
            strip.failed_by_hour.iter().map(|count| u64::from(*count)).sum::<u64>().to_string(),
            (strip.pending + strip.parked + strip.held).to_string(),
            time(strip.last_delivered_at.as_ref()),
        ]
    };
    let rows: Vec<Vec<String>> = overview.schools.iter().map(row).collect();
    text.push('\n');
    text.push_str(&table(&["SCHOOL", "STATE", "DELIVERED", "FAILED", "WAITING", "LAST DELIVERED"], &rows));
    text
}
