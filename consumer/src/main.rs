//! `consumer`: keeps Qdrant in step with the change events on RabbitMQ.

use std::io::stdout;
use std::process::exit;

use clap::{Parser, Subcommand};
use consumer::{CommandError, ConsumerError, ConsumerSettings, DeadLettersCommand, SourceSettings, VerifySettings};
use shared::settings::{self, LogSettings};
use shared::{Output, shutdown, telemetry};

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
    Run(Box<ConsumerSettings>),
    /// Look at what could not be applied, replay it at the source, or remove it
    #[command(subcommand)]
    DeadLetters(Box<DeadLettersCommand>),
    /// Compare MongoDB with the index: exit code 0 equal, 1 differs, 3 could not be told
    #[command(after_help = settings::AFTER_HELP)]
    Verify(Box<VerifySettings>),
    /// Show which database the index is of, or give it to another one
    #[command(after_help = settings::AFTER_HELP)]
    Source(SourceSettings),
}

#[tokio::main]
async fn main() {
    let arguments: Arguments = settings::parse();
    // A command's answer is what it prints.
    let level = if matches!(arguments.command, Command::Run(_)) { "info" } else { "warn" };
    if let Err(problem) = telemetry::init_at(level, arguments.log.log_format) {
        settings::fail(&problem);
    }
    let mut out = Output::of(stdout());
    match arguments.command {
        Command::Run(settings) => {
            if let Err(error) = run(*settings).await {
                eprintln!("error: {error}");
                exit(error.exit_code());
            }
        }
        Command::Source(settings) => end(consumer::source(settings, &mut out).await, CommandError::exit_code),
        Command::Verify(settings) => {
            end(consumer::verify(*settings, &mut out).await, CommandError::exit_code_of_comparison);
        }
        Command::DeadLetters(command) => {
            end(consumer::dead_letters(*command, &mut out).await, CommandError::exit_code);
        }
    }
}

async fn run(settings: ConsumerSettings) -> Result<(), ConsumerError> {
    // The loop is `partition::Partition::run`.
    consumer::run(settings, shutdown::on_signal()?).await
}

/// Exit code 1 where not all is as it was asked for.
fn end(answer: Result<bool, CommandError>, exit_code: impl FnOnce(&CommandError) -> i32) -> ! {
    match answer {
        Ok(true) => exit(0),
        Ok(false) => exit(1),
        Err(error) => {
            // One line, whatever a library has put into its message.
            eprintln!("error: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
            exit(exit_code(&error));
        }
    }
}
