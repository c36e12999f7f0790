//! Reads the command line, builds what it needs, runs it until it is done or told to stop.

use std::process::ExitCode;

use clap::Parser as _;
use provider_server::{
    app,
    cli::{AuditCommand, Cli, Command, ConfigCommand, DbCommand, KeysCommand, MailCommand, Serve},
    config::process_environment,
    exit::Failure,
    logging, offline,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    app::keep_files_private();
    logging::start();
    match run(cli.command.unwrap_or_else(|| Command::Serve(Serve::default()))) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("provider-server: {failure}");
            failure.code.into()
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> Result<ExitCode, Failure> {
    let environment = process_environment();
    let done = match command {
        Command::Ctl(ctl) => return Ok(ctl.run().await),
        Command::Serve(serve) => {
            let mut config = serve.settings.load(&environment)?;
            config.ready_json = serve.ready_json;
            app::run(config).await
        }
        Command::Copy(args) => offline::copy(&args.from, &args.to, args.json).await,
        Command::Config(ConfigCommand::Print(args)) => {
            offline::print_config(&args.settings.load(&environment)?, args.json)
        }
        Command::Keys(KeysCommand::Rotate(args)) => {
            offline::rotate_keys(&args.settings.load(&environment)?, args.json).await
        }
        Command::Mail(MailCommand::Test(args)) => {
            offline::test_mail(&args.settings.load(&environment)?, args.json).await
        }
        Command::Audit(AuditCommand::Verify(args)) => {
            let config = args.offline.settings.load(&environment)?;
            offline::verify_audit(&config, args.anchor.as_deref(), args.offline.json).await
        }
        Command::Db(DbCommand::Check(args)) => {
            offline::check_database(&args.settings.load(&environment)?, args.json).await
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}
