//! What a person should look at, in plain words, most urgent first. Pure; names schools, never students.

use rollcall_proto::id::{DistrictId, EventId, RunId, SchoolId};

/// A secret in force for longer should be rotated, ms.
pub const OLD_SECRET_MS: i64 = 365 * 86_400_000;
/// A message that waits for longer is told, ms.
pub const LONG_WAIT_MS: i64 = 3_600_000;

/// The kinds, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttentionKind {
    /// A code met a second redeemer.
    EnrollmentCompromised,
    /// Nothing is deliverable.
    ConnectionDown,
    /// The endpoint answered 410 Gone.
    ConnectionHeld,
    /// No secret is in force.
    SecretRevoked,
    /// The breaker is open.
    ConnectionFailing,
    /// An import waits for a decision.
    ImportHold,
    /// An import failed lately.
    ImportFailed,
    /// Messages parked alone.
    Parked,
    /// A code was locked by wrong tries.
    CodeLocked,
    /// The oldest message waits for long.
    OldestUndelivered,
    /// A receiver's clock is off.
    ClockSkew,
    /// A secret is in force for long.
    OldSecret,
    /// Staff paused it.
    Paused,
    /// A code expired unused.
    CodeExpired,
}

impl AttentionKind {
    /// As told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnrollmentCompromised => "enrollment_compromised",
            Self::ConnectionDown => "connection_down",
            Self::ConnectionHeld => "connection_held",
            Self::SecretRevoked => "secret_revoked",
            Self::ConnectionFailing => "connection_failing",
            Self::ImportHold => "import_hold",
            Self::ImportFailed => "import_failed",
            Self::Parked => "parked",
            Self::CodeLocked => "code_locked",
            Self::OldestUndelivered => "oldest_undelivered",
            Self::ClockSkew => "clock_skew",
            Self::OldSecret => "old_secret",
            Self::Paused => "paused",
            Self::CodeExpired => "code_expired",
        }
    }

    /// urgent, warning or notice
    pub fn severity(self) -> &'static str {
        match self {
            Self::EnrollmentCompromised | Self::ConnectionDown | Self::ConnectionHeld | Self::SecretRevoked => "urgent",
            Self::ConnectionFailing
            | Self::ImportHold
            | Self::ImportFailed
            | Self::Parked
            | Self::CodeLocked
            | Self::OldestUndelivered => "warning",
            Self::ClockSkew | Self::OldSecret | Self::Paused | Self::CodeExpired => "notice",
        }
    }
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionItem {
    /// What it is.
    pub kind: AttentionKind,
    /// Whose it is.
    pub district: DistrictId,
    /// The school concerned, with its name.
    pub school: Option<(SchoolId, String)>,
    /// The import concerned.
    pub run: Option<RunId>,
    /// The message concerned.
    pub message: Option<EventId>,
    /// Messages, students or seconds.
    pub count: u64,
    /// Since when, Unix ms, where that is known.
    pub since_ms: Option<i64>,
    /// Why, where it was said; ends a sentence.
    pub detail: String,
}

impl AttentionItem {
    /// In plain words, with the next step.
    pub fn words(&self) -> String {
        let school = self.school.as_ref().map_or("a school", |(_, name)| name.as_str());
        let waiting = || messages(self.count, "waits", "wait");
        match self.kind {
            AttentionKind::EnrollmentCompromised => format!(
                "The enrollment code of {school} was used a second time, by somebody else, and everything of it was \
                 destroyed: find out how it leaked, then issue a new code."
            ),
            AttentionKind::ConnectionDown => {
                format!("Nothing reaches {school}; {}. Its last failure says what to do.", waiting())
            }
            AttentionKind::ConnectionHeld => {
                format!("The system of {school} answered 410 Gone; {} until you resume the connection.", waiting())
            }
            AttentionKind::SecretRevoked => {
                format!("{school} has no secret in force; {}. Issue a code, or rotate the secret.", waiting())
            }
            AttentionKind::ConnectionFailing => {
                format!("The last messages to {school} failed; one is tried at a time, {}.", waiting())
            }
            AttentionKind::ImportHold => {
                format!("An import of {} waits for a decision: approve or discard it.", changes(self.count))
            }
            AttentionKind::ImportFailed => format!("An import failed: {}.", self.detail.trim_end_matches('.')),
            AttentionKind::Parked => format!(
                "{} to {school} could not be delivered in all tries, while others are: resend or discard.",
                messages(self.count, "", "").trim_end()
            ),
            AttentionKind::CodeLocked => {
                format!("The enrollment code of {school} was locked by wrong tries: issue a new one.")
            }
            AttentionKind::OldestUndelivered => {
                format!("The oldest message, to {school}, has been waiting for {}.", duration(self.count))
            }
            AttentionKind::ClockSkew => format!(
                "The clock of the system of {school} is {} off ours: beyond 5 minutes it refuses every message.",
                duration(self.count)
            ),
            AttentionKind::OldSecret => {
                format!("The signing secret of {school} has been in force for {}: rotate it.", duration(self.count))
            }
            AttentionKind::Paused => format!("{school} is paused; {}.", waiting()),
            AttentionKind::CodeExpired => {
                format!("The enrollment code of {school} expired unused: issue a new one.")
            }
        }
    }
}

/// Most urgent first; of one kind, the one that concerns more, then the older one.
pub fn rank(items: &mut [AttentionItem]) {
    items.sort_by_key(|item| {
        (item.kind, std::cmp::Reverse(item.count), item.since_ms, item.school.as_ref().map(|s| s.0))
    });
}

fn messages(count: u64, one: &str, many: &str) -> String {
    match count {
        0 => format!("no message {one}"),
        1 => format!("1 message {one}"),
        _ => format!("{count} messages {many}"),
    }
}

fn changes(count: u64) -> String {
    if count == 1 { "1 change".into() } else { format!("{count} changes") }
}

/// A length of time in its largest whole unit.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "second"));
    match seconds / length {
        1 => format!("1 {unit}"),
        many => format!("{many} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [AttentionKind; 14] = [
        AttentionKind::EnrollmentCompromised,
        AttentionKind::ConnectionDown,
        AttentionKind::ConnectionHeld,
        AttentionKind::SecretRevoked,
        AttentionKind::ConnectionFailing,
        AttentionKind::ImportHold,
        AttentionKind::ImportFailed,
        AttentionKind::Parked,
        AttentionKind::CodeLocked,
        AttentionKind::OldestUndelivered,
        AttentionKind::ClockSkew,
        AttentionKind::OldSecret,
        AttentionKind::Paused,
        AttentionKind::CodeExpired,
    ];

    fn item(kind: AttentionKind, count: u64) -> AttentionItem {
        let school = Some((SchoolId::new(0, [0; 10]), "North".into()));
        let district = DistrictId::new(0, [0; 10]);
        let detail = "the zip is damaged".into();
        AttentionItem { kind, district, school, run: None, message: None, count, since_ms: None, detail }
    }

    #[test]
    fn every_kind_has_a_sentence_for_any_count() {
        for kind in ALL {
            for count in [0, 1, 2, 90_000] {
                let words = item(kind, count).words();
                assert!(words.ends_with('.') && words.len() > 20 && !words.contains("  "), "{kind:?}: {words}");
            }
        }
        assert_eq!(item(AttentionKind::ConnectionDown, 1).words().matches("1 message waits").count(), 1);
        assert!(item(AttentionKind::ClockSkew, 150).words().contains("2 minutes"));
    }

    #[test]
    fn the_urgent_come_first_and_of_one_kind_the_larger() {
        let mut items: Vec<AttentionItem> = ALL.iter().rev().map(|kind| item(*kind, 1)).collect();
        items.push(item(AttentionKind::Parked, 9));
        rank(&mut items);
        let severities: Vec<&str> = items.iter().map(|item| item.kind.severity()).collect();
        let mut sorted = severities.clone();
        sorted.sort_by_key(|severity| ["urgent", "warning", "notice"].iter().position(|known| known == severity));
        assert_eq!(severities, sorted);
        let parked: Vec<u64> =
            items.iter().filter(|item| item.kind == AttentionKind::Parked).map(|item| item.count).collect();
        assert_eq!(parked, [9, 1]);
    }
}
