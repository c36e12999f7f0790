//! What must be true at the end, each a sentence that is checked against both sides, the ledger and the model.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use rollcall_proto::provider::v1 as pb;
use serde::Serialize;

use super::{
    Db, NAME,
    ledger::Intent,
    model::{Pupil, marker},
};
use crate::{
    admin::{Admin, ctl, patient},
    demo::{DISTRICT, DemoSchool},
    provider::Provider,
};

/// Students that are asked about at the same time.
const AT_ONCE: usize = 16;

/// The figures of a soak: all of them where it kept every promise. Of another one those that were known when it broke one;
/// the others are null.
#[derive(Default, Serialize)]
pub struct Verdict {
    pub database: Db,
    pub seed: u64,
    pub kills: Option<u32>,
    pub kills_by_place: Option<BTreeMap<String, u32>>,
    pub intended: Option<usize>,
    pub acknowledged: Option<usize>,
    pub abandoned: Option<usize>,
    /// Versions in the provider's history.
    pub applied: Option<usize>,
    pub events: Option<u64>,
    pub delivered: Option<u64>,
    pub superseded: Option<u64>,
    pub retried: Option<u64>,
    pub ever_parked: Option<u64>,
    /// Messages that a school got more than once.
    pub duplicates: Option<u64>,
    /// Kills × messages in flight.
    pub duplicates_allowed: Option<u64>,
    pub schools_equal: Option<usize>,
    /// What was not as it must be.
    pub broken: Option<String>,
}

/// acknowledged ⊆ applied ⊆ intended, and versions only rise by one. Answers the versions in the history.
pub async fn history(admin: &Admin, intents: &[Intent], pupils: &[Pupil]) -> Result<usize> {
    let mut by_student: HashMap<&str, Vec<&Intent>> = HashMap::new();
    for intent in intents {
        by_student.entry(&intent.student).or_default().push(intent);
    }
    let none = Vec::new();
    let counts: Vec<usize> = futures::stream::iter(pupils)
        .map(|pupil| {
            let own = by_student.get(pupil.sourced_id.as_str()).unwrap_or(&none);
            async move { student_history(admin, pupil, own).await.with_context(|| pupil.sourced_id.clone()) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(counts.into_iter().sum())
}

async fn student_history(admin: &Admin, pupil: &Pupil, intents: &[&Intent]) -> Result<usize> {
    let request = pb::ListStudentVersionsRequest { district: DISTRICT.into(), sourced_id: pupil.sourced_id.clone() };
    let versions = patient(|| async { admin.students().list_student_versions(request.clone()).await }).await?.versions;
    let mut found: BTreeMap<u64, &pb::Student> = BTreeMap::new();
    for version in &versions {
        let student = version.student.as_ref().context("a version has its record")?;
        ensure!(found.insert(student.version, student).is_none(), "version {} stands twice", student.version);
    }
    let newest = found.keys().next_back().copied().unwrap_or(0);
    ensure!(found.len() as u64 == newest, "{} versions, but the newest is {newest}", found.len());
    let (mut last, allowed) = (0, intents.iter().filter(|i| i.act == "put").map(|i| marker(i.number)));
    let allowed: BTreeSet<String> = allowed.collect();
    for intent in intents {
        let Some(version) = intent.version else { continue };
        ensure!(version >= last, "{} was acknowledged as version {version} after {last}", intent.number);
        last = version;
        let student = found.get(&version).with_context(|| format!("{} was acknowledged and is lost", intent.number))?;
        let named = student.preferred_given_name.as_deref();
        ensure!(
            intent.act != "put" || named == Some(&marker(intent.number)),
            "version {version} is not what {} put",
            intent.number
        );
    }
    for student in found.values() {
        let Some(name) = student.preferred_given_name.as_deref().filter(|name| name.starts_with(NAME)) else {
            continue;
        };
        ensure!(allowed.contains(name), "version {} was put by nobody", student.version);
    }
    // The first version came by the import.
    ensure!(found.len() <= intents.len() + 1, "{} versions of {} intents", found.len(), intents.len());
    Ok(found.len())
}

/// What both sides export is the same, byte by byte, and it is what the model says.
pub async fn rosters(provider: &Provider, schools: &[DemoSchool], pupils: &[Pupil]) -> Result<usize> {
    for school in schools {
        let reason = "the soak's comparison";
        let ours = ctl(provider, &["roster", "export", "--school", &school.id, "--reason", reason]).await?;
        let theirs = school.receiver.roster().await?;
        ensure!(ours == theirs, "{}: the exports differ, {} and {} bytes", school.name, ours.len(), theirs.len());
        let mut held: BTreeMap<String, Option<String>> = BTreeMap::new();
        for line in ours.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let student: serde_json::Value = serde_json::from_slice(line)?;
            let text = |key: &str| student[key].as_str().map(str::to_owned);
            held.insert(text("sourcedId").context("a sourcedId")?, text("preferredGivenName"));
        }
        let expected = pupils.iter().filter(|pupil| !pupil.deleted && pupil.at.contains(&school.sourced_id));
        let expected: BTreeMap<String, &Pupil> = expected.map(|pupil| (pupil.sourced_id.clone(), pupil)).collect();
        ensure!(
            held.keys().eq(expected.keys()),
            "{}: {} students, but the model has {}",
            school.name,
            held.len(),
            expected.len()
        );
        for (sourced_id, pupil) in expected {
            let named = held[&sourced_id].as_deref();
            let right = if pupil.named == 0 {
                named.is_none_or(|n| !n.starts_with(NAME))
            } else {
                named == Some(&marker(pupil.named))
            };
            ensure!(right, "{}: {sourced_id} is not as it was put last", school.name);
        }
    }
    Ok(schools.len())
}

/// Every delivery rests in a final state with its reason, and all of them make up the sequence.
pub async fn deliveries(admin: &Admin, schools: &[DemoSchool]) -> Result<pb::DeliveryFigures> {
    let mut sum = pb::DeliveryFigures::default();
    for school in schools {
        let state = admin.get_school(&school.id).await?;
        let figures = state.figures.unwrap_or_default();
        let open = figures.pending + figures.parked + figures.held;
        ensure!(open == 0, "{}: {open} messages are not settled", school.name);
        let settled = figures.delivered + figures.superseded + figures.discarded + figures.erased;
        ensure!(settled == state.head_sequence, "{}: {settled} of {}", school.name, state.head_sequence);
        sum.delivered += figures.delivered;
        sum.superseded += figures.superseded;
        sum.attempts += figures.attempts;
        sum.retried += figures.retried;
        sum.ever_parked += figures.ever_parked;
    }
    Ok(sum)
}

/// Messages that arrived more than once.
pub async fn duplicates(schools: &[DemoSchool]) -> Result<u64> {
    let mut count = 0;
    for school in schools {
        count += school.receiver.duplicates().await?;
    }
    Ok(count)
}

/// None of these texts stands in any file of the folder: what must never be written is not in the database, its log, or
/// anything else.
pub fn absent(folder: &Path, canaries: &[(&str, Vec<u8>)], only_logs: bool) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            absent(&path, canaries, only_logs)?;
        }
        // A socket cannot be read.
        if !kind.is_file() {
            continue;
        }
        if only_logs && path.extension().is_none_or(|ending| ending != "log") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        for (name, canary) in canaries {
            if bytes.windows(canary.len()).any(|window| window == canary) {
                bail!("{name} stands in {}", path.display());
            }
        }
    }
    Ok(())
}
