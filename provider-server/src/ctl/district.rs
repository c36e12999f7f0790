//! `ctl district`.

use clap::Subcommand;
use rollcall_proto::provider::v1 as pb;

use super::{
    client::Session,
    failure::{Outcome, exit},
    output::{Fields, Output, time},
};

#[derive(Subcommand)]
pub enum DistrictCommand {
    /// Creates a district.
    Create {
        name: String,
        /// OneRoster's key of the district, unique in the installation.
        #[arg(long, value_name = "ID")]
        sourced_id: String,
        /// Stores and sends birth dates.
        #[arg(long)]
        birth_date: bool,
    },
    /// The districts in scope.
    List,
}

impl DistrictCommand {
    pub async fn run(self, session: &Session, output: &Output) -> Outcome {
        match self {
            Self::Create { name, sourced_id, birth_date } => {
                let request = session.call(pb::CreateDistrictRequest { name, sourced_id, birth_date });
                let district = session.districts().create_district(request).await?.into_inner();
                output.one(&district, |district| {
                    Fields::default()
                        .with("id", &district.id)
                        .with("sourcedId", &district.sourced_id)
                        .with("name", &district.name)
                        .with("birthDate", if district.birth_date { "stored and sent" } else { "off" })
                })?;
            }
            Self::List => {
                let request = session.call(pb::ListDistrictsRequest {});
                let answer = session.districts().list_districts(request).await?.into_inner();
                output.list(&["ID", "SOURCED ID", "NAME", "BIRTH DATE", "CREATED"], &answer.districts, |district| {
                    vec![
                        district.id.clone(),
                        district.sourced_id.clone(),
                        district.name.clone(),
                        if district.birth_date { "on" } else { "off" }.to_owned(),
                        time(district.created_at.as_ref()),
                    ]
                })?;
            }
        }
        Ok(exit::OK)
    }
}
