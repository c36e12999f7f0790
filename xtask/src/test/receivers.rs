//! The receivers of docs/webhooks.md, on other people's Standard Webhooks libraries: they take what a provider really
//! sends, and refuse the same request with one bit flipped.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rollcall_proto::provider::v1 as pb;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    admin::{Admin, ctl, patient},
    build::{self, Binaries},
    demo::{DISTRICT, claim, connect},
    process::{command, write_private},
    progress::Progress,
    provider::Provider,
    setup,
};

const INSTALL_TIMEOUT: Duration = Duration::from_secs(180);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const DELIVERED_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
const STUDENTS: u32 = 25;

#[derive(Clone, Copy)]
pub enum Language {
    Python,
    JavaScript,
}

/// Answers why it could not be tried, where the machine or its registries lack what is needed.
pub async fn check(language: Language, binaries: &Binaries) -> Result<Option<String>> {
    let program = match language.install().await {
        Ok(program) => program,
        Err(error) => return Ok(Some(format!("{error:#}"))),
    };
    let folder = tempfile::Builder::new().prefix("rollcall-receiver-").tempdir()?;
    let progress = Progress::new();
    let provider = Provider::start(binaries, folder.path()).await?;
    let admin = claim(&provider, folder.path()).await?;
    let secret_file = folder.path().join("secret");
    // Without a secret it answers 503, so that nothing is lost before it has one.
    write_private(&secret_file, "")?;
    let mut receiver = program.serve(folder.path(), &secret_file).await?;
    let tap = Tap::start(receiver.url.clone()).await?;

    let school = school(&admin, &tap.url).await?;
    let show = pb::ShowSecretOnceRequest { school: school.id.clone() };
    let secret = patient(|| async { admin.schools().show_secret_once(show.clone()).await }).await?.secret;
    std::fs::write(&secret_file, secret)?;
    admin.apply(changes(&school)).await?;
    until_delivered(&provider, &admin, &school.id).await?;

    let expected = ctl(&provider, &["roster", "export", "--school", &school.id]).await?;
    let held = program.export(folder.path()).await?;
    if expected != held || expected.is_empty() {
        bail!("the receiver holds {} bytes, the provider's export has {}, and they differ", held.len(), expected.len());
    }
    let (sent, refused) = tap.figures();
    if sent == 0 || refused != sent {
        bail!("of {sent} requests with a flipped bit {refused} were refused with 401");
    }
    progress.step(format!("{sent} deliveries were accepted, {refused} of {sent} with a flipped bit were refused"));
    receiver.child.kill().await?;
    provider.stop().await?;
    Ok(None)
}

async fn school(admin: &Admin, url: &str) -> Result<pb::School> {
    let create = pb::CreateSchoolRequest {
        district: DISTRICT.into(),
        name: "Own receiver".into(),
        sourced_id: "school-own".into(),
    };
    let school = patient(|| async { admin.schools().create_school(create.clone()).await }).await?;
    connect(admin, &school.id, url, true).await?;
    Ok(school)
}

/// New students, an update of each, and a deletion.
fn changes(school: &pb::School) -> Vec<pb::Change> {
    let student = |number: u32, grade: &str| pb::Student {
        sourced_id: format!("S-{number:03}"),
        status: pb::StudentStatus::Active.into(),
        given_name: "Zoë \"Z\" </script>".into(),
        family_name: "O'Brien-Łukasz \u{1F393}".into(),
        grades: vec![grade.into()],
        primary_org_sourced_id: Some(school.sourced_id.clone()),
        school_enrollments: vec![pb::SchoolEnrollment {
            school_sourced_id: school.sourced_id.clone(),
            role_type: "primary".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let put = |number, grade| pb::change::Act::Put(student(number, grade));
    let delete = pb::DeleteStudentRequest { sourced_id: "S-000".into(), ..Default::default() };
    let acts = (0..STUDENTS)
        .map(|number| put(number, "07"))
        .chain((0..STUDENTS).map(|number| put(number, "08")))
        .chain([pb::change::Act::Delete(delete)]);
    (1..)
        .zip(acts)
        .map(|(tag, act)| pb::Change {
            district: DISTRICT.into(),
            tag,
            idempotency_key: format!("receiver-{tag}"),
            act: Some(act),
        })
        .collect()
}

async fn until_delivered(provider: &Provider, admin: &Admin, school: &str) -> Result<()> {
    let deadline = Instant::now() + DELIVERED_WITHIN;
    loop {
        let state = admin.get_school(school).await?;
        let figures = state.figures.unwrap_or_default();
        if state.head_sequence > 0 && figures.pending + figures.parked + figures.held == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            let failed = ["log", "list", "--school", school, "--filter", "-status:delivered", "--limit", "20"];
            let failed = String::from_utf8_lossy(&ctl(provider, &failed).await?).into_owned();
            let (pending, parked) = (figures.pending, figures.parked);
            bail!("{pending} pending, {parked} parked after {DELIVERED_WITHIN:?}; the last failures:\n{failed}");
        }
        sleep(POLL).await;
    }
}

/// An installed receiver.
struct Program {
    interpreter: PathBuf,
    script: PathBuf,
}

struct Running {
    child: Child,
    url: String,
}

impl Language {
    /// Copies the receiver under `target/` and installs its library there.
    async fn install(self) -> Result<Program> {
        let name = match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
        };
        let (source, folder) =
            (build::root().join("docs/receivers").join(name), build::target().join("receivers").join(name));
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&source).with_context(|| format!("cannot read {}", source.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        match self {
            Self::Python => {
                let python = setup::find("python3").context("there is no python3")?;
                install(Command::new(python).args(["-m", "venv", "venv"]), &folder).await?;
                let interpreter = folder.join("venv/bin/python");
                let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
                install(Command::new(&interpreter).args(pip), &folder).await?;
                Ok(Program { interpreter, script: folder.join("receiver.py") })
            }
            Self::JavaScript => {
                let interpreter = setup::find("node").context("there is no node")?;
                let npm = setup::find("npm").context("there is no npm")?;
                install(Command::new(npm).args(["install", "--no-audit", "--no-fund", "--silent"]), &folder).await?;
                Ok(Program { interpreter, script: folder.join("receiver.mjs") })
            }
        }
    }
}

async fn install(command: &mut Command, folder: &Path) -> Result<()> {
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let ended = timeout(INSTALL_TIMEOUT, command.output()).await.context("installing took too long")??;
    if !ended.status.success() {
        bail!("installing the library failed: {}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(())
}

impl Program {
    fn command(&self, folder: &Path, what: &str) -> Command {
        let mut command = command(&self.interpreter);
        command.arg(&self.script).arg(what).current_dir(folder);
        command.env("PORT", "0").env("DATABASE", folder.join("roster.db")).env("JOURNAL", folder.join("roster.jsonl"));
        command
    }

    async fn serve(&self, folder: &Path, secret_file: &Path) -> Result<Running> {
        let mut command = self.command(folder, "serve");
        let mut child = command.env("WEBHOOK_SECRET_FILE", secret_file).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line = timeout(START_TIMEOUT, lines.next_line()).await.context("the receiver does not start")??;
        let line = line.context("the receiver ended at once")?;
        let url = line.strip_prefix("listening on ").with_context(|| format!("unexpected: {line}"))?.to_owned();
        Ok(Running { child, url })
    }

    async fn export(&self, folder: &Path) -> Result<Vec<u8>> {
        let output = self.command(folder, "export").output().await?;
        if !output.status.success() {
            bail!("export failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }
}

/// Between the provider and a receiver: each request goes there first with one bit flipped, then as it came.
struct Tap {
    url: String,
    seen: Arc<Seen>,
}

struct Seen {
    receiver: String,
    client: reqwest::Client,
    flipped: AtomicU64,
    refused: AtomicU64,
}

impl Tap {
    async fn start(receiver: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let client = reqwest::Client::builder().no_proxy().timeout(START_TIMEOUT).build()?;
        let seen = Arc::new(Seen { receiver, client, flipped: AtomicU64::new(0), refused: AtomicU64::new(0) });
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| forward(request, &seen));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { url, seen })
    }

    /// Requests with a flipped bit, and how many of them were refused as they must be.
    fn figures(&self) -> (u64, u64) {
        (self.seen.flipped.load(Ordering::SeqCst), self.seen.refused.load(Ordering::SeqCst))
    }
}

async fn forward(request: Request<Incoming>, seen: &Seen) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    // What the tap cannot pass on, the provider sends again.
    *response.status_mut() = pass(request, seen).await.unwrap_or(StatusCode::BAD_GATEWAY);
    Ok(response)
}

async fn pass(request: Request<Incoming>, seen: &Seen) -> Result<StatusCode> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers: Vec<(String, String)> = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), head.headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let post = async |body: Bytes| {
        let mut request = seen.client.post(&seen.receiver).body(body);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        Ok::<_, anyhow::Error>(request.send().await?.status())
    };
    let mut flipped = body.to_vec();
    let number = seen.flipped.load(Ordering::SeqCst) as usize;
    // Another place each time; never such a bit that the request is no text any more.
    let place = (number * 7919) % flipped.len().max(1);
    if let Some(byte) = flipped.get_mut(place) {
        *byte ^= 1;
    }
    let answer = post(flipped.into()).await?;
    // Before it has its secret it answers 503 to anything; the provider tries again then.
    if answer != StatusCode::SERVICE_UNAVAILABLE {
        seen.flipped.fetch_add(1, Ordering::SeqCst);
        if answer == StatusCode::UNAUTHORIZED {
            seen.refused.fetch_add(1, Ordering::SeqCst);
        }
    }
    post(body).await
}
