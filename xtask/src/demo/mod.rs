//! `cargo xtask demo`: the whole flow on this machine, with the real programs and only through their public doors.

mod changes;
mod report;
mod roster;
mod schools;
mod settle;
mod trouble;
mod windows;
mod workspace;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{
    admin::{Admin, ctl},
    build::{self, Binaries, Profile},
    consoles::Consoles,
    process::{interrupted, random_text, write_private},
    progress::Progress,
    provider::{Database, Provider},
    setup,
};

pub use self::{
    roster::{RosterFile, generate, import, summary},
    schools::{DemoSchool, connect, enroll_all, issue_code},
    settle::until_delivered,
    workspace::Workspace,
};
use self::{trouble::Killer, windows::Windows};

/// Schools of a generated roster.
const SCHOOLS: u32 = 4;
/// The district's sourcedId.
pub const DISTRICT: &str = "demo";

#[derive(Args, Clone)]
pub struct Demo {
    /// Ends when everything is delivered and compared: 0 only if every roster is equal
    #[arg(long)]
    exit: bool,
    /// A OneRoster zip to import instead of a generated roster
    #[arg(long, value_name = "ZIP")]
    roster: Option<PathBuf>,
    /// A second OneRoster zip, such as a delta, to import after the first
    #[arg(long, value_name = "ZIP")]
    then: Option<PathBuf>,
    /// Students of the generated roster
    #[arg(long, value_name = "N", default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    students: u32,
    /// Schools of the generated roster
    #[arg(long, value_name = "N", default_value_t = SCHOOLS, value_parser = clap::value_parser!(u32).range(1..=100))]
    schools: u32,
    /// Decides the generated roster, who changes, and when something is killed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Ends the provider, or a school's receiver, with kill -9 at random moments under load and starts it again
    #[arg(long, value_enum, value_name = "WHO")]
    kill: Option<Victim>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 3, requires = "kill", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    kills: u32,
    /// An empty PostgreSQL database for the provider, postgres://… [default: the embedded database]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Opens no desktop windows
    #[arg(long)]
    no_windows: bool,
    /// Where databases, keys and logs go; must be empty [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Prints one JSON object per school on stdout instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Victim {
    Provider,
    School,
}

/// What stands when the story is told.
pub struct Scene {
    pub provider: Arc<Provider>,
    pub schools: Arc<Vec<DemoSchool>>,
    equal: bool,
}

impl Scene {
    /// Stops every server; each must end with 0.
    pub async fn stop(self) -> Result<()> {
        let stops = self.schools.iter().map(|school| async move {
            school.receiver.stop().await.with_context(|| format!("the receiver of {}", school.name))
        });
        let receivers = futures::future::join_all(stops).await;
        self.provider.stop().await?;
        receivers.into_iter().collect()
    }
}

impl Demo {
    /// The same on PostgreSQL.
    pub fn on(self, database_url: String) -> Self {
        Self { database_url: Some(database_url), ..self }
    }

    /// A small one for `cargo xtask test`.
    pub fn small(kill: Option<Victim>) -> Self {
        Self {
            database_url: None,
            exit: true,
            roster: None,
            then: None,
            students: 120,
            schools: 3,
            seed: 7,
            kill,
            kills: 2,
            no_windows: true,
            data_dir: None,
            json: false,
        }
    }

    /// What pictures are made of.
    pub fn pictured() -> Self {
        Self { students: 1_200, schools: SCHOOLS, ..Self::small(None) }
    }

    /// The task. Ctrl-C ends it at any time, and every process that it started with it.
    pub async fn run(self) -> Result<ExitCode> {
        setup::ensure(&[setup::C_COMPILER])?;
        let progress = Arc::new(Progress::new());
        progress.step("building provider-server and school-server");
        let binaries = tokio::task::spawn_blocking(|| build::servers(Profile::Dev)).await??;
        let consoles = self.consoles(&progress).await;
        Ok(match self.story(&binaries, consoles.as_ref(), &progress).await? {
            Some(true) => ExitCode::SUCCESS,
            Some(false) => ExitCode::FAILURE,
            None => ExitCode::from(130),
        })
    }

    /// The consoles, where somebody would see them. Without them the demo is still worth seeing.
    async fn consoles(&self, progress: &Progress) -> Option<Consoles> {
        if self.exit || self.no_windows {
            return None;
        }
        if !desktop_e2e::has_display() {
            progress.step("no display here: the demo goes on without the consoles' windows");
            return None;
        }
        progress.step("building the consoles");
        let built = tokio::task::spawn_blocking(|| Consoles::build(Profile::Dev)).await;
        let built = built.map_err(anyhow::Error::from).flatten();
        built.inspect_err(|error| progress.step(format!("the demo goes on without the consoles: {error:#}"))).ok()
    }

    /// From nothing to equal rosters; answers whether all are, or nothing where Ctrl-C came first.
    pub async fn story(
        &self,
        binaries: &Binaries,
        consoles: Option<&Consoles>,
        progress: &Arc<Progress>,
    ) -> Result<Option<bool>> {
        let workspace = Workspace::open(self.data_dir.as_deref())?;
        let outcome = tokio::select! {
            scene = self.play(binaries, workspace.path(), progress) => match scene {
                Ok(scene) => self.end(scene, consoles, progress).await,
                Err(error) => Err(error),
            },
            signal = interrupted() => {
                // What was started ends with the future that held it.
                progress.step(format!("{signal}: everything is being ended"));
                return Ok(None);
            }
        };
        match outcome {
            Ok(true) => workspace.close(),
            _ => workspace.keep(progress),
        }
        outcome.map(Some)
    }

    /// Tells the story up to the comparison.
    pub async fn play(&self, binaries: &Binaries, folder: &Path, progress: &Arc<Progress>) -> Result<Scene> {
        let roster =
            roster::RosterFile::choose(self.roster.as_deref(), self.students, self.schools, self.seed, folder)?;
        progress.step(format!("data and logs in {}", folder.display()));

        let database = self.database_url.as_deref().map(Database::at);
        let provider = Arc::new(Provider::start_on(database.as_ref(), binaries, folder).await?);
        progress.step(format!("provider at {} (pin {})", provider.server, provider.pin));
        let admin = claim(&provider, folder).await?;
        let mut killer = Killer::new(self.kill, self.kills, self.seed, provider.clone(), progress.clone());

        progress.step(format!("importing {roster}"));
        let run = roster::import(&admin, &roster.path, progress, Some(&mut killer)).await?;
        progress.step(roster::summary(&run));

        let schools = Arc::new(schools::enroll_all(binaries, folder, &provider, &admin, progress).await?);
        if schools.is_empty() {
            bail!("the roster names no school");
        }
        // A load runs beside the first delivery of everything, and the kills fall into both.
        killer.under_load(&admin, &schools, self.seed).await?;
        settle::until_delivered(&admin, &schools, progress).await?;

        if let Some(then) = &self.then {
            self.import_then(then, &admin, &schools, progress).await?;
        }
        trouble::outage(&admin, &schools, self.seed, progress).await?;
        settle::until_delivered(&admin, &schools, progress).await?;

        progress.step("comparing what the provider says with what each school holds, byte by byte");
        let rows = report::compare(&provider, &admin, &schools).await?;
        report::print(&rows, self.json)?;
        let equal = rows.iter().filter(|row| row.equal).count();
        progress.step(format!("{equal} of {} rosters are equal", rows.len()));
        Ok(Scene { equal: equal == rows.len(), provider, schools })
    }

    /// Stays up until Ctrl-C where that was asked for, then stops every server; each must end with 0.
    async fn end(&self, scene: Scene, consoles: Option<&Consoles>, progress: &Progress) -> Result<bool> {
        if !self.exit {
            let windows = match consoles {
                Some(consoles) => Windows::open(consoles, &scene.provider, &scene.schools, progress).await,
                None => None,
            };
            self.stay(&scene.provider, &scene.schools, progress).await;
            drop(windows);
        }
        let equal = scene.equal;
        progress.step("stopping all servers");
        scene.stop().await?;
        Ok(equal)
    }

    async fn import_then(&self, zip: &Path, admin: &Admin, schools: &[DemoSchool], progress: &Progress) -> Result<()> {
        let before = admin.list_schools().await?;
        progress.step(format!("importing {}", zip.display()));
        let run = roster::import(admin, zip, progress, None).await?;
        progress.step(roster::summary(&run));
        settle::until_delivered(admin, schools, progress).await?;
        for after in admin.list_schools().await? {
            let was = before.iter().find(|school| school.id == after.id).map_or(0, |school| school.students);
            if was != after.students {
                progress.step(format!("{}: {was} → {} students", after.sourced_id, after.students));
            }
        }
        Ok(())
    }

    /// Until Ctrl-C.
    async fn stay(&self, provider: &Provider, schools: &[DemoSchool], progress: &Progress) {
        progress.step("everything stays up until Ctrl-C. In another terminal:");
        let ctl = format!(
            "{} ctl --server {} --pin {} --token-file {}",
            provider.program.display(),
            provider.server,
            provider.pin,
            provider.token_file.display()
        );
        progress.step(format!("  {ctl} school list"));
        if let Some(school) = schools.first() {
            progress.step(format!("  {ctl} log list --school {}", school.id));
            progress.step(format!(
                "  {} --data-dir {} students list",
                school.receiver.program.display(),
                school.receiver.data_dir.display()
            ));
        }
        progress.step(interrupted().await);
    }
}

/// The first owner, by the one-time code, and a district.
pub async fn claim(provider: &Provider, folder: &Path) -> Result<Admin> {
    let password_file = folder.join("owner-password");
    write_private(&password_file, &random_text(24))?;
    let code_file = provider.owner_code_file.to_string_lossy().into_owned();
    let password_file = password_file.to_string_lossy().into_owned();
    let claim = ["owner", "claim", "--code-file", &code_file, "--username", "owner", "--password-file", &password_file];
    ctl(provider, &claim).await?;
    ctl(provider, &["district", "create", "Demo district", "--sourced-id", DISTRICT]).await?;
    Admin::new(provider)
}
