//! `ctl log`.

mod groups;

use std::time::Duration;

use clap::{Args, Subcommand};
use rollcall_proto::{pinned::is_connection_loss, provider::v1 as pb};

use groups::GroupName;

use super::{
    client::Session,
    failure::{Outcome, exit},
    output::{Fields, Output, table, time},
    when::When,
};

/// How often a tail is taken up again after the server was gone.
const TAIL_RETRIES: u32 = 60;
const TAIL_RETRY_WAIT: Duration = Duration::from_secs(1);
const HEADERS: [&str; 11] =
    ["LOG", "TIME", "MESSAGE", "EVENT", "STUDENT", "TRIGGER", "TRY", "STATUS", "CODE", "MS", "CAUSE"];

#[derive(Args)]
pub struct School {
    /// Id, sourcedId or name.
    #[arg(long, value_name = "S")]
    school: String,
}

#[derive(Subcommand)]
pub enum LogCommand {
    /// Attempts of a school, newest first.
    List {
        #[command(flatten)]
        school: School,
        /// For example `status:failed,parked code:5xx -event:student.updated after:-1h`.
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        filter: String,
        /// At most so many; 0 means all.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Oldest first, and then what comes, without a gap, until Ctrl-C.
        #[arg(long)]
        follow: bool,
    },
    /// The attempts that match as a file on stdout, newest first; that is audited.
    Export {
        #[command(flatten)]
        school: School,
        /// As in `list`; without it, every attempt.
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        filter: String,
        /// A JSON object a line, or CSV with a header.
        #[arg(long, value_parser = ["ndjson", "csv"], default_value = "ndjson")]
        format: String,
    },
    /// Messages that wait or rest, newest first.
    Messages {
        #[command(flatten)]
        school: School,
        /// pending, in_flight, delivered, parked, held, superseded, discarded or erased; may be repeated [default: pending, parked, held].
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
        states: Vec<String>,
        /// At most so many; 0 means all.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// A message with its attempts and their answers.
    Show {
        /// `evt_…`
        message: String,
        /// The signed body too; that is audited.
        #[arg(long)]
        body: bool,
    },
    /// Sends a message again, whatever its state.
    Resend {
        /// `evt_…`
        message: String,
    },
    /// Sends again what matches; --dry-run only counts.
    Replay {
        #[command(flatten)]
        school: School,
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        filter: String,
        /// Made at or after: an instant, or an age like -2h.
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        since: Option<When>,
        /// A group of `undelivered` instead: STATE,REASON,CAUSE,CODE.
        #[arg(long, conflicts_with_all = ["filter", "since"])]
        group: Option<GroupName>,
        #[arg(long)]
        dry_run: bool,
    },
    /// Cancels a replay: what was not attempted yet goes back to what it was.
    CancelReplay {
        #[command(flatten)]
        school: School,
        /// As the replay answered it [default: the school's newest].
        #[arg(default_value = "", hide_default_value = true)]
        replay: String,
    },
    /// What could not be delivered so far, by school and cause.
    Undelivered {
        /// One school only.
        #[arg(long, value_name = "S", default_value = "", hide_default_value = true)]
        school: String,
        /// One district only.
        #[arg(long, value_name = "D", default_value = "", hide_default_value = true)]
        district: String,
    },
    /// Discards undelivered messages, with a reason that is kept.
    Discard {
        #[command(flatten)]
        school: School,
        #[arg(long)]
        reason: String,
        /// A group of `undelivered` instead of messages: STATE,REASON,CAUSE,CODE.
        #[arg(long, conflicts_with = "messages")]
        group: Option<GroupName>,
        /// `evt_…`
        #[arg(required_unless_present = "group")]
        messages: Vec<String>,
    },
    /// Takes a discard back, within 10 minutes.
    UndoDiscard {
        #[command(flatten)]
        school: School,
        /// As the discard answered it.
        undo: String,
    },
    /// Attempts over a time, by status.
    Histogram {
        #[command(flatten)]
        school: School,
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        filter: String,
        /// An instant, or an age like -7d [default: 24 h before --until].
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        since: Option<When>,
        /// The same [default: now].
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        until: Option<When>,
        /// At most so many, 1 to 240.
        #[arg(long, value_name = "N", default_value_t = 60)]
        buckets: u32,
    },
    /// Figures of a school.
    Stats {
        #[command(flatten)]
        school: School,
        /// An instant, or an age like -24h.
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        since: Option<When>,
    },
}

impl LogCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        let mut client = session.log();
        match self {
            Self::List { school, filter, limit, follow } => {
                let request = pb::ListAttemptsRequest { school: school.school, filter, ..Default::default() };
                return list(request, limit, follow, session, output).await;
            }
            Self::Export { school, filter, format } => {
                let request = pb::ExportAttemptsRequest { school: school.school, filter, format };
                let mut parts = client.export_attempts(session.stream(request)).await?.into_inner();
                while let Some(part) = parts.message().await? {
                    output.raw(&part.data)?;
                }
            }
            Self::Messages { school, states, limit } => {
                let request = pb::ListMessagesRequest { school: school.school, states, ..Default::default() };
                return messages(request, limit, session, output).await;
            }
            Self::Show { message, body } => {
                let request = session.call(pb::GetMessageRequest { message, reveal_body: body });
                show(&client.get_message(request).await?.into_inner(), output)?;
            }
            Self::Resend { message } => {
                let request = session.call(pb::ResendMessageRequest { message });
                output.one(&client.resend_message(request).await?.into_inner(), |answer| {
                    Fields::default()
                        .with("queued", format!("as attempt {} of {}", answer.queued_as_try, answer.message))
                })?;
            }
            Self::Replay { school, filter, since, group, dry_run } => {
                let since = since.map(When::to_timestamp);
                let group = group.map(|GroupName(group)| group);
                let request = pb::ReplayRequest { school: school.school, filter, since, dry_run, group };
                output.one(&client.replay(session.call(request)).await?.into_inner(), |answer| {
                    Fields::default()
                        .with(if dry_run { "would send" } else { "queued" }, answer.messages)
                        .with("refused", answer.refused)
                        .with("replay", &answer.replay)
                        .with("cancelled", if answer.cancelled { "before everything was queued" } else { "" })
                })?;
            }
            Self::CancelReplay { school, replay } => {
                let request = pb::CancelReplayRequest { school: school.school, replay };
                output.one(&client.cancel_replay(session.call(request)).await?.into_inner(), |answer| {
                    Fields::default()
                        .with("replay", &answer.replay)
                        .with("restored", answer.restored)
                        .with("attempted already", answer.begun)
                })?;
            }
            Self::Undelivered { school, district } => {
                let request = pb::ListUndeliveredRequest { school, district, ..Default::default() };
                return groups::undelivered(request, session, output).await;
            }
            Self::Discard { school, reason, group, messages } => {
                let group = group.map(|GroupName(group)| group);
                let request = pb::DiscardMessagesRequest { school: school.school, messages, reason, group };
                output.one(&client.discard_messages(session.call(request)).await?.into_inner(), |answer| {
                    Fields::default()
                        .with("discarded", answer.discarded)
                        .with("undo", &answer.undo)
                        .with("undo until", time(answer.undo_until.as_ref()))
                })?;
            }
            Self::UndoDiscard { school, undo } => {
                let request = pb::UndoDiscardRequest { school: school.school, undo };
                output.one(&client.undo_discard(session.call(request)).await?.into_inner(), |answer| {
                    Fields::default().with("restored", answer.restored).with("superseded", answer.superseded)
                })?;
            }
            Self::Histogram { school, filter, since, until, buckets } => {
                let (since, until) = (since.map(When::to_timestamp), until.map(When::to_timestamp));
                let request = pb::GetHistogramRequest { school: school.school, filter, since, until, buckets };
                return groups::histogram(request, session, output).await;
            }
            Self::Stats { school, since } => {
                let request = pb::GetStatsRequest { school: school.school, since: since.map(When::to_timestamp) };
                output.one(&client.get_stats(session.call(request)).await?.into_inner(), stats)?;
            }
        }
        Ok(exit::OK)
    }
}

async fn list(
    mut request: pb::ListAttemptsRequest,
    limit: usize,
    follow: bool,
    session: &Session,
    output: &Output,
) -> Outcome {
    let mut left = if limit == 0 { usize::MAX } else { limit };
    request.page_size = left.min(500) as u32;
    let mut shown = Vec::new();
    loop {
        let mut page = session.log().list_attempts(session.call(request.clone())).await?.into_inner();
        page.attempts.truncate(left);
        left -= page.attempts.len();
        request.page_token = page.next_page_token;
        if follow {
            shown.append(&mut page.attempts);
        } else {
            output.list(&HEADERS, &page.attempts, row)?;
        }
        if left == 0 || request.page_token.is_empty() {
            break;
        }
    }
    if !follow {
        return Ok(exit::OK);
    }
    shown.reverse();
    output.list(&HEADERS, &shown, row)?;
    let seen = shown.last().map(|attempt| attempt.log_sequence);
    tail(
        pb::TailAttemptsRequest { school: request.school, filter: request.filter, after_log_sequence: seen },
        session,
        output,
    )
    .await
}

/// Prints what comes; after a loss it goes on from the last row.
async fn tail(mut request: pb::TailAttemptsRequest, session: &Session, output: &Output) -> Outcome {
    let mut lost = 0;
    loop {
        let ended = match session.log().tail_attempts(session.stream(request.clone())).await {
            Err(status) => status,
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(part)) => {
                            lost = 0;
                            request.after_log_sequence = Some(part.log_sequence);
                            for attempt in &part.attempts {
                                follow_line(attempt, output)?;
                            }
                        }
                        Ok(None) => break tonic::Status::unavailable("the server ended the tail"),
                        Err(status) => break status,
                    }
                }
            }
        };
        lost += 1;
        if lost > TAIL_RETRIES || !is_connection_loss(&ended) {
            return Err(ended.into());
        }
        tokio::time::sleep(TAIL_RETRY_WAIT).await;
    }
}

/// Columns as wide as usual, because the next rows are not known.
fn follow_line(attempt: &pb::Attempt, output: &Output) -> std::io::Result<()> {
    if output.is_json() {
        return output.value(&rollcall_proto::json::to_json(attempt));
    }
    output.line(row(attempt).join("  ").trim_end())
}

async fn messages(mut request: pb::ListMessagesRequest, limit: usize, session: &Session, output: &Output) -> Outcome {
    let mut left = if limit == 0 { usize::MAX } else { limit };
    request.page_size = left.min(500) as u32;
    loop {
        let mut page = session.log().list_messages(session.call(request.clone())).await?.into_inner();
        page.messages.truncate(left);
        left -= page.messages.len();
        output.list(
            &["SEQUENCE", "MESSAGE", "EVENT", "STUDENT", "STATE", "TRIES", "NEXT", "REASON"],
            &page.messages,
            |m| {
                vec![
                    m.sequence.to_string(),
                    m.id.clone(),
                    m.event_type.clone(),
                    m.student_sourced_id.clone(),
                    m.state.clone(),
                    m.tries.to_string(),
                    time(m.next_attempt_at.as_ref()),
                    m.reason.clone(),
                ]
            },
        )?;
        request.page_token = page.next_page_token;
        if left == 0 || request.page_token.is_empty() {
            return Ok(exit::OK);
        }
    }
}

fn row(attempt: &pb::Attempt) -> Vec<String> {
    vec![
        attempt.log_sequence.to_string(),
        time(attempt.at.as_ref()),
        attempt.message_id.clone(),
        attempt.event_type.clone(),
        attempt.student_sourced_id.clone(),
        attempt.trigger.clone(),
        format!("{}/{}", attempt.try_number, attempt.max_tries),
        attempt.status.clone(),
        if attempt.code == 0 { "-".into() } else { attempt.code.to_string() },
        format!("{:.1}", f64::from(attempt.latency_us) / 1000.0),
        attempt.cause.clone(),
    ]
}

fn show(message: &pb::Message, output: &Output) -> std::io::Result<()> {
    output.one(message, |message| {
        Fields::default()
            .with("message", &message.id)
            .with("school", &message.school_id)
            .with("event", &message.event_type)
            .with("sequence", message.sequence)
            .with("student", format!("{} {}", message.student_sourced_id, message.student_id))
            .with("state", &message.state)
            .with("reason", &message.reason)
            .with("created", time(message.created_at.as_ref()))
            .with("next attempt", time(message.next_attempt_at.as_ref()))
            .with("change", &message.change_id)
            .with("tries", message.tries)
            .with("body", body(message))
    })?;
    if output.is_json() {
        return Ok(());
    }
    if !message.request_headers.is_empty() {
        output.line("\nRequest headers")?;
        for header in &message.request_headers {
            output.line(&format!("  {}: {}", header.name, header.value))?;
        }
    }
    if !message.body.is_empty() {
        output.line("\nBody")?;
        output.line(&String::from_utf8_lossy(&message.body))?;
    }
    let attempts: Vec<&pb::Attempt> = message.attempts.iter().filter_map(|detail| detail.attempt.as_ref()).collect();
    if !attempts.is_empty() {
        output.line("\nAttempts")?;
        let rows: Vec<Vec<String>> = attempts.iter().map(|attempt| row(attempt)).collect();
        output.raw(table(&HEADERS, &rows).as_bytes())?;
        for detail in message.attempts.iter().filter(|detail| !detail.requested_by.is_empty()) {
            let number = detail.attempt.as_ref().map_or(0, |attempt| attempt.try_number);
            output.line(&format!("  try {number}: asked for by {}", detail.requested_by))?;
        }
        for attempt in attempts.iter().filter(|attempt| !attempt.explanation.is_empty()) {
            output.line(&format!("  try {}: {}", attempt.try_number, attempt.explanation))?;
        }
        if message.attempts.iter().any(|detail| detail.answer_purged) {
            output.line("  The answers were purged with the body.")?;
        }
    }
    Ok(())
}

fn body(message: &pb::Message) -> String {
    match message.body_sha256.as_str() {
        "" if message.body_purged => format!("{} bytes, purged", message.body_bytes),
        "" => format!("{} bytes, not kept", message.body_bytes),
        sha256 => format!("{} bytes, SHA-256 {sha256}", message.body_bytes),
    }
}

fn stats(stats: &pb::Stats) -> Fields {
    let ms = |us: u32| format!("{:.1} ms", f64::from(us) / 1000.0);
    let counts = |map: &std::collections::HashMap<String, u64>| {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort();
        entries.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    Fields::default()
        .with("attempts", stats.attempts)
        .with("by status", counts(&stats.by_status))
        .with("by cause", counts(&stats.by_cause))
        .with("latency p50", ms(stats.latency_p50_us))
        .with("latency p95", ms(stats.latency_p95_us))
        .with("latency p99", ms(stats.latency_p99_us))
        .with("pending", stats.pending)
        .with("parked", stats.parked)
        .with("oldest pending", time(stats.oldest_pending_at.as_ref()))
}
