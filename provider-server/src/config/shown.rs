//! Settings in force, as they are shown: no secret is among them.

use std::path::PathBuf;

use serde::Serialize;

use super::{Config, KeySource};
use crate::{mail::settings::MailSettings, model::retention};

/// In place of a key file's name.
pub const KEY_IN_ENVIRONMENT: &str = "(WEBHOOK_ENCRYPTION_KEY)";

impl Config {
    /// What `config print` shows: every setting in force, no secret.
    pub fn shown(&self) -> Shown {
        let key_file = match &self.key_source {
            KeySource::File { path, .. } => path.display().to_string(),
            KeySource::Environment(_) => KEY_IN_ENVIRONMENT.into(),
        };
        Shown {
            data_dir: self.data_dir.display().to_string(),
            listen: self.listen.to_string(),
            ops_listen: self.ops_listen.to_string(),
            public_address: self.public_address.clone().unwrap_or_default(),
            database_url: self.database.shown(),
            key_file,
            node_lease: self.node_lease.as_secs().to_string(),
            allow_network: self.allow_networks.iter().map(ToString::to_string).collect(),
            name_server: self.name_server.map(|socket| socket.to_string()).unwrap_or_default(),
            keep_bodies: retention::shown(self.keep.bodies_ms),
            keep_undelivered: retention::shown(self.keep.undelivered_ms),
            keep_log: retention::shown(self.keep.log_ms),
            mail: self.mail.as_ref().map(ShownMail::of).unwrap_or_default(),
        }
    }
}

/// Settings in force, as they are shown.
#[derive(Serialize)]
#[allow(missing_docs)]
pub struct Shown {
    pub data_dir: String,
    pub listen: String,
    pub ops_listen: String,
    pub public_address: String,
    pub database_url: String,
    pub key_file: String,
    pub node_lease: String,
    pub allow_network: Vec<String>,
    pub name_server: String,
    pub keep_bodies: String,
    pub keep_undelivered: String,
    pub keep_log: String,
    #[serde(flatten)]
    pub mail: ShownMail,
}

/// The same for mail: the file of the password, never what is in it.
#[derive(Default, Serialize)]
#[allow(missing_docs)]
pub struct ShownMail {
    pub mail_server: String,
    pub mail_tls: String,
    pub mail_from: String,
    pub mail_to: Vec<String>,
    pub mail_credentials: String,
    pub mail_ca: String,
    pub mail_window: String,
}

impl ShownMail {
    fn of(mail: &MailSettings) -> Self {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let (host, port) = &mail.server;
        Self {
            mail_server: if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") },
            mail_tls: mail.tls.as_str().into(),
            mail_from: mail.from.to_string(),
            mail_to: mail.to.iter().map(ToString::to_string).collect(),
            mail_credentials: path(&mail.credentials_file),
            mail_ca: path(&mail.ca_file),
            mail_window: mail.window.as_secs().to_string(),
        }
    }
}
