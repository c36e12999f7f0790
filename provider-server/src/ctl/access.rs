//! `ctl owner | login | logout | whoami | staff`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rollcall_proto::provider::v1 as pb;

use super::{
    client::Session,
    failure::{Failure, Outcome, exit},
    files::{SecretFile, read_line},
    output::{Fields, Output, short_name, time},
};

#[derive(Subcommand)]
pub enum OwnerCommand {
    /// Makes the first owner account and opens its session; the code is used up.
    Claim {
        /// The file that the server wrote at its first start (`owner_code_file`).
        #[arg(long, value_name = "FILE")]
        code_file: PathBuf,
        #[command(flatten)]
        credentials: Credentials,
    },
}

/// A name and a file with the password, so that it shows in no process list.
#[derive(Args)]
pub struct Credentials {
    /// 3 to 64 characters of `a-z 0-9 . _ - @`.
    #[arg(long)]
    username: String,
    /// The password on its first line, at least 12 characters; `-` reads stdin.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum StaffRole {
    Viewer,
    Auditor,
    Operator,
    Owner,
}

impl StaffRole {
    /// The schema's number.
    fn number(self) -> i32 {
        let role = match self {
            Self::Viewer => pb::Role::Viewer,
            Self::Auditor => pb::Role::Auditor,
            Self::Operator => pb::Role::Operator,
            Self::Owner => pb::Role::Owner,
        };
        role.into()
    }
}

#[derive(Subcommand)]
pub enum StaffCommand {
    /// Creates an account.
    Create {
        #[command(flatten)]
        credentials: Credentials,
        #[arg(long)]
        role: StaffRole,
        /// A district in scope; may be repeated. Required unless the role is owner.
        #[arg(long = "district", value_name = "D")]
        districts: Vec<String>,
    },
    /// All accounts.
    List,
    /// Changes an account and ends its sessions at once.
    Update {
        /// Id or username.
        staff: String,
        /// A new role, with its districts instead of those before.
        #[arg(long)]
        role: Option<StaffRole>,
        /// A district in scope; may be repeated.
        #[arg(long = "district", value_name = "D", requires = "role")]
        districts: Vec<String>,
        /// A new password on the first line; `-` reads stdin.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// The account may not sign in any more.
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// The account may sign in again.
        #[arg(long)]
        enable: bool,
    },
    /// Ends every session of an account at once.
    RevokeSessions {
        /// Id or username.
        staff: String,
    },
    /// Disables an account and ends its sessions at once.
    Disable {
        /// Id or username.
        staff: String,
    },
}

impl OwnerCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        let Self::Claim { code_file, credentials } = self;
        let token_file = token_file(session)?;
        let code = read_line(&code_file, "owner code")?;
        let password = read_line(&credentials.password_file, "password")?;
        let request = pb::ClaimOwnerRequest {
            code: code.trim().to_owned(),
            username: credentials.username,
            password: password.to_string(),
        };
        let grant = session.staff().claim_owner(session.call(request)).await.map_err(Failure::sign_in)?.into_inner();
        keep(grant, token_file, output)
    }
}

impl Credentials {
    pub async fn login(self, session: &Session, output: &Output) -> Outcome {
        let token_file = token_file(session)?;
        let password = read_line(&self.password_file, "password")?;
        let request = pb::LoginRequest { username: self.username, password: password.to_string() };
        let grant = session.staff().login(session.call(request)).await.map_err(Failure::sign_in)?.into_inner();
        keep(grant, token_file, output)
    }
}

impl StaffCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        match self {
            Self::Create { credentials, role, districts } => {
                let password = read_line(&credentials.password_file, "password")?;
                let request = pb::CreateStaffRequest {
                    username: credentials.username,
                    password: password.to_string(),
                    role: role.number(),
                    districts,
                };
                let staff = session.staff().create_staff(session.call(request)).await?.into_inner();
                output.one(&staff, fields)?;
            }
            Self::List => {
                let answer = session.staff().list_staff(session.call(pb::ListStaffRequest {})).await?.into_inner();
                output.list(
                    &["ID", "USERNAME", "ROLE", "DISTRICTS", "STATE", "LAST LOGIN"],
                    &answer.staff,
                    |staff| {
                        vec![
                            staff.id.clone(),
                            staff.username.clone(),
                            role_name(staff),
                            staff.district_ids.join(","),
                            if staff.disabled { "disabled" } else { "enabled" }.to_owned(),
                            time(staff.last_login_at.as_ref()),
                        ]
                    },
                )?;
            }
            Self::Update { staff, role, districts, password_file, disable, enable } => {
                let password = match password_file {
                    Some(file) => read_line(&file, "password")?,
                    None => Default::default(),
                };
                let request = pb::UpdateStaffRequest {
                    staff,
                    role: role.map_or(0, StaffRole::number),
                    districts,
                    disabled: (disable || enable).then_some(disable),
                    password: password.to_string(),
                };
                let changed = session.staff().update_staff(session.call(request)).await?.into_inner();
                output.one(&changed, fields)?;
            }
            Self::RevokeSessions { staff } => {
                let request = session.call(pb::RevokeSessionsRequest { staff });
                let revoked = session.staff().revoke_sessions(request).await?.into_inner();
                output.one(&revoked, |revoked| Fields::default().with("sessions ended", revoked.sessions))?;
            }
            Self::Disable { staff } => {
                let request = session.call(pb::DisableStaffRequest { staff });
                output.one(&session.staff().disable_staff(request).await?.into_inner(), fields)?;
            }
        }
        Ok(exit::OK)
    }
}

pub async fn logout(session: &Session) -> Outcome {
    session.staff().logout(session.call(pb::LogoutRequest {})).await?;
    if let Some(path) = &session.token_file {
        std::fs::remove_file(path)
            .map_err(|error| Failure::new(exit::INTERNAL, format!("cannot remove {}: {error}", path.display())))?;
    }
    Ok(exit::OK)
}

pub async fn who_am_i(session: &Session, output: &Output) -> Outcome {
    let staff = session.staff().who_am_i(session.call(pb::WhoAmIRequest {})).await?.into_inner();
    output.one(&staff, fields)?;
    Ok(exit::OK)
}

fn token_file(session: &Session) -> Result<SecretFile, Failure> {
    let path = session
        .token_file
        .as_deref()
        .ok_or_else(|| Failure::usage("--token-file is missing: the session's token is written there"))?;
    SecretFile::prepare(path)
}

/// Writes the token; what is printed is only whose it is.
fn keep(grant: pb::SessionGrant, file: SecretFile, output: &Output) -> Outcome {
    let token = zeroize::Zeroizing::new(grant.token);
    file.commit(&token)?;
    let staff = grant.staff.unwrap_or_default();
    output.one(&staff, |staff| fields(staff).with("expires", time(grant.expires_at.as_ref())))?;
    Ok(exit::OK)
}

fn fields(staff: &pb::Staff) -> Fields {
    Fields::default()
        .with("id", &staff.id)
        .with("username", &staff.username)
        .with("role", role_name(staff))
        .with("districts", staff.district_ids.join(" "))
        .with("state", if staff.disabled { "disabled" } else { "enabled" })
}

fn role_name(staff: &pb::Staff) -> String {
    short_name(staff.role().as_str_name(), "ROLE_")
}
