//! A provider with schools whose messages end in a sink.

use std::{path::Path, time::Duration};

use anyhow::{Result, bail};
use rollcall_proto::provider::v1 as pb;
use tokio::time::{Instant, sleep};
use tokio_stream::Stream;

use super::{Bed, sink::Sink, usage};
use crate::{
    admin::{Admin, patient},
    demo::{DISTRICT, claim},
    provider::{Database, Provider},
};

/// Requests under way at once to one school, and connections of the raw limit.
pub const CONNECTIONS: u32 = 64;
const POLL: Duration = Duration::from_millis(10);
const STUCK: Duration = Duration::from_secs(60);
/// A new connection begins with a sync of its school's students, of whom there are none yet. Those that come before it
/// ran are sent a second time.
const SYNC: Duration = Duration::from_secs(1);

pub struct Stage {
    pub provider: Provider,
    /// Other nodes on the same database, each with staff's connection to it.
    others: Vec<(Provider, Admin)>,
    pub admin: Admin,
    pub sink: Sink,
    pub schools: Vec<pb::School>,
    pub pid: u32,
    run: String,
}

impl Stage {
    /// Starts a provider with its data in a folder of its own, and connects so many schools to one sink.
    pub async fn set(bed: &Bed<'_>, name: &str, schools: u32, timed: bool) -> Result<Self> {
        let sink = Sink::start(timed).await?;
        Self::set_for(bed, name, schools, sink, None, None).await
    }

    /// The same on a PostgreSQL, with so many nodes in all.
    pub async fn set_on(bed: &Bed<'_>, name: &str, schools: u32, database: &Database, nodes: u32) -> Result<Self> {
        let mut stage = Self::set_for(bed, name, schools, Sink::start(false).await?, None, Some(database)).await?;
        for number in 1..nodes {
            let folder = bed.folder.join(name).join(format!("node-{number}"));
            std::fs::create_dir(&folder)?;
            let node = Provider::start_on(Some(database), bed.binaries, &folder).await?;
            std::fs::copy(&stage.provider.token_file, &node.token_file)?;
            let admin = Admin::new(&node)?;
            stage.others.push((node, admin));
        }
        Ok(stage)
    }

    /// The same with arrivals timed, where the first so many schools have a receiver that never answers.
    pub async fn set_beside(bed: &Bed<'_>, name: &str, schools: u32, hanging: u32) -> Result<Self> {
        let hung = Sink::start(false).await?;
        hung.hold(true);
        Self::set_for(bed, name, schools, Sink::start(true).await?, Some((hanging, hung)), None).await
    }

    async fn set_for(
        bed: &Bed<'_>,
        name: &str,
        schools: u32,
        sink: Sink,
        hung: Option<(u32, Sink)>,
        database: Option<&Database>,
    ) -> Result<Self> {
        let folder = bed.folder.join(name);
        std::fs::create_dir(&folder)?;
        let provider = Provider::start_on(database, bed.binaries, &folder).await?;
        let admin = claim(&provider, &folder).await?;
        let pid = provider.pid().await?;
        let mut stage =
            Self { pid, provider, others: Vec::new(), admin, sink, schools: Vec::new(), run: name.to_owned() };
        for number in 0..schools {
            let sink = hung.as_ref().filter(|(hanging, _)| number < *hanging).map_or(&stage.sink, |(_, hung)| hung);
            let school = stage.connect(number, sink.url()).await?;
            stage.schools.push(school);
        }
        sleep(SYNC).await;
        Ok(stage)
    }

    async fn connect(&self, number: u32, url: String) -> Result<pb::School> {
        let create = pb::CreateSchoolRequest {
            district: DISTRICT.into(),
            name: format!("School {number}"),
            sourced_id: format!("school-{number}"),
        };
        let school = patient(|| async { self.admin.schools().create_school(create.clone()).await }).await?;
        let connect = pb::ConnectSchoolRequest {
            school: school.id.clone(),
            url,
            own_receiver: true,
            retry: None,
            max_in_flight: CONNECTIONS,
        };
        patient(|| async { self.admin.schools().connect_school(connect.clone()).await }).await?;
        let show = pb::ShowSecretOnceRequest { school: school.id.clone() };
        patient(|| async { self.admin.schools().show_secret_once(show.clone()).await }).await?;
        Ok(school)
    }

    /// Holds every school's deliveries, so that only the ingest is measured.
    pub async fn pause(&self) -> Result<()> {
        for school in &self.schools {
            let request = pb::PauseSchoolRequest { school: school.id.clone(), duration_s: 0 };
            patient(|| async { self.admin.schools().pause_school(request.clone()).await }).await?;
        }
        Ok(())
    }

    /// The student with this number; schools take turns.
    pub fn student(&self, round: &str, number: u64) -> pb::Student {
        let school = &self.schools[(number % self.schools.len() as u64) as usize];
        pb::Student {
            sourced_id: format!("{}-{round}-{number:08}", self.run),
            status: pb::StudentStatus::Active.into(),
            given_name: "Josephine".into(),
            family_name: "Hernández-Nguyễn".into(),
            identifier: Some(format!("{number}")),
            grades: vec!["07".into()],
            email: Some(format!("student.{number}@students.example.org")),
            primary_org_sourced_id: Some(school.sourced_id.clone()),
            school_enrollments: vec![pb::SchoolEnrollment {
                school_sourced_id: school.sourced_id.clone(),
                role_type: "primary".into(),
                begin_date: Some("2026-08-17".into()),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    /// Processor time of all nodes so far, in µs.
    pub async fn cpu_us(&self) -> Result<u64> {
        let mut sum = usage::cpu_us(self.pid)?;
        for (node, _) in &self.others {
            sum += usage::cpu_us(node.pid().await?)?;
        }
        Ok(sum)
    }

    /// The change that makes the student with this number.
    pub fn change(&self, round: &str, number: u64) -> pb::Change {
        pb::Change {
            district: if number == 0 { DISTRICT.into() } else { String::new() },
            tag: number,
            idempotency_key: String::new(),
            act: Some(pb::change::Act::Put(self.student(round, number))),
        }
    }

    /// Streams `total` new students, made before they are sent, each node its share; returns when every one is durable.
    pub async fn stream(&self, round: &str, total: u64) -> Result<()> {
        let admins: Vec<&Admin> =
            std::iter::once(&self.admin).chain(self.others.iter().map(|(_, admin)| admin)).collect();
        let mut shares = vec![Vec::new(); admins.len()];
        for number in 0..total {
            let share = &mut shares[(number * admins.len() as u64 / total) as usize];
            let change = self.change(round, number);
            // A stream's first change names the district.
            let district = if share.is_empty() { DISTRICT.into() } else { String::new() };
            share.push(pb::Change { district, ..change });
        }
        let streams = admins.into_iter().zip(shares).map(|(admin, share)| apply(admin, tokio_stream::iter(share)));
        let acked: u64 = futures::future::try_join_all(streams).await?.into_iter().sum();
        if acked != total {
            bail!("{acked} of {total} changes were acknowledged");
        }
        Ok(())
    }

    /// Streams changes until there are no more; answers how many were acknowledged, which must have been accepted.
    pub async fn stream_changes(&self, changes: impl Stream<Item = pb::Change> + Send + 'static) -> Result<u64> {
        apply(&self.admin, changes).await
    }

    /// Waits until the log has so many attempts in all, which must be deliveries.
    pub async fn until_recorded(&self, total: u64) -> Result<()> {
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            // The log's sequence has no gaps, so its newest row is its length. Counting would cost the provider the time
            // that is measured.
            let mut recorded = 0;
            for school in &self.schools {
                recorded += self.log_length(&school.id).await?;
            }
            if recorded >= total {
                break;
            }
            if recorded != last {
                (last, moved) = (recorded, Instant::now());
            } else if moved.elapsed() > STUCK {
                bail!("only {recorded} of {total} attempts are recorded, and none for {STUCK:?}");
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Fails unless every message is delivered, each at its first try: anything else was not the work that is measured.
    pub async fn check_delivered(&self, total: u64) -> Result<()> {
        let (delivered, attempts) = self.counted().await?;
        if (delivered, attempts) != (total, total) {
            bail!("{delivered} of {total} messages are delivered, by {attempts} attempts");
        }
        Ok(())
    }

    /// Waits until so many messages are delivered, by however many attempts.
    pub async fn until_delivered(&self, total: u64) -> Result<()> {
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            let (delivered, _) = self.counted().await?;
            if delivered >= total {
                return Ok(());
            }
            if delivered != last {
                (last, moved) = (delivered, Instant::now());
            } else if moved.elapsed() > STUCK {
                bail!("only {delivered} of {total} messages are delivered, and none for {STUCK:?}");
            }
            sleep(POLL).await;
        }
    }

    /// Messages delivered and attempts made, over all schools.
    async fn counted(&self) -> Result<(u64, u64)> {
        let schools = self.admin.list_schools().await?;
        let figures = schools.iter().filter_map(|school| school.figures);
        Ok(figures.fold((0, 0), |(delivered, attempts), of| (delivered + of.delivered, attempts + of.attempts)))
    }

    async fn log_length(&self, school: &str) -> Result<u64> {
        let request = pb::ListAttemptsRequest { school: school.into(), page_size: 1, ..Default::default() };
        let newest = patient(|| async { self.admin.log().list_attempts(request.clone()).await }).await?;
        Ok(newest.attempts.first().map_or(0, |attempt| attempt.log_sequence))
    }

    /// kill -9, where a drain would wait for hanging receivers; the data goes.
    pub async fn kill_and_clear(self, folder: &Path) -> Result<()> {
        self.provider.kill().await?;
        Ok(std::fs::remove_dir_all(folder.join(&self.run))?)
    }

    /// A clean stop; the data goes.
    pub async fn clear(self, folder: &Path) -> Result<()> {
        for (node, _) in &self.others {
            node.stop().await?;
        }
        self.provider.stop().await?;
        Ok(std::fs::remove_dir_all(folder.join(&self.run))?)
    }
}

/// Streams changes until there are no more; answers how many were acknowledged, which must have been accepted.
async fn apply(admin: &Admin, changes: impl Stream<Item = pb::Change> + Send + 'static) -> Result<u64> {
    let mut acks = admin.students().apply(changes).await?.into_inner();
    let mut acked = 0;
    while let Some(ack) = acks.message().await? {
        if ack.code != 0 {
            bail!("change {} was refused: {}", ack.tag, ack.error);
        }
        acked += 1;
    }
    Ok(acked)
}
