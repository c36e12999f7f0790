//! Users by number, and what other files say of each: the join of a read, at about 60 bytes a user.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{
    keys::{Bits, KeyTable, Keys},
    types::{RoleType, RowStatus},
};

const NONE: u32 = u32::MAX;

/// A student's role in an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Number of the org.
    pub org: u32,
    pub role_type: RoleType,
    pub status: RowStatus,
    pub begin: Option<Date>,
    pub end: Option<Date>,
    pub line: u64,
}

/// A role as kept.
struct Kept {
    /// The next of the same user.
    next: u32,
    org: u32,
    line: u32,
    begin: Day,
    end: Day,
    primary: bool,
    active: bool,
}

/// A date in 4 bytes; 0 is none.
#[derive(Clone, Copy, Default)]
struct Day(u32);

impl Day {
    fn pack(date: Option<Date>) -> Self {
        date.map_or(Self(0), |d| Self((d.year() as u32) << 9 | (d.month() as u32) << 5 | d.day() as u32))
    }

    fn unpack(self) -> Option<Date> {
        Date::new((self.0 >> 9) as i16, (self.0 >> 5 & 15) as i8, (self.0 & 31) as i8).ok()
    }
}

/// The users of a read.
pub struct Links {
    keys: Keys,
    users: KeyTable,
    /// Users of a delta that are in other files only.
    extra: HashMap<u128, u32>,
    extra_ids: Vec<(String, u64)>,
    heads: Vec<u32>,
    roles: Vec<Kept>,
    birth_dates: Vec<Day>,
    /// A row of theirs was rejected.
    tainted: Bits,
    /// They have a role that is not a student's.
    staff: Bits,
}

impl Links {
    /// Of the users with these keys.
    pub fn new(keys: Keys, users: Vec<u128>) -> Self {
        let users = KeyTable::new(users);
        let len = users.len();
        Self {
            keys,
            users,
            extra: HashMap::new(),
            extra_ids: Vec::new(),
            heads: vec![NONE; len],
            roles: Vec::with_capacity(len),
            birth_dates: Vec::new(),
            tainted: Bits::new(len),
            staff: Bits::new(len),
        }
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The number of a user.
    pub fn find(&self, sourced_id: &str) -> Option<u32> {
        let key = self.keys.key(sourced_id);
        self.users.find(key).or_else(|| self.extra.get(&key).copied())
    }

    /// The number of a user, who gets one if there is none yet.
    pub fn find_or_add(&mut self, sourced_id: &str, line: u64) -> u32 {
        if let Some(user) = self.find(sourced_id) {
            return user;
        }
        let user = self.heads.len() as u32;
        self.extra.insert(self.keys.key(sourced_id), user);
        self.extra_ids.push((sourced_id.to_owned(), line));
        self.heads.push(NONE);
        user
    }

    /// Users who are in other files only: number, sourcedId, first line.
    pub fn extra(&self) -> impl Iterator<Item = (u32, &str, u64)> {
        (self.users.len() as u32..).zip(&self.extra_ids).map(|(user, (id, line))| (user, id.as_str(), *line))
    }

    /// Users and roles held.
    pub fn held(&self) -> u64 {
        self.heads.len().max(self.roles.len()) as u64
    }

    pub fn add_role(&mut self, user: u32, role: Role) {
        let head = &mut self.heads[user as usize];
        self.roles.push(Kept {
            next: *head,
            org: role.org,
            line: role.line as u32,
            begin: Day::pack(role.begin),
            end: Day::pack(role.end),
            primary: role.role_type == RoleType::Primary,
            active: role.status == RowStatus::Active,
        });
        *head = (self.roles.len() - 1) as u32;
    }

    pub fn has_role(&self, user: u32) -> bool {
        self.heads[user as usize] != NONE
    }

    /// A user's roles by line.
    pub fn roles(&self, user: u32) -> Vec<Role> {
        let mut roles = Vec::new();
        let mut at = self.heads[user as usize];
        while let Some(kept) = self.roles.get(at as usize) {
            roles.push(Role {
                org: kept.org,
                role_type: if kept.primary { RoleType::Primary } else { RoleType::Secondary },
                status: if kept.active { RowStatus::Active } else { RowStatus::ToBeDeleted },
                begin: kept.begin.unpack(),
                end: kept.end.unpack(),
                line: u64::from(kept.line),
            });
            at = kept.next;
        }
        roles.reverse();
        roles
    }

    pub fn set_birth_date(&mut self, user: u32, date: Date) {
        if self.birth_dates.len() <= user as usize {
            self.birth_dates.resize(self.heads.len(), Day::default());
        }
        self.birth_dates[user as usize] = Day::pack(Some(date));
    }

    pub fn birth_date(&self, user: u32) -> Option<Date> {
        self.birth_dates.get(user as usize).and_then(|day| day.unpack())
    }

    pub fn taint(&mut self, user: u32) {
        self.tainted.set(user);
    }

    pub fn is_tainted(&self, user: u32) -> bool {
        self.tainted.get(user)
    }

    pub fn mark_staff(&mut self, user: u32) {
        self.staff.set(user);
    }

    pub fn is_staff(&self, user: u32) -> bool {
        self.staff.get(user)
    }

    /// Frees what only the students needed.
    pub fn drop_roles(&mut self) {
        (self.heads, self.roles, self.birth_dates) = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_day_is_packed_without_loss(year in 1i16..=9999, month in 1i8..=12, day in 1i8..=28) {
            let date = Date::new(year, month, day).unwrap();
            prop_assert_eq!(Day::pack(Some(date)).unpack(), Some(date));
        }

        #[test]
        fn roles_come_back_by_user_and_line(users in prop::collection::vec(0u32..6, 0..40)) {
            let keys = Keys::new();
            let known: Vec<_> = (0..4).map(|n| keys.key(&n.to_string())).collect();
            let mut links = Links::new(keys, known);
            let role = |line| Role { org: 1, role_type: RoleType::Primary, status: RowStatus::Active, begin: None, end: None, line };
            for (line, user) in users.iter().enumerate() {
                let number = links.find_or_add(&user.to_string(), line as u64);
                links.add_role(number, role(line as u64));
            }
            for user in 0..6u32 {
                let expected: Vec<_> = users.iter().enumerate().filter(|(_, u)| **u == user).map(|(line, _)| role(line as u64)).collect();
                let found = links.find(&user.to_string()).map(|number| links.roles(number)).unwrap_or_default();
                prop_assert_eq!(found, expected);
            }
            prop_assert!(links.extra().all(|(_, id, _)| id == "4" || id == "5"));
        }
    }
}
