//! A change as the broker gets it: body, properties, lane.

use std::fmt;

use bson::DateTime;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::{Value, json};
use shared::body::{self, Body, EncodeError};
use shared::dead_letter::{self, Postmark};
use shared::{ChangeEvent, Operation, Subject, topology};
use uuid::Uuid;

use crate::document_id::IdFault;
use crate::mapping::DeadLetter;

/// Longest text taken from a document into a header, in bytes: an `_id` may have megabytes, a frame of headers not.
const MAX_HEADER: usize = 1024;
/// AMQP delivery mode of what must survive the broker's restart.
const PERSISTENT: u8 = 2;

/// What keeps its order: a partition, or the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lane {
    Partition(u16),
    DeadLetters,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(partition) => write!(f, "partition {partition}"),
            Self::DeadLetters => f.write_str("the dead letters"),
        }
    }
}

/// A message that can be published as often as needed.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) lane: Lane,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
    /// Operation, subject and revision for a person.
    pub(crate) title: String,
    /// When the change happened, to tell the lag by; none for what is not of the stream.
    pub(crate) happened: Option<DateTime>,
}

impl Message {
    /// A change event for a partition; a dead letter where its `_id` alone is more than a broker takes.
    pub(crate) fn event(event: &ChangeEvent, partition: u16, database: &str) -> Result<Self, EncodeError> {
        let body = body::encode(event)?;
        if body.bytes.len() > body::MAX_BODY {
            return Self::dead_letter(too_large(event, body.bytes.len()));
        }
        let properties = properties(event.id, body.encoding).with_headers(cloud_event(event, database));
        // What a snapshot or resync says bears T0, also of a document that it did not find: no change took so long.
        let streamed = event.operation == Operation::Drop || event.revision.index() > 0;
        Ok(Self {
            id: event.id,
            lane: Lane::Partition(partition),
            body: body.bytes,
            properties,
            title: format!("{:<8} {} revision {}", event.operation.as_str(), subject(event), event.revision),
            happened: streamed.then(|| DateTime::parse_rfc3339_str(&event.occurred_at).ok()).flatten(),
        })
    }

    /// A dead letter, no larger than an event may be: a message that the broker refuses for its size would come back
    /// for ever.
    pub(crate) fn dead_letter(letter: DeadLetter) -> Result<Self, EncodeError> {
        let error = letter.fault.to_string();
        let title = format!("dead letter: {error}");
        let postmark = Postmark { reason: letter.fault.reason(), stage: "map", error, attempts: 1, partition: None };
        let body = letter_body(letter.content)?;
        let headers = dead_letter::stamp(FieldTable::default(), &postmark);
        Ok(Self {
            id: letter.id,
            lane: Lane::DeadLetters,
            properties: properties(letter.id, body.encoding).with_headers(headers),
            body: body.bytes,
            title,
            happened: None,
        })
    }

    /// Where to publish: exchange and routing key.
    pub(crate) fn address(&self) -> (ShortString, ShortString) {
        match self.lane {
            Lane::Partition(partition) => (topology::EXCHANGE.into(), partition.to_string().into()),
            // The default exchange routes by the queue's name.
            Lane::DeadLetters => (ShortString::default(), topology::DEAD_LETTERS.into()),
        }
    }
}

fn too_large(event: &ChangeEvent, bytes: usize) -> DeadLetter {
    let entry_id = event.identity().map(|identity| identity.entry_id.as_str());
    let content = json!({"operation": event.operation, "type": event.document_type(), "_id": entry_id,
        "occurred_at": event.occurred_at, "document": event.document});
    DeadLetter { id: event.id, fault: IdFault::TooLarge(bytes), content }
}

/// What does not fit goes without its document; an `_id` may be as large.
fn letter_body(mut content: Value) -> Result<Body, EncodeError> {
    for part in ["document", "_id"] {
        if let Some(body) = body::fit(serde_json::to_vec(&content)?)? {
            return Ok(body);
        }
        content[part] = Value::Null;
        content["omitted"] = body::TOO_LARGE.into();
    }
    Ok(Body { bytes: serde_json::to_vec(&content)?, encoding: None })
}

fn properties(id: Uuid, encoding: Option<&'static str>) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_message_id(id.to_string().into())
        .with_content_type(body::CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT);
    match encoding {
        Some(encoding) => properties.with_content_encoding(encoding.into()),
        None => properties,
    }
}

/// CloudEvents 1.0, AMQP binding, binary mode; and a W3C trace context that begins with the event.
fn cloud_event(event: &ChangeEvent, database: &str) -> FieldTable {
    let id = event.id.simple().to_string();
    let mut headers = FieldTable::default();
    for (name, value) in [
        ("cloudEvents:specversion", "1.0".to_owned()),
        ("cloudEvents:id", event.id.to_string()),
        ("cloudEvents:source", format!("/mongodb/{database}/{}", event.document_type())),
        ("cloudEvents:type", format!("llm-twin.change.{}", event.operation.as_str())),
        ("cloudEvents:subject", subject(event)),
        ("cloudEvents:time", event.occurred_at.clone()),
        ("traceparent", format!("00-{id}-{}-01", &id[..16])),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    headers
}

fn subject(event: &ChangeEvent) -> String {
    let mut subject = match &event.subject {
        Subject::Document(identity) => identity.to_string(),
        Subject::Collection(document_type) => document_type.to_string(),
    };
    subject.truncate(subject.floor_char_boundary(MAX_HEADER));
    subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{DocumentType, IdKind, Identity, Revision};

    /// Text that zstd cannot shrink below three quarters: hexadecimal noise of a fixed generator.
    fn incompressible(bytes: usize) -> String {
        let mut state = 1_u64;
        let next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{:016x}", state.rotate_left(23))
        };
        std::iter::repeat_with(next).take(bytes / 16).collect()
    }

    fn letter(id: Value, document: Value) -> (Message, Value) {
        let fault = IdFault::Unreadable("said so".into());
        let content = json!({"operation": "insert", "_id": id, "document": document});
        let message = Message::dead_letter(DeadLetter { id: Uuid::nil(), fault, content }).unwrap();
        let encoding = message.properties.content_encoding().as_ref().map(|encoding| encoding.as_str());
        let content = serde_json::from_slice(&body::decompressed(&message.body, encoding).unwrap()).unwrap();
        (message, content)
    }

    #[test]
    fn a_dead_letter_is_no_larger_than_a_message_may_be() {
        let noise = incompressible(40 << 20);
        for (id, document) in
            [(json!(2.5), json!({"content": &noise})), (json!({"a": &noise}), json!({"content": "x"}))]
        {
            let (message, content) = letter(id, document);
            assert!(message.body.len() <= 15 << 20, "{}", message.body.len());
            assert_eq!((&content["omitted"], &content["document"]), (&json!("too large"), &Value::Null));
        }
        let (_, content) = letter(json!(2.5), json!({"content": &noise}));
        assert_eq!(content["_id"], 2.5, "what fits stays");
    }

    #[test]
    fn an_event_whose_id_alone_is_too_large_is_a_dead_letter() {
        let identity = |entry_id| Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id };
        let event = |entry_id| ChangeEvent {
            id: Uuid::nil(),
            operation: Operation::Delete,
            subject: Subject::Document(identity(entry_id)),
            revision: Revision::new(1, 1, 1).unwrap(),
            occurred_at: "2026-11-22T04:43:51.510Z".into(),
            document: None,
            omitted: None,
            repair: false,
        };
        let message = |bytes| Message::event(&event(incompressible(bytes)), 3, "twin").unwrap();
        assert_eq!(message(8 << 20).lane, Lane::Partition(3));
        let letter = message(40 << 20);
        assert_eq!(letter.lane, Lane::DeadLetters);
        assert!(letter.body.len() < body::MAX_BODY && letter.title.contains("too large"), "{}", letter.title);
    }

    #[test]
    fn a_large_dead_letter_is_compressed_and_a_small_one_plain() {
        let (message, content) = letter(json!(2.5), json!({"content": "long ".repeat(100_000)}));
        assert!(message.properties.content_encoding().is_some() && message.body.len() < 10_000);
        assert_eq!(content["document"]["content"].as_str().map(str::len), Some(500_000));
        let (message, _) = letter(json!(2.5), json!({"content": "short"}));
        assert!(message.properties.content_encoding().is_none());
    }
}
