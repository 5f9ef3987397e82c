//! The publishing end: one connection of its own, confirms pipelined, each awaited.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::uri::AMQPUri;
use lapin::{Channel, Confirmation, Connection, Event};
use shared::{broker, topology};
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::ProducerError;
use crate::message::Message;

/// Longest time for connecting and for declaring the topology.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The broker's answer to a publish.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Stored. The return of the same message may still come, with this or another answer.
    Confirmed(u64),
    /// Not stored.
    Nacked(u64),
    /// No queue took the message of this id.
    Returned(Option<Uuid>),
}

type Publishing = BoxFuture<'static, (u64, lapin::Result<Confirmation>)>;

/// A connection in confirm mode. It is never recovered: on any error it is dropped and a new one replays the window.
pub(crate) struct Publisher {
    /// Closing it closes the channel.
    connection: Connection,
    channel: Channel,
    unanswered: FuturesUnordered<Publishing>,
    events: BoxStream<'static, Event>,
    blocked: Option<String>,
}

impl Publisher {
    /// Connects and declares the topology.
    pub(crate) async fn connect(uri: &AMQPUri, partitions: u16) -> Result<Self, ProducerError> {
        timeout(CONNECT_TIMEOUT, Self::open(uri, partitions)).await.map_err(|_| ProducerError::BrokerTimeout)?
    }

    async fn open(uri: &AMQPUri, partitions: u16) -> Result<Self, ProducerError> {
        let connection = broker::connect(uri, "llm-twin producer").await?;
        let events = connection.events_listener().boxed();
        let channel = connection.create_channel().await?;
        topology::declare(&channel, partitions).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { connection, channel, unanswered: FuturesUnordered::new(), events, blocked: None })
    }

    /// Publishes without waiting for the answer.
    pub(crate) fn publish(&mut self, number: u64, message: Arc<Message>) {
        let channel = self.channel.clone();
        let mut publishing = async move {
            let (exchange, key) = message.address();
            // Unroutable messages are returned; without `mandatory` they would be confirmed and gone.
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let sent = channel.basic_publish(exchange, key, options, &message.body, message.properties.clone());
            match sent.await {
                Ok(confirm) => (number, confirm.await),
                Err(error) => (number, Err(error)),
            }
        }
        .boxed();
        // The first poll hands the frames over: here, so that they go out in the order of the calls.
        match (&mut publishing).now_or_never() {
            Some(answered) => self.unanswered.push(std::future::ready(answered).boxed()),
            None => self.unanswered.push(publishing),
        }
    }

    /// Whether the broker is still there, so that a loss is noticed with nothing in flight too.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn check(&self) -> Result<(), ProducerError> {
        let connected = self.connection.status().connected() && self.channel.status().connected();
        if connected { Ok(()) } else { Err(ProducerError::BrokerGone) }
    }

    /// Why the broker takes nothing for now (`connection.blocked`: it is short of memory or disk). What is published
    /// meanwhile waits in this process and goes on when the broker has room again.
    pub(crate) fn blocked(&mut self) -> Option<&str> {
        while let Some(event) = self.events.next().now_or_never().flatten() {
            match event {
                Event::ConnectionBlocked(reason) => self.blocked = Some(reason),
                Event::ConnectionUnblocked => self.blocked = None,
                _ => {}
            }
        }
        self.blocked.as_deref()
    }

    /// Whether every publish has been answered, so that every return has surfaced.
    pub(crate) fn all_answered(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// Waits for answers; pending while none is awaited. Returns all that are there, refusals first: a return
    /// surfaces no later than the confirm of its own message, but maybe with another confirm.
    ///
    /// # Errors
    /// The connection is lost. What was not answered by then must go again.
    pub(crate) async fn answers(&mut self) -> Result<Vec<Answer>, ProducerError> {
        let Some(first) = self.unanswered.next().await else { return std::future::pending().await };
        let mut confirmed = Vec::new();
        let mut answers = Vec::new();
        let mut next = Some(first);
        while let Some((number, answer)) = next {
            let (outcome, returned) = match answer? {
                Confirmation::Ack(returned) => (Answer::Confirmed(number), returned),
                Confirmation::Nack(returned) => (Answer::Nacked(number), returned),
                Confirmation::NotRequested => return Err(ProducerError::Unconfirmed),
            };
            answers.extend(returned.as_ref().map(|returned| Answer::Returned(message_id(returned))));
            match outcome {
                Answer::Confirmed(_) => confirmed.push(outcome),
                _ => answers.push(outcome),
            }
            next = self.unanswered.next().now_or_never().flatten();
        }
        answers.append(&mut confirmed);
        Ok(answers)
    }

    /// Closes the connection in good order; for the end, when nothing is unanswered.
    pub(crate) async fn close(self) {
        let closing = self.connection.close(200, "producer stops".into());
        if let Ok(Err(error)) = timeout(Duration::from_secs(1), closing).await {
            tracing::debug!(%error, "connection was not closed in good order");
        }
    }
}

fn message_id(returned: &BasicReturnMessage) -> Option<Uuid> {
    Uuid::try_parse(returned.properties.message_id().as_ref()?.as_str()).ok()
}
