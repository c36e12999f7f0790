//! Planning: what a staged run would do against the state as it is now, and whether it is held. Nothing is applied.

use std::collections::HashMap;

use rollcall_proto::id::RunId;

use super::{Imports, tally::Tally};
use crate::{
    model::{
        change::{ChangeRequest, next},
        holds::{covered, holds},
        source_row::SourceRules,
        student::{Status, Student},
    },
    store::{
        Store, StoreError,
        imports::{
            self, Detail, Run, SchoolCounts,
            applying::{act, refused_row},
            planning::{self, SchoolNow, StagedRecord},
            problems::Refused,
            staging,
        },
    },
};

const PAGE: usize = 1_024;
/// Refused rows that are listed.
const MAX_REFUSED: usize = 1_000;

/// Plans a run, and holds it or lets it be applied.
pub async fn plan(imports: &Imports, id: RunId) -> Result<(), StoreError> {
    let store = &imports.0.store;
    let run = imports::get(&mut store.reader().await?, id).await?;
    // An earlier plan may have been cut short, or was held and approved.
    loop {
        let again = run.clone();
        if !store.act(move |tx| Box::pin(async move { staging::unstage_deletions(tx, &again).await })).await? {
            break;
        }
    }
    let mut planner = Planner::new(store, run).await?;
    planner.take_staged(imports).await?;
    if planner.run.deletes_absent() {
        planner.take_absent(imports).await?;
    }
    planner.decide(imports).await
}

struct Planner<'a> {
    store: &'a Store,
    run: Run,
    rules: SourceRules,
    tally: Tally,
    refused: Vec<Refused>,
    refused_rows: u64,
    /// Schools of the file, by sourcedId.
    school_names: HashMap<String, String>,
}

impl<'a> Planner<'a> {
    async fn new(store: &'a Store, run: Run) -> Result<Self, StoreError> {
        let rules = run.rules(imports::birth_date_allowed(&mut store.reader().await?, run.district).await?);
        let (tally, refused, school_names) = (Tally::default(), Vec::new(), HashMap::new());
        Ok(Self { store, run, rules, tally, refused, refused_rows: 0, school_names })
    }

    async fn take_staged(&mut self, imports: &Imports) -> Result<(), StoreError> {
        let key = planning::key(&mut self.store.reader().await?, self.store.shared(), self.run.district).await?;
        let mut after = 0;
        loop {
            // A reader is given back between pages, so that others get one too.
            let page = planning::page(&mut self.store.reader().await?, &key, &self.run, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            page.into_iter().for_each(|row| self.take_row(row));
            stop_if_asked(imports)?;
        }
    }

    fn take_row(&mut self, row: StagedRecord) {
        let StagedRecord { sourced_id, line, staged, current, .. } = row;
        let staged = match staged {
            staging::Staged::School(name) => {
                self.school_names.insert(sourced_id, name);
                return;
            }
            staging::Staged::Rejected => return,
            staged => staged,
        };
        let before = current.map(|(_, student)| student);
        let kept = before.as_ref().filter(|student| student.status == Status::Active);
        let Some(act) = act(staged, before.as_ref(), self.rules, self.run.without_deletions) else {
            if let Some(student) = kept {
                self.tally.keep(student);
            }
            return;
        };
        let request = ChangeRequest {
            district: self.run.district,
            sourced_id: sourced_id.clone(),
            act,
            expected_version: None,
            idempotency: None,
            line: Some(line),
        };
        match next(before.as_ref(), request, self.rules.birth_date_allowed) {
            Ok(after) if before.as_ref() == Some(&after) => self.tally.keep(&after),
            Ok(after) => self.tally.change(before.as_ref(), &after),
            Err(refusal) => {
                self.refused_rows += 1;
                if self.refused.len() < MAX_REFUSED {
                    self.refused.push(refused_row(sourced_id, line, &refusal));
                }
            }
        }
    }

    async fn take_absent(&mut self, imports: &Imports) -> Result<(), StoreError> {
        let (id, mut number, mut after) = (self.run.id, self.run.detail.staged + 1, String::new());
        loop {
            let page = planning::absent(&mut self.store.reader().await?, &self.run, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.sourced_id);
            for student in &page {
                self.tally.change(Some(student), &Student { status: Status::ToBeDeleted, ..student.clone() });
            }
            let first = number;
            number += page.len() as u64;
            let ids = page.into_iter().map(|student| student.sourced_id).collect();
            self.store.act(move |tx| Box::pin(staging::stage_deletions(tx, id, first, ids))).await?;
            stop_if_asked(imports)?;
        }
    }

    async fn decide(self, imports: &Imports) -> Result<(), StoreError> {
        let Self { store, run, tally, refused, refused_rows, school_names, .. } = self;
        let (schools, students, earlier) = {
            let mut conn = store.reader().await?;
            let schools = planning::schools(&mut conn, run.district).await?;
            (schools, planning::students(&mut conn, run.district).await?, planning::earlier(&mut conn, &run).await?)
        };
        let now = schools.iter().map(|(sourced_id, school)| (sourced_id.clone(), school.students));
        let mut figures = tally.figures(run.kind == "bulk", students, now);
        figures.rows = run.detail.student_rows;
        figures.error_rows = run.detail.rejected_in_file() + refused_rows;
        figures.same_file = earlier.same_file;
        figures.older_by_s = match (run.newest_source_ms, earlier.newest_source_ms) {
            (Some(this), Some(newest)) if this < newest => Some(((newest - this) as u64).div_ceil(1_000)),
            _ => None,
        };
        let mut holds = holds(&figures);
        if covered(&holds, &run.detail.approved()) {
            holds.clear();
        }
        let id = run.id;
        let detail = detail(run.detail, &tally, refused_rows, &schools, &school_names);
        store.act(move |tx| Box::pin(planning::decide(tx, id, detail, holds, refused))).await?;
        imports.moved();
        Ok(())
    }
}

fn detail(
    mut detail: Detail,
    tally: &Tally,
    refused_rows: u64,
    schools: &HashMap<String, SchoolNow>,
    school_names: &HashMap<String, String>,
) -> Detail {
    detail.set_refused(refused_rows);
    let counts = &mut detail.counts;
    (counts.created, counts.updated) = (tally.created, tally.updated);
    (counts.deleted, counts.unchanged) = (tally.deleted, tally.unchanged);
    let name = |sourced_id: &String| {
        let known = schools.get(sourced_id).map(|school| &school.name);
        known.or_else(|| school_names.get(sourced_id)).cloned().unwrap_or_default()
    };
    let counts = |(sourced_id, at): (&String, &super::tally::AtSchool)| SchoolCounts {
        sourced_id: sourced_id.clone(),
        name: name(sourced_id),
        created: at.created,
        updated: at.updated,
        deleted: at.deleted,
        unchanged: at.unchanged,
    };
    detail.schools = tally.schools.iter().map(counts).collect();
    detail.schools.sort_by(|a, b| a.sourced_id.cmp(&b.sourced_id));
    detail
}

fn stop_if_asked(imports: &Imports) -> Result<(), StoreError> {
    if imports.0.stopping.is_cancelled() { Err(StoreError::Stopping) } else { Ok(()) }
}
