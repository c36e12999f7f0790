//! Counts what a run would do. Pure.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use rollcall_proto::webhook::event::EventType;

use crate::model::{
    holds::{Figures, SchoolFigures},
    projection::school_change,
    student::{Status, Student},
};

/// What would happen at one school.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtSchool {
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
}

/// See the module.
#[derive(Default)]
pub struct Tally {
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
    /// Updated students who were in use before: those who come back are no loss.
    changed: u64,
    renumbered: u64,
    pub schools: HashMap<String, AtSchool>,
    /// Identifiers of new students and of deleted ones, as hashes.
    new_identifiers: HashSet<u64>,
    old_identifiers: HashSet<u64>,
    hasher: RandomState,
}

impl Tally {
    /// A record that stays as it is.
    pub fn keep(&mut self, student: &Student) {
        self.unchanged += 1;
        for school in student.current_schools() {
            self.at(school).unchanged += 1;
        }
    }

    /// A record that would change.
    pub fn change(&mut self, before: Option<&Student>, after: &Student) {
        let was_in_use = before.is_some_and(|before| before.status == Status::Active);
        let identifier = |student: &Student| student.fields.identifier.as_ref().map(|text| self.hasher.hash_one(text));
        match before {
            None => {
                self.created += 1;
                let new = identifier(after);
                self.new_identifiers.extend(new);
            }
            Some(before) if after.status == Status::ToBeDeleted => {
                self.deleted += 1;
                let old = identifier(before);
                self.old_identifiers.extend(old);
            }
            Some(before) => {
                self.updated += 1;
                self.changed += u64::from(was_in_use);
                let (old, new) = (&before.fields.identifier, &after.fields.identifier);
                self.renumbered += u64::from(was_in_use && old.is_some() && new.is_some() && old != new);
            }
        }
        let mut schools: Vec<&str> = after.current_schools();
        for school in before.map(Student::current_schools).unwrap_or_default() {
            if !schools.contains(&school) {
                schools.push(school);
            }
        }
        for school in schools {
            let change = school_change(before, after, school).map(|change| change.event_type);
            let at = self.at(school);
            match change {
                None => at.unchanged += 1,
                Some(EventType::StudentUpdated) => at.updated += 1,
                Some(kind) if kind.ends_access() => at.deleted += 1,
                Some(_) => at.created += 1,
            }
        }
    }

    fn at(&mut self, school: &str) -> &mut AtSchool {
        if !self.schools.contains_key(school) {
            self.schools.insert(school.to_owned(), AtSchool::default());
        }
        self.schools.get_mut(school).expect("inserted above")
    }

    /// The figures that holds are made of, but for those of the file. `bulk`: the file holds everything. `now`: students
    /// in use, and at each school.
    pub fn figures(&self, bulk: bool, students: u64, now: impl IntoIterator<Item = (String, u64)>) -> Figures {
        let moved = self.new_identifiers.intersection(&self.old_identifiers).count() as u64;
        let at_school = |(sourced_id, students): (String, u64)| {
            let at = self.schools.get(&sourced_id).copied().unwrap_or_default();
            let (leaving, changed) = (at.deleted, at.deleted + at.updated);
            let missing = bulk && leaving > 0 && leaving >= students && at.created == 0;
            SchoolFigures { sourced_id, students, leaving, changed, missing }
        };
        let mut schools: Vec<SchoolFigures> = now.into_iter().map(at_school).collect();
        schools.sort_by(|a, b| a.sourced_id.cmp(&b.sourced_id));
        Figures {
            students,
            deleted: self.deleted,
            changed: self.changed + self.deleted,
            renumbered: self.renumbered + moved,
            schools,
            ..Figures::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::student::tests::fields;

    fn student(sourced_id: &str, schools: &[&str], identifier: &str) -> Student {
        let mut fields = fields(schools);
        fields.identifier = Some(identifier.into());
        Student { sourced_id: sourced_id.into(), status: Status::Active, version: 1, modified_ms: 1, fields }
    }

    fn deleted(mut student: Student) -> Student {
        student.status = Status::ToBeDeleted;
        student
    }

    #[test]
    fn a_transfer_leaves_one_school_and_enters_the_other() {
        let before = student("S-1", &["a"], "1");
        let mut after = before.clone();
        after.fields.withdraw("a", None, None).expect("there");
        after.fields.enroll("b", crate::model::student::RoleType::Primary, None).expect("new");
        let mut tally = Tally::default();
        tally.change(Some(&before), &after);
        assert_eq!((tally.updated, tally.schools["a"].deleted, tally.schools["b"].created), (1, 1, 1));
        let figures = tally.figures(true, 1, [("a".to_owned(), 1), ("b".to_owned(), 5)]);
        assert!(figures.schools[0].missing && !figures.schools[1].missing);
        assert_eq!((figures.deleted, figures.changed), (0, 1));
    }

    #[test]
    fn the_same_numbers_under_other_keys_are_renumbered_and_who_comes_back_is_no_loss() {
        let mut tally = Tally::default();
        tally.change(None, &student("new-1", &["a"], "1"));
        let old = student("old-1", &["a"], "1");
        tally.change(Some(&old), &deleted(old.clone()));
        tally.change(Some(&deleted(student("S-2", &["a"], "2"))), &student("S-2", &["a"], "2"));
        let renumbered = student("S-3", &["a"], "4");
        tally.change(Some(&student("S-3", &["a"], "3")), &renumbered);
        let figures = tally.figures(true, 3, [("a".to_owned(), 2)]);
        assert_eq!((figures.renumbered, figures.changed, figures.deleted), (2, 2, 1));
        assert_eq!((tally.created, tally.updated, tally.deleted), (1, 2, 1));
    }
}
