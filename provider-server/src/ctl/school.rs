//! `ctl school`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rollcall_proto::provider::v1 as pb;
use zeroize::Zeroizing;

use super::{
    client::Session,
    failure::{Failure, Outcome, exit},
    files::SecretFile,
    output::{Fields, Output, short_name, time},
};

/// Schools asked for at once.
const PAGE: u32 = 500;

/// A school by id, sourcedId or name.
#[derive(Args)]
pub struct SchoolName {
    /// Id, sourcedId or name.
    #[arg(value_name = "S")]
    school: String,
    /// Narrows the search where sourcedIds repeat across districts.
    #[arg(long, value_name = "D")]
    district: Option<String>,
}

#[derive(Subcommand)]
pub enum SchoolCommand {
    /// Creates a school without a connection.
    Create {
        name: String,
        #[arg(long, value_name = "D")]
        district: String,
        /// OneRoster's key of the school, unique in its district.
        #[arg(long, value_name = "ID")]
        sourced_id: String,
    },
    /// Schools in scope, by name.
    List {
        #[arg(long, value_name = "D", default_value = "")]
        district: String,
    },
    /// One school with its connection and figures.
    Show(SchoolName),
    /// Renames a school.
    Rename {
        #[command(flatten)]
        school: SchoolName,
        name: String,
    },
    /// Deletes a school for good: its keys are destroyed, and what it was not sent is discarded.
    Delete {
        #[command(flatten)]
        school: SchoolName,
        /// The school's name, exactly.
        #[arg(long, value_name = "NAME")]
        confirm_name: String,
    },
    /// Sets where and how a school's webhooks are sent.
    Connect(ConnectArgs),
    /// Issues the one-time enrollment code; an earlier unused one ends.
    Code {
        #[command(flatten)]
        school: SchoolName,
        /// How long it is valid, 60 to 604800 s [default: 24 h].
        #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
        ttl_s: u32,
    },
    /// Revokes the live enrollment code.
    RevokeCode(SchoolName),
    /// Rotates the signing secret.
    Rotate {
        #[command(flatten)]
        school: SchoolName,
        /// How long the old secret still signs, 0 to 604800 s [default: 24 h].
        #[arg(long, value_name = "SECONDS")]
        overlap_s: Option<u32>,
        /// The secret leaked: it stops now, and deliveries wait until the new one is in place.
        #[arg(long)]
        revoke_now: bool,
        /// For an own receiver: where the new secret is written (0600).
        #[arg(long, value_name = "FILE")]
        secret_out: Option<PathBuf>,
    },
    /// Holds deliveries until the school is resumed.
    Pause {
        #[command(flatten)]
        school: SchoolName,
        /// Ends the pause by itself after so many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
        for_s: u32,
    },
    /// Ends a pause or a wait and sends what was kept, in order.
    Resume(SchoolName),
    /// Sends a test event and says how it went; exits 1 where it failed.
    Test(SchoolName),
    /// Tries an address step by step without storing it; exits 1 where a step failed.
    TestAddress { url: String },
}

#[derive(Args)]
pub struct ConnectArgs {
    #[command(flatten)]
    school: SchoolName,
    /// The webhook address: https, or http inside an allowed network.
    #[arg(long)]
    url: String,
    /// The school runs its own receiver instead of ours.
    #[arg(long)]
    own_receiver: bool,
    /// Writes the own receiver's secret there (0600), this one time.
    #[arg(long, value_name = "FILE", requires = "own_receiver")]
    secret_out: Option<PathBuf>,
    #[command(flatten)]
    retry: RetryArgs,
    /// Requests under way at once, 1 to 256 [default: 32].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    max_in_flight: u32,
}

#[derive(Args)]
struct RetryArgs {
    /// Automatic tries in all, 1 to 20 [default: 5].
    #[arg(long, value_name = "N")]
    max_tries: Option<u32>,
    /// Waits before try 2, 3, …; the last repeats [default: 5000,30000,180000,1080000].
    #[arg(long, value_name = "MS,MS", value_delimiter = ',')]
    delays_ms: Vec<u32>,
    /// First wait of the probe of a down connection [default: 15 min].
    #[arg(long, value_name = "MS")]
    probe_ms: Option<u32>,
    /// A whole attempt's limit, 100 to 15000 [default: 15000].
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u32>,
}

impl RetryArgs {
    /// Absent where nothing was given, which leaves what is stored.
    fn policy(self) -> Option<pb::RetryPolicy> {
        let given = self.max_tries.is_some()
            || !self.delays_ms.is_empty()
            || self.probe_ms.is_some()
            || self.timeout_ms.is_some();
        given.then(|| pb::RetryPolicy {
            max_tries: self.max_tries.unwrap_or_default(),
            delays_ms: self.delays_ms,
            probe_ms: self.probe_ms.unwrap_or_default(),
            timeout_ms: self.timeout_ms.unwrap_or_default(),
        })
    }
}

impl SchoolName {
    /// What requests take: with a district the name is settled first, because only `GetSchool` narrows by it.
    async fn resolve(self, session: &Session) -> Result<String, Failure> {
        match self.district {
            None => Ok(self.school),
            Some(district) => {
                let request = pb::GetSchoolRequest { school: self.school, district };
                Ok(session.schools().get_school(session.call(request)).await?.into_inner().id)
            }
        }
    }
}

impl SchoolCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        let mut client = session.schools();
        let school = match self {
            Self::Create { name, district, sourced_id } => {
                let request = pb::CreateSchoolRequest { district, name, sourced_id };
                client.create_school(session.call(request)).await?.into_inner()
            }
            Self::List { district } => return list(district, session, output).await,
            Self::Show(SchoolName { school, district }) => {
                let request = pb::GetSchoolRequest { school, district: district.unwrap_or_default() };
                client.get_school(session.call(request)).await?.into_inner()
            }
            Self::Rename { school, name } => {
                let request = pb::UpdateSchoolRequest { school: school.resolve(session).await?, name };
                client.update_school(session.call(request)).await?.into_inner()
            }
            Self::Delete { school, confirm_name } => {
                let request = pb::DeleteSchoolRequest { school: school.resolve(session).await?, confirm_name };
                output.one(&client.delete_school(session.call(request)).await?.into_inner(), |deleted| {
                    Fields::default().with("deleted", &deleted.school_id).with("discarded", deleted.discarded)
                })?;
                return Ok(exit::OK);
            }
            Self::Connect(arguments) => connect(arguments, session).await?,
            Self::Code { school, ttl_s } => {
                let request = pb::IssueCodeRequest { school: school.resolve(session).await?, ttl_s };
                return issued(client.issue_code(session.call(request)).await?.into_inner(), output);
            }
            Self::RevokeCode(school) => {
                let request = pb::RevokeCodeRequest { school: school.resolve(session).await? };
                client.revoke_code(session.call(request)).await?.into_inner()
            }
            Self::Rotate { school, overlap_s, revoke_now, secret_out } => {
                return rotate(school, overlap_s, revoke_now, secret_out, session, output).await;
            }
            Self::Pause { school, for_s } => {
                let request = pb::PauseSchoolRequest { school: school.resolve(session).await?, duration_s: for_s };
                client.pause_school(session.call(request)).await?.into_inner()
            }
            Self::Resume(school) => {
                let request = pb::ResumeSchoolRequest { school: school.resolve(session).await? };
                client.resume_school(session.call(request)).await?.into_inner()
            }
            Self::Test(school) => {
                let request = pb::SendTestEventRequest { school: school.resolve(session).await? };
                let answer = client.send_test_event(session.call(request)).await?.into_inner();
                output.one(&answer, |answer| {
                    Fields::default()
                        .with("result", if answer.ok { "ok" } else { "failed" })
                        .with("code", answer.code)
                        .with("latency_ms", answer.latency_ms)
                        .with("detail", &answer.detail)
                })?;
                return Ok(if answer.ok { exit::OK } else { exit::CHECK_FAILED });
            }
            Self::TestAddress { url } => {
                let request = pb::TestAddressRequest { url };
                let answer = client.test_address(session.call(request)).await?.into_inner();
                if output.is_json() {
                    output.one(&answer, |_| Fields::default())?;
                } else {
                    output.list(&["STEP", "RESULT", "DETAIL"], &answer.checks, |check| {
                        let result = if check.ok { "ok" } else { "failed" };
                        vec![check.step.clone(), result.to_owned(), check.detail.clone()]
                    })?;
                }
                return Ok(if answer.ok { exit::OK } else { exit::CHECK_FAILED });
            }
        };
        output.one(&school, fields)?;
        Ok(exit::OK)
    }
}

/// Every page of the schools in scope.
async fn list(district: String, session: &Session, output: &Output) -> Outcome {
    let (mut schools, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListSchoolsRequest { district: district.clone(), page_size: PAGE, page_token };
        let mut page = session.schools().list_schools(session.call(request)).await?.into_inner();
        schools.append(&mut page.schools);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let headers = ["ID", "SOURCED ID", "NAME", "STATE", "STUDENTS", "SEQUENCE", "PENDING", "PARKED", "LAST DELIVERED"];
    output.list(&headers, &schools, |school| {
        let connection = school.connection.clone().unwrap_or_default();
        let figures = school.figures.unwrap_or_default();
        vec![
            school.id.clone(),
            school.sourced_id.clone(),
            school.name.clone(),
            state_name(&connection),
            school.students.to_string(),
            school.head_sequence.to_string(),
            figures.pending.to_string(),
            figures.parked.to_string(),
            time(connection.last_delivered_at.as_ref()),
        ]
    })?;
    Ok(exit::OK)
}

async fn connect(arguments: ConnectArgs, session: &Session) -> Result<pb::School, Failure> {
    let secret_file = arguments.secret_out.as_deref().map(SecretFile::prepare).transpose()?;
    let mut client = session.schools();
    let request = pb::ConnectSchoolRequest {
        school: arguments.school.resolve(session).await?,
        url: arguments.url,
        own_receiver: arguments.own_receiver,
        retry: arguments.retry.policy(),
        max_in_flight: arguments.max_in_flight,
    };
    let school = client.connect_school(session.call(request)).await?.into_inner();
    let Some(file) = secret_file else {
        if arguments.own_receiver {
            eprintln!("The secret was not shown yet: repeat this with --secret-out FILE.");
        } else {
            eprintln!("Next: `ctl school code {}`, and enter the code at the school.", school.sourced_id);
        }
        return Ok(school);
    };
    let request = pb::ShowSecretOnceRequest { school: school.id.clone() };
    let secret = Zeroizing::new(client.show_secret_once(session.call(request)).await?.into_inner().secret);
    file.commit(&secret)?;
    let request = pb::GetSchoolRequest { school: school.id, district: String::new() };
    Ok(client.get_school(session.call(request)).await?.into_inner())
}

async fn rotate(
    school: SchoolName,
    overlap_s: Option<u32>,
    revoke_now: bool,
    secret_out: Option<PathBuf>,
    session: &Session,
    output: &Output,
) -> Outcome {
    let mut client = session.schools();
    let request = pb::GetSchoolRequest { school: school.school, district: school.district.unwrap_or_default() };
    let school = client.get_school(session.call(request)).await?.into_inner();
    let own_receiver = school.connection.as_ref().is_some_and(|connection| connection.own_receiver);
    let file = match (own_receiver, &secret_out) {
        (true, None) => {
            return Err(Failure::usage(format!(
                "{} runs its own receiver, so the new secret is answered only once: give --secret-out FILE",
                school.name
            )));
        }
        (false, Some(_)) => {
            return Err(Failure::usage(format!(
                "{} has an installation that pulls its new secret by itself: leave out --secret-out",
                school.name
            )));
        }
        (_, path) => path.as_deref().map(SecretFile::prepare).transpose()?,
    };
    let request = pb::RotateSecretRequest { school: school.id, overlap_s, revoke_now };
    let answer = client.rotate_secret(session.call(request)).await?.into_inner();
    let secret = Zeroizing::new(answer.secret);
    if let Some(file) = file {
        file.commit(&secret)?;
    }
    output.one(&answer.info.unwrap_or_default(), |info| {
        Fields::default()
            .with("id", &info.id)
            .with("fingerprint", &info.fingerprint)
            .with("state", &info.state)
            .with("created", time(info.created_at.as_ref()))
    })?;
    Ok(exit::OK)
}

/// The code alone on stdout, so that a script can take it as it is.
fn issued(answer: pb::IssueCodeResponse, output: &Output) -> Outcome {
    if output.is_json() {
        output.one(&answer, |_| Fields::default())?;
    } else {
        eprintln!("Valid until {}, once. Link: {}", time(answer.expires_at.as_ref()), answer.deep_link);
        output.line(&answer.code)?;
    }
    Ok(exit::OK)
}

fn fields(school: &pb::School) -> Fields {
    let connection = school.connection.clone().unwrap_or_default();
    let figures = school.figures.unwrap_or_default();
    let retry = connection.retry.clone().unwrap_or_default();
    let delays: Vec<String> = retry.delays_ms.iter().map(u32::to_string).collect();
    let mut fields = Fields::default()
        .with("id", &school.id)
        .with("sourcedId", &school.sourced_id)
        .with("name", &school.name)
        .with("district", &school.district_id)
        .with("state", state_name(&connection))
        .with("reason", &connection.reason)
        .with("url", &connection.url)
        .with("receiver", if connection.own_receiver { "own" } else { "Rollcall's" })
        .with(
            "retry",
            format!("{} tries, delays {} ms, probe {} ms", retry.max_tries, delays.join(","), retry.probe_ms),
        )
        .with("students", school.students)
        .with("headSequence", school.head_sequence)
        .with("pending", figures.pending)
        .with("delivered", figures.delivered)
        .with("parked", figures.parked)
        .with("held", figures.held)
        .with("superseded", figures.superseded)
        .with("attempts", figures.attempts)
        .with("retried", figures.retried)
        .with("lastDelivered", time(connection.last_delivered_at.as_ref()))
        .with("nextAttempt", time(connection.next_attempt_at.as_ref()))
        .with("installation", &connection.installation_host);
    for secret in &connection.secrets {
        fields = fields.with("secret", format!("{} ({}) {}", secret.fingerprint, secret.state, secret.id));
    }
    if let Some(code) = &connection.code {
        fields = fields.with("code", format!("{}, until {}", code.state, time(code.expires_at.as_ref())));
    }
    fields
}

fn state_name(connection: &pb::Connection) -> String {
    short_name(connection.state().as_str_name(), "CONNECTION_STATE_")
}
