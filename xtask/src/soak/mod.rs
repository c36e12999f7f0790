//! `cargo xtask soak`: the real programs under load while they are killed again and again, and an oracle with a ledger of
//! its own that knows what must be true at the end. With `--fuzz-seconds` it is the readers of foreign bytes that have to hold.

mod fuzz;
mod ledger;
mod load;
mod model;
mod strikes;
mod verdict;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::watch;

pub use self::verdict::Verdict;
use self::{
    ledger::Ledger,
    load::Lane,
    model::Pupil,
    strikes::{LEAST, Strikes, Tally},
};
use crate::{
    admin::{Admin, ctl, until_done},
    build::{self, Binaries, Profile},
    demo::{self, DISTRICT, DemoSchool, Workspace},
    exit,
    postgres::Postgres,
    progress::Progress,
    provider::{Database, Provider},
    setup,
};

/// A name that no program writes by itself: found where it must not be, it is student data that leaked.
const NAME: &str = "Quillonbrax";
const SCHOOLS: u32 = 4;
const STUDENTS: u32 = 160;
/// Streams of changes at the same time.
const LANES: usize = 2;
/// Messages to one school at the same time (the default of a connection).
const IN_FLIGHT: u64 = 32;
/// The kills in the import and in an enrollment wait this long for their point.
const POINT_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Args, Clone)]
pub struct Soak {
    /// How many processes are killed with kill -9; as many as each named point needs to have its turn, or more
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(i64::from(LEAST)..=1_000_000)
    )]
    pub kills: u32,
    /// Where the provider keeps its data; a PostgreSQL is our own, and is killed too
    #[arg(long, value_enum, value_name = "DB", default_value_t = Db::Sqlite)]
    pub db: Db,
    /// Decides the changes and the kills [default: a new one, printed]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Where databases, keys, logs and the ledger go; must be empty [default: a temporary folder, removed where all is well]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Instead of the kills: drives every fuzz target with cargo-fuzz, each for so many seconds
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        conflicts_with_all = ["kills", "db", "seed", "data_dir"]
    )]
    pub fuzz_seconds: Option<u32>,
    /// Only this fuzz target
    #[arg(long, value_name = "NAME", requires = "fuzz_seconds")]
    pub fuzz_target: Option<String>,
    /// Writes the figures to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The provider's database.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Db {
    #[default]
    Sqlite,
    Postgres,
}

impl Soak {
    /// One for `cargo xtask test`, with a seed of its own.
    pub fn small(kills: u32, db: Db) -> Self {
        Self { kills, db, seed: None, data_dir: None, fuzz_seconds: None, fuzz_target: None, json: None }
    }

    /// The task: 0 where every promise was kept.
    pub async fn run(self) -> Result<ExitCode> {
        if let Some(seconds) = self.fuzz_seconds {
            return fuzz::run(seconds, self.fuzz_target.as_deref(), self.json.as_deref()).await;
        }
        setup::ensure(&[setup::C_COMPILER])?;
        let progress = Arc::new(Progress::new());
        progress.step("building provider-server and school-server");
        // Not optimised: only these programs can be told where to die.
        let binaries = tokio::task::spawn_blocking(|| build::servers(Profile::Dev)).await??;
        self.judged(&binaries, &progress).await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Tells the figures, those of a soak that broke a promise too, and then fails.
    async fn judged(&self, binaries: &Binaries, progress: &Arc<Progress>) -> Result<()> {
        let mut verdict = self.unjudged();
        let outcome = self.story(binaries, progress, &mut verdict).await;
        verdict.broken = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let figures = serde_json::to_string_pretty(&verdict)?;
        println!("{figures}");
        let written = match &self.json {
            Some(file) => std::fs::write(file, figures).with_context(|| format!("cannot write {}", file.display())),
            None => Ok(()),
        };
        outcome.and(written.map_err(exit::with(exit::CONFIG)))
    }

    /// Before anything is known but the seed, with which a failure can be tried again.
    pub fn unjudged(&self) -> Verdict {
        Verdict { database: self.db, seed: self.seed.unwrap_or_else(rand::random), ..Verdict::default() }
    }

    /// From nothing to the verdict.
    pub async fn story(&self, binaries: &Binaries, progress: &Arc<Progress>, verdict: &mut Verdict) -> Result<()> {
        let seed = verdict.seed;
        progress.step(format!("seed {seed}"));
        let workspace = Workspace::open(self.data_dir.as_deref())?;
        let postgres = match self.db {
            Db::Sqlite => None,
            Db::Postgres => Some(Arc::new(Postgres::start().await?)),
        };
        let outcome = self.play(binaries, postgres.as_ref(), workspace.path(), progress, verdict).await;
        match &outcome {
            Ok(_) => workspace.close(),
            Err(_) => workspace.keep(progress),
        }
        outcome.with_context(|| format!("seed {seed}"))
    }

    async fn play(
        &self,
        binaries: &Binaries,
        postgres: Option<&Arc<Postgres>>,
        folder: &Path,
        progress: &Arc<Progress>,
        told: &mut Verdict,
    ) -> Result<()> {
        let seed = told.seed;
        let database = postgres.map(|postgres| Database::at(postgres.url()));
        let provider = Arc::new(Provider::start_on(database.as_ref(), binaries, folder).await?);
        let admin = demo::claim(&provider, folder).await?;
        import(&provider, &admin, seed, folder, progress).await?;
        let schools = Arc::new(demo::enroll_all(binaries, folder, &provider, &admin, progress).await?);
        enroll_again(&provider, &admin, &schools[0]).await?;
        let secret = own_receiver(&provider, folder).await?;

        progress.step(format!("{} kills under load", self.kills));
        let ledger = Arc::new(Mutex::new(Ledger::create(&folder.join("ledger.jsonl"))?));
        let pupils = pupils(&admin).await?;
        let names: Vec<String> = schools.iter().map(|school| school.sourced_id.clone()).collect();
        let (over, is_over) = watch::channel(false);
        let lanes = pupils.chunks(pupils.len().div_ceil(LANES)).zip(1u64..).map(|(pupils, lane)| {
            Lane::new(admin.clone(), ledger.clone(), pupils.to_vec(), names.clone(), seed ^ lane).run(is_over.clone())
        });
        // The import and the enrollment above: each time the process before it, and the one that died there.
        let before = [("apply", 1), ("enroll", 1), ("provider at a random moment", 2)];
        let before: Tally = before.into_iter().map(|(place, kills)| (place.to_owned(), kills)).collect();
        let (postgres_too, progress_too) = (postgres.cloned(), progress.clone());
        let strikes =
            Strikes::new(provider.clone(), admin.clone(), schools.clone(), postgres_too, progress_too, seed, before);
        let kills = async {
            let tally = strikes.run(self.kills).await;
            over.send_replace(true);
            tally
        };
        let ended = tokio::try_join!(futures::future::try_join_all(lanes), kills);
        let intents = ledger.lock().expect("no holder of this lock panics").intents().to_vec();
        told.intended = Some(intents.len());
        told.acknowledged = Some(intents.iter().filter(|intent| intent.version.is_some()).count());
        told.abandoned = Some(intents.iter().filter(|intent| intent.abandoned).count());
        let (pupils, kills_by_place) = ended?;
        let kills: u32 = kills_by_place.values().sum();
        (told.kills, told.kills_by_place) = (Some(kills), Some(kills_by_place));
        let pupils: Vec<Pupil> = pupils.into_iter().flatten().collect();

        progress.step("the kills are over: draining");
        demo::until_delivered(&admin, &schools, progress).await?;
        progress.step("judging");
        told.applied = Some(verdict::history(&admin, &intents, &pupils).await?);
        told.schools_equal = Some(verdict::rosters(&provider, &schools, &pupils).await?);
        let figures = verdict::deliveries(&admin, &schools).await?;
        told.events = Some(figures.delivered + figures.superseded);
        (told.delivered, told.superseded) = (Some(figures.delivered), Some(figures.superseded));
        (told.retried, told.ever_parked) = (Some(figures.retried), Some(figures.ever_parked));
        let duplicates = verdict::duplicates(&schools).await?;
        let duplicates_allowed = u64::from(kills) * IN_FLIGHT * schools.len() as u64;
        (told.duplicates, told.duplicates_allowed) = (Some(duplicates), Some(duplicates_allowed));
        ensure!(duplicates <= duplicates_allowed, "{duplicates} duplicates of {duplicates_allowed}");
        for school in schools.iter() {
            school.receiver.stop().await?;
        }
        provider.stop().await?;
        provider.offline(&["db", "check"]).await?;
        provider.offline(&["audit", "verify"]).await?;
        verdict::absent(&provider.data_dir, &secret, false)?;
        if let Some(postgres) = postgres {
            postgres.stop().await?;
            verdict::absent(postgres.folder(), &secret, false)?;
        }
        verdict::absent(folder, &[("a student's name", NAME.into())], true)?;
        Ok(())
    }
}

/// A school that runs its own receiver: its secret is shown once, so that it can be looked for in every file.
async fn own_receiver(provider: &Provider, folder: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let file = folder.join("own-receiver.secret");
    let path = file.to_string_lossy().into_owned();
    ctl(provider, &["district", "create", "Canary district", "--sourced-id", "canary"]).await?;
    let create = ["school", "create", "Canary", "--district", "canary", "--sourced-id", "canary-1"];
    ctl(provider, &create).await?;
    let url = "https://school.example/webhook";
    ctl(provider, &["school", "connect", "canary-1", "--url", url, "--own-receiver", "--secret-out", &path]).await?;
    let secret = std::fs::read_to_string(&file)?.trim().to_owned();
    std::fs::remove_file(&file)?;
    let bytes = STANDARD.decode(secret.trim_start_matches("whsec_")).context("the secret is base64")?;
    ensure!(bytes.len() == 32, "the secret has 32 bytes");
    Ok(vec![("a secret", secret.into_bytes()), ("a secret's bytes", bytes)])
}

/// The first students, by an import that is killed between its batches.
async fn import(provider: &Provider, admin: &Admin, seed: u64, folder: &Path, progress: &Progress) -> Result<()> {
    let roster = demo::RosterFile::choose(None, STUDENTS, SCHOOLS, seed, folder)?;
    progress.step(format!("importing {roster}, killed on the way"));
    provider.arm("apply", 1).await?;
    let imported = demo::import(admin, &roster.path, progress, None);
    let (run, reached) = tokio::join!(imported, provider.fall(POINT_PATIENCE));
    progress.step(demo::summary(&run?));
    ensure!(reached?, "the provider did not die between two batches");
    Ok(())
}

/// Enrolls a school anew while the provider dies in the confirm.
async fn enroll_again(provider: &Provider, admin: &Admin, school: &DemoSchool) -> Result<()> {
    let code = demo::issue_code(admin, &school.id).await?;
    provider.arm("enroll", 1).await?;
    let progress = Progress::new();
    let enrolled = until_done(&progress, "enrollment", || school.receiver.enroll(&code));
    let (enrolled, reached) = tokio::join!(enrolled, provider.fall(POINT_PATIENCE));
    enrolled?;
    ensure!(reached?, "the provider did not die in the confirm");
    Ok(())
}

/// The imported students, as the model knows them.
async fn pupils(admin: &Admin) -> Result<Vec<Pupil>> {
    let students = admin.some_students(DISTRICT, "", STUDENTS).await?;
    ensure!(students.len() == STUDENTS as usize, "{} students were imported", students.len());
    let pupil = |student: rollcall_proto::provider::v1::Student| Pupil {
        at: student
            .school_enrollments
            .iter()
            .filter(|e| !e.ended)
            .map(|e| e.school_sourced_id.clone())
            .collect::<BTreeSet<_>>(),
        sourced_id: student.sourced_id,
        deleted: false,
        named: 0,
        moves: model::MOVES,
        unknown: false,
    };
    Ok(students.into_iter().map(pupil).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_soak_that_fails_writes_what_it_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, file) = (folder.path().join("data"), folder.path().join("figures.json"));
        let soak =
            Soak { seed: Some(7), data_dir: Some(data), json: Some(file.clone()), ..Soak::small(LEAST, Db::Sqlite) };
        let nowhere = folder.path().join("no-program");
        let binaries = Binaries { provider: nowhere.clone(), school: nowhere };
        let error = soak.judged(&binaries, &Arc::new(Progress::new())).await.expect_err("nothing starts");
        assert_eq!(exit::code(&error), 70, "{error:#}");
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("written")).expect("JSON");
        assert_eq!((&told["seed"], &told["kills"]), (&7.into(), &serde_json::Value::Null));
        assert_eq!(told["broken"], format!("{error:#}"));
    }
}
