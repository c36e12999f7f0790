//! `ctl audit`.

use clap::Subcommand;
use rollcall_proto::provider::v1 as pb;

use super::{
    client::Session,
    failure::{Outcome, exit},
    output::{Fields, Output, time},
};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Acts, newest first: of a district, or of the installation.
    List {
        #[arg(long, value_name = "D", default_value = "", hide_default_value = true)]
        district: String,
        /// At most so many; 0 means all.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Recomputes every chain; exits 1 where one is broken.
    Verify,
}

impl AuditCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        match self {
            Self::List { district, limit } => list(district, limit, session, output).await,
            Self::Verify => {
                let request = session.call(pb::VerifyAuditRequest {});
                let answer = session.audit().verify_audit(request).await?.into_inner();
                output.one(&answer, |answer| {
                    Fields::default()
                        .with("chains", if answer.intact { "intact" } else { "broken" })
                        .with("entries", answer.entries)
                        .with("break", &answer.r#break)
                })?;
                Ok(if answer.intact { exit::OK } else { exit::CHECK_FAILED })
            }
        }
    }
}

async fn list(district: String, limit: usize, session: &Session, output: &Output) -> Outcome {
    let mut left = if limit == 0 { usize::MAX } else { limit };
    let mut page_token = String::new();
    loop {
        let page_size = left.min(500) as u32;
        let request = pb::ListAuditRequest { district: district.clone(), page_size, page_token };
        let mut page = session.audit().list_audit(session.call(request)).await?.into_inner();
        page.entries.truncate(left);
        left -= page.entries.len();
        output.list(&["NUMBER", "TIME", "ACTOR", "ACT", "SUBJECT", "DETAIL"], &page.entries, |entry| {
            vec![
                entry.number.to_string(),
                time(entry.at.as_ref()),
                entry.actor.clone(),
                entry.act.clone(),
                entry.subject.clone(),
                entry.detail.clone(),
            ]
        })?;
        page_token = page.next_page_token;
        if left == 0 || page_token.is_empty() {
            return Ok(exit::OK);
        }
    }
}
