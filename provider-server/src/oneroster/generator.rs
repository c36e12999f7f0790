//! Seeded rosters: the same seed makes the same students, on every machine, and each one by its number alone, so that
//! a million need no memory. For demos, benches and tests; no person in it exists.

use jiff::{Timestamp, civil::Date};

use super::types::{OrgRow, OrgType, PreferredNames, RoleType, RosterEnrollment, RowStatus, StudentFields, StudentRow};

mod names;

/// A district to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roster {
    pub seed: u64,
    /// At least 1.
    pub schools: u32,
    pub students: u32,
    /// The year in which the school year begins.
    pub year: i16,
}

/// Changes to make on top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Another round picks other students and makes other new ones.
    pub round: u32,
    pub created: u32,
    /// Updated, transferred and deleted students are different ones; together at most all.
    pub updated: u32,
    pub transferred: u32,
    pub deleted: u32,
}

/// New students have numbers that no first roster reaches.
const NEW_STUDENTS_FROM: u64 = 1 << 32;

#[derive(Clone, Copy)]
enum Level {
    Elementary,
    Middle,
    High,
}

impl Level {
    /// Of the school with this number: every kind among the first three.
    fn of(school: u32) -> Self {
        match school % 5 {
            1 => Self::Middle,
            2 => Self::High,
            _ => Self::Elementary,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Elementary => "Elementary School",
            Self::Middle => "Middle School",
            Self::High => "High School",
        }
    }

    /// With the age at which each begins.
    fn grades(self) -> &'static [(&'static str, i16)] {
        match self {
            Self::Elementary => &[("KG", 5), ("01", 6), ("02", 7), ("03", 8), ("04", 9), ("05", 10)],
            Self::Middle => &[("06", 11), ("07", 12), ("08", 13)],
            Self::High => &[("09", 14), ("10", 15), ("11", 16), ("12", 17)],
        }
    }
}

impl Roster {
    /// The district and its schools.
    pub fn orgs(&self) -> Vec<OrgRow> {
        let district_id = self.id("dist", 0);
        let org = |line, sourced_id, name, org_type, identifier: u32, parent| OrgRow {
            line,
            sourced_id,
            name,
            org_type,
            status: RowStatus::Active,
            identifier: Some(identifier.to_string()),
            parent_sourced_id: parent,
            source_last_modified: None,
        };
        let district =
            org(2, district_id.clone(), "Maple Valley School District".to_owned(), OrgType::District, 1000, None);
        let schools = (0..self.schools).map(|school| {
            let mut random = Random::new(self.seed, "school", u64::from(school));
            let name = format!("{} {}", random.pick(&names::PLACES), Level::of(school).name());
            // The same place may come twice; two schools of one name would only confuse.
            let name = if self.schools > 1 { format!("{name} {}", school + 1) } else { name };
            let line = u64::from(school) + 3;
            org(line, self.school_id(school), name, OrgType::School, 1001 + school, Some(district_id.clone()))
        });
        std::iter::once(district).chain(schools).collect()
    }

    /// The sourcedId of a school, from 0.
    pub fn school_id(&self, school: u32) -> String {
        self.id("school", u64::from(school))
    }

    /// All students, made as they are asked for.
    pub fn students(&self) -> impl Iterator<Item = StudentRow> + Clone + use<> {
        let roster = *self;
        (0..u64::from(self.students)).map(move |number| roster.student(number))
    }

    /// The student with this number.
    pub fn student(&self, number: u64) -> StudentRow {
        let mut random = Random::new(self.seed, "student", number);
        let school = random.below(u64::from(self.schools.max(1))) as u32;
        let (grade, age) = *random.pick(Level::of(school).grades());
        let (given, family) = (*random.pick(&names::GIVEN), *random.pick(&names::FAMILY));
        let username = format!("{}.{}{number}", plain(given), plain(family));
        let chance = |random: &mut Random, percent| random.below(100) < percent;
        let email = (!chance(&mut random, 3)).then(|| format!("{username}@students.example.org"));
        let middle = chance(&mut random, 30).then(|| (*random.pick(&names::GIVEN)).to_owned());
        let preferred = chance(&mut random, 8).then(|| (*random.pick(&names::GIVEN)).to_owned());
        let begin = date(self.year, 8, 17);
        let mut enrollments = vec![enrollment(self.school_id(school), RoleType::Primary, begin)];
        if self.schools > 1 && chance(&mut random, 3) {
            let other = (school + 1 + random.below(u64::from(self.schools) - 1) as u32) % self.schools;
            let mut second = enrollment(self.school_id(other), RoleType::Secondary, date(self.year, 9, 1));
            second.end_date = Some(date(self.year + 1, 2, 1));
            enrollments.push(second);
        }
        let birth_date = date(self.year - age - 1, 9 + random.below(3) as i8, 1 + random.below(28) as i8);
        StudentRow {
            line: 0,
            sourced_id: self.id("student", number),
            status: RowStatus::Active,
            fields: Some(StudentFields {
                given_name: given.to_owned(),
                family_name: family.to_owned(),
                middle_name: middle,
                preferred: Some(PreferredNames { given: preferred, ..PreferredNames::default() }),
                identifier: Some((100_000 + number).to_string()),
                grades: vec![grade],
                username: Some(username),
                email,
                enabled_user: !chance(&mut random, 1),
                primary_org_sourced_id: Some(self.school_id(school)),
            }),
            birth_date: Some(birth_date),
            enrollments,
            enrollments_complete: true,
            known_only: false,
            source_last_modified: None,
        }
    }

    /// A delta: updated students first, then transferred, deleted, created ones. A transfer needs two schools.
    pub fn delta(&self, changes: Changes, at: Timestamp) -> Vec<StudentRow> {
        let mut random = Random::new(self.seed, "delta", u64::from(changes.round));
        let total = u64::from(self.students);
        let (first, step) = (random.below(total.max(1)), coprime_step(total, &mut random));
        // Steps that share no divisor with the total meet every student once before any twice.
        let mut picked = (0..total).map(|turn| {
            self.student(((u128::from(first) + u128::from(turn) * u128::from(step)) % u128::from(total)) as u64)
        });
        let mut rows = Vec::new();
        rows.extend(picked.by_ref().take(changes.updated as usize).map(|student| updated(student, &mut random)));
        let moves = if self.schools > 1 { changes.transferred as usize } else { 0 };
        rows.extend(picked.by_ref().take(moves).map(|student| self.transferred(student, &mut random)));
        rows.extend(picked.take(changes.deleted as usize).map(deleted));
        let new_from = NEW_STUDENTS_FROM + (u64::from(changes.round) << 24);
        rows.extend((new_from..).take(changes.created as usize).map(|number| self.student(number)));
        for row in &mut rows {
            row.source_last_modified = Some(at);
            row.enrollments_complete = false;
        }
        rows
    }

    fn transferred(&self, mut student: StudentRow, random: &mut Random) -> StudentRow {
        let taken: Vec<_> = student.enrollments.iter().map(|at| at.school_sourced_id.clone()).collect();
        let from = random.below(u64::from(self.schools)) as u32;
        let to =
            (0..self.schools).map(|step| self.school_id((from + step) % self.schools)).find(|id| !taken.contains(id));
        // With two schools and both taken, the second one is dropped instead.
        for at in &mut student.enrollments[usize::from(to.is_none())..] {
            at.status = RowStatus::ToBeDeleted;
        }
        if let Some(to) = to {
            student.enrollments.push(enrollment(to.clone(), RoleType::Primary, date(self.year, 11, 23)));
            if let Some(fields) = &mut student.fields {
                fields.primary_org_sourced_id = Some(to);
            }
        }
        student
    }

    /// Unique by the number, and looking like the ids that real systems make.
    fn id(&self, what: &str, number: u64) -> String {
        let random = Random::new(self.seed, what, number).next();
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            random >> 32,
            random >> 16 & 0xFFFF,
            random >> 4 & 0xFFF,
            what.len()
        )
    }
}

fn updated(mut student: StudentRow, random: &mut Random) -> StudentRow {
    let Some(fields) = &mut student.fields else { return student };
    match random.below(3) {
        0 => {
            let preferred = fields.preferred.get_or_insert_default();
            let given = if preferred.given.as_deref() == Some("Zoë") { "Ada" } else { "Zoë" };
            preferred.given = Some(given.to_owned());
        }
        1 => fields.family_name.push_str("-Ångström"),
        _ => fields.email = Some(format!("{}@new.example.org", student.sourced_id)),
    }
    student
}

fn deleted(mut student: StudentRow) -> StudentRow {
    student.status = RowStatus::ToBeDeleted;
    student
}

fn enrollment(school_sourced_id: String, role_type: RoleType, begin: Date) -> RosterEnrollment {
    RosterEnrollment {
        school_sourced_id,
        role_type,
        begin_date: Some(begin),
        end_date: None,
        status: RowStatus::Active,
        line: 0,
    }
}

fn date(year: i16, month: i8, day: i8) -> Date {
    Date::new(year, month, day).unwrap_or(Date::constant(2000, 1, 1))
}

/// The letters of a name that are ASCII, in lower case.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    if plain.is_empty() { "student".to_owned() } else { plain }
}

fn coprime_step(total: u64, random: &mut Random) -> u64 {
    let divides = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a > 1
    };
    let mut step = 1 + random.below(total.max(1));
    while total > 1 && divides(step, total) {
        step += 1;
    }
    step
}

/// SplitMix64: small, and the same for ever.
struct Random(u64);

impl Random {
    fn new(seed: u64, what: &str, number: u64) -> Self {
        let mut random = Self(seed);
        for part in [what.len() as u64, u64::from(what.as_bytes()[0]), number] {
            random = Self(random.next() ^ part);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// 0 up to, not with, the limit, which is at least 1.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_roster_is_the_same_each_time_and_its_ids_are_unique(seed: u64, schools in 1u32..6, students in 0u32..200) {
            let roster = Roster { seed, schools, students, year: 2026 };
            let all: Vec<_> = roster.students().collect();
            prop_assert_eq!(&all, &roster.students().collect::<Vec<_>>());
            let ids: HashSet<_> = all.iter().map(|s| &s.sourced_id).collect();
            prop_assert_eq!(ids.len(), students as usize);
            let orgs: HashSet<_> = roster.orgs().into_iter().map(|org| org.sourced_id).collect();
            prop_assert_eq!(orgs.len(), schools as usize + 1);
            prop_assert!(all.iter().flat_map(|s| &s.enrollments).all(|e| orgs.contains(&e.school_sourced_id)));
        }

        #[test]
        fn a_delta_has_what_was_asked_for(seed: u64, round in 0u32..3, updated in 0u32..20, transferred in 0u32..20, deleted in 0u32..20, created in 0u32..20) {
            let roster = Roster { seed, schools: 3, students: 60, year: 2026 };
            let changes = Changes { round, created, updated, transferred, deleted };
            let rows = roster.delta(changes, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(rows.len() as u32, created + updated + transferred + deleted);
            let known: Vec<_> = roster.students().collect();
            let ids: HashSet<_> = rows.iter().map(|row| &row.sourced_id).collect();
            prop_assert_eq!(ids.len(), rows.len());
            let new = rows.iter().filter(|row| known.iter().all(|k| k.sourced_id != row.sourced_id)).count();
            prop_assert_eq!(new as u32, created);
            for row in &rows[..updated as usize] {
                prop_assert!(known.iter().any(|k| k.sourced_id == row.sourced_id && k.fields != row.fields));
            }
        }
    }
}
