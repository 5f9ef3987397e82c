//! Exchange and queues on RabbitMQ, declared alike by producer and consumer.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

/// The exchange through which every change goes; its routing key is the partition.
pub const EXCHANGE: &str = "twin.changes";
/// The queue of messages that cannot be applied.
pub const DEAD_LETTERS: &str = "twin.dead-letters";

/// Quorum queues count deliveries. The limit is there only because without one RabbitMQ 3.x requeues to the back,
/// which would break the order. It is never meant to be reached: the consumer itself puts a message that keeps crashing it in
/// quarantine, and a dead letter may be looked at as often.
pub const DELIVERY_LIMIT: u32 = 1_000_000;

/// Queue of a partition.
pub fn partition_queue(partition: u16) -> String {
    format!("{EXCHANGE}.{partition}")
}

/// Declares the exchange, a queue for each partition bound by its number, and the dead-letter queue. Idempotent.
///
/// # Errors
/// As the broker answers: `PRECONDITION_FAILED` where something of that name exists with other arguments.
pub async fn declare(channel: &Channel, partitions: u16) -> lapin::Result<()> {
    declare_dead_letters(channel).await?;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
    for partition in 0..partitions {
        let queue = partition_queue(partition);
        declare_queue(channel, &queue, partition_arguments()).await?;
        let key = partition.to_string();
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), EXCHANGE.into(), key.into(), options, arguments).await?;
    }
    Ok(())
}

/// Declares the dead-letter queue alone. Idempotent.
///
/// # Errors
/// As [`declare`].
pub async fn declare_dead_letters(channel: &Channel) -> lapin::Result<()> {
    declare_queue(channel, DEAD_LETTERS, quorum_arguments()).await
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), options, arguments).await?;
    Ok(())
}

fn quorum_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT.into()));
    arguments
}

fn partition_arguments() -> FieldTable {
    let mut arguments = quorum_arguments();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(DEAD_LETTERS.into()));
    arguments
}
