//! What every student must be like, and which change comes next: a seeded choice among the acts that are legal now.

use std::collections::BTreeSet;

use rand::{RngExt, rngs::StdRng};
use rollcall_proto::provider::v1::{self as pb, change::Act};

use super::NAME;

/// A student as the driver knows it.
#[derive(Clone, Debug)]
pub struct Pupil {
    pub sourced_id: String,
    /// sourcedIds of the schools with an active enrollment.
    pub at: BTreeSet<String>,
    pub deleted: bool,
    /// The number of the put that named it last; 0 as it was imported.
    pub named: u64,
    /// How often it may still leave a school: a record keeps each ended enrollment, and holds at most 64 of both.
    pub moves: u32,
    /// A change may stand or not: only a put, which replaces everything, makes it known again.
    pub unknown: bool,
}

/// Moves of one student over a whole soak.
pub const MOVES: u32 = 24;

/// A change with what the student is like once it is made.
pub struct Planned {
    pub act: Act,
    pub name: &'static str,
    pub after: Pupil,
}

/// The next change of this student; `number` is the intent's.
pub fn plan(pupil: &Pupil, schools: &[String], number: u64, random: &mut StdRng) -> Planned {
    let mut after = Pupil { unknown: false, ..pupil.clone() };
    let away: Vec<&String> = schools.iter().filter(|school| !pupil.at.contains(*school)).collect();
    let here: Vec<&String> = pupil.at.iter().collect();
    let pick = |from: &[&String], random: &mut StdRng| from[random.random_range(0..from.len())].clone();
    let settled = pupil.unknown || pupil.deleted || pupil.moves == 0;
    let choice = if settled { 0 } else { random.random_range(0..10) };
    let student = || pupil.sourced_id.clone();
    let (act, name) = match choice {
        6 if !away.is_empty() => {
            let school = pick(&away, random);
            after.at.insert(school.clone());
            let enroll = pb::EnrollStudentRequest {
                sourced_id: student(),
                school,
                role_type: "secondary".into(),
                ..Default::default()
            };
            (Act::Enroll(enroll), "enroll")
        }
        7 if here.len() > 1 => {
            let school = pick(&here, random);
            after.at.remove(&school);
            (
                Act::Withdraw(pb::WithdrawStudentRequest { sourced_id: student(), school, ..Default::default() }),
                "withdraw",
            )
        }
        8 if !here.is_empty() && !away.is_empty() => {
            let (from_school, to_school) = (pick(&here, random), pick(&away, random));
            after.at.remove(&from_school);
            after.at.insert(to_school.clone());
            let transfer =
                pb::TransferStudentRequest { sourced_id: student(), from_school, to_school, ..Default::default() };
            (Act::Transfer(transfer), "transfer")
        }
        9 => {
            after.deleted = true;
            (Act::Delete(pb::DeleteStudentRequest { sourced_id: student(), ..Default::default() }), "delete")
        }
        _ => {
            after.deleted = false;
            after.named = number;
            if pupil.moves > 0 {
                after.at = BTreeSet::from([schools[random.random_range(0..schools.len())].clone()]);
                if random.random_bool(0.2) {
                    after.at.insert(schools[random.random_range(0..schools.len())].clone());
                }
            }
            (Act::Put(record(&after)), "put")
        }
    };
    // One that is not known may leave as well.
    after.moves = pupil.moves.saturating_sub(u32::from(after.at != pupil.at || pupil.unknown));
    Planned { act, name, after }
}

/// The whole record of a put. Its name carries the intent's number, so that every version tells whose it is.
fn record(pupil: &Pupil) -> pb::Student {
    let enrollment = |(index, school): (usize, &String)| pb::SchoolEnrollment {
        school_sourced_id: school.clone(),
        role_type: if index == 0 { "primary" } else { "secondary" }.into(),
        ..Default::default()
    };
    pb::Student {
        sourced_id: pupil.sourced_id.clone(),
        status: pb::StudentStatus::Active.into(),
        given_name: NAME.into(),
        family_name: "Soak".into(),
        preferred_given_name: Some(marker(pupil.named)),
        primary_org_sourced_id: pupil.at.first().cloned(),
        school_enrollments: pupil.at.iter().enumerate().map(enrollment).collect(),
        ..Default::default()
    }
}

/// The name that a put gives.
pub fn marker(number: u64) -> String {
    format!("{NAME}-{number}")
}
