//! The enrollment code's text form: `RC1-` and groups of Crockford base32 that hold, in this order, the code's id
//! (8 bytes), its secret (16 bytes), the SHA-256 of the server's public key (32 bytes) and the server's `host:port`,
//! then four check characters, so that a typing error is found without a connection.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "RC1";
const GROUP: usize = 5;
const CHECK_CHARACTERS: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const FIXED_BYTES: usize = 8 + 16 + 32;
const MAX_ADDRESS_BYTES: usize = 255;
/// What a deep link starts with.
pub const DEEP_LINK: &str = "rollcall-school://enroll?code=";

/// What a code carries. The secret has no Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrollmentCode {
    /// Names the code at the server; not secret.
    pub id: [u8; 8],
    /// Proves the right to redeem.
    pub secret: Zeroizing<[u8; 16]>,
    /// SHA-256 of the server's public key (SubjectPublicKeyInfo).
    pub pin: [u8; 32],
    /// `host:port` of the provider's gRPC.
    pub server: String,
}

/// Why a text is not a code. All of it is found offline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCode {
    /// Another start.
    #[error("this is not an enrollment code: it starts with `RC1-`")]
    Prefix,
    /// A newer form.
    #[error("this code was made by a newer version: update this program")]
    NewerVersion,
    /// A character outside the alphabet.
    #[error("the character `{character}` at place {place} is never part of a code")]
    Character {
        /// As typed.
        character: char,
        /// Counted from 1 in the text as given.
        place: usize,
    },
    /// Cut short.
    #[error("the code is cut short: copy all of it")]
    TooShort,
    /// The check characters do not fit.
    #[error("the code has a typing error: the check characters do not fit")]
    Check,
    /// The server's address inside is unusable.
    #[error("the code names no usable server address")]
    Address,
}

impl EnrollmentCode {
    /// The code's text.
    pub fn encode(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new(Vec::with_capacity(FIXED_BYTES + self.server.len()));
        payload.extend_from_slice(&self.id);
        payload.extend_from_slice(self.secret.as_slice());
        payload.extend_from_slice(&self.pin);
        payload.extend_from_slice(self.server.as_bytes());
        let mut digits = Zeroizing::new(base32(&payload));
        digits.push_str(&check_characters(&payload));
        let mut text = Zeroizing::new(String::with_capacity(digits.len() * 6 / 5 + 5));
        text.push_str(PREFIX);
        for (index, digit) in digits.chars().enumerate() {
            if index % GROUP == 0 {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }

    /// Reads a code, a deep link, or a code with other grouping, case, or `O I L` for `0 1 1`.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        let text = text.trim();
        let text = text.strip_prefix(DEEP_LINK).unwrap_or(text);
        let start = text.as_bytes().get(..3).ok_or(InvalidCode::Prefix)?;
        if !start.eq_ignore_ascii_case(PREFIX.as_bytes()) {
            let newer = start[..2].eq_ignore_ascii_case(b"RC") && start[2].is_ascii_digit();
            return Err(if newer { InvalidCode::NewerVersion } else { InvalidCode::Prefix });
        }
        let mut values = Zeroizing::new(Vec::with_capacity(text.len()));
        for (index, character) in text.chars().enumerate().skip(3) {
            if character == '-' || character.is_whitespace() {
                continue;
            }
            let value = digit_value(character).ok_or(InvalidCode::Character { character, place: index + 1 })?;
            values.push(value);
        }
        let digits = values.len().checked_sub(CHECK_CHARACTERS).ok_or(InvalidCode::TooShort)?;
        let payload = Zeroizing::new(unbase32(&values[..digits]));
        if payload.len() <= FIXED_BYTES {
            return Err(InvalidCode::TooShort);
        }
        let given: String = values[digits..].iter().map(|&v| ALPHABET[usize::from(v)] as char).collect();
        if given != check_characters(&payload) {
            return Err(InvalidCode::Check);
        }
        let server = std::str::from_utf8(&payload[FIXED_BYTES..]).map_err(|_| InvalidCode::Address)?;
        let usable = server.len() <= MAX_ADDRESS_BYTES
            && server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !usable {
            return Err(InvalidCode::Address);
        }
        let mut secret = Zeroizing::new([0; 16]);
        secret.copy_from_slice(&payload[8..24]);
        Ok(Self {
            id: payload[..8].try_into().expect("8 bytes"),
            secret,
            pin: payload[24..56].try_into().expect("32 bytes"),
            server: server.to_owned(),
        })
    }
}

fn digit_value(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|&a| a as char == upper).map(|index| index as u8)
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut buffer, mut bits) = (String::new(), 0u32, 0u32);
    for &byte in bytes {
        buffer = buffer << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(ALPHABET[(buffer >> bits & 31) as usize] as char);
        }
    }
    if bits > 0 {
        text.push(ALPHABET[(buffer << (5 - bits) & 31) as usize] as char);
    }
    text
}

fn unbase32(values: &[u8]) -> Vec<u8> {
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0u32, 0u32);
    for &value in values {
        buffer = buffer << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    bytes
}

fn check_characters(payload: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"rollcall code check\0").chain_update(payload).finalize();
    base32(&digest[..3]).chars().take(CHECK_CHARACTERS).collect()
}

/// One word for each byte, joined by hyphens: how people compare fingerprints.
pub fn words(bytes: &[u8]) -> String {
    let words: Vec<&str> = bytes.iter().map(|&byte| WORDS[usize::from(byte)]).collect();
    words.join("-")
}

#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "acorn", "actor", "agate", "album", "alder", "alley", "amber", "anchor", "angle", "apple", "apron", "arbor", "arch", "arrow", "ash", "aspen",
    "atlas", "autumn", "badge", "bagel", "baker", "bamboo", "banjo", "barley", "barn", "basil", "basket", "beach", "beacon", "beaver", "beech", "bell",
    "berry", "birch", "bison", "blanket", "blossom", "board", "bonnet", "book", "border", "bottle", "branch", "brass", "bread", "breeze", "brick", "bridge",
    "brook", "broom", "brush", "bucket", "butter", "button", "cabin", "cable", "cactus", "camel", "camera", "candle", "canoe", "canvas", "canyon", "carbon",
    "carrot", "castle", "cedar", "cello", "chalk", "cherry", "chess", "cider", "circle", "citrus", "clay", "cliff", "clock", "cloud", "clover", "coast",
    "cobalt", "coffee", "comet", "compass", "copper", "coral", "cotton", "crane", "crayon", "creek", "cricket", "crown", "crystal", "cup", "curtain", "daisy",
    "dawn", "desert", "desk", "diamond", "dolphin", "domino", "door", "dove", "dragon", "drum", "dune", "eagle", "earth", "easel", "echo", "elbow",
    "elm", "ember", "engine", "falcon", "farm", "feather", "fence", "fern", "ferry", "fiddle", "field", "finch", "flag", "flame", "flute", "forest",
    "fossil", "fountain", "fox", "frost", "galaxy", "garden", "garlic", "garnet", "gate", "ginger", "glacier", "globe", "glove", "granite", "grape", "grove",
    "guitar", "gull", "hammer", "harbor", "harp", "hazel", "hedge", "heron", "hickory", "hill", "honey", "horizon", "horse", "island", "ivory", "ivy",
    "jacket", "jade", "jasmine", "jelly", "jungle", "juniper", "kayak", "kettle", "kite", "ladder", "lagoon", "lake", "lantern", "larch", "laurel", "lemon",
    "lentil", "lily", "linen", "lion", "lizard", "lotus", "lumber", "magnet", "mango", "maple", "marble", "market", "meadow", "melon", "mesa", "mint",
    "mirror", "mitten", "moon", "moss", "mountain", "nectar", "needle", "nest", "north", "nutmeg", "oak", "oasis", "ocean", "olive", "onion", "opal",
    "orange", "orbit", "orchid", "otter", "owl", "oyster", "paddle", "palm", "panda", "paper", "parrot", "peach", "pearl", "pebble", "pencil", "pepper",
    "piano", "pigeon", "pillow", "pine", "planet", "plum", "pocket", "pond", "poplar", "prairie", "prism", "pumpkin", "quartz", "quill", "rabbit", "raven",
    "reef", "ribbon", "river", "robin", "rocket", "saddle", "saffron", "salmon", "satin", "shell", "silver", "spruce", "thunder", "tulip", "violin", "willow",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code() -> EnrollmentCode {
        EnrollmentCode {
            id: [1, 2, 3, 4, 5, 6, 7, 8],
            secret: Zeroizing::new([9; 16]),
            pin: [0xAB; 32],
            server: "provider.example:7443".into(),
        }
    }

    fn problem(text: &str) -> InvalidCode {
        EnrollmentCode::parse(text).err().expect("refused")
    }

    #[test]
    fn a_code_survives_case_grouping_and_look_alikes() {
        let text = code().encode();
        let sloppy =
            text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l").replacen("rcl", "rc1", 1);
        assert!(EnrollmentCode::parse(&text).is_ok_and(|c| c == code()));
        assert!(EnrollmentCode::parse(&sloppy).is_ok_and(|c| c == code()));
        assert!(EnrollmentCode::parse(&format!("{DEEP_LINK}{}", *text)).is_ok_and(|c| c == code()));
    }

    #[test]
    fn each_kind_of_mistake_has_its_own_words() {
        let text = code().encode();
        assert_eq!(problem(""), InvalidCode::Prefix);
        assert_eq!(problem("whsec_abc"), InvalidCode::Prefix);
        assert_eq!(problem(&text.replacen("RC1", "RC2", 1)), InvalidCode::NewerVersion);
        assert_eq!(problem("RC1-ABCDE"), InvalidCode::TooShort);
        assert_eq!(problem(&text.replacen("RC1-", "RC1-!", 1)), InvalidCode::Character { character: '!', place: 5 });
    }

    proptest! {
        #[test]
        fn a_single_wrong_character_is_found(place in 4usize..100, with in 0usize..32) {
            let text: Vec<char> = code().encode().chars().collect();
            let with = ALPHABET[with] as char;
            prop_assume!(place < text.len() && text[place] != '-' && text[place] != with);
            let mut wrong = text.clone();
            wrong[place] = with;
            let parsed = EnrollmentCode::parse(&wrong.iter().collect::<String>());
            // 20 check bits: one wrong code in a million passes, and then the server refuses it.
            prop_assert!(parsed.is_err() || parsed.is_ok_and(|c| c != code()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,300}") {
            let _ = EnrollmentCode::parse(&text);
        }
    }

    #[test]
    fn the_words_are_all_different() {
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 256);
    }
}
