//! How many requests are begun at once. More than a few hundred young ones make no receiver faster: they only open
//! connections that nobody needs a moment later. A request that has been under way for longer waits for its receiver and
//! takes no place here.

use std::collections::VecDeque;

/// A request is young for so long, ms.
const YOUNG_MS: i64 = 10;

/// Counts the young requests.
pub struct Pace {
    most: u32,
    young: u32,
    /// How many of those begun in each millisecond are under way, oldest first.
    begun: VecDeque<(i64, u32)>,
}

impl Pace {
    /// At most so many at once.
    pub fn new(most: u32) -> Self {
        Self { most, young: 0, begun: VecDeque::new() }
    }

    /// Lets those grow old that have been under way long enough. A clock that was set back makes all of them old.
    pub fn age(&mut self, now_ms: i64) {
        while let Some(&(at_ms, count)) = self.begun.front() {
            if at_ms <= now_ms && now_ms - at_ms < YOUNG_MS {
                break;
            }
            self.young -= count;
            self.begun.pop_front();
        }
    }

    /// Whether another one may begin.
    pub fn has_room(&self) -> bool {
        self.young < self.most
    }

    /// One begins.
    pub fn begin(&mut self, now_ms: i64) {
        self.young += 1;
        match self.begun.back_mut() {
            Some((at_ms, count)) if *at_ms == now_ms => *count += 1,
            _ => self.begun.push_back((now_ms, 1)),
        }
    }

    /// One that began at `at_ms` has ended.
    pub fn end(&mut self, at_ms: i64) {
        let known = self.begun.iter_mut().rev().find(|(begun_ms, count)| *begun_ms == at_ms && *count > 0);
        if let Some((_, count)) = known {
            *count -= 1;
            self.young -= 1;
        }
    }

    /// When the next ones grow old, where there is no room before.
    pub fn next_room_ms(&self) -> Option<i64> {
        let oldest = self.begun.iter().find(|(_, count)| *count > 0)?;
        (!self.has_room()).then_some(oldest.0 + YOUNG_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_young_ones_take_a_place() {
        let mut pace = Pace::new(2);
        pace.begin(100);
        pace.begin(101);
        assert!(!pace.has_room());
        assert_eq!(pace.next_room_ms(), Some(110));
        pace.age(109);
        assert!(!pace.has_room());
        pace.age(110);
        assert!(pace.has_room(), "the first has been under way for 10 ms");
        pace.end(100);
        pace.begin(110);
        assert!(!pace.has_room(), "the end of an old one frees no place twice");
        pace.end(101);
        assert!(pace.has_room());
        assert_eq!(pace.next_room_ms(), None);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut pace = Pace::new(1);
        pace.begin(1_000_000);
        pace.age(500);
        assert!(pace.has_room());
        pace.end(1_000_000);
        pace.begin(500);
        assert!(!pace.has_room());
    }
}
