//! The connection to the server: pinned TLS, the session's token, and a limit on every wait.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use rollcall_proto::{
    pinned::{Pin, PinnedEndpoint},
    provider::v1::{
        audit_service_client::AuditServiceClient, district_service_client::DistrictServiceClient,
        import_service_client::ImportServiceClient, log_service_client::LogServiceClient,
        school_service_client::SchoolServiceClient, staff_service_client::StaffServiceClient,
        student_service_client::StudentServiceClient,
    },
};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use super::{failure::Failure, files};

/// The longest wait for one answer; streams are not limited by it.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// A message with its body and the answers of many attempts is the largest thing that is read.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Where the server is and who calls.
#[derive(Args)]
pub struct ConnectionOptions {
    /// The server's gRPC address.
    #[arg(long, global = true, env = "ROLLCALL_SERVER", value_name = "HOST:PORT")]
    pub server: Option<String>,
    /// SHA-256 of the server's public key in hex, as the server prints it at its start.
    #[arg(long, global = true, env = "ROLLCALL_PIN", value_name = "HEX")]
    pub pin: Option<Pin>,
    /// File of the session's token (0600), written by `owner claim` and `login`.
    #[arg(long, global = true, env = "ROLLCALL_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Prints JSON: one object, or one a line for lists and streams.
    #[arg(long, global = true)]
    pub json: bool,
}

/// An open connection. Connects again by itself after a loss.
pub struct Session {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
    /// As given; `owner claim` and `login` write it.
    pub token_file: Option<PathBuf>,
}

impl Session {
    /// Connects, so that an unreachable server and a wrong key show before anything is read or written.
    pub async fn open(options: &ConnectionOptions) -> Result<Self, Failure> {
        let server = options
            .server
            .as_deref()
            .ok_or_else(|| Failure::usage("--server HOST:PORT is missing (or ROLLCALL_SERVER in the environment)"))?;
        let pin = options.pin.ok_or_else(|| {
            Failure::usage("--pin is missing (or ROLLCALL_PIN in the environment); the server prints it")
        })?;
        let endpoint = PinnedEndpoint::new(server, pin).map_err(|error| Failure::usage(error.to_string()))?;
        let token = match &options.token_file {
            Some(path) if path.exists() => Some(files::read_token(path)?),
            _ => None,
        };
        let channel = endpoint.connect().await.map_err(|error| Failure::connect(server, &error))?;
        Ok(Self { channel, token, token_file: options.token_file.clone() })
    }

    /// A unary call's request.
    pub fn call<T>(&self, message: T) -> Request<T> {
        let mut request = self.stream(message);
        request.set_timeout(CALL_TIMEOUT);
        request
    }

    /// A streaming call's request: lasts as long as the stream.
    pub fn stream<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    pub fn staff(&self) -> StaffServiceClient<Channel> {
        StaffServiceClient::new(self.channel.clone())
    }

    pub fn districts(&self) -> DistrictServiceClient<Channel> {
        DistrictServiceClient::new(self.channel.clone())
    }

    pub fn schools(&self) -> SchoolServiceClient<Channel> {
        SchoolServiceClient::new(self.channel.clone())
    }

    pub fn students(&self) -> StudentServiceClient<Channel> {
        StudentServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub fn imports(&self) -> ImportServiceClient<Channel> {
        ImportServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub fn log(&self) -> LogServiceClient<Channel> {
        LogServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }
}
