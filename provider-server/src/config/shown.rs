//! Settings in force, as they are shown: no secret is among them.

use serde::Serialize;

use super::{Config, KeySource};
use crate::model::retention;

impl Config {
    /// What `config print` shows: every setting in force, no secret.
    pub fn shown(&self) -> Shown {
        let key_file = match &self.key_source {
            KeySource::File { path, .. } => path.display().to_string(),
            KeySource::Environment(_) => "(WEBHOOK_ENCRYPTION_KEY)".into(),
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
            keep_bodies: retention::shown(self.keep.bodies_ms),
            keep_undelivered: retention::shown(self.keep.undelivered_ms),
            keep_log: retention::shown(self.keep.log_ms),
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
    pub keep_bodies: String,
    pub keep_undelivered: String,
    pub keep_log: String,
}
