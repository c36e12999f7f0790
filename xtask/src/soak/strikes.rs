//! The kills: at random moments and at every named point of the provider's program.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rollcall_proto::provider::v1 as pb;
use tokio::time::sleep;

use crate::{
    admin::{Admin, patient, until_done},
    demo::DemoSchool,
    postgres::Postgres,
    progress::Progress,
    provider::Provider,
};

/// Where the provider's program can be told to die under load (`crash::point`); "apply" and "enroll" come before.
const POINTS: [&str; 11] = [
    "ingest",
    "before-commit",
    "after-commit",
    "claim",
    "send",
    "record",
    "retry",
    "park",
    "purge",
    "migrate",
    "rotate",
];
/// Kills that are needed for each point to have its turn.
pub const LEAST: u32 = 40;
/// At most so many kills go with a point: the process before, the one that dies there, and the receiver.
const KILLS_FOR_POINT: u32 = 3;
/// Of so many kills one is PostgreSQL's, where there is one.
const POSTGRES_EVERY: u32 = 6;
const POSTGRES: &str = "PostgreSQL at a random moment";
/// A point that was not reached this often is not tried for its own sake any more.
const TRIES: u32 = 5;
/// Between two kills, in ms: long enough that work is under way, short enough that it is not over.
const PAUSE_MS: std::ops::Range<u64> = 30..300;
/// How long a receiver stays away when its messages are to park: longer than all of its retries.
const OUTAGE: Duration = Duration::from_millis(2_200);
/// How long a named point is waited for before the process is killed anyway.
const POINT_PATIENCE: Duration = Duration::from_secs(10);
/// The same for the end of all retries.
const PARK_PATIENCE: Duration = Duration::from_secs(8);
/// Both secrets sign for so long. Chance asks for several rotations one after another, and four secrets are the most.
const OVERLAP_S: u32 = 3;

/// What was killed, by where.
pub type Tally = BTreeMap<String, u32>;

pub struct Strikes {
    pub provider: Arc<Provider>,
    pub admin: Admin,
    pub schools: Arc<Vec<DemoSchool>>,
    /// Where the provider's data is not in a file of its own.
    pub postgres: Option<Arc<Postgres>>,
    pub progress: Arc<Progress>,
    random: StdRng,
    tally: Tally,
    /// Tries of the points that were not reached yet.
    owed: BTreeMap<&'static str, u32>,
}

impl Strikes {
    /// `tally` is of the kills before the load.
    pub fn new(
        provider: Arc<Provider>,
        admin: Admin,
        schools: Arc<Vec<DemoSchool>>,
        postgres: Option<Arc<Postgres>>,
        progress: Arc<Progress>,
        seed: u64,
        tally: Tally,
    ) -> Self {
        let owed = POINTS.into_iter().map(|point| (point, 0)).collect();
        Self { provider, admin, schools, postgres, progress, random: StdRng::seed_from_u64(seed), tally, owed }
    }

    /// Kills as often as asked, and goes on until each point was reached; answers the tally.
    pub async fn run(mut self, kills: u32) -> Result<Tally> {
        loop {
            let done: u32 = self.tally.values().sum();
            let is_owed = self.owed.values().any(|tries| *tries < TRIES);
            if done >= kills && !is_owed {
                break;
            }
            self.progress.draw(format!("{done} of {kills} kills"));
            sleep(Duration::from_millis(self.random.random_range(PAUSE_MS))).await;
            if self.postgres(done).await? {
                continue;
            }
            let left = kills.saturating_sub(done);
            if is_owed && left <= KILLS_FOR_POINT * self.owed.len() as u32 {
                self.at_a_point().await?;
            } else {
                self.anywhere().await?;
            }
        }
        let missed: Vec<&str> = self.owed.into_keys().collect();
        ensure!(missed.is_empty(), "the provider never died at {}", missed.join(", "));
        Ok(self.tally)
    }

    async fn anywhere(&mut self) -> Result<()> {
        match self.random.random_range(0..10) {
            0..=2 => {
                self.provider.crash().await?;
                self.count("provider at a random moment");
            }
            3..=6 => self.at_a_point().await?,
            7 | 8 => self.receiver(false).await?,
            _ => self.receiver(true).await?,
        }
        Ok(())
    }

    /// Kills PostgreSQL where it has its turn; answers whether it had.
    async fn postgres(&mut self, done: u32) -> Result<bool> {
        let Some(postgres) = &self.postgres else { return Ok(false) };
        if self.tally.get(POSTGRES).is_some_and(|kills| kills * POSTGRES_EVERY > done) {
            return Ok(false);
        }
        postgres.crash().await?;
        self.count(POSTGRES);
        Ok(true)
    }

    async fn at_a_point(&mut self) -> Result<()> {
        let owed: Vec<&'static str> = self.owed.iter().filter(|(_, t)| **t < TRIES).map(|(point, _)| *point).collect();
        let point = *owed.choose(&mut self.random).or(POINTS.choose(&mut self.random)).expect("there are points");
        // These are passed once in a while; the others all the time.
        let is_rare = ["retry", "park", "purge", "migrate", "rotate"].contains(&point);
        let pass = if is_rare { 1 } else { self.random.random_range(1..40) };
        self.provider.arm(point, pass).await?;
        // The process that was to die there was itself started after a kill.
        self.count("provider at a random moment");
        let reached = match point {
            "rotate" => {
                let (reached, rotated) = tokio::join!(self.provider.fall(POINT_PATIENCE), self.rotate());
                rotated?;
                reached?
            }
            "retry" => self.with_outage(POINT_PATIENCE).await?,
            "park" => self.with_outage(PARK_PATIENCE).await?,
            _ => self.provider.fall(POINT_PATIENCE).await?,
        };
        self.count(if reached { point } else { "provider at a random moment" });
        if reached {
            self.owed.remove(point);
        } else if let Some(tries) = self.owed.get_mut(point) {
            *tries += 1;
        }
        Ok(())
    }

    /// Asks for a new secret; the school's program pulls and confirms it by itself.
    async fn rotate(&self) -> Result<()> {
        let school = &self.schools[0];
        let overlap_s = Some(OVERLAP_S);
        let request = pb::RotateSecretRequest { school: school.id.clone(), overlap_s, revoke_now: false };
        patient(|| async { self.admin.schools().rotate_secret(request.clone()).await }).await?;
        until_done(&self.progress, "the rotation", || school.receiver.pull_secret()).await
    }

    /// A receiver is away until the provider has died of it.
    async fn with_outage(&mut self, patience: Duration) -> Result<bool> {
        let school = &self.schools[self.random.random_range(0..self.schools.len())];
        let mut process = school.receiver.process.lock().await;
        school.receiver.down(&mut process).await?;
        let reached = self.provider.fall(patience).await?;
        school.receiver.up(&mut process).await?;
        drop(process);
        self.count("school, until the provider died of it");
        Ok(reached)
    }

    async fn receiver(&mut self, stays_away: bool) -> Result<()> {
        let school = &self.schools[self.random.random_range(0..self.schools.len())];
        let mut process = school.receiver.process.lock().await;
        school.receiver.down(&mut process).await?;
        if stays_away {
            sleep(OUTAGE).await;
        }
        school.receiver.up(&mut process).await?;
        drop(process);
        self.count(if stays_away { "school, for longer than its retries" } else { "school at a random moment" });
        Ok(())
    }

    fn count(&mut self, place: &str) {
        *self.tally.entry(place.to_owned()).or_default() += 1;
    }
}
