//! Settings: flags > environment (`ROLLCALL_…`, and the old names `DATABASE_URL` and `WEBHOOK_ENCRYPTION_KEY`) > TOML
//! file > defaults. A wrong one stops the start with exit code 78 and its name.

mod file;
mod keep;
mod shown;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    engine::run::LEASE,
    exit::Failure,
    mail::{self, settings::MailSettings},
    model::retention::Retention,
    store::DatabaseUrl,
};

/// The port of gRPC.
const PORT: u16 = 7443;
/// The port of liveness, readiness and metrics.
const OPS_PORT: u16 = 7480;
const DNS_PORT: u16 = 53;

/// Settings as they are written: the same names as flags, in the environment and in the file.
#[derive(Args, Clone, Default, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// Where the database, the key file and the certificate live [default: a folder of this user]
    #[arg(long, value_name = "D")]
    pub data_dir: Option<PathBuf>,
    /// Address of gRPC over TLS; port 0 takes a free one [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Loopback address of /livez, /readyz and /metrics [default: 127.0.0.1:7480]
    #[arg(long, value_name = "ADDR")]
    pub ops_listen: Option<String>,
    /// What enrollment codes name as this server's address [default: the address that is listened on]
    #[arg(long, value_name = "HOST:PORT")]
    pub public_address: Option<String>,
    /// sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME [default: a file in the data folder]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// File of key-encryption keys, lines `id base64`, mode 0600 [default: a file in the data folder]
    #[arg(long, value_name = "F")]
    pub key_file: Option<PathBuf>,
    /// On PostgreSQL: how long another server's work is left to it when it is not heard of, s [default: 60]
    #[arg(long, value_name = "SECONDS")]
    #[serde(deserialize_with = "file::seconds")]
    pub node_lease: Option<String>,
    /// A network that webhooks may reach although it is not public; repeatable
    #[arg(long, value_name = "CIDR")]
    #[serde(default)]
    pub allow_network: Vec<String>,
    /// The name server that hosts of webhooks are looked up at, beside the hosts file [default: the system's]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub name_server: Option<String>,
    /// How long bodies of delivered, superseded and discarded messages and of their answers are kept [default: 30d]
    #[arg(long, value_name = "TIME")]
    pub keep_bodies: Option<String>,
    /// After which time a message that could not be delivered is discarded as expired [default: 180d]
    #[arg(long, value_name = "TIME")]
    pub keep_undelivered: Option<String>,
    /// How long messages and attempts are kept without their bodies [default: 2555d]
    #[arg(long, value_name = "TIME")]
    pub keep_log: Option<String>,
    /// The SMTP server that mail about schools goes through; without one there is no mail
    #[arg(long, value_name = "HOST[:PORT]")]
    pub mail_server: Option<String>,
    /// How the way there is encrypted: starttls, tls or none [default: starttls]
    #[arg(long, value_name = "MODE")]
    pub mail_tls: Option<String>,
    /// Whom mail comes from
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Whom mail goes to; repeatable
    #[arg(long, value_name = "ADDRESS")]
    #[serde(default)]
    pub mail_to: Vec<String>,
    /// File of two lines, the username and the password of the mail server, mode 0600
    #[arg(long, value_name = "F")]
    pub mail_credentials: Option<PathBuf>,
    /// PEM file of the only authorities that the mail server's certificate may come from [default: the system's]
    #[arg(long, value_name = "F")]
    pub mail_ca: Option<PathBuf>,
    /// What happens to a school within this time goes into one mail, s [default: 60]
    #[arg(long, value_name = "SECONDS")]
    #[serde(deserialize_with = "file::seconds")]
    pub mail_window: Option<String>,
}

/// Where the key-encryption keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// A file with lines `id base64`; made at the first start where `may_generate`.
    File {
        /// The file.
        path: PathBuf,
        /// Whether it is our own default and may be made.
        may_generate: bool,
    },
    /// 32 bytes from `WEBHOOK_ENCRYPTION_KEY`.
    Environment(Zeroizing<[u8; 32]>),
}

/// Settings in force.
#[derive(Clone)]
pub struct Config {
    /// Where files live.
    pub data_dir: PathBuf,
    /// gRPC over TLS.
    pub listen: SocketAddr,
    /// Liveness, readiness, metrics; loopback.
    pub ops_listen: SocketAddr,
    /// `host:port` that codes name, where set.
    pub public_address: Option<String>,
    /// The database.
    pub database: DatabaseUrl,
    /// The key-encryption keys.
    pub key_source: KeySource,
    /// How long a server that is not heard of keeps its work, on PostgreSQL.
    pub node_lease: Duration,
    /// Networks that the egress policy opens.
    pub allow_networks: Vec<IpNet>,
    /// The only name server that hosts of webhooks are looked up at, where one is set.
    pub name_server: Option<SocketAddr>,
    /// What is kept for how long.
    pub keep: Retention,
    /// How mail is sent, where it is.
    pub mail: Option<MailSettings>,
    /// Where `--ready-json` goes; `-` is stdout.
    pub ready_json: Option<PathBuf>,
}

/// The environment, as a map, so that tests have their own.
pub type Environment = BTreeMap<String, String>;

/// The process's environment; names and values that are no text are left out.
pub fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Config {
    /// Puts the sources together. `file` is `--config`.
    pub fn load(flags: Written, file: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let from_environment = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let file = match file.map(PathBuf::from).or_else(|| from_environment("ROLLCALL_CONFIG").map(PathBuf::from)) {
            Some(path) => file::read(&path)?,
            None => Written::default(),
        };
        let pick = |flag: Option<String>, name: &'static str, written: Option<String>| {
            let source = format!("ROLLCALL_{}", name.to_uppercase());
            flag.map(|value| (format!("--{}", name.replace('_', "-")), value))
                .or_else(|| from_environment(&source).map(|value| (source, value)))
                // Empty means not set, as in the environment: `config print` writes it so.
                .or_else(|| written.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)))
        };
        let text = |path: Option<PathBuf>| path.map(|path| path.to_string_lossy().into_owned());

        let data_dir = match pick(text(flags.data_dir), "data_dir", text(file.data_dir)) {
            Some((_, path)) => PathBuf::from(path),
            None => default_data_dir(environment)?,
        };
        let listen = address(pick(flags.listen, "listen", file.listen), PORT)?;
        let ops_listen = address(pick(flags.ops_listen, "ops_listen", file.ops_listen), OPS_PORT)?;
        if !ops_listen.ip().is_loopback() {
            return Err(Failure::config(format!(
                "ops_listen: {ops_listen} is not a loopback address, and this port speaks plaintext: use 127.0.0.1, \
                 and a proxy on this machine where a monitor elsewhere must reach it"
            )));
        }
        let public_address = pick(flags.public_address, "public_address", file.public_address);
        let public_address = public_address.map(|(source, value)| check_public(&source, value)).transpose()?;
        let url = pick(flags.database_url, "database_url", file.database_url);
        let url = url.or_else(|| from_environment("DATABASE_URL").map(|value| ("DATABASE_URL".to_owned(), value)));
        let database = match url {
            // The value may hold a password: it is not repeated.
            Some((source, url)) => DatabaseUrl::parse(&url).ok_or_else(|| {
                Failure::config(format!("{source}: expected sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME"))
            })?,
            None => DatabaseUrl::Sqlite(data_dir.join("rollcall.db")),
        };
        let key_file = pick(text(flags.key_file), "key_file", text(file.key_file));
        let key_source = key_source(key_file.map(|(_, path)| path.into()), &data_dir, &database, environment)?;
        let node_lease = match pick(flags.node_lease, "node_lease", file.node_lease) {
            Some((source, text)) => lease(&source, &text)?,
            None => LEASE,
        };
        let networks = several(flags.allow_network, from_environment("ROLLCALL_ALLOW_NETWORK"), file.allow_network);
        let name_server = pick(flags.name_server, "name_server", file.name_server);
        let name_server = name_server.map(|(source, text)| name_server_address(&source, &text)).transpose()?;
        let keep = keep::retention(
            pick(flags.keep_bodies, "keep_bodies", file.keep_bodies),
            pick(flags.keep_undelivered, "keep_undelivered", file.keep_undelivered),
            pick(flags.keep_log, "keep_log", file.keep_log),
        )?;
        let mail_to = several(flags.mail_to, from_environment("ROLLCALL_MAIL_TO"), file.mail_to);
        let mail = MailSettings::read(mail::settings::Written {
            server: pick(flags.mail_server, "mail_server", file.mail_server),
            tls: pick(flags.mail_tls, "mail_tls", file.mail_tls),
            from: pick(flags.mail_from, "mail_from", file.mail_from),
            to: mail_to,
            credentials: pick(text(flags.mail_credentials), "mail_credentials", text(file.mail_credentials)),
            ca: pick(text(flags.mail_ca), "mail_ca", text(file.mail_ca)),
            window: pick(flags.mail_window, "mail_window", file.mail_window),
        })?;
        let allow_networks = networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            data_dir,
            listen,
            ops_listen,
            public_address,
            database,
            key_source,
            node_lease,
            allow_networks,
            name_server,
            keep,
            mail,
            ready_json: None,
        })
    }
}

/// Flags, else a list in the environment, else the file.
fn several(flags: Vec<String>, environment: Option<String>, file: Vec<String>) -> Vec<String> {
    match environment {
        _ if !flags.is_empty() => flags,
        Some(list) => list.split(',').map(|one| one.trim().to_owned()).collect(),
        None => file,
    }
}

fn address(picked: Option<(String, String)>, port: u16) -> Result<SocketAddr, Failure> {
    let Some((source, text)) = picked else { return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()) };
    text.parse().map_err(|_| Failure::config(format!("{source}: `{text}` is not an address like 127.0.0.1:{port}")))
}

fn check_public(source: &str, text: String) -> Result<String, Failure> {
    let usable = text.len() <= 255
        && text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if usable { Ok(text) } else { Err(Failure::config(format!("{source}: `{text}` is not HOST:PORT"))) }
}

fn lease(source: &str, text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (5..=3_600).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| Failure::config(format!("{source}: `{text}` is not 5 to 3600 seconds")))
}

fn network(text: &str) -> Result<IpNet, Failure> {
    let parsed = text.parse::<IpNet>().or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error));
    parsed.map_err(|_| Failure::config(format!("allow_network: `{text}` is not a network like 10.0.0.0/8")))
}

fn name_server_address(source: &str, text: &str) -> Result<SocketAddr, Failure> {
    let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(|address| (address, DNS_PORT).into()));
    parsed.map_err(|_| Failure::config(format!("{source}: `{text}` is not an address like 10.0.0.53 or 10.0.0.53:53")))
}

fn key_source(
    set: Option<PathBuf>,
    data_dir: &Path,
    database: &DatabaseUrl,
    environment: &Environment,
) -> Result<KeySource, Failure> {
    let default = data_dir.join("keys");
    // Several servers share a PostgreSQL, and one of them must not make up the key of all.
    let may_generate = database.file().is_some();
    let named = set.as_deref() == Some(Path::new(shown::KEY_IN_ENVIRONMENT));
    if let Some(path) = set.filter(|_| !named) {
        return Ok(KeySource::File { may_generate: may_generate && path == default, path });
    }
    if let Some(credentials) = environment.get("CREDENTIALS_DIRECTORY").filter(|_| !named) {
        let path = Path::new(credentials).join("rollcall-keys");
        if path.exists() {
            return Ok(KeySource::File { path, may_generate: false });
        }
    }
    match environment.get("WEBHOOK_ENCRYPTION_KEY").filter(|text| !text.is_empty()) {
        Some(text) => {
            let wrong = || Failure::config("WEBHOOK_ENCRYPTION_KEY: expected the base64 of 32 bytes");
            let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| wrong())?);
            let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
            Ok(KeySource::Environment(Zeroizing::new(bytes)))
        }
        None if named => {
            Err(Failure::config("key_file: names WEBHOOK_ENCRYPTION_KEY, which is not set: set it, or name a file"))
        }
        None => Ok(KeySource::File { path: default, may_generate }),
    }
}

fn default_data_dir(environment: &Environment) -> Result<PathBuf, Failure> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("STATE_DIRECTORY")
        .or_else(|| set("XDG_DATA_HOME").map(|base| base.join("rollcall-provider")))
        .or_else(|| set("LOCALAPPDATA").map(|base| base.join("rollcall-provider")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/rollcall-provider")))
        .ok_or_else(|| Failure::config("data_dir: there is no home folder to put it in; give --data-dir"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let home = [("HOME", "/home/u")];
        home.iter().chain(pairs).map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn load(toml: &str, pairs: &[(&str, &str)], flags: Written) -> Result<Config, Failure> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), toml).expect("written");
        Config::load(flags, Some(file.path()), &environment(pairs))
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
        let toml = "listen = '127.0.0.1:1'\nops_listen = '127.0.0.1:11'\npublic_address = 'file:1'";
        let flags = Written { listen: Some("127.0.0.1:3".into()), ..Written::default() };
        let pairs = [("ROLLCALL_LISTEN", "127.0.0.1:2"), ("ROLLCALL_OPS_LISTEN", "127.0.0.1:12")];
        let config = load(toml, &pairs, flags).expect("valid");
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.ops_listen.port(), 12);
        assert_eq!(config.public_address.as_deref(), Some("file:1"));
        assert_eq!(config.database.shown(), "sqlite:/home/u/.local/share/rollcall-provider/rollcall.db");
    }

    #[test]
    fn a_wrong_setting_is_named_and_ends_with_78() {
        let named = |toml: &str, pairs: &[(&str, &str)], name: &str| {
            let failure = load(toml, pairs, Written::default()).err().expect("refused");
            assert_eq!(failure.code, 78, "{failure}");
            assert!(failure.message.contains(name), "{failure}");
        };
        named("lisen = '127.0.0.1:1'", &[], "lisen");
        named("listen = 7443", &[], "listen");
        named("mail_window = true", &[], "line 1, mail_window: expected seconds");
        named("node_lease = 1", &[], "node_lease: `1`");
        named("listen = 'here'", &[], "listen");
        named("allow_network = ['10.0.0.0/99']", &[], "allow_network");
        named("ops_listen = '0.0.0.0:7480'", &[], "ops_listen");
        named("", &[("ROLLCALL_NODE_LEASE", "1")], "ROLLCALL_NODE_LEASE");
        named("name_server = 'dns.example'", &[], "name_server");
        named("public_address = 'nowhere'", &[], "public_address");
        named("keep_bodies = 'long'", &[], "keep_bodies: `long`");
        named("keep_undelivered = '10d'", &[("ROLLCALL_KEEP_LOG", "20d")], "keep_log: 20d is shorter");
        named(
            "",
            &[("DATABASE_URL", "mysql://u:hunter2@db/rollcall")],
            "DATABASE_URL: expected sqlite:PATH or postgres",
        );
        named("", &[("WEBHOOK_ENCRYPTION_KEY", "short")], "WEBHOOK_ENCRYPTION_KEY");
        let broken = "listen = '[::1]:1'\ndatabase_url = 'postgres://u:hunter2@db/rollcall' x";
        named(broken, &[], "line 2, database_url");
        assert!(!load(broken, &[], Written::default()).err().expect("refused").message.contains("hunter2"));
    }

    #[test]
    fn what_is_printed_is_a_file_that_says_the_same() {
        let key = STANDARD.encode([5; 32]);
        let mail = "mail_server = 'smtp.example.org'\nmail_from = 'a@example.org'\nmail_to = ['it@example.org']\n\
                    mail_window = 90\nnode_lease = 30";
        let environments: [&[(&str, &str)]; 2] = [&[], &[("WEBHOOK_ENCRYPTION_KEY", &key)]];
        for (toml, pairs) in ["", mail].into_iter().flat_map(|toml| environments.map(|pairs| (toml, pairs))) {
            let config = load(toml, pairs, Written::default()).expect("valid");
            let printed = toml::to_string(&config.shown()).expect("shown");
            let again =
                load(&printed, pairs, Written::default()).unwrap_or_else(|failure| panic!("{failure}\n{printed}"));
            assert_eq!(toml::to_string(&again.shown()).expect("shown"), printed);
            let makes_keys = |source: &KeySource| matches!(source, KeySource::File { may_generate: true, .. });
            assert_eq!(makes_keys(&again.key_source), makes_keys(&config.key_source), "a first start makes its key");
        }
        let failure = load("key_file = '(WEBHOOK_ENCRYPTION_KEY)'", &[], Written::default()).err().expect("refused");
        assert!(failure.code == 78 && failure.message.contains("is not set"), "{failure}");
    }

    #[test]
    fn the_old_names_and_plain_addresses_are_understood() {
        let pairs = [("DATABASE_URL", "sqlite:///var/lib/r.db?mode=rwc")];
        let config = load("allow_network = ['127.0.0.1', '::1/128']", &pairs, Written::default()).expect("valid");
        assert_eq!(config.database.shown(), "sqlite:/var/lib/r.db");
        assert_eq!(config.allow_networks[0].to_string(), "127.0.0.1/32");
        for (text, shown) in [("10.0.0.53", "10.0.0.53:53"), ("[::1]:5353", "[::1]:5353")] {
            let config = load("", &[("ROLLCALL_NAME_SERVER", text)], Written::default()).expect("valid");
            assert_eq!(config.shown().name_server, shown);
        }
        assert!(!serde_json::to_string(&config.shown()).expect("shown").contains("secret"));
    }

    #[test]
    fn mail_is_set_by_the_same_names_and_its_password_is_not_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = folder.path().join("mail");
        crate::key_file::write_private(&credentials, b"rollcall\nhunter2\n").expect("written");
        let toml = format!(
            "mail_server = 'smtp.example.org'\nmail_from = 'rollcall@example.org'\nmail_credentials = '{}'",
            credentials.display()
        );
        let pairs = [("ROLLCALL_MAIL_TO", "it@example.org, Ada <ada@example.org>")];
        let config = load(&toml, &pairs, Written::default()).expect("valid");
        let shown = toml::to_string(&config.shown()).expect("shown");
        for line in ["mail_server = \"smtp.example.org:587\"", "mail_tls = \"starttls\"", "mail_window = \"60\""] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(shown.contains("ada@example.org") && shown.contains(&*credentials.to_string_lossy()), "{shown}");
        assert!(!shown.contains("hunter2"));
        let failure = load("mail_to = ['it@example.org']", &[], Written::default()).err().expect("refused");
        assert!(failure.code == 78 && failure.message.contains("mail_server is not"), "{failure}");
    }

    #[test]
    fn postgresql_has_no_key_made_up_and_its_password_is_not_shown() {
        let pairs = [("DATABASE_URL", "postgres://rollcall:hunter2@db/rollcall")];
        let config = load("", &pairs, Written::default()).expect("valid");
        assert_eq!(config.shown().database_url, "postgres://rollcall@db/rollcall");
        assert!(matches!(config.key_source, KeySource::File { may_generate: false, .. }));
    }
}
