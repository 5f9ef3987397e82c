//! `consumer dead-letters`: what could not be applied, looked at, replayed at the source, or removed.
//!
//! Looking changes nothing: letters are taken without acknowledging them and go back in their order when the channel is
//! closed. RabbitMQ counts each look as a delivery; the queue's limit of a million of them is
//! [`shared::topology::DELIVERY_LIMIT`]. Commands that come at the same time take their turns.

mod letter;
mod mailbox;
mod purge;
mod replay;
mod report;
mod selection;

use std::io::Write;

use clap::{Args, Subcommand};
use shared::settings::{AFTER_HELP, MongoDbSettings, RabbitMqSettings};
use source::Source;

use crate::command_error::CommandError;
use mailbox::Mailbox;
use selection::Selection;

/// What to do with the dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// One line each, and how many there are for each reason
    #[command(after_help = AFTER_HELP)]
    List {
        /// The broker.
        #[command(flatten)]
        rabbitmq: RabbitMqSettings,
        /// One object a line
        #[arg(long)]
        json: bool,
    },
    /// Headers and content of the letters with this id
    #[command(after_help = AFTER_HELP)]
    Show {
        /// As `list` says, or its beginning
        id: String,
        /// The broker.
        #[command(flatten)]
        rabbitmq: RabbitMqSettings,
    },
    /// Have the producer relay their documents anew, as they stand in MongoDB now
    #[command(after_help = AFTER_HELP)]
    Replay(Replay),
    /// Remove letters for good
    #[command(after_help = AFTER_HELP)]
    Purge(Purge),
}

/// Settings of `dead-letters replay`.
#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
    #[command(flatten)]
    mongodb: MongoDbSettings,
}

/// Settings of `dead-letters purge`.
#[derive(Debug, Args)]
pub struct Purge {
    #[command(flatten)]
    selection: Selection,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    rabbitmq: RabbitMqSettings,
}

/// Runs one of the commands and writes what it found to `out`. True: all that was asked for was done.
///
/// # Errors
/// [`CommandError`]: no letter was removed that was not dealt with.
pub async fn dead_letters(command: DeadLettersCommand, out: &mut impl Write) -> Result<bool, CommandError> {
    match command {
        DeadLettersCommand::List { rabbitmq, json } => {
            let mut mailbox = Mailbox::open(&rabbitmq).await?;
            report::list(&mut mailbox, json, out).await?;
            mailbox.close().await?;
            Ok(true)
        }
        DeadLettersCommand::Show { id, rabbitmq } => {
            let mut mailbox = Mailbox::open(&rabbitmq).await?;
            let found = report::show(&mut mailbox, &id, out).await?;
            mailbox.close().await?;
            if found { Ok(true) } else { Err(CommandError::Refused(format!("no dead letter has the id {id}"))) }
        }
        DeadLettersCommand::Replay(Replay { selection, rabbitmq, mongodb }) => {
            selection.check()?;
            let source = Source::new(&mongodb, "consumer").await?;
            let mut mailbox = Mailbox::open(&rabbitmq).await?;
            let all = replay::replay(&mut mailbox, &source, &selection, out).await?;
            mailbox.close().await?;
            Ok(all)
        }
        DeadLettersCommand::Purge(Purge { selection, yes, rabbitmq }) => {
            selection.check()?;
            let mut mailbox = Mailbox::open(&rabbitmq).await?;
            let removed = purge::purge(&mut mailbox, &selection, yes, out).await?;
            mailbox.close().await?;
            Ok(removed)
        }
    }
}
