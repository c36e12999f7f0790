//! From a student's roles to school enrollments: one per school, one of them primary. Pure.

use super::{
    code::Code,
    links::Role,
    types::{RoleType, RowStatus},
};

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// One per school, in the order given.
    pub roles: Vec<Role>,
    /// The primary school: of the active ones where the list is whole, else as stated.
    pub primary_org: Option<u32>,
    pub findings: Vec<Finding>,
}

/// What was found wrong, at a role's line (0: the user as a whole).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub line: u64,
    pub weight: Weight,
}

/// How much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Error,
    /// An error to the strict profile only.
    Repair,
    Warning,
}

/// Composes. `whole`: the roles are all that there are, not changes.
pub fn compose(
    mut roles: Vec<Role>,
    stated_primary: Option<u32>,
    whole: bool,
    is_school: impl Fn(u32) -> bool,
) -> Composed {
    let mut findings = Vec::new();
    let mut find = |code, line, weight| findings.push(Finding { code, line, weight });

    roles.retain(|role| {
        let school = is_school(role.org);
        if !school && role.status == RowStatus::Active {
            find(Code::RoleNotSchool, role.line, Weight::Warning);
        }
        school && !(whole && role.status == RowStatus::ToBeDeleted)
    });

    // Per school the active ones stand first, the primary one before them; then all go back to their places.
    let mut placed: Vec<(usize, Role)> = roles.into_iter().enumerate().collect();
    placed.sort_by_key(|(at, r)| (r.org, r.status != RowStatus::Active, r.role_type != RoleType::Primary, *at));
    placed.dedup_by(|(_, later), (_, kept)| {
        if later.org != kept.org {
            return false;
        }
        if later.status == RowStatus::Active {
            let (code, weight) = match later.role_type {
                RoleType::Primary => (Code::PrimaryTwice, Weight::Repair),
                RoleType::Secondary => (Code::RoleRepeated, Weight::Warning),
            };
            find(code, later.line, weight);
        }
        true
    });
    placed.sort_by_key(|(at, _)| *at);
    let mut roles: Vec<Role> = placed.into_iter().map(|(_, role)| role).collect();

    let is_active = |role: &Role| role.status == RowStatus::Active;
    let is_primary = |role: &Role| is_active(role) && role.role_type == RoleType::Primary;
    if let Some(org) = stated_primary
        && whole
        && !roles.iter().any(|role| is_active(role) && role.org == org)
    {
        find(Code::PrimaryOrg, 0, Weight::Warning);
    }
    let chosen = roles
        .iter()
        .find(|role| is_primary(role) && Some(role.org) == stated_primary)
        .or_else(|| roles.iter().find(|role| is_primary(role)))
        .map(|role| role.org);
    for role in roles.iter_mut().filter(|role| is_primary(role)) {
        if Some(role.org) != chosen {
            find(Code::PrimarySeveral, role.line, Weight::Repair);
            role.role_type = RoleType::Secondary;
        }
    }
    let mut primary_org = stated_primary;
    if whole {
        let active = |org: &u32| roles.iter().any(|role| is_active(role) && role.org == *org);
        let first = roles.iter().find(|role| is_active(role));
        if let (None, Some(first)) = (chosen, first) {
            find(Code::PrimaryMissing, first.line, Weight::Warning);
        }
        if first.is_none() {
            find(Code::NoSchool, 0, Weight::Error);
        }
        primary_org = stated_primary.filter(active).or(chosen).or(first.map(|role| role.org));
    }
    Composed { roles, primary_org, findings }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn role(org: u32, role_type: RoleType, line: u64) -> Role {
        Role { org, role_type, status: RowStatus::Active, begin: None, end: None, line }
    }

    use RoleType::{Primary, Secondary};

    /// Roles, primary org and findings.
    type Found = (Vec<(u32, RoleType)>, Option<u32>, Vec<(Code, u64)>);

    /// Orgs from 10 on are no schools.
    fn found(roles: Vec<Role>, stated: Option<u32>, whole: bool) -> Found {
        let composed = compose(roles, stated, whole, |org| org < 10);
        (
            composed.roles.iter().map(|role| (role.org, role.role_type)).collect(),
            composed.primary_org,
            composed.findings.iter().map(|finding| (finding.code, finding.line)).collect(),
        )
    }

    #[test]
    fn whole_lists() {
        let (p, s) = (|org, line| role(org, Primary, line), |org, line| role(org, Secondary, line));
        for (roles, stated, expected) in [
            (vec![p(1, 2)], None, (vec![(1, Primary)], Some(1), vec![])),
            (vec![p(1, 2)], Some(1), (vec![(1, Primary)], Some(1), vec![])),
            (vec![p(1, 2), s(2, 3)], Some(2), (vec![(1, Primary), (2, Secondary)], Some(2), vec![])),
            (vec![p(1, 2)], Some(3), (vec![(1, Primary)], Some(1), vec![(Code::PrimaryOrg, 0)])),
            (
                vec![s(1, 2), s(2, 3)],
                None,
                (vec![(1, Secondary), (2, Secondary)], Some(1), vec![(Code::PrimaryMissing, 2)]),
            ),
            (
                vec![p(1, 2), p(2, 3)],
                None,
                (vec![(1, Primary), (2, Secondary)], Some(1), vec![(Code::PrimarySeveral, 3)]),
            ),
            (
                vec![p(1, 2), p(2, 3)],
                Some(2),
                (vec![(1, Secondary), (2, Primary)], Some(2), vec![(Code::PrimarySeveral, 2)]),
            ),
            (vec![p(1, 2), p(1, 3)], None, (vec![(1, Primary)], Some(1), vec![(Code::PrimaryTwice, 3)])),
            (vec![s(1, 2), p(1, 3)], None, (vec![(1, Primary)], Some(1), vec![(Code::RoleRepeated, 2)])),
            (vec![p(10, 2), p(1, 3)], None, (vec![(1, Primary)], Some(1), vec![(Code::RoleNotSchool, 2)])),
            (vec![p(10, 2)], None, (vec![], None, vec![(Code::RoleNotSchool, 2), (Code::NoSchool, 0)])),
            (vec![], None, (vec![], None, vec![(Code::NoSchool, 0)])),
        ] {
            assert_eq!(found(roles.clone(), stated, true), expected, "{roles:?} {stated:?}");
        }
    }

    #[test]
    fn changes_keep_what_ends_and_miss_nothing() {
        let ended = Role { status: RowStatus::ToBeDeleted, ..role(1, Primary, 2) };
        assert_eq!(
            found(vec![ended, role(2, Primary, 3)], Some(2), false),
            (vec![(1, Primary), (2, Primary)], Some(2), vec![])
        );
        assert_eq!(found(vec![ended, role(1, Primary, 3)], None, false), (vec![(1, Primary)], None, vec![]));
        assert_eq!(found(vec![], Some(7), false), (vec![], Some(7), vec![]));
    }

    proptest! {
        #[test]
        fn at_most_one_per_school_and_one_primary(
            raw in prop::collection::vec((0u32..12, any::<bool>(), any::<bool>()), 0..12),
            stated in prop::option::of(0u32..12),
            whole: bool,
        ) {
            let roles = raw.iter().zip(2u64..).map(|((org, primary, active), line)| Role {
                status: if *active { RowStatus::Active } else { RowStatus::ToBeDeleted },
                ..role(*org, if *primary { Primary } else { Secondary }, line)
            }).collect();
            let composed = compose(roles, stated, whole, |org| org < 10);
            let mut orgs: Vec<_> = composed.roles.iter().map(|role| role.org).collect();
            orgs.sort_unstable();
            let before = orgs.len();
            orgs.dedup();
            prop_assert_eq!(orgs.len(), before);
            prop_assert!(composed.roles.iter().filter(|r| r.role_type == Primary && r.status == RowStatus::Active).count() <= 1);
            if whole {
                prop_assert!(composed.roles.iter().all(|r| r.status == RowStatus::Active));
                prop_assert_eq!(composed.primary_org.is_some(), !composed.roles.is_empty());
            }
        }
    }
}
