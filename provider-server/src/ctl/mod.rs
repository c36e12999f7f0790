//! `provider-server ctl`: everything that staff can do, as a client over gRPC. Data goes to stdout, progress and
//! errors to stderr, and the exit code says what kind of end it was (see `failure`).

mod access;
mod audit;
mod client;
mod district;
mod failure;
mod files;
mod import;
mod log;
mod output;
mod overview;
mod roster;
mod school;
mod student;
mod student_input;
mod when;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::{client::Session, failure::Outcome, output::Output};

const EXAMPLES: &str = "\
Examples:
  provider-server ctl owner claim --code-file data/owner-code --username ada --password-file pw --token-file token
  provider-server ctl import roster.zip --district dist-1 --wait
  provider-server ctl school connect sch-7 --url https://hooks.example.org/webhook
  provider-server ctl log list --school sch-7 --filter 'status:failed code:5xx' --follow

Server, pin and token file may stand in ROLLCALL_SERVER, ROLLCALL_PIN and ROLLCALL_TOKEN_FILE.
Districts and schools are named by id, sourcedId or name.
Exit codes: 0 ok, 1 a check failed or not found, 2 usage, 65 bad data, 69 unreachable, 70 internal, 77 denied.";

/// Administers a running server over gRPC.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Ctl {
    #[command(flatten)]
    connection: client::ConnectionOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Turns the one-time owner code into the first account.
    #[command(subcommand)]
    Owner(access::OwnerCommand),
    /// Opens a session and writes its token to --token-file.
    Login(access::Credentials),
    /// Ends the session of --token-file.
    Logout,
    /// Shows the account behind --token-file.
    Whoami,
    /// Staff accounts.
    #[command(subcommand)]
    Staff(access::StaffCommand),
    /// Districts.
    #[command(subcommand)]
    District(district::DistrictCommand),
    /// Schools and their connections.
    #[command(subcommand)]
    School(school::SchoolCommand),
    /// Students of a district.
    #[command(subcommand)]
    Student(student::StudentCommand),
    /// Imports a OneRoster zip, or looks after a run.
    Import(import::ImportArgs),
    /// The dashboard: figures of a day, what needs attention, schools.
    Overview(overview::OverviewArgs),
    /// The delivery log.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// What a school should hold.
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

impl Ctl {
    /// Runs the command; errors are printed to stderr. Installs nothing process-wide.
    pub async fn run(self) -> ExitCode {
        match self.execute().await {
            Ok(code) => ExitCode::from(code),
            Err(failure) => {
                if !failure.message.is_empty() {
                    eprintln!("error: {}", failure.message);
                }
                ExitCode::from(failure.code)
            }
        }
    }

    async fn execute(self) -> Outcome {
        let output = Output::new(self.connection.json);
        let session = Session::open(&self.connection).await?;
        match self.command {
            Command::Owner(command) => command.run(&session, &output).await,
            Command::Login(credentials) => credentials.login(&session, &output).await,
            Command::Logout => access::logout(&session).await,
            Command::Whoami => access::who_am_i(&session, &output).await,
            Command::Staff(command) => command.run(&session, &output).await,
            Command::District(command) => command.run(&session, &output).await,
            Command::School(command) => command.run(&session, &output).await,
            Command::Student(command) => command.run(&session, &output).await,
            Command::Import(arguments) => arguments.run(&session, &output).await,
            Command::Overview(arguments) => arguments.run(&session, &output).await,
            Command::Log(command) => command.run(&session, &output).await,
            Command::Roster(command) => command.run(&session, &output).await,
            Command::Audit(command) => command.run(&session, &output).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        ctl: Ctl,
    }

    fn parse(line: &str) -> Result<Ctl, clap::Error> {
        Program::try_parse_from(std::iter::once("ctl").chain(line.split_whitespace())).map(|program| program.ctl)
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Program::command().debug_assert();
    }

    #[test]
    fn every_documented_command_is_understood() {
        let lines = [
            "owner claim --code-file F --username U --password-file P --token-file T",
            "login --username U --password-file P --token-file T",
            "staff create --username U --password-file P --role operator --district D",
            "staff list",
            "staff disable U",
            "staff update U --role viewer --district D --password-file P --enable",
            "staff revoke-sessions U",
            "district create NAME --sourced-id ID",
            "district list",
            "school create NAME --district D --sourced-id ID",
            "school list",
            "school show S",
            "school connect S --url https://x.example/webhook",
            "school connect S --url https://x.example/webhook --own-receiver --secret-out FILE",
            "school connect S --url https://x.example/ --max-tries 3 --delays-ms 10,20 --probe-ms 50 --timeout-ms 900 --max-in-flight 8",
            "school code S",
            "school rotate S --secret-out FILE",
            "school pause S",
            "school rename S NAME",
            "school delete S --confirm-name NAME",
            "school resume S",
            "student put - --district D",
            "student get ID --district D",
            "student list --district D",
            "student enroll ID --district D --school S",
            "student withdraw ID --district D --school S",
            "student transfer ID --district D --from S --to S2",
            "student delete ID --district D --dry-run",
            "student list --district D --order-by family_name --descending --grade 07",
            "student erase ID --district D --confirm ID --reason asked",
            "import FILE --district D --profile strict --wait",
            "import FILE --district D --review",
            "import plan RUN --kind updated --school S",
            "import show RUN",
            "import errors RUN",
            "import approve --without-deletions RUN",
            "import discard RUN",
            "import cancel RUN",
            "import undo RUN",
            "log list --school S --filter status:failed --follow",
            "log show evt_1",
            "log resend evt_1",
            "log replay --school S --dry-run",
            "log stats --school S",
            "log histogram --school S --since -7d --buckets 24",
            "log undelivered --school S",
            "log replay --school S --group parked,exhausted,http,422",
            "log discard --school S --reason R --group held,gone",
            "log discard --school S --reason R evt_1",
            "log undo-discard --school S abc",
            "overview --district D",
            "log messages --school S",
            "roster export --school S",
            "roster digest --school S",
            "audit list",
            "audit verify",
        ];
        for line in lines {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn the_connection_may_stand_before_or_after_the_command() {
        let pin = "ab".repeat(32);
        for line in [
            format!("--server h:1 --pin {pin} --token-file t --json school list"),
            format!("school list --server h:1 --pin {pin} --token-file t --json"),
        ] {
            let ctl = parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(ctl.connection.server.as_deref(), Some("h:1"), "{line}");
            assert!(ctl.connection.pin.is_some() && ctl.connection.json, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error() {
        for line in [
            "",
            "school",
            "school connect S",
            "school connect S --url U --delays-ms 10,x",
            "student transfer ID --district D --from S",
            "import FILE",
            "import FILE --district D --profile loose",
            "log list",
            "school list --pin abc",
            "staff create --username U --password-file P --role king",
        ] {
            let error = parse(line).err().unwrap_or_else(|| panic!("{line} was accepted"));
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
