//! `producer`: relays the changes of a MongoDB database to RabbitMQ. The loop is in `relay.rs`.

use clap::{Parser, Subcommand};
use producer::{ProducerError, Settings};
use shared::health::{HealthServer, Readiness};
use shared::settings::{self, LogSettings, MongoDbSettings};
use shared::{shutdown, telemetry};

/// Relays the changes of a MongoDB database to RabbitMQ
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Relay until stopped
    Run(Box<Settings>),
    /// Show checkpoint, lease and snapshot, one line each
    Status(MongoDbSettings),
    /// Look at the checkpoint or remove it
    #[command(subcommand)]
    Checkpoint(Checkpoint),
}

#[derive(Subcommand)]
enum Checkpoint {
    /// Print the checkpoint as JSON
    Show(MongoDbSettings),
    /// Remove the checkpoint: the next run relays everything anew
    Reset {
        #[command(flatten)]
        mongodb: MongoDbSettings,
        /// Also while a producer is at work
        #[arg(long)]
        force: bool,
    },
}

#[tokio::main]
async fn main() {
    let arguments: Arguments = settings::parse();
    if let Err(problem) = telemetry::init(arguments.log.log_format) {
        settings::fail(&problem);
    }
    let ended = match arguments.command {
        Command::Run(settings) => run(*settings).await,
        Command::Status(mongodb) => print(producer::status(&mongodb).await),
        Command::Checkpoint(Checkpoint::Show(mongodb)) => print(producer::show_checkpoint(&mongodb).await),
        Command::Checkpoint(Checkpoint::Reset { mongodb, force }) => {
            print(producer::reset_checkpoint(&mongodb, force).await)
        }
    };
    if let Err(error) = ended {
        eprintln!("error: {error}");
        std::process::exit(error.downcast_ref().map_or(1, ProducerError::exit_code));
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let readiness = Readiness::awaiting(producer::PARTS);
    let health = HealthServer::bind(settings.producer_http_listen, readiness.clone()).await?;
    producer::telemetry::describe();
    let shutdown = shutdown::on_signal()?;
    let stopped = shutdown::CancellationToken::new();
    let serving = tokio::spawn(health.run(stopped.clone()));
    let relayed = producer::run(settings, readiness, shutdown).await;
    stopped.cancel();
    serving.await??;
    Ok(relayed?)
}

fn print(report: Result<String, ProducerError>) -> anyhow::Result<()> {
    println!("{}", report?);
    Ok(())
}
