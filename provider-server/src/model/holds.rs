//! When an import waits for staff before anything is applied. Pure. Additions never count, so a first import runs.

use super::import_run::Counts;

/// Of the students there are, in percent: above it the run is held.
const MAX_DELETED_PERCENT: u64 = 10;
const MAX_CHANGED_PERCENT: u64 = 75;
const MAX_RENUMBERED_PERCENT: u64 = 10;
/// Of the student rows of the file.
const MAX_ERRORS_PERCENT: u64 = 5;

/// What a run would do, measured against what is there now.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Students in use in the district.
    pub students: u64,
    /// Of them, those that would be marked for deletion.
    pub deleted: u64,
    /// Of them, those that would change in any way, deletions included.
    pub changed: u64,
    /// Of them, those that would get another identifier, or come under another sourcedId with their old one.
    pub renumbered: u64,
    /// Student rows in the file.
    pub rows: u64,
    /// Of them, those that were rejected.
    pub error_rows: u64,
    /// The bytes are those of the last run.
    pub same_file: bool,
    /// The file's newest source date is below the newest that was accepted: by so many seconds.
    pub older_by_s: Option<u64>,
    /// Schools with students now.
    pub schools: Vec<SchoolFigures>,
}

/// The same for one school.
#[derive(Clone, Debug, Default)]
pub struct SchoolFigures {
    /// OneRoster's key.
    pub sourced_id: String,
    /// Students there now.
    pub students: u64,
    /// Of them, those that would leave: withdrawn or marked for deletion.
    pub leaving: u64,
    /// Of them, those whose projection would change, leaving included.
    pub changed: u64,
    /// The file holds everything, and nobody at this school.
    pub missing: bool,
}

/// Why a run is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldCode {
    Deletions,
    Changes,
    SchoolMissing,
    Errors,
    Renumbered,
    SameFile,
    OlderFile,
    /// Staff asked to see the plan first.
    Review,
}

impl HoldCode {
    const ALL: [Self; 8] = [
        Self::Deletions,
        Self::Changes,
        Self::SchoolMissing,
        Self::Errors,
        Self::Renumbered,
        Self::SameFile,
        Self::OlderFile,
        Self::Review,
    ];

    /// As stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deletions => "deletions",
            Self::Changes => "changes",
            Self::SchoolMissing => "school_missing",
            Self::Errors => "errors",
            Self::Renumbered => "renumbered",
            Self::SameFile => "same_file",
            Self::OlderFile => "older_file",
            Self::Review => "review",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// One reason to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub code: HoldCode,
    /// In words, with the figure and the threshold.
    pub message: String,
    /// Tenths of a percent, or a count.
    pub figure: u64,
    /// sourcedId of the school; empty where the whole file is meant.
    pub school: String,
}

/// The reasons to hold a run with these figures; none lets it go on.
pub fn holds(figures: &Figures) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut share = |code, part: u64, whole: u64, limit: u64, school: &str, what: &str| {
        if part * 100 > whole * limit {
            let figure = per_mille(part, whole);
            let message = format!(
                "{part} of {whole} {what} ({}.{} %): more than {limit} % needs an approval",
                figure / 10,
                figure % 10
            );
            holds.push(Hold { code, message, figure, school: school.to_owned() });
        }
    };
    let all = figures.students;
    share(HoldCode::Deletions, figures.deleted, all, MAX_DELETED_PERCENT, "", "students would be deleted");
    share(HoldCode::Changes, figures.changed, all, MAX_CHANGED_PERCENT, "", "students would change");
    let renumbered = "students would get another identifier or sourcedId";
    share(HoldCode::Renumbered, figures.renumbered, all, MAX_RENUMBERED_PERCENT, "", renumbered);
    let rejected = "student rows were rejected for an error";
    share(HoldCode::Errors, figures.error_rows, figures.rows, MAX_ERRORS_PERCENT, "", rejected);
    for school in &figures.schools {
        let (id, all) = (school.sourced_id.as_str(), school.students);
        let leaving = "students of the school would leave it";
        share(HoldCode::Deletions, school.leaving, all, MAX_DELETED_PERCENT, id, leaving);
        let changing = "students of the school would change";
        share(HoldCode::Changes, school.changed, all, MAX_CHANGED_PERCENT, id, changing);
    }
    for school in figures.schools.iter().filter(|school| school.missing && school.students > 0) {
        let message = format!("the file has nobody at the school, which has {} students", school.students);
        let (code, figure) = (HoldCode::SchoolMissing, school.students);
        holds.push(Hold { code, message, figure, school: school.sourced_id.clone() });
    }
    if figures.same_file {
        let message = "the file is the same as that of the last run".to_owned();
        holds.push(Hold { code: HoldCode::SameFile, message, figure: 1, school: String::new() });
    }
    if let Some(seconds) = figures.older_by_s {
        let message = format!("the file's newest date is {seconds} s before the newest of an earlier run");
        holds.push(Hold { code: HoldCode::OlderFile, message, figure: seconds, school: String::new() });
    }
    holds
}

/// Holds a run whatever its figures; an approval covers what staff saw, and no more changes than that.
pub fn review(counts: Counts) -> Hold {
    let Counts { created, updated, deleted, .. } = counts;
    let message =
        format!("look at the plan first, as was asked: {created} created, {updated} updated, {deleted} deleted");
    Hold { code: HoldCode::Review, message, figure: counts.changes(), school: String::new() }
}

/// Whether these holds are no worse than those that staff approved.
pub fn covered(now: &[Hold], approved: &[Hold]) -> bool {
    now.iter().all(|hold| {
        approved.iter().any(|seen| seen.code == hold.code && seen.school == hold.school && seen.figure >= hold.figure)
    })
}

fn per_mille(part: u64, whole: u64) -> u64 {
    (part * 1_000).checked_div(whole).unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(figures: &Figures) -> Vec<(HoldCode, u64)> {
        holds(figures).into_iter().map(|hold| (hold.code, hold.figure)).collect()
    }

    #[test]
    fn each_threshold_holds_only_above_it() {
        use HoldCode::*;
        let base = Figures { students: 1_000, rows: 1_000, ..Figures::default() };
        assert_eq!(codes(&base), []);
        assert_eq!(codes(&Figures { deleted: 100, ..base.clone() }), []);
        assert_eq!(codes(&Figures { deleted: 101, ..base.clone() }), [(Deletions, 101)]);
        assert_eq!(codes(&Figures { changed: 750, ..base.clone() }), []);
        assert_eq!(codes(&Figures { changed: 751, ..base.clone() }), [(Changes, 751)]);
        assert_eq!(codes(&Figures { error_rows: 50, ..base.clone() }), []);
        assert_eq!(codes(&Figures { error_rows: 51, ..base.clone() }), [(Errors, 51)]);
        assert_eq!(codes(&Figures { renumbered: 101, ..base.clone() }), [(Renumbered, 101)]);
        assert_eq!(codes(&Figures { same_file: true, ..base.clone() }), [(SameFile, 1)]);
        assert_eq!(codes(&Figures { older_by_s: Some(60), ..base.clone() }), [(OlderFile, 60)]);
        let school = SchoolFigures { sourced_id: "a".into(), students: 10, ..SchoolFigures::default() };
        let with = |school: SchoolFigures| Figures { schools: vec![school], ..base.clone() };
        assert_eq!(codes(&with(SchoolFigures { leaving: 1, ..school.clone() })), []);
        assert_eq!(codes(&with(SchoolFigures { leaving: 2, ..school.clone() })), [(Deletions, 200)]);
        assert_eq!(codes(&with(SchoolFigures { changed: 8, ..school.clone() })), [(Changes, 800)]);
        assert_eq!(codes(&with(SchoolFigures { missing: true, ..school })), [(SchoolMissing, 10)]);
    }

    #[test]
    fn an_approval_covers_the_same_figures_and_no_larger_ones() {
        let figures = |deleted| Figures { students: 100, deleted, ..Figures::default() };
        let approved = holds(&figures(20));
        assert!(covered(&holds(&figures(20)), &approved));
        assert!(covered(&holds(&figures(11)), &approved));
        assert!(!covered(&holds(&figures(21)), &approved), "it grew");
        assert!(!covered(&holds(&Figures { same_file: true, ..figures(20) }), &approved), "a new reason");
    }

    #[test]
    fn a_review_holds_even_where_nothing_changes_and_again_where_more_does() {
        let of = |created| vec![review(Counts { created, ..Counts::default() })];
        assert!(!covered(&of(0), &[]));
        assert!(covered(&of(3), &of(3)) && covered(&of(2), &of(3)));
        assert!(!covered(&of(4), &of(3)), "staff saw less");
    }

    proptest! {
        #[test]
        fn a_first_import_without_errors_is_never_held(rows: u32) {
            prop_assert_eq!(codes(&Figures { rows: rows.into(), ..Figures::default() }), []);
        }
    }
}
