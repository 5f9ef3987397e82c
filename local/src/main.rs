//! The program behind the `local-*` targets of the Makefile.

use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use local::stack::{self, EXIT_SETTINGS, Settings, StackError};
use local::{PartName, supervisor};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// MongoDB, RabbitMQ, Qdrant, producer and consumer on this machine, native or in containers
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything up and healthy, or a clear reason
    Start,
    /// End everything, in order
    Stop,
    /// How the stack is, anew each second; without a terminal a table of the services, exit 0 if all are healthy
    Status {
        /// The table, also on a terminal
        #[arg(long, env = "PLAIN", value_parser = FalseyValueParser::new())]
        once: bool,
    },
    /// The end of the logs
    Logs {
        /// One service only
        service: Option<String>,
        /// Go on until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop, and remove data, logs and programs
    Clean,
    /// A few documents in, found, changed, gone
    TestCdc,
    /// The producer alone, in the foreground, each change a line
    StartCdc,
    /// `retrieval search` against the stack
    Search {
        /// As for `retrieval search`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Which stack `start` would start: native or containers
    Choose,
    /// Make stand-ins for the images that cannot be pulled
    ImagesOffline,
    /// Make nodes a replica set unless they are one, and wait for its primary
    ReplicaSet {
        /// As `host:port`; the first is preferred as primary
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Whether a service is ready: exit 0 if it says so
    Ready {
        /// `host:port` of its health endpoints
        address: String,
    },
    /// Fetch all that is needed, start nothing
    Provision {
        /// Only these
        parts: Vec<PartName>,
    },
    /// Keep the services of a plan running (what `start` leaves in the background)
    #[command(hide = true)]
    Supervise,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { settings, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    match Box::pin(run(&settings, command)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help and version as they are; what is wrong in one line that names the setting.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        error.exit();
    }
    let wrong = error.to_string();
    let wrong = wrong.lines().next().unwrap_or_default().trim_start_matches("error: ");
    match setting(error) {
        Some(setting) => eprintln!("error: {setting}: {wrong}"),
        None => eprintln!("error: {wrong}"),
    }
    ExitCode::from(EXIT_SETTINGS)
}

/// The variable of the argument at fault.
fn setting(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(at_fault)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = at_fault.split_whitespace().next()?.strip_prefix("--")?;
    let command = Arguments::command();
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag))?;
    argument.get_env().map(|name| name.to_string_lossy().into_owned())
}

async fn run(settings: &Settings, command: Command) -> Result<bool, StackError> {
    match command {
        Command::Start => stack::start(settings).await?,
        Command::Stop => stack::stop(settings).await?,
        Command::Status { once } => return stack::status(settings, once).await,
        Command::Logs { service, follow } => stack::logs(settings, service.as_deref(), follow).await?,
        Command::Clean => stack::clean(settings).await?,
        Command::TestCdc => stack::test_cdc(settings).await?,
        Command::StartCdc => return stack::start_cdc(settings).await,
        Command::Search { arguments } => match stack::search(settings, &arguments).await? {},
        Command::Choose => println!("{}", stack::choose(settings).await?),
        Command::ImagesOffline => stack::images_offline(settings).await?,
        Command::ReplicaSet { nodes } => stack::replica_set(&nodes).await?,
        Command::Ready { address } => stack::ready(&address).await?,
        Command::Provision { parts } => stack::fetch(settings, &parts).await?,
        Command::Supervise => supervise(settings).await?,
    }
    Ok(true)
}

/// In a session of its own: no terminal's end reaches it. SIGTERM ends it in order.
async fn supervise(settings: &Settings) -> Result<(), StackError> {
    let _ = rustix::process::setsid(); // It leads one already if it was started that way.
    tracing_subscriber::fmt().with_ansi(false).with_target(false).init();
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    let shutdown = CancellationToken::new();
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    for arrived in signals {
        let (shutdown, mut arrived) = (shutdown.clone(), arrived.map_err(StackError::signals)?);
        tokio::spawn(async move {
            arrived.recv().await;
            shutdown.cancel();
        });
    }
    Ok(supervisor::supervise(&layout, shutdown).await?)
}
