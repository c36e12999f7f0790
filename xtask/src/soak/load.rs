//! The load: streams of changes that go on while everything is killed around them. A lost connection is waited out; most
//! changes are then repeated with their key, some never are.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Result, bail};
use futures::StreamExt;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rollcall_proto::{pinned::is_connection_loss, provider::v1 as pb};
use tokio::{sync::watch, time::Instant};

use super::{
    ledger::Ledger,
    model::{self, Planned, Pupil},
};
use crate::{admin::Admin, demo::DISTRICT, process::short_key};

/// Students that one stream changes at a time.
const BATCH: usize = 24;
/// How long the provider may be gone.
const PATIENCE: Duration = Duration::from_secs(120);
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// Of the streams that a kill cuts, how many are not repeated.
const ABANDONED: f64 = 0.3;

/// Students of one lane, whom nobody else changes.
pub struct Lane {
    pub admin: Admin,
    pub ledger: Arc<Mutex<Ledger>>,
    pub pupils: Vec<Pupil>,
    /// sourcedIds
    pub schools: Vec<String>,
    pub random: StdRng,
}

impl Lane {
    pub fn new(admin: Admin, ledger: Arc<Mutex<Ledger>>, pupils: Vec<Pupil>, schools: Vec<String>, seed: u64) -> Self {
        Self { admin, ledger, pupils, schools, random: StdRng::seed_from_u64(seed) }
    }

    /// Changes until it is told to end; answers the students as they must be.
    pub async fn run(mut self, over: watch::Receiver<bool>) -> Result<Vec<Pupil>> {
        while !*over.borrow() {
            self.round().await?;
        }
        // Nothing stays unknown: what may stand or not is replaced.
        while self.pupils.iter().any(|pupil| pupil.unknown) {
            self.round().await?;
        }
        Ok(self.pupils)
    }

    async fn round(&mut self) -> Result<()> {
        let chosen = self.choose();
        let mut planned: Vec<(usize, Planned)> = Vec::with_capacity(chosen.len());
        let first = {
            let mut ledger = self.ledger.lock().expect("no holder of this lock panics");
            let first = ledger.intents().len() as u64 + 1;
            for (number, &index) in (first..).zip(&chosen) {
                planned.push((index, model::plan(&self.pupils[index], &self.schools, number, &mut self.random)));
            }
            ledger.intend(planned.iter().map(|(index, plan)| (self.pupils[*index].sourced_id.clone(), plan.name)))?
        };
        let changes: Vec<pb::Change> =
            (first..).zip(&planned).map(|(number, (_, plan))| change(number, plan)).collect();
        let acked = self.deliver(&changes).await?;
        let mut ledger = self.ledger.lock().expect("no holder of this lock panics");
        ledger.acknowledge(&acked)?;
        let abandoned: Vec<u64> = changes[acked.len()..].iter().map(|change| change.tag).collect();
        ledger.abandon(&abandoned)?;
        for (position, (index, plan)) in planned.into_iter().enumerate() {
            let pupil = &mut self.pupils[index];
            if position < acked.len() { *pupil = plan.after } else { pupil.unknown = true }
        }
        Ok(())
    }

    /// Who is not known comes first; each at most once.
    fn choose(&mut self) -> Vec<usize> {
        let mut chosen: Vec<usize> =
            (0..self.pupils.len()).filter(|&index| self.pupils[index].unknown).take(BATCH).collect();
        while chosen.len() < BATCH.min(self.pupils.len()) {
            let index = self.random.random_range(0..self.pupils.len());
            if !chosen.contains(&index) {
                chosen.push(index);
            }
        }
        chosen
    }

    /// Sends changes until all are answered, or until a cut after which the rest is given up. Answers number and version
    /// of those that were acknowledged: always the first ones.
    async fn deliver(&mut self, changes: &[pb::Change]) -> Result<Vec<(u64, u64)>> {
        let (mut acked, deadline) = (Vec::with_capacity(changes.len()), Instant::now() + PATIENCE);
        while acked.len() < changes.len() {
            let rest = changes[acked.len()..].to_vec();
            let lost = match self.admin.students().apply(tokio_stream::iter(rest)).await {
                Err(status) => Some(status),
                Ok(acks) => collect(acks.into_inner(), changes, &mut acked).await?,
            };
            let Some(status) = lost else {
                if acked.len() == changes.len() {
                    break;
                }
                bail!("the stream ended with {} changes unanswered", changes.len() - acked.len());
            };
            if !is_connection_loss(&status) || Instant::now() > deadline {
                bail!("{}: {}", status.code(), status.message());
            }
            if self.random.random_bool(ABANDONED) {
                break;
            }
            tokio::time::sleep(RETRY_WAIT).await;
        }
        Ok(acked)
    }
}

/// Takes acks, which come in the order of the changes, until the stream ends (none) or is cut.
async fn collect(
    mut acks: tonic::Streaming<pb::Ack>,
    changes: &[pb::Change],
    acked: &mut Vec<(u64, u64)>,
) -> Result<Option<tonic::Status>> {
    while let Some(ack) = acks.next().await {
        let ack = match ack {
            Err(status) => return Ok(Some(status)),
            Ok(ack) => ack,
        };
        if ack.code != 0 {
            bail!("change {} was refused, but it is legal: {}", ack.tag, ack.error);
        }
        if changes.get(acked.len()).map(|change| change.tag) != Some(ack.tag) {
            bail!("change {} was answered out of turn", ack.tag);
        }
        acked.push((ack.tag, ack.version));
    }
    Ok(None)
}

fn change(number: u64, plan: &Planned) -> pb::Change {
    pb::Change {
        // After a cut any of them may be a stream's first.
        district: DISTRICT.into(),
        tag: number,
        idempotency_key: short_key(&format!("soak-{number}")),
        act: Some(plan.act.clone()),
    }
}
