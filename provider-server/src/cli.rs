//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Config, Environment, Written},
    ctl::Ctl,
    exit::Failure,
};

/// Accepts changes of students durably and delivers each to the schools concerned, signed.
#[derive(Parser)]
#[command(name = "provider-server", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do [default: serve]
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  provider-server serve
  provider-server serve --data-dir /srv/rollcall --listen 0.0.0.0:7443 --public-address rollcall.example:7443
  provider-server config print --config /etc/rollcall.toml
  provider-server copy --from sqlite:/srv/rollcall/rollcall.db --to postgres://rollcall@db.example/rollcall
  provider-server audit verify --anchor /mnt/other-disk/rollcall-anchor";

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Serves gRPC and delivers
    Serve(Serve),
    /// Looks at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks after the key-encryption keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Checks the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Checks the database
    #[command(subcommand)]
    Db(DbCommand),
    /// Looks after mail
    #[command(subcommand)]
    Mail(MailCommand),
    /// Moves an installation to an empty database, and proves that nothing is missing; its servers must be stopped
    Copy(Copy),
    /// Administers a running server over gRPC
    Ctl(Box<Ctl>),
}

/// Settings that every command takes.
#[derive(Args, Clone, Default)]
pub struct Settings {
    /// TOML file with the same names as the flags
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub written: Written,
}

impl Settings {
    /// Puts them together with the environment and the file.
    pub fn load(self, environment: &Environment) -> Result<Config, Failure> {
        Config::load(self.written, self.config.as_deref(), environment)
    }
}

/// `serve`
#[derive(Args, Default)]
pub struct Serve {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: Settings,
    /// Where to write {"pid","grpc","ops","pin","data_dir","owner_code_file"} once it serves; - is stdout
    #[arg(long, value_name = "FILE|-")]
    pub ready_json: Option<PathBuf>,
}

/// Settings, and how to print.
#[derive(Args)]
pub struct Offline {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: Settings,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `config`
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Prints the settings in force, without secrets
    Print(Offline),
}

/// `keys`
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Makes a new key-encryption key and wraps every data key with it; a running server does it itself
    Rotate(Offline),
}

/// `audit`
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Recomputes every chain; 0 intact, 1 broken; the server must be stopped
    Verify(Verify),
}

/// `audit verify`
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub offline: Offline,
    /// A file, kept elsewhere, with the heads of the last check: found missing when the database was set back. It is
    /// made where it does not exist and brought up to date where all is well
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,
}

/// `mail`
#[derive(Subcommand)]
pub enum MailCommand {
    /// Sends a test with the settings in force to all recipients; 0 taken by the mail server, 69 not
    Test(Offline),
}

/// `copy`
#[derive(Args)]
pub struct Copy {
    /// What is copied: sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The empty database that it is copied to
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `db`
#[derive(Subcommand)]
pub enum DbCommand {
    /// Reads the whole database and its keys; 0 sound, 1 not; the server must be stopped
    Check(Offline),
}
