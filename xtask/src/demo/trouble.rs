//! What goes wrong in the demo: a receiver that is away for a while, and kill -9 at random moments.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{Victim, changes, schools::DemoSchool};
use crate::{admin::Admin, progress::Progress, provider::Provider};

/// Between two kills, in ms.
const PAUSE_MS: std::ops::Range<u64> = 200..2_500;
/// How long the outage waits for the first parked message.
const PARKED_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(200);
/// Students of a school that a round of the load updates.
const LOAD_PER_SCHOOL: u32 = 100;

/// Kills and restarts, as often as was asked for.
pub struct Killer {
    victim: Option<Victim>,
    left: u32,
    random: StdRng,
    provider: Arc<Provider>,
    progress: Arc<Progress>,
}

impl Killer {
    pub fn new(
        victim: Option<Victim>,
        kills: u32,
        seed: u64,
        provider: Arc<Provider>,
        progress: Arc<Progress>,
    ) -> Self {
        let left = if victim.is_some() { kills } else { 0 };
        Self { victim, left, random: StdRng::seed_from_u64(seed), provider, progress }
    }

    /// One kill of the provider falls into the import.
    pub async fn in_import(&mut self) -> Result<()> {
        if self.victim == Some(Victim::Provider) && self.left > 1 {
            self.left -= 1;
            self.progress.step("kill -9 of the provider, in the middle of the import");
            self.provider.crash().await?;
        }
        Ok(())
    }

    /// The rest fall into the first delivery of everything, while changes go on until the last kill is over.
    pub async fn under_load(mut self, admin: &Admin, schools: &[DemoSchool], seed: u64) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        let (over, mut is_over) = watch::channel(false);
        let load = async {
            let (mut round, mut events) = (0, 0);
            while !*is_over.borrow_and_update() {
                round += 1;
                let changes =
                    changes::updates(admin, schools, &format!("load-{seed}-{round}"), LOAD_PER_SCHOOL).await?;
                if changes.is_empty() {
                    is_over.changed().await?;
                }
                events += admin.apply(changes).await?;
            }
            Ok::<_, anyhow::Error>((round, events))
        };
        let progress = self.progress.clone();
        let kills = async {
            while self.left > 0 {
                self.left -= 1;
                sleep(Duration::from_millis(self.random.random_range(PAUSE_MS))).await;
                self.kill(schools).await?;
            }
            over.send_replace(true);
            Ok(())
        };
        let ((rounds, events), ()) = tokio::try_join!(load, kills)?;
        progress.step(format!("the kills are over; {rounds} rounds of updates went on beside them, {events} events"));
        Ok(())
    }

    async fn kill(&mut self, schools: &[DemoSchool]) -> Result<()> {
        if self.victim == Some(Victim::Provider) {
            self.progress.step("kill -9 of the provider");
            return self.provider.crash().await;
        }
        let school = &schools[self.random.random_range(0..schools.len())];
        self.progress.step(format!("kill -9 of the receiver of {}", school.name));
        let mut process = school.receiver.process.lock().await;
        school.receiver.crash(&mut process).await
    }
}

/// The receiver with the most students is stopped, changes are made, its messages are tried again and parked; then it is
/// back.
pub async fn outage(admin: &Admin, schools: &[DemoSchool], seed: u64, progress: &Progress) -> Result<()> {
    let figures = admin.list_schools().await?;
    let students = |id: &str| figures.iter().find(|school| school.id == id).map_or(0, |school| school.students);
    let away = schools.iter().max_by_key(|school| students(&school.id));
    let Some(away) = away.filter(|school| students(&school.id) > 0) else {
        progress.step(format!("no school has a student, so there is nothing to change (seed {seed})"));
        return Ok(());
    };
    progress.step(format!("the receiver of {} goes away", away.name));
    away.receiver.stop().await?;
    let mut process = away.receiver.process.lock().await;
    *process = None;
    let (changes, what) = changes::office_day(admin, schools).await?;
    let events = admin.apply(changes).await?;
    progress.step(format!("{what}: {events} events"));
    until_parked(admin, away, progress).await?;
    progress.step(format!("the receiver of {} is back", away.name));
    away.receiver.up(&mut process).await
}

async fn until_parked(admin: &Admin, away: &DemoSchool, progress: &Progress) -> Result<()> {
    let deadline = Instant::now() + PARKED_WITHIN;
    loop {
        let figures = admin.get_school(&away.id).await?.figures.unwrap_or_default();
        progress.draw(format!("{}: {} pending, {} parked", away.name, figures.pending, figures.parked));
        if figures.parked > 0 {
            progress.step(format!("{}: {} messages are parked, none is lost", away.name, figures.parked));
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{} is away since {PARKED_WITHIN:?}, and nothing is parked", away.name);
        }
        sleep(POLL).await;
    }
}
