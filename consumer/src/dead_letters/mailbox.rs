//! The queue of dead letters, read by one command at a time.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::{DeliveryTag, FieldTable};
use lapin::{Channel, Connection, ErrorKind};
use shared::Backoff;
use shared::broker;
use shared::settings::RabbitMqSettings;
use shared::topology::{self, DEAD_LETTERS};
use tokio::time::{Instant, timeout};

use crate::command_error::CommandError;

/// Longest time for an answer of the broker.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest wait for another command's turn to be over.
const TURN: Duration = Duration::from_secs(60);
/// AMQP's code for a queue that is another connection's alone.
const RESOURCE_LOCKED: u16 = 405;

/// The dead letters. What is taken and not removed goes back in its order with [`Mailbox::close`], and when the
/// connection is lost.
pub(super) struct Mailbox {
    connection: Connection,
    channel: Channel,
}

impl Mailbox {
    /// Connects, and waits until no other command reads.
    pub(super) async fn open(settings: &RabbitMqSettings) -> Result<Self, CommandError> {
        let uri = settings.uri()?;
        let connection = answered(broker::connect(&uri, "twin consumer dead-letters")).await?;
        take_turn(&connection).await?;
        let channel = answered(connection.create_channel()).await?;
        answered(topology::declare_dead_letters(&channel)).await?;
        Ok(Self { connection, channel })
    }

    /// The next letter; none at the end. It is held until it is removed or the mailbox closed.
    pub(super) async fn next(&mut self) -> Result<Option<Delivery>, CommandError> {
        let letter = answered(self.channel.basic_get(DEAD_LETTERS.into(), BasicGetOptions::default())).await?;
        Ok(letter.map(|letter| letter.delivery))
    }

    /// Removes a letter that was taken.
    pub(super) async fn remove(&self, letter: DeliveryTag) -> Result<(), CommandError> {
        answered(self.channel.basic_ack(letter, BasicAckOptions::default())).await
    }

    /// Gives back what was taken and not removed. The broker's answer also says that it has all removals.
    pub(super) async fn close(self) -> Result<(), CommandError> {
        answered(self.channel.close(200, "done".into())).await?;
        answered(self.connection.close(200, "done".into())).await
    }
}

/// Letters that one command holds would be missing from what another one sees. A queue that belongs to a connection
/// alone says whose turn it is; it is gone with the connection.
async fn take_turn(connection: &Connection) -> Result<(), CommandError> {
    let (since, mut backoff) = (Instant::now(), Backoff::default());
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    loop {
        // A refusal closes the channel.
        let channel = answered(connection.create_channel()).await?;
        let name = format!("{DEAD_LETTERS}.turn");
        match answered(channel.queue_declare(name.into(), options, FieldTable::default())).await {
            Err(CommandError::Broker(error)) if is_locked(&error) && since.elapsed() < TURN => backoff.wait().await,
            Err(CommandError::Broker(error)) if is_locked(&error) => {
                return Err(CommandError::Refused("another dead-letters command is still at work".into()));
            }
            declared => return declared.map(drop),
        }
    }
}

fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == RESOURCE_LOCKED)
}

async fn answered<T>(request: impl Future<Output = lapin::Result<T>>) -> Result<T, CommandError> {
    let silent = |_| CommandError::Silent { server: "RabbitMQ", seconds: ANSWER.as_secs() };
    Ok(timeout(ANSWER, request).await.map_err(silent)??)
}
