//! A configuration file.

use provider_server::config::{Config, Environment, Written};

/// The password of the kept files.
const CANARY: &str = "hunter2";

#[test]
fn files_are_understood_or_refused_without_a_password() {
    super::feed::Feed::of("config").run(15_000, check);
}

pub fn check(input: &[u8]) {
    let environment: Environment = [("HOME".to_owned(), "/home/u".to_owned())].into();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let load = |text: &[u8]| {
        std::fs::write(file.path(), text).expect("written");
        Config::load(Written::default(), Some(file.path()), &environment)
    };
    match load(input) {
        Ok(config) => {
            assert!(config.ops_listen.ip().is_loopback());
            assert!((5..=3_600).contains(&config.node_lease.as_secs()));
            let shown = toml::to_string(&config.shown()).expect("TOML");
            assert!(!is_password(input) || !shown.contains(CANARY), "{shown}");
            // What is shown is a file that says the same; a database's URL is shown without what opens it.
            let mut told: toml::Table = shown.parse().expect("TOML");
            told.remove("database_url");
            let again = load(told.to_string().as_bytes()).unwrap_or_else(|failure| panic!("{failure}\n{told}"));
            let mut again: toml::Table = toml::to_string(&again.shown()).expect("TOML").parse().expect("TOML");
            again.retain(|name, _| told.contains_key(name));
            assert_eq!(again, told);
        }
        Err(failure) => {
            let told = failure.to_string();
            assert!(!is_password(input) || !told.contains(CANARY), "{told}");
        }
    }
}

/// Whether the canary stands only where a password does: elsewhere it may be repeated.
fn is_password(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines().filter(|line| line.contains(CANARY));
    lines.all(|line| {
        line.trim_start().starts_with("database_url = 'postgres://rollcall:hunter2@")
            && line.matches(CANARY).count() == 1
    })
}
