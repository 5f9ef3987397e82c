//! `consumer`: keeps Qdrant in step with the change events on RabbitMQ.

use std::process::exit;

use clap::{Parser, Subcommand};
use consumer::{ConsumerError, ConsumerSettings};
use shared::{settings, shutdown, telemetry};

/// Keeps Qdrant in step with the change events on RabbitMQ.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply change events until SIGTERM or Ctrl-C, which drains
    Run(ConsumerSettings),
}

#[tokio::main]
async fn main() {
    let Command::Run(settings) = settings::parse::<Cli>().command;
    if let Err(error) = run(settings).await {
        eprintln!("error: {error}");
        exit(error.exit_code());
    }
}

async fn run(settings: ConsumerSettings) -> Result<(), ConsumerError> {
    telemetry::init(settings.log.log_format)?;
    // The loop is `partition::Partition::run`.
    consumer::run(settings, shutdown::on_signal()?).await
}
