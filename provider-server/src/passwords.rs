//! Passwords of staff: argon2id with 19 MiB, on half of the processors at most and behind everything else that wants them,
//! so that a flood of sign-ins does not starve other calls.

use std::{num::NonZero, sync::Arc, thread};

use argon2::{
    Algorithm, Argon2, Params, PasswordVerifier as _, Version,
    password_hash::{CustomizedPasswordHasher as _, phc::PasswordHash},
};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use crate::{
    background,
    clock::Entropy,
    error::{Refusal, RefusalKind},
};

/// Shorter ones are refused, in characters.
pub const MIN_CHARS: usize = 12;
/// Longer ones are refused, in bytes: hashing is not free.
const MAX_BYTES: usize = 1_024;
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
/// Hashes under way at once, if half of the processors are as many: more memory than theirs is not for strangers to take.
const MOST_AT_ONCE: usize = 2;
/// Sign-ins that may wait for their turn; more are told to come back.
const MAX_WAITING: usize = 64;

/// Hashes and verifies. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Verified for unknown names, so that they take as long as known ones.
    dummy: Arc<str>,
    entropy: Entropy,
}

impl Passwords {
    /// Makes the dummy hash once.
    pub fn new(entropy: Entropy) -> Self {
        let dummy = hash(&hex::encode(entropy.bytes::<16>()), &entropy.bytes::<16>());
        // Other threads find a processor that is free of hashes.
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let at_once = (processors / 2).clamp(1, MOST_AT_ONCE);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + MAX_WAITING)),
            dummy: dummy.into(),
            entropy,
        }
    }

    /// Refuses what is too short, too long, too simple or common; `username` must not be most of it.
    pub fn check_new(username: &str, password: &str) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::field("password", message));
        if password.chars().count() < MIN_CHARS {
            return refuse("use at least 12 characters, for example four words");
        }
        if password.len() > MAX_BYTES {
            return refuse("use at most 1,024 bytes");
        }
        let folded: String = password.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
        let letters: String = folded.trim_matches(|c: char| !c.is_alphabetic()).to_owned();
        let distinct = folded.chars().collect::<std::collections::HashSet<_>>().len();
        let common = COMMON.iter().any(|word| folded == *word || letters == *word || folded == word.repeat(2));
        let run = |text: &str| SEQUENCES.iter().any(|sequence| sequence.contains(text));
        let named = username.len() >= 4 && folded.replace(&username.to_lowercase(), "").chars().count() < 6;
        if common || named || distinct < 5 || run(&folded) {
            return refuse("this password is easy to guess: use another, for example four unrelated words");
        }
        Ok(())
    }

    /// The hash to be stored.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<String, Refusal> {
        let salt = self.entropy.bytes::<16>();
        self.run(move || hash(&password, &salt)).await
    }

    /// Whether the password fits; takes as long for an unknown account, `stored` being `None`.
    pub async fn verify(&self, password: Zeroizing<String>, stored: Option<String>) -> Result<bool, Refusal> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let fits = self
            .run(move || {
                let Ok(parsed) = PasswordHash::new(&stored) else { return false };
                password.len() <= MAX_BYTES && hasher().verify_password(password.as_bytes(), &parsed).is_ok()
            })
            .await?;
        Ok(fits && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let busy = || Refusal::new(RefusalKind::Exhausted, "many sign-ins are under way: try again in a few seconds");
        let _place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy())?;
        let (done, told) = oneshot::channel();
        let work = move || {
            let _turn = turn;
            // The caller may have gone away.
            let _ = done.send(background::behind_others(work));
        };
        thread::Builder::new().name("password".into()).spawn(work).map_err(|_| busy())?;
        told.await.map_err(|_| busy())
    }
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("constants inside argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str, salt: &[u8; 16]) -> String {
    let hasher = hasher();
    let hash = hasher
        .hash_password_customized(password.as_bytes(), salt, None, None, hasher.params().clone())
        .expect("argon2 takes any password below 4 GiB and a salt of 16 bytes");
    hash.to_string()
}

const SEQUENCES: [&str; 5] = [
    "01234567890123456789012345678901234567890123456789",
    "98765432109876543210987654321098765432109876543210",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "qwertzuiopasdfghjklyxcvbnmqwertzuiop",
];

/// Lower case, without spaces; digits and signs around a word are looked through.
#[rustfmt::skip]
const COMMON: [&str; 96] = [
    "password", "passwort", "password1234", "password12345", "password123456", "passwordpassword", "passw0rd", "p@ssword", "p@ssw0rd", "p@ssw0rd1234",
    "mypassword", "newpassword", "thepassword", "yourpassword", "adminpassword", "defaultpassword", "secretpassword", "passwordadmin", "password2024", "password2025",
    "password2026", "letmein", "letmeinplease", "letmeinnow", "welcome", "welcomehome", "welcomeback", "welcome12345", "welcometoschool", "changeme",
    "changemenow", "changemeplease", "changeit", "administrator", "adminadmin", "adminadminadmin", "administrator1", "rootroot", "rootrootroot", "qwerty",
    "qwertyuiop", "qwerty123456", "qwertyqwerty", "1q2w3e4r5t6y", "1qaz2wsx3edc", "q1w2e3r4t5y6", "zaq12wsxcde3", "asdfghjkl", "asdfasdfasdf", "zxcvbnm",
    "iloveyou", "iloveyou1234", "iloveyouforever", "iloveyousomuch", "sunshine", "sunshine1234", "princess", "princess1234", "football", "football1234",
    "baseball", "basketball", "superman", "batman", "spiderman", "starwars", "pokemon", "dragon", "monkey", "michael",
    "jennifer", "charlie", "jordan", "whatever", "trustno1", "master", "abc123", "abc123abc123", "abcd1234abcd", "a1b2c3d4e5f6",
    "123qwe123qwe", "qwe123qwe123", "123456abcdef", "abcdef123456", "111222333444", "112233445566", "123123123123", "121212121212", "123412341234", "correcthorsebatterystaple",
    "rollcall", "rollcallrollcall", "teacher", "schoolschool", "studentstudent", "ihatepasswords",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_easy_to_guess_is_refused() {
        let refused = |password: &str| Passwords::check_new("margaret", password).is_err();
        for easy in ["short", "password12345!", "  Password 2024!!", "123456789012", "aaaaaaaaaaaa", "qwertyuiopas"] {
            assert!(refused(easy), "{easy}");
        }
        assert!(refused("Margaret2026!"), "the name with little else");
        assert!(refused(&"long but bounded ".repeat(100)));
        assert!(!refused("violin tundra ocean mint"));
        assert!(!refused("Margaret keeps nine bees"));
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_fits() {
        let passwords = Passwords::new(Entropy::seeded(1));
        let text = |password: &str| Zeroizing::new(password.to_owned());
        let stored = passwords.hash(text("violin tundra ocean")).await.expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(passwords.verify(text("violin tundra ocean"), Some(stored.clone())).await, Ok(true));
        assert_eq!(passwords.verify(text("violin tundra oceans"), Some(stored)).await, Ok(false));
        assert_eq!(passwords.verify(text("violin tundra ocean"), None).await, Ok(false));
    }
}
