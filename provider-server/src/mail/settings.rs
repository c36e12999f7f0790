//! How mail is sent, as it is set. Everything wrong is found at the start and named.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{message::Mailbox, transport::smtp::authentication::Credentials};
use zeroize::Zeroizing;

use crate::{exit::Failure, key_file::check_private};

const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_RECIPIENTS: usize = 50;
const WINDOW: Duration = Duration::from_secs(60);

/// A setting as it was picked: where it comes from, and its text.
pub type Picked = Option<(String, String)>;

/// The settings as they are written.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Written {
    pub server: Picked,
    pub tls: Picked,
    pub from: Picked,
    pub to: Vec<String>,
    pub credentials: Picked,
    pub ca: Picked,
    pub window: Picked,
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte on.
    Wrapped,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    /// Not at all: for a relay on this machine or network.
    None,
}

impl Tls {
    const ALL: [Tls; 3] = [Self::StartTls, Self::Wrapped, Self::None];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wrapped => "tls",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Wrapped => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// How mail is sent. The password has no other way out than to the server.
#[derive(Clone)]
pub struct MailSettings {
    /// The server's name or address, and its port.
    pub server: (String, u16),
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Whom it comes from.
    pub from: Mailbox,
    /// Whom it goes to.
    pub to: Vec<Mailbox>,
    /// The file that the credentials came from.
    pub credentials_file: Option<PathBuf>,
    /// What the server is signed in with.
    pub credentials: Option<Credentials>,
    /// The file with the only authorities that the server's certificate may come from; else the system's.
    pub ca_file: Option<PathBuf>,
    /// What happens within this time of a first thing to tell goes into the same mail.
    pub window: Duration,
}

impl MailSettings {
    /// Reads and checks everything; `None` where no server is set.
    pub fn read(written: Written) -> Result<Option<Self>, Failure> {
        let Some((source, server)) = written.server else {
            let rest = [written.tls, written.from, written.credentials, written.ca, written.window];
            let first = rest.into_iter().flatten().map(|(source, _)| source).next();
            let stray = first.or_else(|| (!written.to.is_empty()).then(|| "mail_to".to_owned()));
            return match stray {
                Some(source) => Err(Failure::config(format!("{source}: is set, but mail_server is not: set it, too"))),
                None => Ok(None),
            };
        };
        let tls = written.tls.map_or(Ok(Tls::StartTls), |(source, text)| read_tls(&source, &text))?;
        let server = read_server(&source, &server, tls)?;
        let missing = |name: &str, what: &str| {
            Failure::config(format!("{name}: is missing: mail_server is set, so say {what}, like rollcall@example.org"))
        };
        let (source, text) = written.from.ok_or_else(|| missing("mail_from", "whom mail comes from"))?;
        let from = read_address(&source, &text)?;
        if written.to.is_empty() {
            return Err(missing("mail_to", "whom it goes to"));
        }
        if written.to.len() > MAX_RECIPIENTS {
            return Err(Failure::config(format!(
                "mail_to: more than {MAX_RECIPIENTS} recipients: use a list's address"
            )));
        }
        let to = written.to.iter().map(|text| read_address("mail_to", text)).collect::<Result<_, _>>()?;
        let credentials_file = written.credentials.map(|(_, path)| PathBuf::from(path));
        if credentials_file.is_some() && tls == Tls::None {
            return Err(Failure::config(
                "mail_credentials: with mail_tls = none the password would be sent in clear: use tls or starttls",
            ));
        }
        let credentials = credentials_file.as_deref().map(read_credentials).transpose()?;
        let window = written.window.map_or(Ok(WINDOW), |(source, text)| read_window(&source, &text))?;
        let ca_file = written.ca.map(|(_, path)| PathBuf::from(path));
        Ok(Some(Self { server, tls, from, to, credentials_file, credentials, ca_file, window }))
    }
}

fn read_tls(source: &str, text: &str) -> Result<Tls, Failure> {
    let found = Tls::ALL.into_iter().find(|tls| tls.as_str() == text);
    found.ok_or_else(|| Failure::config(format!("{source}: `{text}` is not starttls, tls or none")))
}

fn read_server(source: &str, text: &str, tls: Tls) -> Result<(String, u16), Failure> {
    let wrong = || Failure::config(format!("{source}: `{text}` is not HOST or HOST:PORT, like smtp.example.org:587"));
    // An IPv6 address stands in brackets.
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
        None => tls.port(),
    };
    let is_bare_v6 = host.contains(':') && !text.starts_with('[');
    let usable =
        !is_bare_v6 && !host.is_empty() && host.len() <= 253 && host.chars().all(|c| c.is_ascii_graphic() && c != '/');
    if usable { Ok((host.to_owned(), port)) } else { Err(wrong()) }
}

fn read_address(source: &str, text: &str) -> Result<Mailbox, Failure> {
    let parsed = text.trim().parse::<Mailbox>().ok().filter(|_| !text.chars().any(char::is_control));
    parsed.ok_or_else(|| {
        Failure::config(format!(
            "{source}: `{text}` is not an address like it@example.org or Rollcall <it@example.org>"
        ))
    })
}

fn read_window(source: &str, text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=3_600).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| Failure::config(format!("{source}: `{text}` is not 1 to 3600 seconds")))
}

/// Two lines: the username, the password. Neither is repeated in a failure.
fn read_credentials(path: &Path) -> Result<Credentials, Failure> {
    let wrong = |what: &str| Failure::config(format!("mail_credentials: {}: {what}", path.display()));
    let file = File::open(path).map_err(|error| wrong(&error.to_string()))?;
    check_private(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| wrong(&error.to_string()))?;
    let mut lines = text.lines().filter(|line| !line.is_empty());
    match (lines.next(), lines.next(), lines.next()) {
        (Some(username), Some(password), None) => Ok(Credentials::new(username.into(), password.into())),
        _ => Err(wrong("it does not hold two lines, the username and the password")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(name: &str, text: &str) -> Picked {
        Some((name.into(), text.into()))
    }

    fn written() -> Written {
        Written {
            server: picked("mail_server", "smtp.example.org"),
            from: picked("mail_from", "Rollcall <rollcall@example.org>"),
            to: vec!["it@example.org".into()],
            ..Written::default()
        }
    }

    #[test]
    fn the_least_that_is_needed_has_safe_defaults() {
        assert!(MailSettings::read(Written::default()).expect("nothing is set").is_none());
        let settings = MailSettings::read(written()).expect("valid").expect("set");
        assert_eq!(settings.server, ("smtp.example.org".into(), 587));
        assert_eq!((settings.tls, settings.window), (Tls::StartTls, WINDOW));
        for (server, tls, expected) in [
            ("a.example", "tls", ("a.example", 465)),
            ("[::1]", "none", ("::1", 25)),
            ("[::1]:2525", "tls", ("::1", 2525)),
            ("10.1.1.1:25", "none", ("10.1.1.1", 25)),
        ] {
            let written = Written { server: picked("mail_server", server), tls: picked("mail_tls", tls), ..written() };
            let (host, port) = MailSettings::read(written).expect("valid").expect("set").server;
            assert_eq!((host.as_str(), port), expected);
        }
    }

    #[test]
    fn whatever_is_wrong_is_named_and_says_what_to_do() {
        let refused = |written: Written, words: &str| {
            let failure = MailSettings::read(written).err().expect(words);
            assert_eq!(failure.code, 78);
            assert!(failure.message.contains(words), "{failure}");
        };
        refused(Written { server: None, ..written() }, "mail_from: is set, but mail_server is not");
        refused(Written { to: vec!["a@b.c".into()], ..Written::default() }, "mail_to: is set, but mail_server is not");
        refused(Written { from: None, ..written() }, "mail_from: is missing");
        refused(Written { to: vec![], ..written() }, "mail_to: is missing");
        refused(Written { to: vec!["nobody".into()], ..written() }, "mail_to: `nobody` is not an address");
        refused(Written { from: picked("mail_from", "a@b\nBcc: c@d"), ..written() }, "is not an address");
        refused(Written { tls: picked("--mail-tls", "ssl"), ..written() }, "--mail-tls: `ssl` is not starttls, tls");
        refused(Written { window: picked("mail_window", "0"), ..written() }, "mail_window: `0` is not 1 to 3600");
        for server in ["", ":25", "a.example:0", "a.example:smtp", "a b", "smtp://a.example", "::1"] {
            let written = Written { server: picked("mail_server", server), ..written() };
            refused(written, "is not HOST or HOST:PORT");
        }
    }

    #[cfg(unix)]
    #[test]
    fn credentials_are_two_lines_that_only_this_user_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().expect("a file");
        let written =
            || Written { credentials: picked("mail_credentials", &file.path().to_string_lossy()), ..written() };
        for text in ["", "user\n", "user\npass\nmore\n"] {
            std::fs::write(file.path(), text).expect("written");
            let failure = MailSettings::read(written()).err().expect("refused");
            assert!(failure.message.contains("two lines") && !failure.message.contains("pass\n"), "{failure}");
        }
        std::fs::write(file.path(), "user\nhunter2\n").expect("written");
        let settings = MailSettings::read(written()).expect("valid").expect("set");
        assert!(settings.credentials == Some(Credentials::new("user".into(), "hunter2".into())));
        let clear = Written { tls: picked("mail_tls", "none"), ..written() };
        assert!(MailSettings::read(clear).err().expect("refused").message.contains("in clear"));
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).expect("set");
        let failure = MailSettings::read(written()).err().expect("refused");
        assert!(failure.message.contains("can be read by others"), "{failure}");
    }
}
