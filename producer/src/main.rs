//! `producer`: relays the changes of a MongoDB database to RabbitMQ. The loop is in `relay.rs`.

use clap::{Parser, Subcommand};
use producer::{ProducerError, ResyncSettings, Settings};
use shared::settings::{self, LogSettings, MongoDbSettings};
use shared::{shutdown, telemetry};

/// Relays the changes of a MongoDB database to RabbitMQ
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
    /// Relay until stopped
    #[command(after_help = settings::AFTER_HELP)]
    Run(Box<Settings>),
    /// Have the running producer relay documents anew, as they stand in MongoDB
    ///
    /// Whole types end in a sweep of what is gone. A filter does not. Documents named by --keys are repaired even where
    /// nothing changed, and those that are gone are deleted. Without a running producer it is done when one starts.
    #[command(after_help = settings::AFTER_HELP)]
    Resync(ResyncSettings),
    /// Show checkpoint, lease, snapshot and what is left of the oplog, one line each
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
        Command::Resync(settings) => producer::resync(&settings).await,
        Command::Status(mongodb) => print(producer::status(&mongodb).await),
        Command::Checkpoint(Checkpoint::Show(mongodb)) => print(producer::show_checkpoint(&mongodb).await),
        Command::Checkpoint(Checkpoint::Reset { mongodb, force }) => {
            print(producer::reset_checkpoint(&mongodb, force).await)
        }
    };
    if let Err(error) = ended {
        eprintln!("error: {error}");
        std::process::exit(error.exit_code());
    }
}

async fn run(settings: Settings) -> Result<(), ProducerError> {
    producer::run(settings, shutdown::on_signal()?).await
}

fn print(report: Result<String, ProducerError>) -> Result<(), ProducerError> {
    producer::say(report?);
    Ok(())
}
