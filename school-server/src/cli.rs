//! The command line. Values stay texts here: `config` checks them, so that a wrong one is named whatever it came from.

use std::{ffi::OsStr, path::PathBuf};

use clap::{
    Args, Parser, Subcommand,
    builder::{NonEmptyStringValueParser, PathBufValueParser, TypedValueParser},
    parser::ValueSource,
};

use crate::receive::verdict::Verdict;

/// Receives a school's roster: verifies each signed message and applies it exactly once.
#[derive(Parser)]
#[command(name = "school-server", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  school-server serve --data-dir ./school --secret-store file --listen 127.0.0.1:8088
  school-server enroll RC1-… --data-dir ./school --secret-store file
  school-server status --data-dir ./school --json
  school-server roster export --data-dir ./school > roster.jsonl
  school-server events list --data-dir ./school --follow

Flags go before the environment (ROLLCALL_…), that before the file of --config, that before the defaults.
Exit codes: 0 ok, 1 a check failed, 2 usage, 65 bad data, 69 unreachable, 70 internal, 75 locked, 77 denied, 78 configuration.";

/// Reads a value that the environment may give too: there an empty one counts as unset, as for every other program of
/// ours (`config` drops it); on the command line it is a mistake.
#[derive(Clone)]
struct Given<P>(P);

fn text() -> Given<NonEmptyStringValueParser> {
    Given(NonEmptyStringValueParser::new())
}

fn path() -> Given<PathBufValueParser> {
    Given(PathBufValueParser::new())
}

impl<P> TypedValueParser for Given<P>
where
    P: TypedValueParser,
    P::Value: Default,
{
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<P::Value, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn parse_ref_(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<P::Value, clap::Error> {
        match source {
            ValueSource::EnvVariable if value.is_empty() => Ok(P::Value::default()),
            _ => self.parse_ref(command, arg, value),
        }
    }
}

/// What every command takes.
#[derive(Args, Clone, Default)]
pub struct Common {
    /// Where the database, the lock and the pairing token are [default: a folder of the user's data]
    #[arg(long, global = true, value_parser = path(), env = "ROLLCALL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the secret is kept: keychain, file, credential or env [default: the one enrolled with, else keychain]
    #[arg(long, global = true, value_parser = text(), env = "ROLLCALL_SECRET_STORE", value_name = "STORE")]
    pub secret_store: Option<String>,
    /// The file store's sealing key, made (0600) if absent [default: DIR/secret.key]
    #[arg(long, global = true, value_parser = path(), env = "ROLLCALL_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Settings as TOML; keys are the flags' names with underscores
    #[arg(long, global = true, value_parser = path(), env = "ROLLCALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// What is logged on stderr, such as info or school_server=debug [default: info for serve, warn otherwise]
    #[arg(long, global = true, value_parser = text(), env = "ROLLCALL_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Receive webhooks until stopped
    #[command(after_help = "Example:\n  school-server serve --data-dir ./school --secret-store file --ready-json -")]
    Serve(Serve),
    /// Redeem a code from the provider: the signing secret is fetched and stored, never shown
    #[command(
        after_help = "Example:\n  school-server enroll RC1-… --data-dir ./school --secret-store file --key-file /etc/rollcall/key"
    )]
    Enroll {
        /// The code, or the link with it
        code: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Ask the provider for a new secret, store it and confirm it
    #[command(after_help = "Example:\n  school-server rotate --data-dir ./school")]
    Rotate {
        /// Only take a secret that already waits
        #[arg(long)]
        pull_only: bool,
        /// The old secret leaked: stop it now
        #[arg(long)]
        revoke_now: bool,
    },
    /// Show what the receiver is doing
    #[command(after_help = "Example:\n  school-server status --data-dir ./school --json")]
    Status,
    /// Students held now
    #[command(subcommand)]
    Students(Students),
    /// The roster as a whole
    #[command(subcommand)]
    Roster(Roster),
    /// Requests that arrived
    #[command(subcommand)]
    Events(Events),
    /// Find out why a request's signature does not verify
    #[command(
        after_help = "Example:\n  school-server check-signature --data-dir ./school --id evt_… --timestamp 1614265330 \\\n    --signature 'v1,…' --body body.json"
    )]
    CheckSignature(CheckSignature),
}

#[derive(Args, Default)]
pub struct Serve {
    /// The webhook's socket; port 0 takes a free one [default: 127.0.0.1:8088]
    #[arg(long, value_parser = text(), env = "ROLLCALL_LISTEN", value_name = "ADDR")]
    pub listen: Option<String>,
    /// The desk's gRPC, loopback only [default: 127.0.0.1:0]
    #[arg(long, value_parser = text(), env = "ROLLCALL_GRPC_LISTEN", value_name = "ADDR")]
    pub grpc_listen: Option<String>,
    /// Certificate chain in PEM: then the webhook speaks TLS
    #[arg(long, value_parser = path(), env = "ROLLCALL_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key in PEM (0600)
    #[arg(long, value_parser = path(), env = "ROLLCALL_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Connections at once; more wait [default: 1024]
    #[arg(long, value_parser = text(), env = "ROLLCALL_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<String>,
    /// Where to write {"pid","webhook","grpc","pairing_token_file","data_dir"} once it serves; - for stdout
    #[arg(long, value_name = "FILE")]
    pub ready_json: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Students {
    /// List them by sourcedId
    List {
        /// Part of a name, the identifier or the sourcedId
        #[arg(long, default_value = "")]
        search: String,
    },
    /// What arrived for one student, newest first, with what it changed
    History {
        /// The student's sourcedId
        sourced_id: String,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

#[derive(Subcommand)]
pub enum Roster {
    /// Every student as a file on stdout, sorted by sourcedId
    #[command(
        after_help = "Example:\n  school-server roster export --data-dir ./school --format oneroster > roster.zip"
    )]
    Export {
        /// JSON lines in the wire form, CSV with a header, or a OneRoster zip
        #[arg(long, value_parser = ["jsonl", "csv", "oneroster"], default_value = "jsonl")]
        format: String,
    },
    /// The digest that the provider computes too
    Digest,
}

#[derive(Subcommand)]
pub enum Events {
    /// List them, newest first; with --follow from now on
    List {
        /// Keep printing what arrives
        #[arg(long)]
        follow: bool,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only these: verified, duplicate, bad_signature, too_old, rejected
        #[arg(long, value_name = "VERDICT", value_parser = Verdict::ALL.map(Verdict::as_str))]
        verdict: Vec<String>,
    },
    /// Sequence numbers that have not arrived
    Gaps,
    /// Alarms, newest first
    Alerts {
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

#[derive(Args)]
pub struct CheckSignature {
    /// The header webhook-id
    #[arg(long, default_value = "")]
    pub id: String,
    /// The header webhook-timestamp
    #[arg(long, default_value = "")]
    pub timestamp: String,
    /// The header webhook-signature
    #[arg(long, default_value = "")]
    pub signature: String,
    /// The body's file; - for stdin
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub body: PathBuf,
    /// When it arrived (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub received_at: Option<String>,
    /// SHA-256 of the body as the provider sent it, in hex
    #[arg(long, default_value = "")]
    pub expected_sha256: String,
}
