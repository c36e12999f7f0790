//! The demo's folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use crate::{exit, progress::Progress};

/// Databases, keys and logs.
pub struct Workspace {
    path: PathBuf,
    /// Removes it at the end; None where the caller named it.
    temporary: Option<tempfile::TempDir>,
}

impl Workspace {
    /// The chosen folder, which must be empty, or a temporary one.
    pub fn open(chosen: Option<&Path>) -> Result<Self> {
        let Some(path) = chosen else {
            let folder = tempfile::Builder::new().prefix("rollcall-demo-").tempdir()?;
            return Ok(Self { path: folder.path().to_owned(), temporary: Some(folder) });
        };
        std::fs::create_dir_all(path)
            .with_context(|| format!("cannot make {}", path.display()))
            .map_err(exit::with(exit::CONFIG))?;
        if std::fs::read_dir(path)?.next().is_some() {
            let path = path.display();
            let error = anyhow!("--data-dir {path}: not empty; the demo starts from nothing, choose an empty folder");
            return Err(exit::with(exit::USAGE)(error));
        }
        Ok(Self { path: path.canonicalize()?, temporary: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For who looks into what went wrong.
    pub fn keep(self, progress: &Progress) {
        if let Some(folder) = self.temporary {
            progress.step(format!("data and logs stay in {}", folder.keep().display()));
        }
    }

    /// All went well: a temporary one goes.
    pub fn close(self) {
        if let Some(folder) = self.temporary
            && let Err(error) = folder.close()
        {
            eprintln!("the temporary folder stays: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_empty_is_a_usage_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let chosen = folder.path().join("demo");
        Workspace::open(Some(&chosen)).expect("made").close();
        std::fs::write(chosen.join("old"), "").expect("written");
        let error = Workspace::open(Some(&chosen)).err().expect("refused");
        assert_eq!(exit::code(&error), 2, "{error:#}");
        let error = Workspace::open(Some(&chosen.join("old"))).err().expect("refused");
        assert_eq!(exit::code(&error), 78, "{error:#}");
    }
}
