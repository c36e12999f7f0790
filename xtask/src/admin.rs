//! Staff's calls to the provider. Each may be repeated: a lost connection, as after a kill -9, is waited out and the call
//! made again, with the same idempotency key where it changes something.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use rollcall_proto::{
    pinned::{PinnedEndpoint, is_connection_loss},
    provider::v1::{
        self as pb, import_service_client::ImportServiceClient, log_service_client::LogServiceClient,
        school_service_client::SchoolServiceClient, student_service_client::StudentServiceClient,
    },
};
use tokio::time::Instant;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{progress::Progress, provider::Provider};

/// How long the provider may be gone.
const PATIENCE: Duration = Duration::from_secs(180);
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// A single answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A channel with staff's token.
pub type Line = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub struct Admin {
    line: Line,
}

impl Admin {
    /// With the token that `ctl owner claim` wrote.
    pub fn new(provider: &Provider) -> Result<Self> {
        let token = std::fs::read_to_string(&provider.token_file).context("no session token")?;
        let bearer = Bearer(format!("Bearer {}", token.trim()).parse()?);
        let channel = PinnedEndpoint::new(&provider.server, provider.pin)?.connect_lazy();
        Ok(Self { line: InterceptedService::new(channel, bearer) })
    }

    pub fn schools(&self) -> SchoolServiceClient<Line> {
        SchoolServiceClient::new(self.line.clone())
    }

    pub fn students(&self) -> StudentServiceClient<Line> {
        StudentServiceClient::new(self.line.clone())
    }

    pub fn imports(&self) -> ImportServiceClient<Line> {
        ImportServiceClient::new(self.line.clone())
    }

    pub fn log(&self) -> LogServiceClient<Line> {
        LogServiceClient::new(self.line.clone())
    }

    /// Every school of the installation.
    pub async fn list_schools(&self) -> Result<Vec<pb::School>> {
        let (mut schools, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListSchoolsRequest { page_size: 500, page_token, ..Default::default() };
            let mut page = patient(|| async { self.schools().list_schools(request.clone()).await }).await?;
            schools.append(&mut page.schools);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(schools);
            }
        }
    }

    pub async fn get_school(&self, school: &str) -> Result<pb::School> {
        let request = pb::GetSchoolRequest { school: school.into(), ..Default::default() };
        patient(|| async { self.schools().get_school(request.clone()).await }).await
    }

    /// The first students of a school by sourcedId, at most `count`.
    pub async fn some_students(&self, district: &str, school: &str, count: u32) -> Result<Vec<pb::Student>> {
        let request = pb::ListStudentsRequest {
            district: district.into(),
            school: school.into(),
            page_size: count.clamp(1, 1_000),
            ..Default::default()
        };
        Ok(patient(|| async { self.students().list_students(request.clone()).await }).await?.students)
    }

    /// Streams changes, whose keys make them safe to repeat, until every one is acknowledged; answers the events made.
    /// Each change names the district, because after a lost connection any of them may be a stream's first.
    pub async fn apply(&self, changes: Vec<pb::Change>) -> Result<u64> {
        let (mut done, mut events, deadline) = (0, 0, Instant::now() + PATIENCE);
        while done < changes.len() {
            let status = match self.apply_from(&changes, &mut done, &mut events).await? {
                None if done == changes.len() => break,
                None => bail!("the stream ended with {} changes unanswered", changes.len() - done),
                Some(status) => status,
            };
            if !is_connection_loss(&status) || Instant::now() > deadline {
                bail!("{}: {}", status.code(), status.message());
            }
            tokio::time::sleep(RETRY_WAIT).await;
        }
        Ok(events)
    }

    /// One stream, until it ends or breaks; acks come in the order of the changes.
    async fn apply_from(&self, changes: &[pb::Change], done: &mut usize, events: &mut u64) -> Result<Option<Status>> {
        let left = changes[*done..].to_vec();
        let mut acks = match self.students().apply(tokio_stream::iter(left)).await {
            Ok(acks) => acks.into_inner(),
            Err(status) => return Ok(Some(status)),
        };
        while let Some(ack) = acks.next().await {
            match ack {
                Err(status) => return Ok(Some(status)),
                Ok(ack) if ack.code != 0 => bail!("change {} was refused: {}", ack.tag, ack.error),
                Ok(ack) => {
                    let expected = changes.get(*done).map(|change| change.tag);
                    if expected != Some(ack.tag) {
                        bail!("change {expected:?} was to be answered, but {} was", ack.tag);
                    }
                    *done += 1;
                    *events += u64::from(ack.events);
                }
            }
        }
        Ok(None)
    }
}

/// Makes a call until it is answered; only a lost connection is waited out.
pub async fn patient<T, F, A>(call: F) -> Result<T>
where
    F: Fn() -> A,
    A: Future<Output = Result<Response<T>, Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match tokio::time::timeout(CALL_TIMEOUT, call()).await {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            Ok(Err(status)) if is_connection_loss(&status) && Instant::now() < deadline => {
                tokio::time::sleep(RETRY_WAIT).await;
            }
            Ok(Err(status)) => bail!("{}: {}", status.code(), status.message()),
            Err(_) => bail!("the provider did not answer within {CALL_TIMEOUT:?}"),
        }
    }
}

/// Runs `provider-server ctl …`; a provider that is away (exit 69) is waited out. Answers stdout.
pub async fn ctl(provider: &Provider, arguments: &[&str]) -> Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = provider.ctl().args(arguments).output().await.context("provider-server ctl does not start")?;
        match output.status.code() {
            Some(0) => return Ok(output.stdout),
            Some(69) if Instant::now() < deadline => tokio::time::sleep(RETRY_WAIT).await,
            _ => bail!(
                "ctl {} ended with {}: {}",
                arguments.first().copied().unwrap_or_default(),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }
}

/// Runs a future again until it succeeds: for steps of other programs, which tell a lost connection only in words.
pub async fn until_done<F, A, T>(progress: &Progress, what: &str, attempt: F) -> Result<T>
where
    F: Fn() -> A,
    A: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() < deadline => {
                progress.draw(format!("{what}: {error:#}; again"));
                tokio::time::sleep(RETRY_WAIT).await;
            }
            Err(error) => return Err(error.context(what.to_owned())),
        }
    }
}
