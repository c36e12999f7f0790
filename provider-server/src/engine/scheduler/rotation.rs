//! Whose turn it is, and what is wanted from the database.

use super::{Actions, GUARANTEED, PageRequest, RestRequest, Scheduler};
use crate::model::breaker::Health;

/// Pages that are read at once.
const PARALLEL_PAGES: usize = 2;

impl Scheduler {
    /// Looks at everything that was touched or is due, and says what is to be done. While `stopping`, nothing new begins.
    pub fn step(&mut self, now_ms: i64, stopping: bool) -> Actions {
        let mut actions = Actions { connections: std::mem::take(&mut self.unknown), ..Actions::default() };
        while let Some(&(due_ms, lane)) = self.dues.first() {
            if due_ms > now_ms {
                break;
            }
            self.dues.pop_first();
            self.lane_dues[lane] = None;
            self.touched.push(lane);
        }
        for lane in std::mem::take(&mut self.touched) {
            self.lanes[lane].wake(now_ms);
            self.refresh(lane, now_ms, &mut actions);
        }
        if !stopping {
            self.claim(now_ms, &mut actions);
            self.ask_for_pages(now_ms, &mut actions);
        }
        actions
    }

    /// Brings a lane's place in the rotation, its due time and its wishes up to date.
    fn refresh(&mut self, index: usize, now_ms: i64, actions: &mut Actions) {
        let most = self.share();
        let (limit, most_bytes) = (self.limits.page as usize, self.limits.memory_bytes / 2);
        let lane = &mut self.lanes[index];
        if !lane.in_rotation && lane.can_claim(most, now_ms) {
            lane.in_rotation = true;
            self.rotation.push_back(index);
        }
        if !lane.in_wanted && lane.wants_page(limit / 2, most_bytes, now_ms) {
            lane.in_wanted = true;
            self.wanted.push_back(index);
        }
        if !lane.resting
            && let Some(rest) = lane.rest()
            && let Some(from) = lane.rest_from.take()
        {
            lane.resting = true;
            actions.rests.push(RestRequest { lane: index, school: lane.school, rest, from });
        }
        // A due time that has come is handled by the rotation; only a later one needs a timer.
        let due = lane.next_due_ms(now_ms).filter(|due_ms| *due_ms > now_ms);
        let known = &mut self.lane_dues[index];
        if *known != due {
            if let Some(old) = known.take() {
                self.dues.remove(&(old, index));
            }
            if let Some(new) = due {
                self.dues.insert((new, index));
            }
            *known = due;
        }
    }

    /// What one school may have under way: less once half of all places are taken, so that hanging schools leave room.
    fn share(&self) -> u32 {
        if self.in_flight * 2 < self.limits.in_flight { u32::MAX } else { 4 }
    }

    fn claim(&mut self, now_ms: i64, actions: &mut Actions) {
        self.pace.age(now_ms);
        while self.in_flight < self.limits.in_flight
            && self.pace.has_room()
            && self.unrecorded < self.limits.unrecorded
            && self.answers_bytes < self.limits.answers_bytes
        {
            let Some(index) = self.rotation.pop_front() else { break };
            let most = self.share();
            let lane = &mut self.lanes[index];
            let before = lane.size_bytes;
            lane.in_rotation = false;
            if lane.can_claim(most, now_ms)
                && let Some(claimed) = lane.claim(index, now_ms)
            {
                self.in_flight += 1;
                self.pace.begin(now_ms);
                self.unrecorded += 1;
                self.size_bytes = self.size_bytes + lane.size_bytes - before;
                actions.claims.push(claimed);
                if lane.can_claim(most, now_ms) {
                    lane.in_rotation = true;
                    self.rotation.push_back(index);
                }
            }
            let lane = &mut self.lanes[index];
            if !lane.in_wanted && lane.wants_page(self.limits.page as usize / 2, self.limits.memory_bytes / 2, now_ms) {
                lane.in_wanted = true;
                self.wanted.push_back(index);
            }
        }
    }

    fn ask_for_pages(&mut self, now_ms: i64, actions: &mut Actions) {
        while self.pages_under_way < PARALLEL_PAGES {
            let Some(index) = self.wanted.pop_front() else { break };
            let room = self.size_bytes < self.limits.memory_bytes;
            let lane = &mut self.lanes[index];
            lane.in_wanted = false;
            let small = !room || lane.breaker.health == Health::Down;
            let (low, most_bytes) =
                if small { (GUARANTEED / 2, 0) } else { (self.limits.page as usize / 2, self.limits.memory_bytes / 2) };
            if !lane.wants_page(low, most_bytes, now_ms) {
                continue;
            }
            let limit = if small { (GUARANTEED as u32).min(self.limits.page) } else { self.limits.page };
            let (from, generation) = lane.begin_page();
            self.pages_under_way += 1;
            actions.pages.push(PageRequest { lane: index, school: lane.school, from, limit, generation });
        }
    }

    /// Whether a lane may have one message more in memory.
    pub(super) fn has_room(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        let total = self.limits.memory_bytes;
        let roomy = self.size_bytes < total && lane.size_bytes < total / 2;
        (roomy && lane.breaker.health != Health::Down) || lane.message_count() < GUARANTEED
    }
}
