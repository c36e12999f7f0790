//! The kills: at random moments and at every named point of the provider's program.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rollcall_proto::provider::v1 as pb;
use tokio::time::sleep;

use crate::{
    admin::{Admin, patient, until_done},
    demo::DemoSchool,
    progress::Progress,
    provider::Provider,
};

/// Where the provider's program can be told to die (`crash::point`).
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
/// Between two kills, in ms: long enough that work is under way, short enough that it is not over.
const PAUSE_MS: std::ops::Range<u64> = 30..400;
/// How long a receiver stays away when its messages are to park: longer than all of its retries.
const OUTAGE: Duration = Duration::from_millis(2_200);
/// How long a named point is waited for before the process is killed anyway.
const POINT_PATIENCE: Duration = Duration::from_millis(1_500);

/// What was killed, by where.
pub type Tally = BTreeMap<String, u32>;

pub struct Strikes {
    pub provider: Arc<Provider>,
    pub admin: Admin,
    pub schools: Arc<Vec<DemoSchool>>,
    pub progress: Arc<Progress>,
    random: StdRng,
    tally: Tally,
}

impl Strikes {
    pub fn new(
        provider: Arc<Provider>,
        admin: Admin,
        schools: Arc<Vec<DemoSchool>>,
        progress: Arc<Progress>,
        seed: u64,
    ) -> Self {
        Self { provider, admin, schools, progress, random: StdRng::seed_from_u64(seed), tally: Tally::new() }
    }

    /// Kills as often as asked; answers the tally.
    pub async fn run(mut self, kills: u32) -> Result<Tally> {
        while self.tally.values().sum::<u32>() < kills {
            sleep(Duration::from_millis(self.random.random_range(PAUSE_MS))).await;
            match self.random.random_range(0..10) {
                0..=2 => {
                    self.provider.crash().await?;
                    self.count("provider at a random moment");
                }
                3..=6 => self.at_a_point().await?,
                7 | 8 => self.receiver(false).await?,
                _ => self.receiver(true).await?,
            }
            self.progress.draw(format!("{} of {kills} kills", self.tally.values().sum::<u32>()));
        }
        Ok(self.tally)
    }

    async fn at_a_point(&mut self) -> Result<()> {
        let point = POINTS[self.random.random_range(0..POINTS.len())];
        // These are passed once in a while; the others all the time.
        let pass = if ["purge", "migrate", "rotate"].contains(&point) { 1 } else { self.random.random_range(1..40) };
        let rotates = async {
            if point == "rotate" {
                self.rotate().await?;
            }
            Ok::<_, anyhow::Error>(())
        };
        self.provider.arm(point, pass).await?;
        let (reached, rotated) = tokio::join!(self.provider.fall(POINT_PATIENCE), rotates);
        rotated?;
        // The process that was to die there was itself started after a kill.
        self.count("provider at a random moment");
        self.count(if reached? { point } else { "provider at a random moment" });
        Ok(())
    }

    /// Asks for a new secret; the school's program pulls and confirms it by itself.
    async fn rotate(&self) -> Result<()> {
        let school = &self.schools[0];
        let request = pb::RotateSecretRequest { school: school.id.clone(), overlap_s: Some(60), revoke_now: false };
        patient(|| async { self.admin.schools().rotate_secret(request.clone()).await }).await?;
        until_done(&self.progress, "the rotation", || school.receiver.pull_secret()).await
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
