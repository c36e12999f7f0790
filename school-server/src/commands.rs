//! Runs a command. Those beside `serve` talk to the running receiver, or hold the folder themselves and talk to a desk
//! of their own: one way for both.

mod check;
mod enrolling;
mod history;

use std::{
    io::{IsTerminal, Write, stdout},
    net::SocketAddr,
};

use rollcall_proto::{
    json::to_json,
    school::v1::{
        ExportRosterRequest, GetRosterDigestRequest, GetStatusRequest, InstallSecretRequest, ListEventsRequest,
        ListStudentsRequest, ReceivedEvent, TailEventsRequest, receiver_service_client::ReceiverServiceClient,
    },
};
use tokio::signal::unix::{SignalKind, signal};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use crate::{
    app::{self, Parts, Running},
    cli::{Cli, Command, Events, Roster, Serve, Students},
    clock::Clock,
    config::Settings,
    data_dir::{DataDir, Ready, keep_to_this_user, read_private},
    error::{AppError, Kind},
    rotation,
};

/// A client of the desk's gRPC with the pairing token.
pub type ReceiverClient = ReceiverServiceClient<InterceptedService<Channel, Pairing>>;

const PAGE: u32 = 1_000;

/// Adds the pairing token to each call.
#[derive(Clone)]
pub struct Pairing(MetadataValue<Ascii>);

impl tonic::service::Interceptor for Pairing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Runs the command line.
pub fn run(cli: Cli) -> Result<(), AppError> {
    let settings = Settings::load(&cli.common)?;
    let serving = matches!(cli.command, Command::Serve(_));
    start_log(settings.log.as_deref(), serving)?;
    keep_to_this_user();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| AppError::while_doing(Kind::Internal, "starting the runtime", error))?;
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Serve(flags) => serve(settings, &flags).await,
            command => beside(settings, command, cli.common.json).await,
        }
    });
    match ended {
        Err(error) if error.reason == OUTPUT_CLOSED => Ok(()),
        ended => ended,
    }
}

fn start_log(filter: Option<&str>, serving: bool) -> Result<(), AppError> {
    let filter = filter.unwrap_or(if serving { "info" } else { "warn" });
    let filter = EnvFilter::try_new(filter).map_err(|error| AppError::config(format!("log: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    Ok(())
}

async fn serve(settings: Settings, flags: &Serve) -> Result<(), AppError> {
    let serve = settings.serve(flags)?;
    let problem = |error| AppError::while_doing(Kind::Internal, "listening for signals", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(problem)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(problem)?;
    let running = start(settings, Some(serve)).await?;
    if let Some(path) = &flags.ready_json {
        tell_ready(path, &running.ready)?;
    }
    let stopped = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    running.run_until(stopped).await
}

async fn start(settings: Settings, serve: Option<crate::config::ServeSettings>) -> Result<Running, AppError> {
    let lock = settings.data_dir.lock()?;
    let Settings { data_dir, secret_store, .. } = settings;
    app::start(Parts { data_dir, secret_store, clock: Clock::system(), lock }, serve).await
}

fn tell_ready(path: &std::path::Path, ready: &Ready) -> Result<(), AppError> {
    let line = serde_json::to_string(ready).expect("plain data");
    let told = if path.as_os_str() == "-" {
        writeln!(stdout(), "{line}")
    } else {
        crate::data_dir::write_private(path, format!("{line}\n").as_bytes())
    };
    told.map_err(|error| AppError::config(format!("ready_json: {} cannot be written: {error}", path.display())))
}

/// A command beside the receiver.
async fn beside(settings: Settings, command: Command, json: bool) -> Result<(), AppError> {
    if let Command::Enroll { code, yes } = command {
        return enrolling::enroll(settings, &code, yes, json).await;
    }
    let data_dir = settings.data_dir.clone();
    let secret_store = settings.secret_store.clone();
    let (mut client, own) = client(settings, &data_dir).await?;
    let result = match command {
        Command::Serve(_) | Command::Enroll { .. } => unreachable!("handled by their own functions"),
        Command::Rotate { pull_only, revoke_now } => {
            rotate(&mut client, &secret_store, rotation::Ask { request: !pull_only, revoke_now }, json).await
        }
        Command::Status => status(&mut client, json).await,
        Command::Students(Students::List { search }) => students(&mut client, &search, json).await,
        Command::Students(Students::History { sourced_id, limit }) => {
            history::student(&mut client, sourced_id, limit, json).await
        }
        Command::Roster(Roster::Export { format }) => export(&mut client, format).await,
        Command::Roster(Roster::Digest) => digest(&mut client, json).await,
        Command::Events(Events::List { follow, limit, verdict }) => {
            events(&mut client, follow, limit, verdict, json).await
        }
        Command::Events(Events::Gaps) => history::gaps(&mut client, json).await,
        Command::Events(Events::Alerts { limit }) => history::alerts(&mut client, limit, json).await,
        Command::CheckSignature(pasted) => check::signature(&mut client, pasted, json).await,
    };
    drop(client);
    if let Some(own) = own {
        own.stop().await?;
    }
    result
}

/// The running receiver's client; where none runs, this process holds the folder and serves a desk of its own.
async fn client(settings: Settings, data_dir: &DataDir) -> Result<(ReceiverClient, Option<Running>), AppError> {
    match start(settings, None).await {
        Ok(own) => {
            let client = connect(&own.ready.grpc, data_dir).await?;
            Ok((client, Some(own)))
        }
        Err(error) if error.kind == Kind::Locked => {
            let ready = data_dir.announced().ok_or(error)?;
            Ok((connect(&ready.grpc, data_dir).await?, None))
        }
        Err(error) => Err(error),
    }
}

/// A client of the desk at this address, with the pairing token of the folder.
pub async fn connect(address: &str, data_dir: &DataDir) -> Result<ReceiverClient, AppError> {
    let path = data_dir.pairing_token_file();
    let denied = |error: &dyn std::fmt::Display| AppError::new(Kind::Denied, format!("{}: {error}", path.display()));
    let token = read_private(&path).map_err(|error| denied(&error))?;
    let text = Zeroizing::new(format!("Bearer {}", String::from_utf8_lossy(&token).trim()));
    let mut bearer = MetadataValue::try_from(text.as_str()).map_err(|_| denied(&"not a token"))?;
    bearer.set_sensitive(true);
    let loopback = address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    if !loopback {
        return Err(AppError::new(
            Kind::Unreachable,
            format!("the receiver's address {address} is not a loopback one"),
        ));
    }
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| AppError::while_doing(Kind::Unreachable, "the receiver's address", error))?;
    let channel = endpoint.connect_timeout(std::time::Duration::from_secs(5)).connect().await.map_err(|_| {
        AppError::new(
            Kind::Unreachable,
            format!("the receiver at {address} does not answer although it holds the folder"),
        )
    })?;
    Ok(ReceiverServiceClient::with_interceptor(channel, Pairing(bearer)).max_decoding_message_size(64 * 1024 * 1024))
}

async fn rotate(
    client: &mut ReceiverClient,
    secret_store: &crate::secrets::SecretStore,
    ask: rotation::Ask,
    json: bool,
) -> Result<(), AppError> {
    let not_enrolled = || AppError::new(Kind::BadData, "this receiver is not enrolled");
    let enrollment = app::read_store(secret_store).await?.ok_or_else(not_enrolled)?;
    let install = |request: InstallSecretRequest| {
        let mut client = client.clone();
        async move { client.install_secret(request).await.map(drop).map_err(AppError::from) }
    };
    let pulled = rotation::pull(&enrollment, secret_store, ask, Clock::system().now_ms(), install).await?;
    match pulled {
        Some(fingerprint) if json => print(&serde_json::json!({ "fingerprint": fingerprint }).to_string()),
        Some(fingerprint) => print(&format!("The new secret is in place: {fingerprint}")),
        None if json => print(&serde_json::json!({ "fingerprint": null }).to_string()),
        None => print("No new secret waits."),
    }
}

async fn status(client: &mut ReceiverClient, json: bool) -> Result<(), AppError> {
    let status = client.get_status(GetStatusRequest {}).await?.into_inner();
    if json {
        return print(&to_json(&status).to_string());
    }
    let or_none = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    print(&format!(
        "enrolled    {}\nschool      {} ({})\ndistrict    {}\nprovider    {}\nkeys        {}\nsecret in   {} {}\n\
         webhook     {}\nstudents    {}\nsequence    {} complete, {} highest\nalerts      {} {}",
        status.enrolled,
        or_none(&status.school_name),
        or_none(&status.school_sourced_id),
        or_none(&status.district_sourced_id),
        or_none(&status.provider_address),
        or_none(&status.fingerprints.join(" ")),
        status.secret_store,
        status.secret_error,
        or_none(&status.webhook_address),
        status.students,
        status.contiguous_sequence,
        status.highest_sequence,
        status.alerts,
        status.latest_alert,
    ))
}

async fn students(client: &mut ReceiverClient, search: &str, json: bool) -> Result<(), AppError> {
    let mut page_token = String::new();
    loop {
        let request = ListStudentsRequest { page_size: PAGE, page_token, search: search.to_owned() };
        let page = client.list_students(request).await?.into_inner();
        for student in &page.students {
            if json {
                print(&to_json(student).to_string())?;
            } else {
                let grades = student.grades.join(",");
                let (id, given, family) = (&student.sourced_id, &student.given_name, &student.family_name);
                print(&format!("{id}\t{family}, {given}\t{grades}\tversion {}", student.version))?;
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn export(client: &mut ReceiverClient, format: String) -> Result<(), AppError> {
    let mut chunks = client.export_roster(ExportRosterRequest { format }).await?.into_inner();
    let mut out = stdout().lock();
    while let Some(chunk) = chunks.message().await? {
        out.write_all(&chunk.data).map_err(output)?;
    }
    out.flush().map_err(output)
}

async fn digest(client: &mut ReceiverClient, json: bool) -> Result<(), AppError> {
    let digest = client.get_roster_digest(GetRosterDigestRequest {}).await?.into_inner();
    if json {
        return print(&to_json(&digest).to_string());
    }
    print(&format!("{}  {} students, highest sequence {}", digest.digest, digest.students, digest.highest_sequence))
}

async fn events(
    client: &mut ReceiverClient,
    follow: bool,
    limit: u32,
    verdicts: Vec<String>,
    json: bool,
) -> Result<(), AppError> {
    let show = |event: &ReceivedEvent| {
        if json {
            return print(&to_json(event).to_string());
        }
        let ReceivedEvent { number, verdict, event_type, sequence, message_id, result, code, latency_us, .. } = event;
        print(&format!(
            "{number}\t{verdict}\t{event_type}\t{sequence}\t{message_id}\t{result}\t{code}\t{latency_us} µs"
        ))
    };
    if follow {
        let mut tail = client.tail_events(TailEventsRequest { after_number: None }).await?.into_inner();
        while let Some(batch) = tail.message().await? {
            let wanted = |event: &&ReceivedEvent| verdicts.is_empty() || verdicts.contains(&event.verdict);
            batch.events.iter().filter(wanted).try_for_each(show)?;
        }
        return Ok(());
    }
    let (mut left, mut page_token) = (limit, String::new());
    while left > 0 {
        let request = ListEventsRequest { page_size: left.min(PAGE), page_token, verdicts: verdicts.clone() };
        let page = client.list_events(request).await?.into_inner();
        page.events.iter().try_for_each(show)?;
        left = left.saturating_sub(page.events.len() as u32);
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
    }
    Ok(())
}

fn print(line: &str) -> Result<(), AppError> {
    writeln!(stdout().lock(), "{line}").map_err(output)
}

/// Whoever reads our output has enough, for example `head`: nothing is wrong, and nobody is told.
const OUTPUT_CLOSED: &str = "output_closed";

fn output(error: std::io::Error) -> AppError {
    let closed = error.kind() == std::io::ErrorKind::BrokenPipe;
    let failure = AppError::while_doing(Kind::Internal, "writing to stdout", error);
    if closed { failure.because(OUTPUT_CLOSED) } else { failure }
}
