//! What mail tells of a school or of a district's imports: what changed since it told last. Pure; names schools, never
//! students. What came and went unseen is not told: mail is about what a person should look at.

use rollcall_proto::id::{DistrictId, RunId, SchoolId};
use serde::{Deserialize, Serialize};

use super::{
    attention::{AttentionItem, AttentionKind},
    school::ShownState,
};

/// An alarm that is older was told by other means, or mail was switched on since, ms.
const ALARM_MS: i64 = 7 * 86_400_000;
/// Further messages that park at a school are told at most this often, ms.
pub const PARKED_AGAIN_MS: i64 = 3_600_000;

/// Whom a digest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A school's connection and messages.
    School(SchoolId),
    /// A district's imports.
    District(DistrictId),
}

impl Subject {
    /// The id as it is stored.
    pub fn id(self) -> String {
        match self {
            Self::School(id) => id.to_string(),
            Self::District(id) => id.to_string(),
        }
    }
}

/// What was told of a subject, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// That nothing is deliverable.
    pub down: bool,
    /// The last delivery when that was told, Unix ms.
    pub delivered_ms: i64,
    /// That the endpoint is gone.
    pub held: bool,
    /// When the newest of the messages told as parked parked, Unix ms.
    pub parked_ms: i64,
    /// When the alarm that was told was raised, Unix ms.
    pub alarmed_ms: i64,
    /// Runs that wait for a decision.
    pub runs: Vec<String>,
}

/// How a subject is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Now {
    /// A school.
    School {
        /// Its connection.
        state: ShownState,
        /// When a message was delivered last, Unix ms; 0 where none was.
        delivered_ms: i64,
        /// Messages that parked alone.
        parked: u64,
        /// When the newest of them parked, Unix ms.
        parked_ms: i64,
        /// When a second party presented its code last, Unix ms; 0 where none did.
        alarmed_ms: i64,
    },
    /// A district: its runs that wait, with the number of changes of each.
    District(Vec<(RunId, u64)>),
}

/// One thing to be told, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// A second party presented the school's code.
    Alarm,
    /// Nothing is deliverable.
    Down,
    /// The endpoint is gone.
    Held,
    /// An import waits, with so many changes.
    ImportHold(u64),
    /// So many messages rest alone, some of them new.
    Parked(u64),
    /// Messages are delivered again.
    Recovered,
}

impl Told {
    /// What is new, and what was told once that is told.
    pub fn news(&self, now: &Now, now_ms: i64) -> (Vec<News>, Told) {
        let (mut news, mut after) = (Vec::new(), self.clone());
        match now {
            Now::District(runs) => {
                let is_new = |run: &&(RunId, u64)| !self.runs.contains(&run.0.to_string());
                news.extend(runs.iter().filter(is_new).map(|(_, changes)| News::ImportHold(*changes)));
                after.runs = runs.iter().map(|(run, _)| run.to_string()).collect();
            }
            Now::School { state, delivered_ms, parked, parked_ms, alarmed_ms } => {
                if *alarmed_ms > self.alarmed_ms {
                    after.alarmed_ms = *alarmed_ms;
                    if now_ms - alarmed_ms < ALARM_MS {
                        news.push(News::Alarm);
                    }
                }
                match state {
                    ShownState::Down if !self.down => {
                        news.push(News::Down);
                        (after.down, after.delivered_ms) = (true, *delivered_ms);
                    }
                    // Staff may have paused or changed it meanwhile: what tells is a delivery.
                    ShownState::Active if self.down && *delivered_ms > self.delivered_ms => {
                        news.push(News::Recovered);
                        after.down = false;
                    }
                    _ => {}
                }
                after.held = *state == ShownState::Held;
                if after.held && !self.held {
                    news.push(News::Held);
                }
                if *parked > 0 && *parked_ms > self.parked_ms {
                    news.push(News::Parked(*parked));
                    after.parked_ms = *parked_ms;
                }
            }
        }
        news.sort_unstable();
        (news, after)
    }
}

/// What the subject of a mail and its school are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// The school; empty for a district.
    pub school: String,
    /// Its sourcedId.
    pub school_sourced_id: String,
    /// The district.
    pub district: String,
}

/// A mail's subject line and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Plain text, lines ending with `\n`.
    pub text: String,
}

/// Puts news into words. `waiting` are the messages that wait at the school, without those that parked alone.
pub fn words(of: Subject, called: &Called, news: &[News], waiting: u64, at: &str, server: &str) -> Words {
    let called = &Called {
        school: line(&called.school),
        school_sourced_id: line(&called.school_sourced_id),
        district: line(&called.district),
    };
    let name = if called.school.is_empty() { &called.district } else { &called.school };
    let heads: Vec<String> = news.iter().map(|one| head(*one)).collect();
    let mut text = match of {
        Subject::School(_) => format!("{} ({}), {}\n\n", called.school, called.school_sourced_id, called.district),
        Subject::District(_) => format!("{}\n\n", called.district),
    };
    for one in news {
        text.push_str(&format!("- {}\n", sentence(of, called, *one, waiting)));
    }
    text.push_str(&format!(
        "\nAs of {at}. What is behind it is in the Provider Console, or: provider-server ctl overview\n\n-- \n\
         Rollcall at {server}. Mail tells of schools and imports, never of a student.\n"
    ));
    Words { subject: format!("Rollcall: {name}: {}", heads.join(", ")), text }
}

/// A name in a header is one line.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

fn head(news: News) -> String {
    match news {
        News::Alarm => "enrollment code used twice".into(),
        News::Down => "nothing is deliverable".into(),
        News::Held => "deliveries are held".into(),
        News::ImportHold(_) => "an import waits for you".into(),
        News::Parked(1) => "1 message parked".into(),
        News::Parked(count) => format!("{count} messages parked"),
        News::Recovered => "delivers again".into(),
    }
}

fn sentence(of: Subject, called: &Called, news: News, waiting: u64) -> String {
    let name = &called.school;
    let item = |kind, count| {
        let school = match of {
            Subject::School(id) => Some((id, name.clone())),
            Subject::District(_) => None,
        };
        // No field but the kind, the name and the count is in its words.
        let district = DistrictId::new(0, [0; 10]);
        AttentionItem { kind, district, school, run: None, message: None, count, since_ms: None, detail: String::new() }
            .words()
    };
    match news {
        News::Alarm => format!(
            "A second party presented the enrollment code of {name} and was refused: find out how the code leaked. If the \
             school shows as compromised, everything of the code was destroyed, and the school needs a new one."
        ),
        News::Down => item(AttentionKind::ConnectionDown, waiting),
        News::Held => item(AttentionKind::ConnectionHeld, waiting),
        News::ImportHold(changes) => item(AttentionKind::ImportHold, changes),
        News::Parked(count) => item(AttentionKind::Parked, count),
        News::Recovered => format!("{name} takes messages again. What waited goes out by itself, in order."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_763_913_600_000;

    fn school(state: ShownState, delivered_ms: i64) -> Now {
        Now::School { state, delivered_ms, parked: 0, parked_ms: 0, alarmed_ms: 0 }
    }

    /// Tells everything and answers what was told.
    fn tell(told: &mut Told, now: &Now) -> Vec<News> {
        let (news, after) = told.news(now, NOW_MS);
        *told = after;
        news
    }

    #[test]
    fn a_connection_is_told_down_once_and_up_once_it_delivered() {
        let mut told = Told::default();
        assert_eq!(tell(&mut told, &school(ShownState::Failing, 10)), []);
        assert_eq!(tell(&mut told, &school(ShownState::Down, 10)), [News::Down]);
        for unchanged in
            [ShownState::Down, ShownState::Paused, ShownState::Active, ShownState::Failing, ShownState::Down]
        {
            assert_eq!(tell(&mut told, &school(unchanged, 10)), [], "{unchanged:?}: nothing was delivered");
        }
        assert_eq!(tell(&mut told, &school(ShownState::Active, 11)), [News::Recovered]);
        assert_eq!(tell(&mut told, &school(ShownState::Active, 12)), []);
        assert_eq!(tell(&mut told, &school(ShownState::Down, 12)), [News::Down]);
        assert_eq!(tell(&mut told, &school(ShownState::Held, 12)), [News::Held]);
        assert_eq!(tell(&mut told, &school(ShownState::Held, 12)), []);
    }

    #[test]
    fn parks_alarms_and_holds_are_told_as_they_come() {
        let mut told = Told::default();
        let parks = |parked, parked_ms, alarmed_ms| Now::School {
            state: ShownState::Active,
            delivered_ms: 0,
            parked,
            parked_ms,
            alarmed_ms,
        };
        assert_eq!(tell(&mut told, &parks(2, 100, 0)), [News::Parked(2)]);
        assert_eq!(tell(&mut told, &parks(1, 100, 0)), [], "one was resent");
        assert_eq!(tell(&mut told, &parks(2, 101, NOW_MS)), [News::Alarm, News::Parked(2)]);
        assert_eq!(tell(&mut told, &parks(0, 0, NOW_MS)), []);
        assert_eq!(tell(&mut Told::default(), &parks(0, 0, NOW_MS - ALARM_MS)), [], "an old alarm");

        let run = |number: u8| (RunId::new(1, [number; 10]), u64::from(number));
        let mut told = Told::default();
        assert_eq!(tell(&mut told, &Now::District(vec![run(1)])), [News::ImportHold(1)]);
        assert_eq!(tell(&mut told, &Now::District(vec![run(1), run(2)])), [News::ImportHold(2)]);
        assert_eq!(tell(&mut told, &Now::District(vec![])), []);
        assert_eq!(told, Told::default());
    }

    #[test]
    fn a_mail_is_one_line_and_plain_sentences() {
        let of = Subject::School(SchoolId::new(0, [0; 10]));
        let called = Called {
            school: "North\nBcc: x@y".into(),
            school_sourced_id: "sch-7".into(),
            district: "Maple Valley".into(),
        };
        let words = words(of, &called, &[News::Down, News::Parked(3)], 12, "2026-11-26T04:00:00Z", "r.example:7443");
        assert_eq!(words.subject, "Rollcall: North Bcc: x@y: nothing is deliverable, 3 messages parked");
        assert!(words.text.contains("- Nothing reaches North Bcc: x@y; 12 messages wait."), "{}", words.text);
        assert!(
            words.text.contains("3 messages to North Bcc: x@y could not be delivered in all tries"),
            "{}",
            words.text
        );
    }
}
