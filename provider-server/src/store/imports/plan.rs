//! What a run would do, as it is kept with the run: figures, reasons to wait, and how its file is to be taken. Never a
//! personal value.

use serde::{Deserialize, Serialize};

use crate::{
    model::{
        holds::{Hold, HoldCode},
        import_run::Counts,
        source_row::SourceRules,
    },
    store::StoreError,
};

/// See the module.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Plan {
    pub counts: Counts,
    /// Student rows that were skipped for an error.
    pub rejected: u64,
    pub warnings: u64,
    pub errors: u64,
    pub schools_created: u64,
    pub schools: Vec<SchoolPlan>,
    pub holds: Vec<Hold>,
    /// What staff approved.
    pub approved: Vec<Hold>,
    /// SHA-256 of the zip.
    pub sha256: Vec<u8>,
    pub newest_source_ms: Option<i64>,
    pub source: SourceFacts,
}

/// The same for one school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SchoolPlan {
    pub sourced_id: String,
    pub name: String,
    pub counts: Counts,
}

/// How the file is to be taken.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Everything about students is in it.
    pub bulk: bool,
    /// Its birth dates were read.
    pub birth_dates_read: bool,
    /// Rows were hidden by errors.
    pub absence_proves_nothing: bool,
    /// The file says something of students.
    pub students: bool,
}

impl SourceFacts {
    /// With what the district keeps.
    pub fn rules(self, birth_date_allowed: bool) -> SourceRules {
        SourceRules {
            birth_date_allowed,
            birth_dates_read: self.birth_dates_read,
            bulk: self.bulk,
            absence_proves_nothing: self.absence_proves_nothing,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Doc {
    counts: [u64; 4],
    rejected: u64,
    warnings: u64,
    errors: u64,
    schools_created: u64,
    schools: Vec<(String, String, [u64; 4])>,
    holds: Vec<HoldDoc>,
    approved: Vec<HoldDoc>,
    sha256: String,
    newest_source_ms: Option<i64>,
    source: SourceFacts,
}

#[derive(Serialize, Deserialize)]
struct HoldDoc {
    code: String,
    message: String,
    figure: u64,
    school: String,
}

fn numbers(counts: Counts) -> [u64; 4] {
    [counts.created, counts.updated, counts.deleted, counts.unchanged]
}

fn counts([created, updated, deleted, unchanged]: [u64; 4]) -> Counts {
    Counts { created, updated, deleted, unchanged }
}

fn docs(holds: &[Hold]) -> Vec<HoldDoc> {
    let doc = |hold: &Hold| HoldDoc {
        code: hold.code.as_str().into(),
        message: hold.message.clone(),
        figure: hold.figure,
        school: hold.school.clone(),
    };
    holds.iter().map(doc).collect()
}

fn holds(docs: Vec<HoldDoc>) -> Option<Vec<Hold>> {
    let hold = |doc: HoldDoc| {
        let code = HoldCode::parse(&doc.code)?;
        Some(Hold { code, message: doc.message, figure: doc.figure, school: doc.school })
    };
    docs.into_iter().map(hold).collect()
}

impl Plan {
    /// The text that is kept.
    pub fn write(&self) -> String {
        let doc = Doc {
            counts: numbers(self.counts),
            rejected: self.rejected,
            warnings: self.warnings,
            errors: self.errors,
            schools_created: self.schools_created,
            schools: self.schools.iter().map(|s| (s.sourced_id.clone(), s.name.clone(), numbers(s.counts))).collect(),
            holds: docs(&self.holds),
            approved: docs(&self.approved),
            sha256: hex::encode(&self.sha256),
            newest_source_ms: self.newest_source_ms,
            source: self.source,
        };
        serde_json::to_string(&doc).expect("plain figures have a JSON form")
    }

    /// From a text that [`write`](Self::write) made, or `{}`.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt("the figures of an import run are unreadable");
        let doc: Doc = serde_json::from_str(text).map_err(|_| corrupt())?;
        let school = |(sourced_id, name, numbers)| SchoolPlan { sourced_id, name, counts: counts(numbers) };
        Ok(Self {
            counts: counts(doc.counts),
            rejected: doc.rejected,
            warnings: doc.warnings,
            errors: doc.errors,
            schools_created: doc.schools_created,
            schools: doc.schools.into_iter().map(school).collect(),
            holds: holds(doc.holds).ok_or_else(corrupt)?,
            approved: holds(doc.approved).ok_or_else(corrupt)?,
            sha256: hex::decode(&doc.sha256).map_err(|_| corrupt())?,
            newest_source_ms: doc.newest_source_ms,
            source: doc.source,
        })
    }
}
