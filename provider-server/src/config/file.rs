//! The TOML file.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::Written;
use crate::exit::Failure;

const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Reads it; says where it is wrong.
pub fn read(path: &Path) -> Result<Written, Failure> {
    let wrong = |what: String| Failure::config(format!("{}: {what}", path.display()));
    let size_bytes = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size_bytes > MAX_CONFIG_BYTES {
        return Err(wrong("larger than 1 MiB: this is no configuration file".into()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(explain(&error, &text)))
}

/// Where and what: the error's own text repeats the line, which may hold a password.
fn explain(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |at| at + 1));
    let name = text[start..].lines().next().and_then(|line| line.split_once('=')).map(|(name, _)| name.trim());
    match name.filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        Some(name) => format!("line {number}, {name}: {}", error.message()),
        None => format!("line {number}: {}", error.message()),
    }
}

/// A number of seconds, which people also write as a number.
pub fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected seconds, like 60")]
    enum Seconds {
        Number(i64),
        Text(String),
    }
    Ok(Some(match Seconds::deserialize(deserializer)? {
        Seconds::Number(seconds) => seconds.to_string(),
        Seconds::Text(text) => text,
    }))
}
