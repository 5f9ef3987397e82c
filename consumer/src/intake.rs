//! Deliveries into batches: closed as soon as the queue is momentarily empty, at a budget, or before a barrier.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::DeliveryTag;
use shared::body::{self, DecodeError};
use shared::{ChangeEvent, Subject};

use crate::barrier::Barrier;
use crate::change::{Change, Message};
use crate::error::PartitionError;

/// Documents in a batch: enough to fill the model's batches, few enough to be searchable soon.
const MAX_DOCUMENTS: usize = 64;
/// Bytes of bodies in a batch.
const MAX_BYTES: usize = 8 << 20;

/// What comes next in a partition.
pub(crate) enum Batch {
    /// Documents, and messages that are no change event.
    Documents(Documents),
    /// A barrier, alone.
    Barrier(Barrier, DeliveryTag),
}

/// Deliveries of documents, in order.
#[derive(Default)]
pub(crate) struct Documents {
    /// Those that could be decoded.
    pub(crate) changes: Vec<Change>,
    /// Those that could not.
    pub(crate) undecodable: Vec<(Message, DecodeError)>,
    /// The last one's tag.
    pub(crate) last: DeliveryTag,
}

/// The deliveries of one partition.
pub(crate) struct Intake {
    deliveries: Consumer,
    partition: u16,
    /// Taken while a batch was being closed, and not part of it.
    held: Option<Delivery>,
}

impl Intake {
    /// The deliveries of this consumer.
    pub(crate) fn new(deliveries: Consumer, partition: u16) -> Self {
        Self { deliveries, partition, held: None }
    }

    /// Waits for a delivery and takes what has arrived with it. Dropping the future loses nothing: between the first
    /// delivery and the return nothing is awaited.
    ///
    /// # Errors
    /// [`PartitionError`] when the subscription has ended.
    pub(crate) async fn next_batch(&mut self) -> Result<Batch, PartitionError> {
        let first = match self.held.take() {
            Some(held) => held,
            None => self.deliveries.next().await.ok_or(PartitionError::Cancelled)??,
        };
        let (mut documents, mut bytes) = (Documents::default(), 0);
        let mut next = Some(first);
        while let Some(delivery) = next {
            let (tag, size) = (delivery.delivery_tag, delivery.data.len());
            match decode(&delivery, self.partition) {
                Decoded::Barrier(barrier) if documents.last == 0 => return Ok(Batch::Barrier(barrier, tag)),
                Decoded::Barrier(_) => {
                    self.held = Some(delivery);
                    break;
                }
                Decoded::Change(change) => documents.changes.push(*change),
                Decoded::Undecodable(error) => documents.undecodable.push((message(&delivery), error)),
            }
            documents.last = tag;
            bytes += size;
            if documents.changes.len() >= MAX_DOCUMENTS || bytes >= MAX_BYTES {
                break;
            }
            next = self.deliveries.next().now_or_never().flatten().transpose()?;
        }
        Ok(Batch::Documents(documents))
    }
}

enum Decoded {
    Change(Box<Change>),
    Barrier(Barrier),
    Undecodable(DecodeError),
}

fn decode(delivery: &Delivery, partition: u16) -> Decoded {
    let encoding = delivery.properties.content_encoding().as_ref().map(ToString::to_string);
    let event = match body::decode(&delivery.data, encoding.as_deref()) {
        Ok(event) => event,
        Err(error) => return Decoded::Undecodable(error),
    };
    let ChangeEvent { revision, subject, .. } = &event;
    match subject.clone() {
        Subject::Collection(document_type) => Decoded::Barrier(Barrier {
            document_type,
            partition,
            revision: *revision,
            redelivered: delivery.redelivered,
        }),
        Subject::Document(identity) => Decoded::Change(Box::new(Change {
            identity,
            event,
            redelivered: delivery.redelivered,
            message: message(delivery),
        })),
    }
}

fn message(delivery: &Delivery) -> Message {
    Message { body: Arc::new(delivery.data.clone()), properties: delivery.properties.clone() }
}
