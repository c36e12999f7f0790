//! What follows from the outcome of an attempt, for the message and for its connection. Pure.

use super::{
    breaker::{Breaker, Health},
    delivery::{Trigger, reason},
    outcome::{Cause, FailureKind, Outcome},
    retry::{RetryPolicy, jittered},
};

/// A receiver's wait spends no try of the message, up to this many times the tries allowed in all.
const PATIENCE: u32 = 4;

/// The attempt that is settled.
#[derive(Clone, Copy, Debug)]
pub struct Attempted {
    /// The message's sequence.
    pub sequence: u64,
    /// Why it was made.
    pub trigger: Trigger,
    /// Its number, from 1, over all triggers.
    pub try_number: u32,
    /// Automatic tries spent before it.
    pub automatic_tries: u32,
    /// When the message was first tried, Unix ms.
    pub first_try_ms: i64,
    /// Whether it was the one trial of an open breaker, or the probe.
    pub is_trial: bool,
}

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It is tried again at this Unix ms.
    Retry(i64),
    /// It rests, for this reason (see [`reason`]).
    Parked(&'static str),
    /// The endpoint is gone: it is kept.
    Held,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// For the message.
    pub fate: Fate,
    /// Automatic tries that it has spent now.
    pub automatic_tries: u32,
    /// For the connection.
    pub breaker: Breaker,
}

/// Settles an attempt. `jitter` is in 0..1.
pub fn settle(
    attempt: &Attempted,
    outcome: &Outcome,
    policy: &RetryPolicy,
    breaker: &Breaker,
    now_ms: i64,
    jitter: f64,
) -> Settlement {
    let Some(kind) = outcome.kind() else {
        let breaker = breaker.succeeded(now_ms);
        return Settlement { fate: Fate::Delivered, automatic_tries: attempt.automatic_tries, breaker };
    };
    if outcome.cause == Some(Cause::Gone) {
        return Settlement { fate: Fate::Held, automatic_tries: attempt.automatic_tries, breaker: breaker.clone() };
    }
    if kind == FailureKind::Ours {
        return after_shortage(attempt, policy, breaker, now_ms, jitter);
    }
    let waits = outcome.retry_after_ms.is_some() && attempt.try_number < PATIENCE.saturating_mul(policy.max_tries);
    let spends = attempt.trigger == Trigger::Automatic && !waits;
    let automatic_tries = attempt.automatic_tries + u32::from(spends);
    let exhausted = automatic_tries >= policy.max_tries;
    // Another message succeeded since this one was first tried: the connection works, this message does not.
    let alone = breaker.last_success_ms > attempt.first_try_ms;

    let mut breaker = breaker.clone();
    let wait_ms = outcome.retry_after_ms.unwrap_or(0);
    match breaker.health {
        _ if breaker.health != Health::Down && exhausted && !alone => go_down(&mut breaker, policy, now_ms, jitter),
        Health::Ok => open_or_count(&mut breaker, attempt, outcome, kind, policy, now_ms, jitter),
        Health::Failing if attempt.is_trial => {
            breaker.failures += u32::from(outcome.retry_after_ms.is_none());
            if breaker.failures >= policy.max_tries {
                go_down(&mut breaker, policy, now_ms, jitter);
            } else {
                breaker.retry_at_ms = later(now_ms, policy.delay_ms(breaker.failures, jitter).max(wait_ms));
                breaker.next_from = next_from(attempt, outcome);
            }
        }
        Health::Failing => breaker.retry_at_ms = breaker.retry_at_ms.max(later(now_ms, wait_ms)),
        Health::Down if attempt.is_trial => {
            breaker.retry_at_ms = match breaker.take_due(now_ms) {
                Some(due_ms) => due_ms.max(later(now_ms, wait_ms)),
                None => {
                    breaker.probe_wait_ms = policy.next_probe_wait_ms(breaker.probe_wait_ms);
                    later(now_ms, jittered(breaker.probe_wait_ms, jitter).max(wait_ms))
                }
            };
            breaker.next_from = next_from(attempt, outcome);
        }
        Health::Down => {}
    }
    let (fate, automatic_tries) = if breaker.health == Health::Down {
        // It goes out again with all of its tries once the connection is back.
        (Fate::Parked(reason::CONNECTION_DOWN), 0)
    } else if exhausted {
        (Fate::Parked(reason::EXHAUSTED), automatic_tries)
    } else {
        (Fate::Retry(later(now_ms, policy.delay_ms(automatic_tries, jitter).max(wait_ms))), automatic_tries)
    };
    Settlement { fate, automatic_tries, breaker }
}

/// Nothing was sent, because of us: no try is spent, and the connection is what it was. A trial or probe is made again.
fn after_shortage(
    attempt: &Attempted,
    policy: &RetryPolicy,
    breaker: &Breaker,
    now_ms: i64,
    jitter: f64,
) -> Settlement {
    let again_ms = later(now_ms, policy.delay_ms(1, jitter));
    let mut breaker = breaker.clone();
    if attempt.is_trial && breaker.health != Health::Ok {
        breaker.retry_at_ms = again_ms;
    }
    match breaker.health {
        Health::Down => Settlement { fate: Fate::Parked(reason::CONNECTION_DOWN), automatic_tries: 0, breaker },
        _ => Settlement { fate: Fate::Retry(again_ms), automatic_tries: attempt.automatic_tries, breaker },
    }
}

fn open_or_count(
    breaker: &mut Breaker,
    attempt: &Attempted,
    outcome: &Outcome,
    kind: FailureKind,
    policy: &RetryPolicy,
    now_ms: i64,
    jitter: f64,
) {
    let in_trouble = match kind {
        FailureKind::Connection => true,
        FailureKind::Server => breaker.counts_trouble(attempt.sequence),
        FailureKind::Message => {
            breaker.ends_trouble();
            false
        }
        FailureKind::Ours => return,
    };
    if !in_trouble && outcome.retry_after_ms.is_none() {
        return;
    }
    breaker.health = Health::Failing;
    breaker.failures = u32::from(outcome.retry_after_ms.is_none());
    let wait_ms = outcome.retry_after_ms.unwrap_or_else(|| policy.delay_ms(1, jitter));
    breaker.retry_at_ms = later(now_ms, wait_ms);
    breaker.next_from = next_from(attempt, outcome);
}

fn go_down(breaker: &mut Breaker, policy: &RetryPolicy, now_ms: i64, jitter: f64) {
    let probe_wait_ms = policy.next_probe_wait_ms(0);
    *breaker = Breaker::stored(
        Health::Down,
        later(now_ms, jittered(probe_wait_ms, jitter)),
        probe_wait_ms,
        breaker.last_success_ms,
    );
}

/// Where the message itself may be at fault, the next trial takes another one.
fn next_from(attempt: &Attempted, outcome: &Outcome) -> u64 {
    let unreachable = matches!(outcome.cause, Some(Cause::Dns | Cause::Connect | Cause::Tls | Cause::Blocked));
    if unreachable || outcome.retry_after_ms.is_some() { 0 } else { attempt.sequence + 1 }
}

fn later(now_ms: i64, wait_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::outcome::SHORTAGE, *};

    const NOW_MS: i64 = 1_000_000;

    fn attempt(sequence: u64, automatic_tries: u32) -> Attempted {
        Attempted {
            sequence,
            trigger: Trigger::Automatic,
            try_number: automatic_tries + 1,
            automatic_tries,
            first_try_ms: NOW_MS - 1_000,
            is_trial: false,
        }
    }

    fn http(code: u16) -> Outcome {
        Outcome { code, ..Outcome::failed(Cause::Http, "") }
    }

    fn check(attempt: &Attempted, outcome: &Outcome, breaker: &Breaker) -> Settlement {
        settle(attempt, outcome, &RetryPolicy::default(), breaker, NOW_MS, 0.5)
    }

    #[test]
    fn a_connection_failure_opens_the_breaker_and_a_lone_503_does_not() {
        let refused = check(&attempt(1, 0), &Outcome::failed(Cause::Connect, ""), &Breaker::default());
        assert_eq!((refused.fate, refused.breaker.health), (Fate::Retry(NOW_MS + 5_000), Health::Failing));
        let mut breaker = Breaker::default();
        for sequence in [1, 1, 2, 3, 4] {
            breaker = check(&attempt(sequence, 0), &http(503), &breaker).breaker;
            assert_eq!(breaker.health, Health::Ok, "{sequence}");
        }
        assert_eq!(check(&attempt(5, 0), &http(503), &breaker).breaker.health, Health::Failing);
        let interrupted = check(&attempt(5, 0), &http(400), &breaker).breaker;
        assert_eq!(check(&attempt(6, 0), &http(503), &interrupted).breaker.health, Health::Ok);
    }

    #[test]
    fn an_exhausted_message_parks_alone_only_if_another_one_succeeded_meanwhile() {
        let silent = check(&attempt(1, 4), &http(500), &Breaker::default());
        assert_eq!(silent.fate, Fate::Parked(reason::CONNECTION_DOWN));
        assert_eq!((silent.breaker.health, silent.automatic_tries), (Health::Down, 0));
        let lively = Breaker::default().succeeded(NOW_MS - 10);
        let alone = check(&attempt(1, 4), &http(500), &lively);
        assert_eq!((alone.fate, alone.breaker.health), (Fate::Parked(reason::EXHAUSTED), Health::Ok));
    }

    #[test]
    fn trials_run_through_the_schedule_and_then_the_connection_is_down() {
        let timeout = Outcome::failed(Cause::Timeout, "");
        let mut breaker = check(&attempt(1, 0), &timeout, &Breaker::default()).breaker;
        let mut waits = vec![breaker.retry_at_ms - NOW_MS];
        for sequence in 2..5 {
            let trial = Attempted { is_trial: true, ..attempt(sequence, 0) };
            let settled = check(&trial, &timeout, &breaker);
            assert_eq!(settled.breaker.next_from, sequence + 1, "another message has its turn");
            breaker = settled.breaker;
            waits.push(breaker.retry_at_ms - NOW_MS);
        }
        assert_eq!(waits, [5_000, 30_000, 180_000, 1_080_000]);
        let last = check(&Attempted { is_trial: true, ..attempt(5, 0) }, &timeout, &breaker);
        assert_eq!((last.breaker.health, last.fate), (Health::Down, Fate::Parked(reason::CONNECTION_DOWN)));
        let probe = Attempted { is_trial: true, trigger: Trigger::Probe, ..attempt(1, 0) };
        let failed = check(&probe, &Outcome::failed(Cause::Connect, ""), &last.breaker);
        assert_eq!((failed.breaker.retry_at_ms, failed.breaker.next_from), (NOW_MS + 1_800_000, 0));
        assert_eq!(check(&probe, &Outcome::default(), &failed.breaker).breaker.health, Health::Ok);
    }

    #[test]
    fn a_probe_that_staff_hastened_puts_off_no_later_one() {
        let unreachable = Outcome::failed(Cause::Connect, "");
        let probe = Attempted { is_trial: true, trigger: Trigger::Probe, ..attempt(1, 0) };
        let planned = Breaker::stored(Health::Down, NOW_MS + 900_000, 900_000, 0);
        let mut breaker = planned.clone();
        for _ in 0..5 {
            breaker.hasten(NOW_MS);
            breaker.hasten(NOW_MS);
            assert_eq!(breaker.retry_at_ms, NOW_MS);
            breaker = check(&probe, &unreachable, &breaker).breaker;
            assert_eq!((breaker.retry_at_ms, breaker.probe_wait_ms), (planned.retry_at_ms, planned.probe_wait_ms));
        }
        let due = Breaker::stored(Health::Down, NOW_MS, 900_000, 0);
        assert_eq!(check(&probe, &unreachable, &due).breaker.probe_wait_ms, 1_800_000, "one that was due does");
    }

    #[test]
    fn a_retry_after_makes_the_endpoint_wait_and_spends_no_try() {
        let asked = Outcome { retry_after_ms: Some(60_000), code: 429, ..Outcome::failed(Cause::RateLimited, "") };
        let settled = check(&attempt(1, 0), &asked, &Breaker::default());
        assert_eq!((settled.fate, settled.automatic_tries), (Fate::Retry(NOW_MS + 60_000), 0));
        assert_eq!((settled.breaker.health, settled.breaker.retry_at_ms), (Health::Failing, NOW_MS + 60_000));
        let forever = Attempted { try_number: 20, ..attempt(1, 4) };
        let lively = Breaker::default().succeeded(NOW_MS);
        assert_eq!(check(&forever, &asked, &lively).fate, Fate::Parked(reason::EXHAUSTED), "patience has an end");
    }

    #[test]
    fn a_shortage_of_ours_says_nothing_of_the_school() {
        let short = Outcome::failed(Cause::Internal, SHORTAGE);
        for health in [Health::Ok, Health::Failing, Health::Down] {
            let before = Breaker::stored(health, NOW_MS, 900_000, 7);
            for is_trial in [false, health != Health::Ok] {
                let settled = check(&Attempted { is_trial, ..attempt(1, 4) }, &short, &before);
                let retry_at_ms = if is_trial { NOW_MS + 5_000 } else { NOW_MS };
                let mut unchanged = before.clone();
                unchanged.retry_at_ms = retry_at_ms;
                assert_eq!(settled.breaker, unchanged);
                match health {
                    Health::Down => assert_eq!(settled.fate, Fate::Parked(reason::CONNECTION_DOWN)),
                    _ => assert_eq!((settled.fate, settled.automatic_tries), (Fate::Retry(NOW_MS + 5_000), 4)),
                }
            }
        }
    }

    #[test]
    fn gone_is_held() {
        let gone = Outcome { code: 410, ..Outcome::failed(Cause::Gone, "") };
        assert_eq!(check(&attempt(1, 4), &gone, &Breaker::default()).fate, Fate::Held);
    }

    proptest! {
        #[test]
        fn only_automatic_tries_are_spent_and_a_wait_is_never_in_the_past(
            cause in prop::sample::select(&Cause::ALL[..]), code in 300u16..600, tries in 0u32..10,
            trigger in prop::sample::select(&Trigger::ALL[..]), wait in prop::option::of(1_000u64..86_400_000), jitter in 0.0f64..1.0,
        ) {
            let outcome = Outcome { code, retry_after_ms: wait, ..Outcome::failed(cause, "") };
            let attempted = Attempted { trigger, ..attempt(9, tries) };
            let settled = settle(&attempted, &outcome, &RetryPolicy::default(), &Breaker::default(), NOW_MS, jitter);
            if trigger != Trigger::Automatic {
                prop_assert!(settled.automatic_tries <= tries);
            }
            match settled.fate {
                Fate::Retry(at_ms) => prop_assert!(at_ms >= NOW_MS + wait.unwrap_or(0) as i64),
                Fate::Parked(why) => prop_assert_eq!(settled.breaker.health == Health::Down, why == reason::CONNECTION_DOWN),
                Fate::Held => prop_assert_eq!(cause, Cause::Gone),
                Fate::Delivered => prop_assert!(false, "a failure is never delivered"),
            }
        }
    }
}
