//! The one-time handoff of a school's secret: the states of a code, and what follows from each attempt at it. Pure: what
//! must be stored, sealed or alarmed is done by the caller.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Refusal, RefusalKind};

/// How long a code is valid where nothing is said, ms.
pub const CODE_TTL_MS: i64 = 24 * 3_600_000;
/// Between the redeem and the confirm, ms: a lost answer may be asked for again, then the code is void.
pub const HANDOFF_MS: i64 = 10 * 60_000;
/// Wrong secrets that an id bears; the last one locks it.
pub const MAX_WRONG_TRIES: i64 = 5;
const MAX_HOST_CHARS: usize = 255;

/// The state of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CodeState {
    Issued,
    Claimed,
    Confirmed,
    Expired,
    Revoked,
    Locked,
    Compromised,
}

impl CodeState {
    const ALL: [Self; 7] =
        [Self::Issued, Self::Claimed, Self::Confirmed, Self::Expired, Self::Revoked, Self::Locked, Self::Compromised];

    /// As stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Claimed => "claimed",
            Self::Confirmed => "confirmed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Locked => "locked",
            Self::Compromised => "compromised",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the code can still become a secret.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Issued | Self::Claimed)
    }

    /// The state at a time, of a code stored in this state: time alone ends a code, whether or not somebody noticed.
    pub fn at(self, now_ms: i64, expires_ms: i64, claimed_ms: Option<i64>) -> Self {
        match self {
            Self::Issued if now_ms >= expires_ms => Self::Expired,
            Self::Claimed if now_ms >= claimed_ms.unwrap_or(0).saturating_add(HANDOFF_MS) => Self::Expired,
            other => other,
        }
    }
}

/// What a redeem by the holder of the right secret leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeem {
    /// The first: the secret is made now.
    Claim,
    /// The same installation again: its answer was lost.
    Repeat,
    /// The same installation after its confirm: nothing is handed over again.
    AlreadyYours,
    /// A second party before the confirm: everything is destroyed.
    Contested,
    /// A second party after the confirm: refused and told; the secret stays.
    Intruder,
    /// The code is over.
    Over(CodeState),
}

/// Decides a redeem. `same_claim` says whether the claim key is the one that redeemed.
pub fn decide_redeem(state: CodeState, same_claim: bool) -> Redeem {
    match (state, same_claim) {
        (CodeState::Issued, _) => Redeem::Claim,
        (CodeState::Claimed, true) => Redeem::Repeat,
        (CodeState::Claimed, false) => Redeem::Contested,
        (CodeState::Confirmed, true) => Redeem::AlreadyYours,
        (CodeState::Confirmed, false) => Redeem::Intruder,
        (over, _) => Redeem::Over(over),
    }
}

/// What a confirm by the right claim key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// The proof is checked, then the secret is active.
    Check,
    /// Was confirmed before: the same answer again.
    Repeat,
    /// The code is over.
    Over(CodeState),
}

/// Decides a confirm.
pub fn decide_confirm(state: CodeState) -> Confirm {
    match state {
        CodeState::Claimed => Confirm::Check,
        CodeState::Confirmed => Confirm::Repeat,
        over => Confirm::Over(over),
    }
}

/// What is told of a code that is over, to who holds its secret or its claim key.
pub fn over(state: CodeState) -> Refusal {
    let words = match state {
        CodeState::Expired => "the code has expired: ask for a new one",
        CodeState::Revoked => "the code was revoked: ask for a new one",
        CodeState::Locked => "the code is locked after too many wrong tries: ask for a new one",
        CodeState::Compromised => {
            "the code was presented by two parties, so everything of it was destroyed: ask for a new one"
        }
        CodeState::Issued => "the code was not redeemed yet",
        CodeState::Claimed | CodeState::Confirmed => "the code was redeemed already",
    };
    Refusal::precondition(words)
}

/// The same for an unknown id and for a wrong secret.
pub fn unknown_code() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "no such code: check it, or ask for a new one")
}

/// What the second party is told: when, and by which host.
pub fn redeemed_by_another(claimed_ms: Option<i64>, host: &str) -> Refusal {
    let at = claimed_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let at = at.map_or_else(String::new, |at| format!(" at {at:.0}"));
    let host = if host.is_empty() { "a host without a name" } else { host };
    Refusal::new(RefusalKind::AlreadyExists, format!("redeemed{at} by {host}"))
}

/// A host's own name for itself: at most 255 characters, none of them control characters.
pub fn check_host(host: &str) -> Result<(), Refusal> {
    if host.chars().count() > MAX_HOST_CHARS || host.chars().any(char::is_control) {
        return Err(Refusal::field("host", "must have at most 255 characters and no control characters"));
    }
    Ok(())
}

/// By which a code's secret is stored and found right. It has 128 random bits, so a plain hash is enough.
pub fn hash_code_secret(code_id: &[u8; 8], secret: &[u8; 16]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(b"rollcall code\0").chain_update(code_id).chain_update(secret);
    hash.finalize().into()
}

/// By which a claim key is stored and found the same.
pub fn hash_claim_key(claim_key: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"rollcall claim\0").chain_update(claim_key).finalize().into()
}

/// Whether two hashes are the same, in constant time; an absent one never is.
pub fn same(stored: Option<&[u8]>, given: &[u8; 32]) -> bool {
    stored.is_some_and(|stored| bool::from(stored.ct_eq(given)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn time_alone_ends_a_code_and_an_unconfirmed_handoff() {
        assert_eq!(CodeState::Issued.at(99, 100, None), CodeState::Issued);
        assert_eq!(CodeState::Issued.at(100, 100, None), CodeState::Expired);
        let claimed = |now_ms| CodeState::Claimed.at(now_ms, 100, Some(50));
        assert_eq!(claimed(HANDOFF_MS + 49), CodeState::Claimed, "a claim outlives the code's own time");
        assert_eq!(claimed(HANDOFF_MS + 50), CodeState::Expired);
        assert_eq!(CodeState::Confirmed.at(i64::MAX, 100, Some(50)), CodeState::Confirmed);
    }

    #[test]
    fn every_state_survives_its_text() {
        for state in CodeState::ALL {
            assert_eq!(CodeState::parse(state.as_str()), Some(state));
        }
        assert_eq!(CodeState::parse("open"), None);
    }

    proptest! {
        /// Whoever comes in whatever order: at most one claim key is ever handed the secret, and once two came before
        /// the confirm, none confirms.
        #[test]
        fn at_most_one_party_gets_the_secret(parties in prop::collection::vec((0u8..4, any::<bool>()), 1..30)) {
            let (mut state, mut claim) = (CodeState::Issued, None);
            let (mut handed, mut contested) = (std::collections::BTreeSet::new(), false);
            for (party, confirms) in parties {
                if confirms {
                    if claim == Some(party) && decide_confirm(state) == Confirm::Check {
                        prop_assert!(!contested);
                        state = CodeState::Confirmed;
                    }
                    continue;
                }
                match decide_redeem(state, claim == Some(party)) {
                    Redeem::Claim => {
                        (state, claim) = (CodeState::Claimed, Some(party));
                        handed.insert(party);
                    }
                    Redeem::Repeat => drop(handed.insert(party)),
                    Redeem::Contested => (state, contested) = (CodeState::Compromised, true),
                    Redeem::AlreadyYours | Redeem::Intruder | Redeem::Over(_) => {}
                }
            }
            prop_assert!(handed.len() <= 1);
        }
    }
}
