//! A receiver per school: a process of its own, enrolled by the real protocol.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use rollcall_proto::provider::v1 as pb;

use crate::{
    admin::{Admin, patient, until_done},
    build::Binaries,
    progress::Progress,
    provider::Provider,
    receiver::Receiver,
};

/// Schools that are set up at the same time.
const AT_ONCE: usize = 4;

pub struct DemoSchool {
    /// `sch_…`
    pub id: String,
    pub sourced_id: String,
    pub name: String,
    pub receiver: Receiver,
}

/// Starts a receiver for every school of the installation and enrolls it.
pub async fn enroll_all(
    binaries: &Binaries,
    folder: &Path,
    provider: &Arc<Provider>,
    admin: &Admin,
    progress: &Progress,
) -> Result<Vec<DemoSchool>> {
    let schools = admin.list_schools().await?;
    let count = schools.len();
    progress.step(format!("starting and enrolling {count} receivers"));
    let enrolled = futures::stream::iter(schools.into_iter().enumerate())
        .map(|(number, school)| async move {
            let name = school.name.clone();
            enroll(binaries, folder, number, school, admin, progress).await.with_context(|| format!("school {name}"))
        })
        // In the order of the list, so that the table is the same at each run.
        .buffered(AT_ONCE)
        .inspect_ok(|school| progress.draw(format!("{} is enrolled", school.name)))
        .try_collect::<Vec<_>>()
        .await?;
    progress.step(format!("{count} schools are enrolled with {}", provider.server));
    Ok(enrolled)
}

async fn enroll(
    binaries: &Binaries,
    folder: &Path,
    number: usize,
    school: pb::School,
    admin: &Admin,
    progress: &Progress,
) -> Result<DemoSchool> {
    let receiver = Receiver::start(binaries, folder, &format!("school-{:03}", number + 1)).await?;
    connect(admin, &school.id, &receiver.url, false).await?;
    let code = issue_code(admin, &school.id).await?;
    until_done(progress, "enrollment", || receiver.enroll(&code)).await?;
    Ok(DemoSchool { id: school.id, sourced_id: school.sourced_id, name: school.name, receiver })
}

/// A one-time enrollment code.
pub async fn issue_code(admin: &Admin, school: &str) -> Result<String> {
    let request = pb::IssueCodeRequest { school: school.into(), ttl_s: 0 };
    Ok(patient(|| async { admin.schools().issue_code(request.clone()).await }).await?.code)
}

/// Sets where a school's webhooks go, with delays short enough to watch.
pub async fn connect(admin: &Admin, school: &str, url: &str, own_receiver: bool) -> Result<()> {
    let request = pb::ConnectSchoolRequest {
        school: school.into(),
        url: url.into(),
        own_receiver,
        retry: Some(pb::RetryPolicy {
            max_tries: 5,
            delays_ms: vec![100, 200, 400, 800],
            probe_ms: 500,
            timeout_ms: 5_000,
        }),
        max_in_flight: 0,
    };
    patient(|| async { admin.schools().connect_school(request.clone()).await }).await?;
    Ok(())
}
