//! Deliveries into batches: closed as soon as the queue is momentarily empty, at a budget, or before a barrier.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::types::DeliveryTag;
use shared::body::{self, DecodeError};
use shared::document::memory;
use shared::{ChangeEvent, Identity, Subject};

use crate::barrier::Barrier;
use crate::change::{Change, Message};
use crate::error::PartitionError;
use crate::quarantine::is_suspect;

/// Documents in a batch: enough to fill the model's batches, few enough to be searchable soon.
pub(crate) const MAX_DOCUMENTS: u16 = 64;
/// Bytes that the documents of a batch take in memory; the one that goes beyond it still belongs to it. That is about a thousand
/// chunks, half a minute of a core: two batches of each of eight partitions are far from the 30 minutes that RabbitMQ waits for.
const MAX_BYTES: usize = 1 << 20;

/// What comes next in a partition.
pub(crate) enum Batch {
    /// Documents, and messages that are no change event.
    Documents(Documents),
    /// A barrier, alone.
    Barrier(Barrier, Box<Message>, DeliveryTag),
    /// A message that may be what ended its consumers, alone and not decoded yet.
    Suspect(Box<Delivery>),
}

impl Batch {
    /// Its last delivery: tags of a channel are consecutive.
    pub(crate) fn last(&self) -> DeliveryTag {
        match self {
            Self::Documents(documents) => documents.last,
            Self::Barrier(_, _, tag) => *tag,
            Self::Suspect(delivery) => delivery.delivery_tag,
        }
    }

    /// Bytes of each of its bodies, as they came.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = usize> {
        let (decoded, alone) = match self {
            Self::Documents(Documents { changes, undecodable, .. }) => {
                let undecodable = undecodable.iter().map(|(message, _)| message);
                (Some(changes.iter().map(|change| &change.message).chain(undecodable)), None)
            }
            Self::Barrier(_, message, _) => (None, Some(message.body.len())),
            Self::Suspect(delivery) => (None, Some(delivery.data.len())),
        };
        decoded.into_iter().flatten().map(|message| message.body.len()).chain(alone)
    }

    /// Its changes, where it is decoded.
    pub(crate) fn changes(&self) -> &[Change] {
        match self {
            Self::Documents(documents) => &documents.changes,
            Self::Barrier(..) | Self::Suspect(_) => &[],
        }
    }
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
    /// What the documents take in memory, about.
    bytes: usize,
}

impl Documents {
    fn push(&mut self, change: Change) {
        self.bytes += change.event.document.as_ref().map_or(0, memory);
        self.changes.push(change);
    }

    /// The documents that it is about.
    pub(crate) fn identities(&self) -> HashSet<Identity> {
        self.changes.iter().map(|change| change.identity.clone()).collect()
    }

    fn are_enough(&self) -> bool {
        self.changes.len() + self.undecodable.len() >= usize::from(MAX_DOCUMENTS) || self.bytes >= MAX_BYTES
    }
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
        let mut documents = Documents::default();
        let mut next = Some(first);
        while let Some(delivery) = next {
            let tag = delivery.delivery_tag;
            if is_suspect(&delivery.properties) {
                if documents.last == 0 {
                    return Ok(Batch::Suspect(Box::new(delivery)));
                }
                self.held = Some(delivery);
                break;
            }
            match decode(&delivery, self.partition) {
                Decoded::Barrier(barrier) if documents.last == 0 => {
                    return Ok(Batch::Barrier(barrier, Box::new(message(&delivery)), tag));
                }
                Decoded::Barrier(_) => {
                    self.held = Some(delivery);
                    break;
                }
                Decoded::Change(change) => documents.push(*change),
                Decoded::Undecodable(error) => documents.undecodable.push((message(&delivery), error)),
            }
            documents.last = tag;
            if documents.are_enough() {
                break;
            }
            next = self.deliveries.next().now_or_never().flatten().transpose()?;
        }
        let redelivered = documents.changes.iter().filter(|change| change.redelivered).count();
        tracing::trace!(target: "intake", deliveries = documents.changes.len(), redelivered, "batch");
        Ok(Batch::Documents(documents))
    }
}

/// One delivery as a batch of its own.
pub(crate) fn alone(delivery: &Delivery, partition: u16) -> Batch {
    let mut documents = Documents { last: delivery.delivery_tag, ..Documents::default() };
    match decode(delivery, partition) {
        Decoded::Barrier(barrier) => {
            return Batch::Barrier(barrier, Box::new(message(delivery)), delivery.delivery_tag);
        }
        Decoded::Change(change) => documents.push(*change),
        Decoded::Undecodable(error) => documents.undecodable.push((message(delivery), error)),
    }
    Batch::Documents(documents)
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
    let ChangeEvent { id, revision, subject, .. } = &event;
    match subject.clone() {
        Subject::Collection(document_type) => Decoded::Barrier(Barrier {
            id: *id,
            document_type,
            partition,
            revision: *revision,
            redelivered: delivery.redelivered,
        }),
        Subject::Document(identity) => {
            let (redelivered, message) = (delivery.redelivered, message(delivery));
            Decoded::Change(Box::new(Change { identity, event, redelivered, message }))
        }
    }
}

pub(crate) fn message(delivery: &Delivery) -> Message {
    Message { body: Arc::new(delivery.data.clone()), properties: delivery.properties.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;
    use serde_json::json;

    fn delivery(content: impl serde::Serialize) -> Delivery {
        let json = json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "update", "type": "posts",
            "id_kind": "int", "entry_id": "5", "revision": 1, "occurred_at": "", "document": {"content": content}});
        let event = ChangeEvent::from_json(json.to_string().as_bytes()).unwrap();
        let body = body::encode(&event).unwrap();
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, body.bytes);
        if let Some(encoding) = body.encoding {
            delivery.properties = BasicProperties::default().with_content_encoding(encoding.into());
        }
        delivery
    }

    fn batch_of(deliveries: &[Delivery]) -> Documents {
        let mut documents = Documents::default();
        for delivery in deliveries {
            let Decoded::Change(change) = decode(delivery, 0) else { panic!("a change") };
            documents.push(*change);
        }
        documents
    }

    /// A body of a few kilobytes can be megabytes of text.
    #[test]
    fn a_batch_is_closed_by_the_size_of_what_was_decompressed() {
        let compressed = delivery("tides and ships ".repeat(MAX_BYTES / 16));
        assert!(compressed.data.len() < MAX_BYTES / 100);
        assert!(batch_of(&[compressed]).are_enough());
        assert!(!batch_of(&[delivery("short"), delivery("short")]).are_enough());
    }

    /// Nor does JSON say what it takes: of eight bytes come seven hundred.
    #[test]
    fn a_batch_is_closed_by_what_its_documents_take_in_memory() {
        let maps = vec![json!({"a": 0}); 2_500];
        let many = delivery(&maps);
        assert!(!batch_of(&[delivery(&maps[..600])]).are_enough());
        assert!(many.data.len() < MAX_BYTES / 40 && batch_of(&[many]).are_enough());
    }

    #[test]
    fn a_batch_is_closed_by_its_number_of_documents() {
        let deliveries: Vec<Delivery> = (0..MAX_DOCUMENTS).map(|_| delivery("short")).collect();
        assert!(!batch_of(&deliveries[1..]).are_enough());
        assert!(batch_of(&deliveries).are_enough());
    }
}
