//! How a task ends, beside 0 and 1 (a check failed): by the exit codes of all of our programs.

use std::fmt;

/// The command line cannot be meant.
pub const USAGE: u8 = 2;
/// Something of ours, or of the machine, did not build, start or install.
pub const INTERNAL: u8 = 70;
/// A file or folder that must be set right first.
pub const CONFIG: u8 = 78;

/// An error that is no failed check.
#[derive(Debug)]
struct Coded {
    code: u8,
    error: anyhow::Error,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Coded {}

/// Gives an error its code; for `map_err`.
pub fn with(code: u8) -> impl FnOnce(anyhow::Error) -> anyhow::Error {
    move |error| Coded { code, error }.into()
}

/// What the program ends with.
pub fn code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Coded>().map_or(1, |coded| coded.code)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn an_error_keeps_its_code_and_its_words_below_others() {
        let inner = Err::<(), _>(anyhow!("no such file")).context("--roster x").map_err(with(USAGE));
        let error = inner.context("seed 7").expect_err("an error");
        assert_eq!((code(&error), format!("{error:#}").as_str()), (2, "seed 7: --roster x: no such file"));
        assert_eq!(code(&anyhow!("the rosters differ")), 1);
    }
}
