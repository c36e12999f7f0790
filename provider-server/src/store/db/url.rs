//! Where a database is.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// A database's address.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The embedded database's file.
    Sqlite(PathBuf),
    /// `postgres://…`; may hold a password.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Reads `sqlite:PATH` or `postgres://…`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Some(Self::Postgres(SecretString::from(text)));
        }
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        let path = path.and_then(|path| path.split('?').next()).filter(|path| !path.is_empty() && *path != ":memory:");
        path.map(|path| Self::Sqlite(path.into()))
    }

    /// The address as it may be shown: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => match url.expose_secret().parse::<::url::Url>() {
                Ok(mut url) => {
                    // A password may stand in the query too.
                    url.set_query(None);
                    let hidden = url.password().is_none() || url.set_password(None).is_ok();
                    if hidden { url.to_string() } else { "postgres:".into() }
                }
                Err(_) => "postgres:".into(),
            },
        }
    }

    /// The file of an embedded database.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl From<PathBuf> for DatabaseUrl {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for url in ["postgres://u:hunter2@db:5432/rollcall", "postgresql://u@db/rollcall?password=hunter2"] {
            let shown = DatabaseUrl::parse(url).expect("a database").shown();
            assert!(shown.contains("@db") && shown.contains("/rollcall") && !shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(DatabaseUrl::parse("sqlite:/x/r.db?mode=rwc").expect("a file").shown(), "sqlite:/x/r.db");
        assert!(DatabaseUrl::parse("mysql://db").is_none());
        assert!(DatabaseUrl::parse("sqlite::memory:").is_none());
    }
}
