//! The roster that is imported: somebody's zip, or one of the seeded generator.

use std::{
    fmt,
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use provider_server::oneroster::{
    Kind,
    generator::Roster,
    writer::{WriteOptions, write},
};
use rollcall_proto::provider::v1::{self as pb, ImportState, start_import_request::Part};
use tokio::time::{Instant, sleep};

use super::{DISTRICT, trouble::Killer};
use crate::{
    admin::{Admin, patient},
    exit,
    progress::Progress,
};

/// Of an upload; the schema allows 1 MiB.
const CHUNK_BYTES: usize = 512 * 1024;
const POLL: Duration = Duration::from_millis(250);
/// Without any progress for this long, an import counts as stuck.
const STUCK: Duration = Duration::from_secs(180);
/// The school year that generated rosters are of.
const YEAR: i16 = 2026;

pub struct RosterFile {
    pub path: PathBuf,
    what: String,
}

impl fmt::Display for RosterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl RosterFile {
    /// The caller's file, or a generated one in `folder`.
    pub fn choose(given: Option<&Path>, students: u32, schools: u32, seed: u64, folder: &Path) -> Result<Self> {
        if let Some(path) = given {
            let found = path.canonicalize().with_context(|| format!("--roster {}", path.display()));
            let path = found.map_err(exit::with(exit::USAGE))?;
            return Ok(Self { what: path.display().to_string(), path });
        }
        let path = folder.join("roster.zip");
        generate(&Roster { seed, schools, students, year: YEAR }, &path)?;
        Ok(Self { what: format!("a generated roster: {students} students at {schools} schools, seed {seed}"), path })
    }
}

/// Writes a generated roster as a OneRoster zip.
pub fn generate(roster: &Roster, path: &Path) -> Result<()> {
    // Any date will do, as long as the same seed makes the same file.
    let options = WriteOptions { kind: Kind::Bulk, at: "2026-08-17T06:00:00Z".parse()?, birth_dates: false };
    let file = BufWriter::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?);
    write(file, &options, &roster.orgs(), roster.students())?.into_inner()?.sync_all()?;
    Ok(())
}

/// Uploads a zip and waits until it is applied; what is held for its size is approved, as staff would.
pub async fn import(
    admin: &Admin,
    zip: &Path,
    progress: &Progress,
    mut killer: Option<&mut Killer>,
) -> Result<pb::ImportRun> {
    let registered = upload(admin, zip).await?;
    let request = pb::GetImportRequest { run: registered.id.clone() };
    let (mut last, mut moved) = (registered, Instant::now());
    loop {
        let run = patient(|| async { admin.imports().get_import(request.clone()).await }).await?;
        match run.state() {
            ImportState::Applied => return Ok(run),
            ImportState::Held => {
                let holds: Vec<&str> = run.holds.iter().map(|hold| hold.message.as_str()).collect();
                progress.step(format!("held: {}; approving it", holds.join("; ")));
                let approve = pb::ApproveImportRequest { run: run.id.clone(), without_deletions: false };
                patient(|| async { admin.imports().approve_import(approve.clone()).await }).await?;
            }
            ImportState::Checking | ImportState::Applying => {
                progress.draw(format!("{}: {} rows read, {} changes applied", run.phase, run.rows_read, run.applied));
                if run.state() == ImportState::Applying
                    && run.applied > 0
                    && let Some(killer) = killer.take()
                {
                    killer.in_import().await?;
                }
            }
            other => bail!("the import ended as {}: {}", other.as_str_name(), run.error),
        }
        if (run.rows_read, run.applied, run.state) != (last.rows_read, last.applied, last.state) {
            moved = Instant::now();
        } else if moved.elapsed() > STUCK {
            bail!("the import {} stands still in {} since {STUCK:?}", run.id, run.phase);
        }
        last = run;
        sleep(POLL).await;
    }
}

async fn upload(admin: &Admin, zip: &Path) -> Result<pb::ImportRun> {
    let bytes = tokio::fs::read(zip).await.with_context(|| format!("cannot read {}", zip.display()))?;
    let start = pb::ImportStart {
        district: DISTRICT.into(),
        file_name: zip.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        profile: String::new(),
        size_bytes: bytes.len() as u64,
        ..Default::default()
    };
    let parts = std::iter::once(Part::Start(start))
        .chain(bytes.chunks(CHUNK_BYTES).map(|chunk| Part::Data(chunk.to_vec().into())))
        .map(|part| pb::StartImportRequest { part: Some(part) })
        .collect::<Vec<_>>();
    match admin.imports().start_import(tokio_stream::iter(parts)).await {
        Ok(run) => Ok(run.into_inner()),
        Err(status) => bail!("{} was not accepted: {}: {}", zip.display(), status.code(), status.message()),
    }
}

/// What an import did, in one line.
pub fn summary(run: &pb::ImportRun) -> String {
    let counts = run.counts.unwrap_or_default();
    format!(
        "applied: {} created, {} updated, {} deleted, {} unchanged; {} rejected, {} warnings",
        counts.created, counts.updated, counts.deleted, counts.unchanged, counts.rejected, counts.warnings
    )
}
