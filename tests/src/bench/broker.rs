//! Messages by hand: taken from the queues, put back into them, as fast as the client can.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::stream::{FuturesUnordered, select_all};
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};
use shared::topology::{self, EXCHANGE, partition_queue};

use super::site::PARTITIONS;

/// Unconfirmed messages at a time: as the producer's own default.
const WINDOW: usize = 2000;

/// A message as our producer would publish it.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) partition: u16,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
}

/// A channel to the queues of a virtual host.
pub(super) struct Broker {
    // Held, for the channel ends with it.
    _connection: Connection,
    channel: Channel,
}

impl Broker {
    /// Connects and declares what our programs declare.
    pub(super) async fn connect(uri: &str) -> Result<Self> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        topology::declare(&channel, PARTITIONS).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { _connection: connection, channel })
    }

    /// Empties the queues.
    pub(super) async fn purge(&self) -> Result<()> {
        for partition in 0..PARTITIONS {
            self.channel.queue_purge(partition_queue(partition).into(), QueuePurgeOptions::default()).await?;
        }
        Ok(())
    }

    /// Takes so many messages out of the queues.
    pub(super) async fn take(&self, count: usize) -> Result<Vec<Letter>> {
        let mut queues = Vec::new();
        for partition in 0..PARTITIONS {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let (queue, tag) = (partition_queue(partition), format!("bench-{partition}"));
            let deliveries =
                self.channel.basic_consume(queue.into(), tag.into(), options, FieldTable::default()).await?;
            queues.push(deliveries.map(move |delivery| (partition, delivery)));
        }
        let mut queues = select_all(queues);
        let mut letters = Vec::with_capacity(count);
        while letters.len() < count {
            let (partition, delivery) = queues.next().await.context("the queues are there")?;
            let delivery = delivery?;
            letters.push(Letter { partition, body: delivery.data, properties: delivery.properties });
        }
        drop(queues);
        for partition in 0..PARTITIONS {
            self.channel.basic_cancel(format!("bench-{partition}").into(), Default::default()).await?;
        }
        Ok(letters)
    }

    /// Publishes all, a window at a time, every confirm awaited. `confirmed` is told now and then how many there are so far.
    pub(super) async fn publish(&self, letters: &[Letter], mut confirmed: impl FnMut(usize)) -> Result<()> {
        let (mut unanswered, mut done) = (FuturesUnordered::<PublisherConfirm>::new(), 0);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        for letter in letters {
            if unanswered.len() >= WINDOW {
                // All that are there: one publish for each confirm would be a write to the socket for each.
                let mut answer = unanswered.next().await;
                while let Some(one) = answer {
                    settle(Some(one))?;
                    done += 1;
                    answer = unanswered.next().now_or_never().flatten();
                }
                confirmed(done);
            }
            let (exchange, key) = (EXCHANGE.into(), letter.partition.to_string().into());
            let sent = self.channel.basic_publish(exchange, key, options, &letter.body, letter.properties.clone());
            unanswered.push(sent.await?);
        }
        while let Some(answer) = unanswered.next().await {
            settle(Some(answer))?;
            done += 1;
            confirmed(done);
        }
        Ok(())
    }
}

fn settle(answer: Option<lapin::Result<Confirmation>>) -> Result<()> {
    let answer = answer.context("one is unanswered")??;
    ensure!(matches!(answer, Confirmation::Ack(None)), "a message was returned or refused: {answer:?}");
    Ok(())
}

/// Events a second once all is under way: the first fifth is left out, in which buffers and windows fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    lead: usize,
    first: Option<(Instant, usize)>,
    last: (Instant, usize),
}

/// So many of all do not count.
pub(super) fn lead(all: usize) -> usize {
    all / 5
}

impl Pace {
    /// Of so many.
    pub(super) fn new(all: usize) -> Self {
        Self { lead: lead(all), first: None, last: (Instant::now(), 0) }
    }

    /// So many so far.
    pub(super) fn reached(&mut self, count: usize) {
        self.last = (Instant::now(), count);
        if count >= self.lead {
            self.first.get_or_insert(self.last);
        }
    }

    pub(super) fn per_second(&self) -> f64 {
        self.first.map_or(f64::NAN, |(begun, count)| (self.last.1 - count) as f64 / (self.last.0 - begun).as_secs_f64())
    }
}
