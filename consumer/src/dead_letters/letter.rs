//! A dead letter, as far as its headers and content tell.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, DeliveryTag};
use serde_json::{Value, json};
use shared::body;
use shared::{ChangeEvent, Subject};
use xxhash_rust::xxh3::xxh3_64;

use crate::origin::source_of;

/// Bytes of what a letter is about that a line shows.
const LONGEST_SHOWN: usize = 200;

/// A dead letter without its document, which can be megabytes.
#[derive(Debug)]
pub(super) struct Letter {
    /// By which it is acknowledged.
    pub(super) tag: DeliveryTag,
    /// Its `message_id`, or a hash of its content where the publisher gave it none.
    pub(super) id: String,
    /// In one or two words.
    pub(super) reason: String,
    stage: String,
    error: String,
    attempts: Option<i64>,
    partition: Option<i64>,
    /// What it would have changed; or why that cannot be told.
    pub(super) event: Result<ChangeEvent, String>,
    /// The database that it comes from, if it says so.
    pub(super) source: Option<String>,
    /// What it is about, for people.
    document: String,
    /// Seconds since the epoch when it became a dead letter, or else when its change occurred.
    since: Option<i64>,
}

impl Letter {
    /// The letter that was delivered.
    pub(super) fn of(delivery: &Delivery) -> Self {
        let properties = &delivery.properties;
        let json = content(delivery);
        let event = json.as_deref().map_err(Clone::clone).and_then(|json| {
            let event = body::parse(json).map_err(|error| error.to_string())?;
            Ok(ChangeEvent { document: None, ..event })
        });
        let header = |name| text(properties, name);
        let stamped = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
        let occurred = || event.as_ref().ok().and_then(|event| seconds(&event.occurred_at));
        Self {
            tag: delivery.delivery_tag,
            id: properties
                .message_id()
                .as_ref()
                .map_or_else(|| format!("{:016x}", xxh3_64(&delivery.data)), ToString::to_string),
            // The broker's own, where it was the broker that gave up.
            reason: header("x-twin-reason")
                .or_else(|| header("x-first-death-reason"))
                .unwrap_or_else(|| "unknown".into()),
            stage: header("x-twin-stage").unwrap_or_else(|| "broker".into()),
            error: header("x-twin-error").unwrap_or_default(),
            attempts: number(properties, "x-twin-attempts"),
            partition: number(properties, "x-twin-partition"),
            source: source_of(properties),
            document: about(&event, json.as_deref().unwrap_or_default()),
            since: stamped.or_else(occurred),
            event,
        }
    }

    /// One line for a person.
    pub(super) fn line(&self, now: i64) -> String {
        let shown = |number: Option<i64>| number.map_or("-".into(), |number| number.to_string());
        let revision = self.event.as_ref().map_or("-".into(), |event| event.revision.to_string());
        let age = self.since.map_or("-".into(), |since| age(now - since));
        let (attempts, partition) = (shown(self.attempts), shown(self.partition));
        let Self { id, reason, stage, error, .. } = self;
        // An id can be megabytes; `show` has all of it.
        let (shown, rest) = self.document.split_at(self.document.floor_char_boundary(LONGEST_SHOWN));
        let document = if rest.is_empty() { shown.to_owned() } else { format!("{shown}…") };
        plain(&format!(
            "{id}  {reason}  {stage}  {document}  revision {revision}  attempts {attempts}  partition {partition}  \
             {age} ago  {error}"
        ))
    }

    /// The same for a program.
    pub(super) fn json(&self, now: i64) -> Value {
        let event = self.event.as_ref().ok();
        json!({"id": self.id, "reason": self.reason, "stage": self.stage, "error": self.error,
            "attempts": self.attempts, "partition": self.partition, "document": self.document,
            "type": event.map(ChangeEvent::document_type),
            "id_kind": event.and_then(ChangeEvent::identity).map(|identity| identity.id_kind),
            "entry_id": event.and_then(ChangeEvent::identity).map(|identity| identity.entry_id.clone()),
            "revision": event.map(|event| event.revision), "age_seconds": self.since.map(|since| now - since)})
    }
}

/// The JSON of a letter's body, or what it is not.
pub(super) fn content(delivery: &Delivery) -> Result<Vec<u8>, String> {
    let encoding = delivery.properties.content_encoding().as_ref().map(ToString::to_string);
    let json = body::decompressed(&delivery.data, encoding.as_deref());
    json.map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
}

/// What it speaks of. A producer's letter is about an `_id` that makes no identity.
fn about(event: &Result<ChangeEvent, String>, json: &[u8]) -> String {
    if let Ok(event) = event {
        return match &event.subject {
            Subject::Document(identity) => identity.to_string(),
            Subject::Collection(document_type) => format!("{document_type} ({})", event.operation.as_str()),
        };
    }
    let fields: Value = serde_json::from_slice(json).unwrap_or_default();
    match (fields["type"].as_str(), fields.get("_id")) {
        (Some(document_type), Some(id)) => format!("{document_type}/{id}"),
        _ => "-".into(),
    }
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongLongInt(number) => Some(*number),
        _ => None,
    }
}

fn seconds(rfc3339: &str) -> Option<i64> {
    Some(bson::DateTime::parse_rfc3339_str(rfc3339).ok()?.timestamp_millis() / 1000)
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Without what would steer a terminal: a letter can hold anything.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(properties: BasicProperties, body: &str) -> Letter {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, body.as_bytes().to_vec());
        delivery.properties = properties;
        Letter::of(&delivery)
    }

    #[test]
    fn what_is_no_change_event_still_has_an_id_and_a_line() {
        let letter = letter(BasicProperties::default(), "\u{1b}[2J");
        assert!(letter.event.is_err() && letter.id.len() == 16);
        assert!(letter.line(0).starts_with(&letter.id));
    }

    #[test]
    fn a_letter_cannot_steer_the_terminal() {
        let letter = letter(BasicProperties::default().with_message_id("\u{1b}[2J\n".into()), "{}");
        assert!(!letter.line(0).contains(['\u{1b}', '\n']));
    }

    #[test]
    fn a_producers_letter_is_about_an_id() {
        let letter = letter(BasicProperties::default(), r#"{"type": "posts", "_id": 5.5}"#);
        assert!(letter.line(0).contains("posts/5.5"), "{}", letter.line(0));
    }

    #[test]
    fn ages_are_short() {
        assert_eq!([-1, 59, 61, 7200, 200_000].map(age), ["0 s", "59 s", "1 min", "2 h", "2 d"]);
    }
}
