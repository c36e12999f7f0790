//! What the driver meant to do and what it was told is done, on disk before it counts: an oracle that forgets with the
//! system under test proves nothing.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use serde::Serialize;

/// One change that was to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Intent {
    /// Its number, from 1 over the whole soak.
    pub number: u64,
    /// sourcedId
    pub student: String,
    /// put, enroll, withdraw, transfer or delete
    pub act: &'static str,
    /// The version that the provider acknowledged; none where no answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The connection was lost before the answer, and the change was not repeated: it may stand or not.
    pub abandoned: bool,
}

/// All intents, in memory and in a file that is fsynced before they are acted on.
pub struct Ledger {
    file: File,
    intents: Vec<Intent>,
}

impl Ledger {
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(path);
        Ok(Self { file: file.with_context(|| format!("cannot write {}", path.display()))?, intents: Vec::new() })
    }

    /// Notes intents durably; answers the number of the first.
    pub fn intend(&mut self, planned: impl IntoIterator<Item = (String, &'static str)>) -> Result<u64> {
        let first = self.intents.len() as u64 + 1;
        let mut lines = Vec::new();
        for (number, (student, act)) in (first..).zip(planned) {
            let intent = Intent { number, student, act, version: None, abandoned: false };
            serde_json::to_writer(&mut lines, &intent)?;
            lines.push(b'\n');
            self.intents.push(intent);
        }
        self.append(&lines)?;
        Ok(first)
    }

    /// Notes what the provider answered durably.
    pub fn acknowledge(&mut self, acks: &[(u64, u64)]) -> Result<()> {
        self.settle(acks.iter().map(|&(number, version)| (number, Some(version))))
    }

    /// Notes intents that will not be repeated.
    pub fn abandon(&mut self, numbers: &[u64]) -> Result<()> {
        self.settle(numbers.iter().map(|&number| (number, None)))
    }

    fn settle(&mut self, outcomes: impl Iterator<Item = (u64, Option<u64>)>) -> Result<()> {
        let mut lines = Vec::new();
        for (number, version) in outcomes {
            let intent = &mut self.intents[number as usize - 1];
            (intent.version, intent.abandoned) = (version, version.is_none());
            serde_json::to_writer(&mut lines, intent)?;
            lines.push(b'\n');
        }
        self.append(&lines)
    }

    fn append(&mut self, lines: &[u8]) -> Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data().context("the ledger cannot be made durable")
    }

    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }
}
