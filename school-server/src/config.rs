//! Settings: flags > environment > TOML file > defaults. Whatever is wrong is named.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::PathBuf,
};

use serde::Deserialize;

use crate::{
    cli::{Common, Serve},
    data_dir::DataDir,
    error::AppError,
    secrets::SecretStore,
};

const DEFAULT_LISTEN: &str = "127.0.0.1:8088";
const DEFAULT_GRPC_LISTEN: &str = "127.0.0.1:0";
const DEFAULT_MAX_CONNECTIONS: usize = 1_024;

/// The TOML file. Each key is a flag's name with underscores.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    data_dir: Option<PathBuf>,
    secret_store: Option<String>,
    key_file: Option<PathBuf>,
    listen: Option<String>,
    grpc_listen: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    max_connections: Option<usize>,
    log: Option<String>,
}

/// The settings of every command, checked.
pub struct Settings {
    pub data_dir: DataDir,
    pub secret_store: SecretStore,
    /// The file store's key where it is not the default one.
    pub key_file: Option<PathBuf>,
    /// Whether somebody named it now; else it is what an enrollment used last.
    pub key_file_given: bool,
    pub log: Option<String>,
    file: ConfigFile,
}

/// The settings of `serve`, checked.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    pub listen: SocketAddr,
    pub grpc_listen: SocketAddr,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub max_connections: usize,
}

impl Settings {
    /// Puts the layers together.
    pub fn load(common: &Common) -> Result<Self, AppError> {
        let file = filled(&common.config).as_ref().map(read_file).transpose()?.unwrap_or_default();
        let root = match filled(&common.data_dir).or(file.data_dir.clone()) {
            Some(root) => root,
            None => default_data_dir()?,
        };
        let data_dir = DataDir::open(&root)?;
        let remembered = data_dir.remembered_store().unwrap_or_default();
        let from_environment =
            || ["ROLLCALL_WEBHOOK_SECRET", "WEBHOOK_SECRET"].iter().any(|name| set_in_environment(name).is_some());
        let given = filled(&common.secret_store).or(file.secret_store.clone());
        let name = given
            .or_else(|| (!remembered.secret_store.is_empty()).then(|| remembered.secret_store.clone()))
            .or_else(|| from_environment().then(|| "env".to_owned()))
            .unwrap_or_else(|| "keychain".to_owned());
        let given_key_file = filled(&common.key_file).or(file.key_file.clone());
        let key_file_given = given_key_file.is_some();
        let key_file = given_key_file.or(remembered.key_file.filter(|_| remembered.secret_store == name));
        // It is told to commands that run in other folders.
        let key_file = key_file.map(|path| std::path::absolute(&path).unwrap_or(path));
        let secret_store = SecretStore::named(&name, &data_dir, key_file.clone())?;
        let log = filled(&common.log).or(file.log.clone());
        Ok(Self { data_dir, secret_store, key_file, key_file_given, log, file })
    }

    /// The settings of `serve`.
    pub fn serve(&self, flags: &Serve) -> Result<ServeSettings, AppError> {
        let file = &self.file;
        let address = |name: &str, flag: &Option<String>, file: &Option<String>, default: &str| {
            let text = filled(flag).or(file.clone()).unwrap_or_else(|| default.to_owned());
            text.parse::<SocketAddr>()
                .map_err(|_| AppError::config(format!("{name}: `{text}` is not an address such as 127.0.0.1:8088")))
        };
        let grpc_listen = address("grpc_listen", &flags.grpc_listen, &file.grpc_listen, DEFAULT_GRPC_LISTEN)?;
        if !grpc_listen.ip().is_loopback() {
            return Err(AppError::config(format!(
                "grpc_listen: {grpc_listen} is reachable from outside; the desk's gRPC serves loopback only"
            )));
        }
        let max_connections = match filled(&flags.max_connections) {
            Some(text) => {
                text.parse().map_err(|_| AppError::config(format!("max_connections: `{text}` is not a number")))?
            }
            None => file.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS),
        };
        if !(1..=100_000).contains(&max_connections) {
            return Err(AppError::config("max_connections: must be between 1 and 100000"));
        }
        let cert = filled(&flags.tls_cert).or(file.tls_cert.clone());
        let key = filled(&flags.tls_key).or(file.tls_key.clone());
        let tls = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(AppError::config("tls_key: tls_cert is given without it")),
            (None, Some(_)) => return Err(AppError::config("tls_cert: tls_key is given without it")),
        };
        Ok(ServeSettings {
            listen: address("listen", &flags.listen, &file.listen, DEFAULT_LISTEN)?,
            grpc_listen,
            tls,
            max_connections,
        })
    }
}

/// A flag's value; one that the environment gave empty counts as unset.
fn filled<T: AsRef<OsStr> + Clone>(value: &Option<T>) -> Option<T> {
    value.clone().filter(|value| !value.as_ref().is_empty())
}

fn set_in_environment(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn read_file(path: &PathBuf) -> Result<ConfigFile, AppError> {
    let problem = |error: &dyn std::fmt::Display| AppError::config(format!("config: {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| problem(&error))?;
    toml::from_str(&text).map_err(|error| problem(&error))
}

fn default_data_dir() -> Result<PathBuf, AppError> {
    let home = |name: &str| set_in_environment(name).map(PathBuf::from);
    home("XDG_DATA_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("rollcall-school"))
        .ok_or_else(|| AppError::config("data_dir: HOME is not set, so --data-dir must be given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, flags: Serve) -> Result<ServeSettings, AppError> {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config.toml");
        fs::write(&config, toml).expect("written");
        let common = Common {
            data_dir: Some(folder.path().join("data")),
            secret_store: Some("file".into()),
            config: Some(config),
            ..Common::default()
        };
        Settings::load(&common)?.serve(&flags)
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let flags = Serve { listen: Some("127.0.0.1:1".into()), ..Serve::default() };
        let settings = load("listen = '127.0.0.1:2'\nmax_connections = 7", flags).expect("valid");
        assert_eq!((settings.listen.port(), settings.max_connections), (1, 7));
        // As an empty variable of the environment arrives.
        let empty = || Some(String::new());
        let flags =
            Serve { listen: empty(), max_connections: empty(), tls_cert: Some(PathBuf::new()), ..Serve::default() };
        let settings = load("max_connections = 7", flags).expect("valid");
        assert_eq!((settings.listen.to_string().as_str(), settings.max_connections), (DEFAULT_LISTEN, 7));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (toml, name) in [
            ("colour = 'red'", "colour"),
            ("listen = 7", "listen"),
            ("listen = 'here'", "listen"),
            ("grpc_listen = '0.0.0.0:0'", "grpc_listen"),
            ("max_connections = 0", "max_connections"),
            ("tls_cert = 'a'", "tls_key"),
        ] {
            let error = load(toml, Serve::default()).expect_err(toml);
            assert_eq!(error.kind, crate::error::Kind::Config);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
