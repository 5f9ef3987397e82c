//! `consumer`: keeps Qdrant in step with the change events on RabbitMQ.

use std::process::exit;

use clap::{Parser, Subcommand};
use consumer::{ConsumerError, ConsumerSettings};
use shared::settings::{self, LogSettings};
use shared::{shutdown, telemetry};

/// Keeps Qdrant in step with the change events on RabbitMQ
#[derive(Parser)]
#[command(version, after_help = settings::AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply change events until SIGTERM or Ctrl-C, which drains
    #[command(after_help = settings::AFTER_HELP)]
    Run(ConsumerSettings),
}

#[tokio::main]
async fn main() {
    let arguments: Arguments = settings::parse();
    if let Err(problem) = telemetry::init(arguments.log.log_format) {
        settings::fail(&problem);
    }
    let Command::Run(settings) = arguments.command;
    if let Err(error) = run(settings).await {
        eprintln!("error: {error}");
        exit(error.exit_code());
    }
}

async fn run(settings: ConsumerSettings) -> Result<(), ConsumerError> {
    // The loop is `partition::Partition::run`.
    consumer::run(settings, shutdown::on_signal()?).await
}
