//! What a staged run would do, against what is there now, and whether staff must decide.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use rollcall_proto::webhook::event::EventType;

use crate::{
    model::{
        change::{self, ChangeRequest},
        holds::{Figures, SchoolFigures, covered, holds, review},
        import_run::Counts,
        planned_change::{ChangeKind, schools_of},
        projection::school_change,
        student::{Status, Student},
    },
    oneroster::Problem,
    store::{
        Store, StoreError,
        imports::{
            self, Run,
            applying::{act, refused_row},
            plan::{Plan, SchoolPlan},
            staging::{self, Staged, StagedRow},
            surroundings::{self, SchoolNow, Surroundings},
        },
    },
};

/// Rows looked at together.
const PAGE: i64 = 1_000;
/// Refused rows that are listed; all are counted.
const MAX_REFUSED: u64 = 10_000;

/// Plans a run: it is held, or goes on to be applied. Answers whether it goes on.
pub async fn plan(store: &Store, run: Run) -> Result<bool, StoreError> {
    stage_absent(store, &run).await?;
    let mut planner = Planner::new(surroundings::read(&mut store.reader().await?, run.district).await?);
    let key = staging::key(&mut store.reader().await?, store.shared(), run.district).await?;
    let mut after = 0;
    loop {
        let mut conn = store.reader().await?;
        let rows = staging::page(&mut conn, &key, run.id, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.number;
        let known = staging::students(&mut conn, run.district, rows.iter().map(|row| row.sourced_id.as_str())).await?;
        drop(conn);
        rows.into_iter().for_each(|row| planner.take(&run, known.get(&row.sourced_id), row));
    }
    let (same_file, older_by_s) = surroundings::compare_with_earlier(&mut store.reader().await?, &run).await?;
    let (refused, figures, plan) = planner.finish(&run, same_file, older_by_s);
    let mut holds = holds(&figures);
    if run.review {
        holds.push(review(plan.counts));
    }
    let plan = Plan { holds, ..plan };
    let hold = !covered(&plan.holds, &plan.approved);
    let planned = store.act(move |tx| Box::pin(async move { imports::planned(tx, &run, &plan, refused, hold).await }));
    Ok(planned.await? && !hold)
}

/// Who is in use and absent from a whole file is staged for deletion, unless hidden rows make absence meaningless.
async fn stage_absent(store: &Store, run: &Run) -> Result<(), StoreError> {
    let (id, source) = (run.id, run.plan.source);
    while store.act(move |tx| Box::pin(staging::forget_absent(tx, id))).await? {}
    if !source.bulk || !source.students || source.absence_proves_nothing {
        return Ok(());
    }
    let mut after = String::new();
    loop {
        // Looked for beside the writer: in a large district nearly everybody is passed over.
        let ids = staging::absent(&mut store.reader().await?, run, &after).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after.clone_from(last);
        let run = run.clone();
        if !store.act(move |tx| Box::pin(async move { staging::add_absent(tx, &run, ids).await })).await? {
            return Ok(());
        }
    }
}

struct Planner {
    now: Surroundings,
    counts: Counts,
    /// Rows that the record's own rules refuse, and those of them that are listed.
    refused_rows: u64,
    refused: Vec<Problem>,
    schools: BTreeMap<String, Counts>,
    schools_created: u64,
    /// Names by sourcedId.
    new_schools: BTreeMap<String, String>,
    renumbered: u64,
    /// Hashes of the identifiers of created students: one who is deleted and had one of them was renumbered.
    hasher: RandomState,
    new_identifiers: HashSet<u64>,
}

impl Planner {
    fn new(now: Surroundings) -> Self {
        Self {
            now,
            counts: Counts::default(),
            refused_rows: 0,
            refused: Vec::new(),
            schools: BTreeMap::new(),
            schools_created: 0,
            new_schools: BTreeMap::new(),
            renumbered: 0,
            hasher: RandomState::new(),
            new_identifiers: HashSet::new(),
        }
    }

    fn take(&mut self, run: &Run, current: Option<&Student>, row: StagedRow) {
        if let Staged::School(name) = row.what {
            if !self.now.schools.contains_key(&row.sourced_id) {
                self.schools_created += 1;
                self.new_schools.insert(row.sourced_id, name);
            }
            return;
        }
        let Some(act) = act(run, current, row.what, self.now.birth_date) else { return self.keep(current) };
        let request = ChangeRequest {
            district: run.district,
            sourced_id: row.sourced_id.clone(),
            act,
            expected_version: None,
            idempotency: None,
            line: None,
        };
        match change::next(current, request, self.now.birth_date) {
            Err(refusal) => {
                self.refused_rows += 1;
                if self.refused_rows <= MAX_REFUSED {
                    self.refused.push(refused_row(row.sourced_id, row.line, &refusal));
                }
            }
            Ok(after) if current == Some(&after) => self.keep(current),
            Ok(after) => self.change(current, &after),
        }
    }

    /// The record stays as it is.
    fn keep(&mut self, current: Option<&Student>) {
        let Some(student) = current.filter(|student| student.status == Status::Active) else { return };
        self.counts.unchanged += 1;
        for school in student.current_schools() {
            self.schools.entry(school.to_owned()).or_default().unchanged += 1;
        }
    }

    fn change(&mut self, before: Option<&Student>, after: &Student) {
        let in_use = before.filter(|student| student.status == Status::Active);
        match ChangeKind::of(before, after) {
            ChangeKind::Created => self.counts.created += 1,
            ChangeKind::Deleted => self.counts.deleted += 1,
            ChangeKind::Updated => self.counts.updated += 1,
        }
        let old = in_use.and_then(|student| student.fields.identifier.as_ref());
        let new = after.fields.identifier.as_ref();
        match (old, new, in_use.is_some(), after.status) {
            (None, Some(new), false, Status::Active) => {
                self.new_identifiers.insert(self.hasher.hash_one(new));
            }
            (Some(old), _, _, Status::ToBeDeleted) => {
                self.renumbered += u64::from(self.new_identifiers.contains(&self.hasher.hash_one(old)));
            }
            (Some(old), Some(new), ..) => self.renumbered += u64::from(old != new),
            _ => {}
        }
        for school in schools_of(before, after) {
            let counts = self.schools.entry(school.to_owned()).or_default();
            match school_change(before, after, school).map(|change| change.event_type) {
                None => counts.unchanged += 1,
                Some(EventType::StudentUpdated) => counts.updated += 1,
                Some(event) if event.ends_access() => counts.deleted += 1,
                Some(_) => counts.created += 1,
            }
        }
    }

    fn finish(self, run: &Run, same_file: bool, older_by_s: Option<u64>) -> (Vec<Problem>, Figures, Plan) {
        let facts = &run.plan;
        // An approved run was planned before, and counts what was refused then.
        let refused = self.refused_rows;
        let rejected = facts.rejected - facts.refused.min(facts.rejected) + refused;
        let errors = facts.errors - facts.refused.min(facts.errors) + refused;
        let school = |(sourced_id, now): (&String, &SchoolNow)| {
            let counts = self.schools.get(sourced_id).copied().unwrap_or_default();
            // Whoever is in a rejected row neither leaves nor stays in the file, and is not absent.
            let emptied = counts.deleted > 0 && counts.deleted >= now.students && counts.created == 0;
            SchoolFigures {
                sourced_id: sourced_id.clone(),
                students: now.students,
                leaving: counts.deleted,
                changed: counts.updated + counts.deleted,
                missing: facts.source.bulk && facts.source.students && emptied,
            }
        };
        let mut schools: Vec<SchoolFigures> = self.now.schools.iter().map(school).collect();
        schools.sort_unstable_by(|a, b| a.sourced_id.cmp(&b.sourced_id));
        let figures = Figures {
            students: self.now.students,
            deleted: self.counts.deleted,
            changed: self.counts.updated + self.counts.deleted,
            renumbered: self.renumbered,
            rows: self.counts.created + self.counts.updated + self.counts.unchanged + rejected,
            error_rows: rejected,
            same_file,
            older_by_s,
            schools,
        };
        let schools = self.schools.into_iter().map(|(sourced_id, counts)| {
            let name = self.now.schools.get(&sourced_id).map(|now| &now.name);
            let name = name.or_else(|| self.new_schools.get(&sourced_id)).cloned().unwrap_or_default();
            SchoolPlan { sourced_id, name, counts }
        });
        let plan = Plan {
            counts: self.counts,
            rejected,
            refused,
            errors,
            schools_created: self.schools_created,
            schools: schools.collect(),
            ..facts.clone()
        };
        (self.refused, figures, plan)
    }
}
