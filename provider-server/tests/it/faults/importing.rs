//! An import that meets a full disk fails with that word, or goes on; in no case it stands in the way of the next.

use rollcall_proto::provider::v1::{
    self as pb, ImportState, import_service_client::ImportServiceClient, start_import_request::Part,
};

use super::{
    machine::SmallDisk,
    support::{Owner, Site, is_embedded, until, within},
};
use crate::{
    engine::support::{Receiver, Settings},
    platform::{
        imports::{ROSTER, bulk},
        support::with_token,
    },
};

async fn start(owner: &Owner, zip: &[u8]) -> String {
    let start = pb::ImportStart {
        district: "d-1".into(),
        file_name: "roster.zip".into(),
        profile: "strict".into(),
        size_bytes: zip.len() as u64,
        hold_for_review: false,
    };
    let parts = [Part::Start(start), Part::Data(zip.to_vec().into())];
    let parts = parts.map(|part| pb::StartImportRequest { part: Some(part) });
    let request = with_token(tokio_stream::iter(parts), &owner.token);
    let started = ImportServiceClient::new(owner.channel.clone()).start_import(request).await;
    started.expect("registered").into_inner().id
}

/// The run once it rests.
async fn rest(owner: &Owner, run: &str) -> pb::ImportRun {
    let request = with_token(pb::GetImportRequest { run: run.into() }, &owner.token);
    let told = ImportServiceClient::new(owner.channel.clone()).watch_import(request).await;
    let mut told = told.expect("watched").into_inner();
    let mut last = None;
    while let Some(run) = within("the run rests", told.message()).await.expect("the watch goes on") {
        last = Some(run);
    }
    last.expect("at least its state now")
}

#[tokio::test]
async fn an_import_that_meets_a_full_disk_does_not_stand_in_the_way_of_the_next() {
    let test = "import";
    if !is_embedded(test) {
        return;
    }
    let Some(disk) = SmallDisk::mount(test, 16) else { return };
    let receiver = Receiver::accepting().await;
    let site = Site::below(disk.folder.path(), &[(&receiver, Settings::default())]).await;
    let (server, owner) = site.start_and_enter().await;
    let zip = bulk(ROSTER.students());
    // The file has its place, and what is read from it has none.
    disk.fill(zip.len() / 1024 + 96);
    let run = start(&owner, &zip).await;
    until("it meets the full disk", async || site.log().contains("disk is full")).await;
    disk.clear();
    let rested = rest(&owner, &run).await;
    assert!(rested.state() == ImportState::Failed && rested.error.contains("disk was full"), "{rested:?}");
    let run = start(&owner, &zip).await;
    let rested = rest(&owner, &run).await;
    assert_eq!(rested.state(), ImportState::Applied, "{rested:?}");
    assert_eq!(server.terminate().await, Some(0), "{}", site.log());
    assert_eq!(site.texts("SELECT COUNT(*) || '' FROM students").await, [ROSTER.students.to_string()]);
    site.assert_sound().await;
}
