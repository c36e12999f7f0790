//! `ctl import`.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use rollcall_proto::{
    pinned::is_connection_loss,
    provider::v1::{self as pb, ImportState},
};
use tokio::{fs::File, io::AsyncReadExt, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{
    client::Session,
    failure::{Failure, Outcome, exit},
    output::{Fields, Output, short_name, table, time},
};

/// Of an upload; the schema allows 1 MiB.
const CHUNK_BYTES: usize = 512 * 1024;
/// How often a watch is taken up again after the server was gone; it may be restarting.
const WATCH_RETRIES: u32 = 60;
const WATCH_RETRY_WAIT: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ImportArgs {
    #[command(subcommand)]
    command: Option<RunCommand>,
    #[command(flatten)]
    start: Option<StartArgs>,
}

#[derive(Args)]
struct StartArgs {
    /// A OneRoster zip (CSV binding 1.1, 1.2 or 1.2.1; bulk or delta).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "D")]
    district: String,
    /// strict refuses what lenient corrects with a warning.
    #[arg(long, value_enum, default_value_t = Profile::Lenient)]
    profile: Profile,
    /// Holds the run once it is planned, so that the plan can be looked at first.
    #[arg(long)]
    review: bool,
    /// Waits for the end: exits 0 applied, 1 held, 65 failed.
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    Strict,
    Lenient,
}

#[derive(Args)]
struct Run {
    /// `run_…`
    run: String,
}

#[derive(Args)]
struct WaitFlag {
    /// Waits for the end: exits 0 applied, 1 held, 65 failed.
    #[arg(long)]
    wait: bool,
}

#[derive(Subcommand)]
enum RunCommand {
    /// A run with its counts and holds.
    Show(Run),
    /// Runs of a district, newest first.
    List {
        #[arg(long, value_name = "D")]
        district: String,
    },
    /// Problems of a run, by file and line.
    Errors {
        #[command(flatten)]
        run: Run,
        /// error or warning; both where it is left out.
        #[arg(long, default_value = "", hide_default_value = true)]
        severity: String,
        /// As CSV: severity,file,line,sourcedId,field,code,message,howToFix.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// What a held run would do to whom. Shows names; looking is audited.
    Plan {
        #[command(flatten)]
        run: Run,
        /// created, updated or deleted; all where it is left out.
        #[arg(long, default_value = "", hide_default_value = true)]
        kind: String,
        /// Only students of this school, by its sourcedId.
        #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
        school: String,
    },
    /// Applies a held run.
    Approve {
        #[command(flatten)]
        run: Run,
        /// Additions and updates only.
        #[arg(long)]
        without_deletions: bool,
        #[command(flatten)]
        wait: WaitFlag,
    },
    /// Ends a held run without applying it.
    Discard(Run),
    /// Stops a run; what was applied stays.
    Cancel(Run),
    /// Within 24 h: brings back the state before the run.
    Undo {
        #[command(flatten)]
        run: Run,
        #[command(flatten)]
        wait: WaitFlag,
    },
}

impl ImportArgs {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        match (self.command, self.start) {
            (Some(command), _) => command.run(session, output).await,
            (None, Some(start)) => {
                let run = upload(&start, session).await?;
                conclude(run, start.wait, session, output).await
            }
            (None, None) => Err(Failure::usage("give a FILE to import, or one of show, list, errors, approve, …")),
        }
    }
}

impl RunCommand {
    async fn run(self, session: &Session, output: &Output) -> Outcome {
        let mut client = session.imports();
        let get = |Run { run }: Run| session.call(pb::GetImportRequest { run });
        match self {
            Self::Show(run) => {
                show(&client.get_import(get(run)).await?.into_inner(), output)?;
                Ok(exit::OK)
            }
            Self::List { district } => list(district, session, output).await,
            Self::Errors { run, severity, csv } => problems(run.run, severity, csv, session, output).await,
            Self::Plan { run, kind, school } => plan(run.run, kind, school, session, output).await,
            Self::Approve { run, without_deletions, wait } => {
                let request = pb::ApproveImportRequest { run: run.run, without_deletions };
                let run = client.approve_import(session.call(request)).await?.into_inner();
                conclude(run, wait.wait, session, output).await
            }
            Self::Discard(run) => {
                show(&client.discard_import(get(run)).await?.into_inner(), output)?;
                Ok(exit::OK)
            }
            Self::Cancel(run) => {
                show(&client.cancel_import(get(run)).await?.into_inner(), output)?;
                Ok(exit::OK)
            }
            Self::Undo { run, wait } => {
                let run = client.undo_import(get(run)).await?.into_inner();
                conclude(run, wait.wait, session, output).await
            }
        }
    }
}

/// The plan, a page at a time.
async fn plan(run: String, kind: String, school: String, session: &Session, output: &Output) -> Outcome {
    let (page_size, page_token) = (500, String::new());
    let mut request = pb::ListPlannedChangesRequest { run, kind, school_sourced_id: school, page_size, page_token };
    loop {
        let page = session.imports().list_planned_changes(session.call(request.clone())).await?.into_inner();
        output.list(&["KIND", "SOURCED ID", "NAME", "LINE", "FIELDS", "SCHOOLS"], &page.changes, |change| {
            let field = |field: &pb::FieldChange| match (&field.old_value, &field.new_value) {
                (Some(old), Some(new)) => format!("{}: {old} → {new}", field.field),
                (None, Some(new)) => format!("{}: {new}", field.field),
                (_, None) => format!("{}: none", field.field),
            };
            vec![
                change.kind.clone(),
                change.sourced_id.clone(),
                change.display_name.clone(),
                change.line.to_string(),
                change.fields.iter().map(field).collect::<Vec<_>>().join("; "),
                change.school_sourced_ids.join(" "),
            ]
        })?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(exit::OK);
        }
    }
}

/// Streams the zip; answers the registered run.
async fn upload(start: &StartArgs, session: &Session) -> Result<pb::ImportRun, Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", start.file.display()));
    let mut file = File::open(&start.file).await.map_err(unreadable)?;
    let size_bytes = file.metadata().await.map_err(unreadable)?.len();
    let header = pb::ImportStart {
        district: start.district.clone(),
        file_name: start.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        profile: match start.profile {
            Profile::Strict => "strict".into(),
            Profile::Lenient => "lenient".into(),
        },
        size_bytes,
        hold_for_review: start.review,
    };
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::spawn(async move {
        let part = |part| pb::StartImportRequest { part: Some(part) };
        let mut open = sender.send(part(pb::start_import_request::Part::Start(header))).await.is_ok();
        while open {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            if (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await? == 0 {
                break;
            }
            open = sender.send(part(pb::start_import_request::Part::Data(chunk.into()))).await.is_ok();
        }
        Ok::<_, std::io::Error>(())
    });
    let answer = session.imports().start_import(session.stream(ReceiverStream::new(receiver))).await;
    reading.await.map_err(|_| Failure::new(exit::INTERNAL, "reading the file failed"))?.map_err(unreadable)?;
    Ok(answer.map_err(Failure::from_data)?.into_inner())
}

/// Waits if asked to, prints the run, and turns its state into the exit code.
async fn conclude(mut run: pb::ImportRun, wait: bool, session: &Session, output: &Output) -> Outcome {
    if wait {
        run = watch(run, session).await?;
    }
    show(&run, output)?;
    if run.state() == ImportState::Held {
        eprintln!("Held: nothing was applied. Next: `ctl import approve {0}` or `ctl import discard {0}`.", run.id);
    }
    Ok(exit_of(run.state(), wait))
}

fn exit_of(state: ImportState, waited: bool) -> u8 {
    match state {
        ImportState::Applied | ImportState::Undone => exit::OK,
        ImportState::Failed => exit::BAD_DATA,
        ImportState::Held | ImportState::Discarded | ImportState::Cancelled => exit::CHECK_FAILED,
        ImportState::Unspecified | ImportState::Checking | ImportState::Applying | ImportState::Undoing => {
            if waited {
                exit::INTERNAL
            } else {
                exit::OK
            }
        }
    }
}

fn rests(state: ImportState) -> bool {
    !matches!(state, ImportState::Unspecified | ImportState::Checking | ImportState::Applying | ImportState::Undoing)
}

/// Follows the run until it rests, also across a restart of the server.
async fn watch(mut run: pb::ImportRun, session: &Session) -> Result<pb::ImportRun, Failure> {
    let mut progress = Progress::default();
    let mut lost = 0;
    while !rests(run.state()) {
        let request = pb::GetImportRequest { run: run.id.clone() };
        let ended: Status = match session.imports().watch_import(session.stream(request)).await {
            Err(status) => status,
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(next)) => {
                            lost = 0;
                            progress.draw(&next);
                            run = next;
                        }
                        Ok(None) => break Status::unavailable("the server ended the watch"),
                        Err(status) => break status,
                    }
                }
            }
        };
        if rests(run.state()) {
            break;
        }
        lost += 1;
        if lost > WATCH_RETRIES || !is_connection_loss(&ended) {
            return Err(ended.into());
        }
        tokio::time::sleep(WATCH_RETRY_WAIT).await;
    }
    progress.end();
    Ok(run)
}

/// One line on stderr, redrawn on a terminal, else one line a phase.
#[derive(Default)]
struct Progress {
    phase: String,
    drawn: bool,
}

impl Progress {
    fn draw(&mut self, run: &pb::ImportRun) {
        let text = match run.phase.as_str() {
            "applying" => {
                let counts = run.counts.unwrap_or_default();
                format!("applying {} of {} changes", run.applied, counts.created + counts.updated + counts.deleted)
            }
            phase if run.rows_total > 0 => format!("{phase}: {} of {} rows", run.rows_read, run.rows_total),
            phase => format!("{phase}: {} rows", run.rows_read),
        };
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K{text}");
            self.drawn = true;
        } else if self.phase != run.phase {
            eprintln!("{text}");
        }
        self.phase.clone_from(&run.phase);
    }

    fn end(&self) {
        if self.drawn {
            eprintln!();
        }
    }
}

async fn list(district: String, session: &Session, output: &Output) -> Outcome {
    let (mut runs, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListImportsRequest { district: district.clone(), page_size: 0, page_token };
        let mut page = session.imports().list_imports(session.call(request)).await?.into_inner();
        runs.append(&mut page.runs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output.list(&["RUN", "STATE", "KIND", "CREATED", "UPDATED", "DELETED", "STARTED", "FILE"], &runs, |run| {
        let counts = run.counts.unwrap_or_default();
        vec![
            run.id.clone(),
            state_name(run),
            run.kind.clone(),
            counts.created.to_string(),
            counts.updated.to_string(),
            counts.deleted.to_string(),
            time(run.started_at.as_ref()),
            run.file_name.clone(),
        ]
    })?;
    Ok(exit::OK)
}

async fn problems(run: String, severity: String, csv: bool, session: &Session, output: &Output) -> Outcome {
    let mut client = session.imports();
    if csv {
        let mut stream = client.export_problems(session.stream(pb::GetImportRequest { run })).await?.into_inner();
        while let Some(part) = stream.message().await? {
            output.raw(&part.csv)?;
        }
        return Ok(exit::OK);
    }
    let mut page_token = String::new();
    loop {
        let request =
            pb::ListProblemsRequest { run: run.clone(), severity: severity.clone(), page_size: 1_000, page_token };
        let page = client.list_problems(session.call(request)).await?.into_inner();
        output.list(
            &["SEVERITY", "FILE", "LINE", "SOURCED ID", "FIELD", "CODE", "MESSAGE", "HOW TO FIX"],
            &page.problems,
            |p| {
                let line = if p.line == 0 { String::new() } else { p.line.to_string() };
                vec![
                    p.severity.clone(),
                    p.file.clone(),
                    line,
                    p.sourced_id.clone(),
                    p.field.clone(),
                    p.code.clone(),
                    p.message.clone(),
                    p.how_to_fix.clone(),
                ]
            },
        )?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(exit::OK);
        }
    }
}

/// What is known of a run; what a zip is stands in its manifest, which may not be read yet, or never be.
fn fields(run: &pb::ImportRun) -> Fields {
    let counts = run.counts.unwrap_or_default();
    let version = if run.version.is_empty() { String::new() } else { format!("OneRoster {}", run.version) };
    let mut fields = Fields::default()
        .with("run", &run.id)
        .with("state", state_name(run))
        .with("file", &run.file_name)
        .with("format", format!("{version} {}", run.kind).trim())
        .with("profile", &run.profile)
        .with("error", &run.error)
        .with("created", counts.created)
        .with("updated", counts.updated)
        .with("deleted", counts.deleted)
        .with("unchanged", counts.unchanged)
        .with("rejected", counts.rejected)
        .with("problems", format!("{} errors, {} warnings", counts.errors, counts.warnings))
        .with("schools created", counts.schools_created)
        .with("applied", run.applied)
        .with("undo skipped", if run.undo_skipped == 0 { String::new() } else { run.undo_skipped.to_string() })
        .with("started", format!("{} by {}", time(run.started_at.as_ref()), run.started_by))
        .with("finished", time(run.finished_at.as_ref()));
    for hold in &run.holds {
        fields = fields.with("hold", format!("{} {}: {}", hold.code, hold.school_sourced_id, hold.message));
    }
    fields
}

fn show(run: &pb::ImportRun, output: &Output) -> std::io::Result<()> {
    output.one(run, fields)?;
    if !output.is_json() && !run.schools.is_empty() {
        let rows: Vec<Vec<String>> = run
            .schools
            .iter()
            .map(|s| {
                let counts = [s.created, s.updated, s.deleted, s.unchanged];
                [s.school_sourced_id.clone(), s.school_name.clone()]
                    .into_iter()
                    .chain(counts.iter().map(u64::to_string))
                    .collect()
            })
            .collect();
        output.raw(table(&["SCHOOL", "NAME", "CREATED", "UPDATED", "DELETED", "UNCHANGED"], &rows).as_bytes())?;
    }
    Ok(())
}

fn state_name(run: &pb::ImportRun) -> String {
    short_name(run.state().as_str_name(), "IMPORT_STATE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_decides_the_exit_code() {
        let cases = [
            (ImportState::Applied, true, 0),
            (ImportState::Held, true, 1),
            (ImportState::Failed, true, 65),
            (ImportState::Failed, false, 65),
            (ImportState::Checking, false, 0),
            (ImportState::Cancelled, true, 1),
            (ImportState::Undone, true, 0),
        ];
        for (state, waited, code) in cases {
            assert_eq!(exit_of(state, waited), code, "{state:?}");
        }
    }

    #[test]
    fn of_a_zip_that_was_not_read_no_format_is_told() {
        let mut run = pb::ImportRun { profile: "lenient".into(), ..Default::default() };
        let told = fields(&run).render();
        assert!(!told.contains("format") && told.contains("profile          lenient\n"), "{told}");
        (run.version, run.kind) = ("1.2".into(), "bulk".into());
        let told = fields(&run).render();
        assert!(told.contains("format           OneRoster 1.2 bulk\n"), "{told}");
    }

    #[test]
    fn only_a_resting_run_ends_the_watch() {
        for state in [ImportState::Checking, ImportState::Applying, ImportState::Undoing] {
            assert!(!rests(state), "{state:?}");
        }
        for state in [ImportState::Held, ImportState::Applied, ImportState::Failed, ImportState::Undone] {
            assert!(rests(state), "{state:?}");
        }
    }
}
