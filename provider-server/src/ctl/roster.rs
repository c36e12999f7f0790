//! `ctl roster`: what a school should hold, to be compared with what it holds.

use clap::Subcommand;
use rollcall_proto::provider::v1 as pb;

use super::{
    client::Session,
    failure::{Outcome, exit},
    output::{Fields, Output},
};

#[derive(Subcommand)]
pub enum RosterCommand {
    /// The students of a school as sorted JSON lines in the wire form; logged as a disclosure.
    Export {
        #[arg(long, value_name = "S")]
        school: String,
        /// Why; kept with the disclosure.
        #[arg(long, default_value = "exported on the command line")]
        reason: String,
    },
    /// The digest of a school's roster.
    Digest {
        #[arg(long, value_name = "S")]
        school: String,
    },
}

impl RosterCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        match self {
            Self::Export { school, reason } => {
                let request = session.stream(pb::ExportRosterRequest { school, reason });
                let mut stream = session.students().export_roster(request).await?.into_inner();
                while let Some(chunk) = stream.message().await? {
                    output.raw(&chunk.json_lines)?;
                }
            }
            Self::Digest { school } => {
                let request = session.call(pb::GetRosterDigestRequest { school });
                let digest = session.students().get_roster_digest(request).await?.into_inner();
                output.one(&digest, |digest| {
                    Fields::default()
                        .with("digest", &digest.digest)
                        .with("students", digest.students)
                        .with("headSequence", digest.head_sequence)
                })?;
            }
        }
        Ok(exit::OK)
    }
}
